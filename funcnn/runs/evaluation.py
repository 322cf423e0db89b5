"""How good a model is on some samples: its loss and its metrics there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from funcnn.core import Loss, Model, Params, Samples
from funcnn.core.caches import remembered
from funcnn.core.precision import jax_promotion
from funcnn.data.scaling import Scale
from funcnn.loop.gradient import loss_of
from funcnn.metrics import Metric
from funcnn.runs.prediction import predictions

__all__ = ["Evaluation"]


class Evaluation(NamedTuple):
    """What to record of a run, when, and on which samples.

    Attributes:
        every: the steps between two records.
        data: the samples to evaluate on; None to record the losses of the steps alone.
        prefix: what the names of the scores begin with.
        metrics: what to measure beside the loss.
        scale: by what the targets were standardized: metrics are taken in their own unit.
        names: the names of the scores.
    """

    every: int
    data: Samples | None = None
    prefix: str = ""
    metrics: tuple[Metric, ...] = ()
    scale: Scale | None = None

    @property
    def names(self) -> list[str]:
        """The names of the scores, in the order in which they are given."""
        if self.data is None:
            return []
        loss = ["loss"] if self.prefix else []  # That of training is recorded anyway.
        return [self.prefix + name for name in (*loss, *(one.name for one in self.metrics))]

    def scores(self, model: Model, loss: Loss, params: Params) -> dict[str, float]:
        """The loss and the metrics by name; to be called inside ``numerics``."""
        if self.data is None:
            return {}
        x, y, weight = self.data
        prediction = predictions(model, params, x)
        traced = tuple(metric.function for metric in self.metrics if metric.traced)
        measured = _measured(loss, traced)(prediction, y[:], weight, self.scale)
        values = iter(np.asarray(measured).tolist())
        found = [next(values)]
        for metric in self.metrics:
            if metric.traced:
                found.append(next(values))
            else:
                pair = (_in_own_unit(np.asarray(one), self.scale) for one in (prediction, y[:]))
                found.append(float(metric.function(*pair)))
        return dict(zip(self.names, found if self.prefix else found[1:], strict=True))


@remembered
def _measured(
    loss: Callable[[], Loss], metrics: Callable[[], tuple[Callable[..., Any], ...]]
) -> Callable[..., Float[Array, " scores"]]:
    """The loss and the metrics of predictions, in one program."""

    def measure(
        prediction: Array, y: Array, weight: Array | None, scale: Scale | None
    ) -> Float[Array, " scores"]:
        value = loss_of(loss(), prediction, y, weight)
        with jax_promotion():
            unscaled = [_in_own_unit(array, scale) for array in (prediction, y)]
            scores = [jnp.asarray(metric(*unscaled), value.dtype) for metric in metrics()]
        return jnp.stack([value, *scores])

    return jax.jit(measure)


def _in_own_unit(array: Any, scale: Scale | None) -> Any:
    if scale is None:
        return array
    with jax_promotion():  # A number for each column, of all rows.
        return array * scale.spread + scale.mean
