"""What several trained models predict together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Shaped

from funcnn.core import ArgumentError
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
    """What models predict together for inputs as ``train`` takes them.

    Raises:
        ArgumentError: for classifiers of different classes.
    """
    known = {id(one.preparation): one.preparation for one in models}
    first = models[0].preparation
    if any(not _same_classes(one.classes, first.classes) for one in known.values()):
        raise ArgumentError("members: they know different classes, and have no mean")
    inputs = {key: preparation.inputs(x) for key, preparation in known.items()}
    members = []
    with numerics(first.dtype):
        for one in models:
            own = one.preparation
            raw = np.asarray(predictions(one.model, one.params, inputs[id(own)]))
            members.append(own.outputs(raw) if own.link is None else own.probabilities(raw))
    stacked = np.stack(members)
    return Ensemble(stacked, stacked.mean(axis=0), stacked.std(axis=0))


def _same_classes(one: np.ndarray | None, other: np.ndarray | None) -> bool:
    return one is other or (one is not None and other is not None and np.array_equal(one, other))
