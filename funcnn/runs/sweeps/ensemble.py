"""What several trained models predict together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Shaped

from funcnn.core.precision import numerics
from funcnn.runs.prediction import predictions
from funcnn.runs.predictor import Predictor

__all__ = ["Ensemble", "ensemble"]


class Ensemble(NamedTuple):
    """The predictions of several models for the same samples.

    Those of classifiers are probabilities; all others are in the unit and with the axes of the y
    that was given.

    Attributes:
        members: those of each, (members, samples, ...).
        mean: their mean, (samples, ...).
        spread: their standard deviation, (samples, ...): the root of the mean square of how far
            they are from the mean.
    """

    members: Shaped[np.ndarray, "members samples ..."]
    mean: Shaped[np.ndarray, "samples ..."]
    spread: Shaped[np.ndarray, "samples ..."]


def ensemble(models: Sequence[Predictor], x: Any) -> Ensemble:
    """What models that were trained on the same data predict for inputs as ``train`` takes them."""
    preparation = models[0].preparation
    finished = preparation.outputs if preparation.link is None else preparation.probabilities
    inputs = preparation.inputs(x)
    with numerics(preparation.dtype):
        raw = [np.asarray(predictions(one.model, one.params, inputs)) for one in models]
    members = np.stack([finished(one) for one in raw])
    return Ensemble(members, members.mean(axis=0), members.std(axis=0))
