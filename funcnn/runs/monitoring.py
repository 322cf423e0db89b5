"""What is watched of a run: its scores, the best of them, and a user's callbacks."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from funcnn.core import ArgumentError, ArgumentTypeError, checks
from funcnn.core.caches import compiled
from funcnn.core.precision import numerics
from funcnn.core.tracing import plain_errors
from funcnn.data.scaling import Scale
from funcnn.metrics import Metric, named_all
from funcnn.runs.evaluation import PREFIX, Evaluation, Watched
from funcnn.runs.history import History
from funcnn.runs.observers import Callback, Callbacks, EarlyStopping, Evaluations, Observer
from funcnn.runs.observers.evaluations import Best, Patience
from funcnn.runs.plan import Plan
from funcnn.runs.prediction import predictor
from funcnn.runs.shapes import structs

__all__ = ["Monitoring", "monitoring_of", "watched_of"]


class Monitoring(NamedTuple):
    """The observers that look at a run's scores, in their order.

    Attributes:
        evaluations: records the scores; None where nobody asked for any.
        early_stopping: looks for the best; None where nobody asked for it.
        callbacks: calls the user's functions; None where there are none.
        watched: what they look at.
    """

    evaluations: Evaluations | None = None
    early_stopping: EarlyStopping | None = None
    callbacks: Callbacks | None = None
    watched: Watched = Watched()

    @property
    def observers(self) -> list[Observer]:
        """Those that there are."""
        known = (self.evaluations, self.early_stopping, self.callbacks)
        return [observer for observer in known if observer is not None]

    @property
    def remembering(self) -> dict[str, Any]:
        """Those whose memory belongs to a checkpoint, by name."""
        known = {"evaluations": self.evaluations, "early_stopping": self.early_stopping}
        return {name: one for name, one in known.items() if one is not None}

    @property
    def words(self) -> dict[str, Any]:
        """What must be the same in a run that goes on: what is recorded, and what ends the run.

        Nothing, where an epoch's loss alone is recorded: callbacks may come and go.
        """
        records, stopping = self.evaluations, self.early_stopping
        if records is None or (stopping is None and records.is_plain):
            return {}
        return self.watched.words

    @property
    def is_over(self) -> bool:
        """Whether the run that this one goes on from was stopped since it got no better."""
        return self.early_stopping is not None and self.early_stopping.stopped

    @property
    def history(self) -> History | None:
        """What was recorded; None where nothing was asked for."""
        return None if self.evaluations is None else History(self.evaluations.rows)

    @property
    def best(self) -> Best | None:
        """The best record; None where nobody asked for it."""
        return None if self.early_stopping is None else self.early_stopping.best


def monitoring_of(
    plan: Plan,
    *,
    metrics: Any = None,
    evaluate_every: Any = None,
    monitor: Any = None,
    mode: Any = None,
    patience: Any = None,
    min_delta: Any = None,
    callbacks: Any = None,
) -> Monitoring:
    """The observers that the arguments of ``train`` ask for.

    Args:
        plan: the run.
        metrics: what to measure beside the loss.
        evaluate_every: the steps between two records; an epoch without it.
        monitor: the score that tells which params are the best.
        mode: ``"min"`` or ``"max"``: which score is the best.
        patience: after how many records without a better one to stop.
        min_delta: by how much a score must be better to count.
        callbacks: functions to call at every record.

    Raises:
        ArgumentError, ArgumentTypeError: for arguments that cannot be used.
    """
    functions = _callbacks(callbacks)
    watched = watched_of(
        plan,
        metrics=metrics,
        evaluate_every=evaluate_every,
        monitor=monitor,
        mode=mode,
        patience=patience,
        min_delta=min_delta,
        anyhow=bool(functions),
    )
    evaluation, stopping = watched
    if evaluation is None:
        return Monitoring()
    scores = functools.partial(evaluation.scores, plan.model, plan.loss)
    records = Evaluations(evaluation.every, plan.steps, plan.per_epoch, scores, evaluation.names)
    return Monitoring(
        records,
        None
        if stopping is None
        else EarlyStopping(records, stopping, jax.tree.structure(plan.shapes.state.params)),
        Callbacks(functions, records, plan.steps) if functions else None,
        watched,
    )


def watched_of(
    plan: Plan,
    *,
    metrics: Any = None,
    evaluate_every: Any = None,
    monitor: Any = None,
    mode: Any = None,
    higher_is_better: Any = None,
    patience: Any = None,
    min_delta: Any = None,
    anyhow: bool = False,
) -> Watched:
    """What the arguments of ``train`` ask to be measured.

    The arguments are those of :func:`monitoring_of`; ``higher_is_better`` is ``mode`` of a sweep,
    where that is another argument. With ``anyhow`` the loss is recorded where none of them asks
    for anything.

    Raises:
        ArgumentError, ArgumentTypeError: for arguments that cannot be used.
    """
    evaluation = _evaluation(plan, named_all(metrics), evaluate_every)
    stopping = _patience(evaluation, monitor, mode, higher_is_better, patience, min_delta)
    nothing = evaluation.data is None and evaluate_every is None
    if nothing and stopping is None and not anyhow:
        return Watched()
    _require_scores(plan, evaluation)
    return Watched(evaluation, stopping)


def _evaluation(plan: Plan, metrics: tuple[Metric, ...], every: Any) -> Evaluation:
    every = plan.per_epoch if every is None else checks.integer("evaluate_every", every, at_least=1)
    data, prefix = (plan.validation, PREFIX)
    if data is None and metrics:
        data, prefix = plan.data, ""
    scale = plan.preparation.y_scale
    if scale is not None:
        scale = Scale(scale.mean.astype(plan.dtype), scale.spread.astype(plan.dtype))
    return Evaluation(every, data, prefix, metrics, scale)


def _patience(
    evaluation: Evaluation,
    monitor: Any,
    mode: Any,
    higher_is_better: Any,
    patience: Any,
    min_delta: Any,
) -> Patience | None:
    if monitor is None and patience is None:
        given = {"mode": mode, "higher_is_better": higher_is_better, "min_delta": min_delta}
        for name, value in given.items():
            if value is not None:
                raise ArgumentError(f"{name} is for patience= or monitor=, which are not given")
        return None
    known = ["loss", *evaluation.names]
    if monitor is None:
        monitor = PREFIX + "loss" if PREFIX + "loss" in known else "loss"
    checks.choice("monitor", monitor, known)
    higher = {evaluation.prefix + one.name: one.higher_is_better for one in evaluation.metrics}
    is_higher = higher.get(monitor, False)
    if mode is not None:
        is_higher = checks.choice("mode", mode, ("min", "max")) == "max"
    if higher_is_better is not None:
        is_higher = checks.flag("higher_is_better", higher_is_better)
    if is_higher is None:
        raise ArgumentError(
            f"monitor={monitor!r} is a metric of your own: give mode='min' or mode='max' (of a "
            f"sweep, higher_is_better=True or False)"
        )
    return Patience(
        monitor,
        is_higher,
        None if patience is None else checks.integer("patience", patience, at_least=1),
        0.0 if min_delta is None else checks.number("min_delta", min_delta),
    )


def _callbacks(callbacks: Any) -> Sequence[Callback]:
    if callbacks is None:
        return ()
    if not isinstance(callbacks, (list, tuple)):
        raise ArgumentTypeError(f"callbacks must be a list of functions, not {callbacks!r:.60}")
    for callback in callbacks:
        if not callable(callback):
            raise ArgumentTypeError(f"callbacks must hold functions, not {callback!r:.60}")
        try:
            inspect.signature(callback).bind(None)
        except TypeError:
            raise ArgumentTypeError(
                f"callbacks must hold functions of one argument, a funcnn.callbacks.Event, not "
                f"{callback!r:.60}"
            ) from None
        except ValueError:  # Some functions that are not written in Python.
            continue
    return callbacks


def _require_scores(plan: Plan, evaluation: Evaluation) -> None:
    """Go through the metrics once, without computing anything.

    Raises:
        ArgumentError: for a metric that fails on these predictions, or gives no single number.
    """
    if evaluation.data is None:
        return
    predict = predictor(plan.model)  # A model that cannot predict is refused now.
    samples, y = len(evaluation.data.y), evaluation.data.y
    kind = plan.shapes.prediction
    if kind is None:
        with numerics(plan.dtype), plain_errors("the model's prediction"):
            params, x = plan.shapes.state.params, structs(evaluation.data.x)
            kind = jax.eval_shape(compiled(predict), params, x)
    prediction = jax.ShapeDtypeStruct((samples, *kind.shape[1:]), kind.dtype)
    target = jax.ShapeDtypeStruct(y.shape, y.dtype)
    for metric in evaluation.metrics:
        try:
            with numerics(plan.dtype), plain_errors(metric.name):
                if not metric.traced:
                    # It computes with NumPy, and says so of what it does not take.
                    metric.function(np.zeros(prediction.shape, prediction.dtype), np.asarray(y[:]))
                    continue
                found = jax.eval_shape(metric.function, prediction, target)
        except ArgumentError as error:
            raise type(error)(f"metrics: {error}") from error
        shape, dtype = getattr(found, "shape", None), getattr(found, "dtype", None)
        if shape != () or np.dtype(dtype).kind not in "fiub":
            given = repr(found) if shape is None else f"{dtype}{shape}"
            raise ArgumentError(f"metrics: {metric.name} must give one real number, not {given}")
