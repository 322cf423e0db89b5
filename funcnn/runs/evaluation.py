"""How good a model is on some samples: its loss and its metrics there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from funcnn.core import Loss, Model, Params, Samples
from funcnn.core.caches import compiled, remembered
from funcnn.core.precision import jax_promotion
from funcnn.data.scaling import Scale
from funcnn.loop.gradient import loss_of
from funcnn.metrics import Metric
from funcnn.runs.observers.evaluations import Patience
from funcnn.runs.prediction import ROWS, predictions, predictor
from funcnn.runs.samples import Prepared

__all__ = ["PREFIX", "Evaluation", "Watched"]

PREFIX = "validation_"
"""What the names of scores on the validation part begin with."""


class Evaluation(NamedTuple):
    """What to record of a run, when, and on which samples.

    Attributes:
        every: the steps between two records.
        data: the samples to evaluate on; None to record the losses of the steps alone.
        prefix: what the names of the scores begin with.
        metrics: what to measure beside the loss.
        scale: by what the targets were standardized: metrics are taken in their own unit.
        own: whether each of many members has data and a scale of its own: then these have a
            leading axis.
        names: the names of the scores.
    """

    every: int
    data: Samples | None = None
    prefix: str = ""
    metrics: tuple[Metric, ...] = ()
    scale: Scale | None = None
    own: bool = False

    @property
    def names(self) -> list[str]:
        """The names of the scores, in the order in which they are given."""
        if self.data is None:
            return []
        loss = ["loss"] if self.prefix else []  # That of training is recorded anyway.
        return [self.prefix + name for name in (*loss, *(one.name for one in self.metrics))]

    @property
    def words(self) -> dict[str, Any]:
        """What must be the same in a run that goes on."""
        metrics = {metric.name: metric.function for metric in self.metrics}
        return {"every": self.every, "scores": self.names, "metrics": metrics}

    def rows(self, steps: int) -> int:
        """How many records a run of so many steps has."""
        return -(-steps // self.every)

    def of_each(self, sets: Sequence[Prepared]) -> Evaluation:
        """The same of many members, each on samples of its own."""
        each = [
            (one.validation if self.prefix else one.training, one.preparation.y_scale)
            for one in sets
        ]
        data, scale = jax.tree.map(
            lambda shared, *own: np.stack(own).astype(shared.dtype), (self.data, self.scale), *each
        )
        return self._replace(data=data, scale=scale, own=True)

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
        return self._named(found)

    def scores_of_members(
        self, model: Model, loss: Loss, params: Params
    ) -> dict[str, Float[np.ndarray, " members"]]:
        """The same of many members, whose params have a leading axis; in one program for all."""
        if self.data is None:
            return {}
        traced = tuple(metric.function for metric in self.metrics if metric.traced)
        at_once = max(1, ROWS // self.data.y.shape[1 if self.own else 0])
        measure = _measured_of_members(predictor(model), loss, traced, at_once)
        samples = (self.data, self.scale)
        shared, own = (None, samples) if self.own else (samples, None)
        measured = np.asarray(measure(params, shared, own), np.float64)
        values = iter(measured.T)
        loss_of_each = next(values)
        of_metrics = [
            next(values) if metric.traced else self._one_by_one(model, params, metric)
            for metric in self.metrics
        ]
        return self._named([loss_of_each, *of_metrics])

    def _named(self, found: list[Any]) -> dict[str, Any]:
        return dict(zip(self.names, found if self.prefix else found[1:], strict=True))

    def _one_by_one(
        self, model: Model, params: Params, metric: Metric
    ) -> Float[np.ndarray, " members"]:
        """A metric that computes with NumPy, of each member."""
        assert self.data is not None
        members = len(jax.tree.leaves(params)[0])
        shared = (self.data, self.scale)
        scores = np.empty(members)
        for member in range(members):
            data, scale = _row(shared, member) if self.own else shared
            prediction = np.asarray(predictions(model, _row(params, member), data.x))
            pair = (_in_own_unit(one, scale) for one in (prediction, np.asarray(data.y)))
            scores[member] = metric.function(*pair)
        return scores


class Watched(NamedTuple):
    """What is measured of a run.

    Attributes:
        evaluation: what, when and on which samples; None where nobody asked for any of it.
        patience: which score tells the best, and when to stop; None where nobody asked.
    """

    evaluation: Evaluation | None = None
    patience: Patience | None = None

    @property
    def monitor(self) -> str:
        """The score by which runs are compared: ``"last_loss"`` where nothing else tells."""
        if self.patience is not None:
            return self.patience.monitor
        is_validated = self.evaluation is not None and self.evaluation.prefix
        return f"{PREFIX}loss" if is_validated else "last_loss"

    @property
    def words(self) -> dict[str, Any]:
        """What must be the same in a sweep that goes on."""
        if self.evaluation is None:
            return {}
        return self.evaluation.words | (self.patience._asdict() if self.patience else {})

    @property
    def higher_is_better(self) -> bool:
        """Whether a higher one is a better one."""
        return self.patience is not None and self.patience.higher_is_better


@remembered
def _measured(
    loss: Callable[[], Loss], metrics: Callable[[], tuple[Callable[..., Any], ...]]
) -> Callable[..., Float[Array, " scores"]]:
    """The loss and the metrics of predictions, in one program."""

    def measure(
        prediction: Array, y: Array, weight: Array | None, scale: Scale | None
    ) -> Float[Array, " scores"]:
        return _measure(loss(), metrics(), prediction, y, weight, scale)

    return jax.jit(measure)


@remembered
def _measured_of_members(
    predict: Callable[[], Callable[..., Any]],
    loss: Callable[[], Loss],
    metrics: Callable[[], tuple[Callable[..., Any], ...]],
    at_once: Callable[[], int],
) -> Callable[..., Float[Array, "members scores"]]:
    """The loss and the metrics of many members, so many side by side.

    The samples and the scale are those of all members, or each member has its own.
    """
    width = at_once()

    def measure(params: Params, shared: Any, own: Any) -> Float[Array, "members scores"]:
        def of_one(each: tuple[Params, Any]) -> Float[Array, " scores"]:
            (x, y, weight), scale = each[1] if shared is None else shared
            prediction = compiled(predict())(each[0], x)
            return _measure(loss(), metrics(), prediction, y, weight, scale)

        return jax.lax.map(of_one, (params, own), batch_size=width)

    return jax.jit(measure)


def _measure(
    loss: Loss,
    metrics: tuple[Callable[..., Any], ...],
    prediction: Array,
    y: Array,
    weight: Array | None,
    scale: Scale | None,
) -> Float[Array, " scores"]:
    value = loss_of(loss, prediction, y, weight)
    with jax_promotion():
        unscaled = [_in_own_unit(array, scale) for array in (prediction, y)]
        scores = [jnp.asarray(metric(*unscaled), value.dtype) for metric in metrics]
    return jnp.stack([value, *scores])


def _row(tree: Any, number: int) -> Any:
    return jax.tree.map(lambda leaf: leaf[number], tree)


def _in_own_unit(array: Any, scale: Scale | None) -> Any:
    if scale is None:
        return array
    with jax_promotion():  # A number for each column, of all rows.
        return array * scale.spread + scale.mean
