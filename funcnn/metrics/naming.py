"""The metrics by name, and what else may be given for one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from funcnn.core import ArgumentError, ArgumentTypeError, checks
from funcnn.core.names import alias
from funcnn.losses import LOSSES, without_options
from funcnn.metrics.scores import (
    accuracy,
    r2,
    require_scikit_learn,
    roc_auc,
    root_mean_squared_error,
)

__all__ = ["METRICS", "Metric", "find", "named_all"]


RECORDED = frozenset({"step", "steps", "epoch", "loss", "seconds"})
"""What is recorded of a run beside its metrics: their names are taken."""


class Metric(NamedTuple):
    """A metric: a function, and what is known about it.

    Attributes:
        name: what its values are reported under.
        function: ``function(prediction, target) -> scalar``.
        higher_is_better: None where it is not known.
        traced: whether JAX can trace the function; it is given NumPy arrays and returns a
            float where not.
    """

    name: str
    function: Callable[..., Any]
    higher_is_better: bool | None = None
    traced: bool = True


METRICS: dict[str, Metric] = {
    "accuracy": Metric("accuracy", accuracy, higher_is_better=True),
    "r2": Metric("r2", r2, higher_is_better=True),
    "root_mean_squared_error": Metric(
        "root_mean_squared_error", root_mean_squared_error, higher_is_better=False
    ),
    "roc_auc": Metric("roc_auc", roc_auc, higher_is_better=True, traced=False),
} | {name: Metric(name, loss, higher_is_better=False) for name, loss in LOSSES.items()}


def find(metric: str | Callable[..., Any] | Metric, name: str | None = None) -> Metric:
    """The metric that is asked for.

    Args:
        metric: one of ``METRICS``, or the name of the same one in another library, such as
            ``"acc"`` or ``"rmse"``; a function ``(prediction, target) -> scalar`` that has a
            name; or a ``Metric``.
        name: what to report it under; its own name without it.

    Raises:
        ArgumentError, ArgumentTypeError: for what is no metric.
        MissingExtraError: for ``"roc_auc"`` without scikit-learn.

    >>> find("acc").name, find(accuracy).higher_is_better, find("MSELoss").higher_is_better
    ('accuracy', True, False)
    """
    if isinstance(metric, Metric):
        found = metric
    elif callable(metric):
        checks.function("metrics", metric)
        known = {one.function: one for one in METRICS.values()}.get(without_options(metric))
        if known is None:
            found = Metric(name or _name_of(metric), metric)
        else:
            found = known._replace(function=metric)
    else:
        found = METRICS[checks.choice("metrics", alias("metrics", metric), METRICS)]
    if found.function is roc_auc:
        require_scikit_learn()
    return found if name is None else found._replace(name=name)


def named_all(metrics: Any) -> tuple[Metric, ...]:
    """All metrics that are asked for, each under a name of its own.

    Args:
        metrics: what :func:`find` takes; a list or tuple of such; a dictionary of such, whose
            keys are the names; or None for no metric.

    Raises:
        As :func:`find`, and ArgumentError where two have one name.

    >>> [metric.name for metric in named_all(["acc", "mse"])]
    ['accuracy', 'mean_squared_error']
    >>> named_all({"half": lambda prediction, target: prediction.mean() / 2})[0].name
    'half'
    """
    if metrics is None:
        return ()
    if isinstance(metrics, Mapping):
        found = tuple(_under(name, metric) for name, metric in metrics.items())
    else:
        if isinstance(metrics, (str, Metric)) or not isinstance(metrics, Sequence):
            metrics = (metrics,)
        found = tuple(map(find, metrics))
    names = [metric.name for metric in found]
    for name in names:
        if name in RECORDED:
            raise ArgumentError(
                f"metrics: {name!r} is the name of a column that every record has; give the metric "
                f"another in a dictionary, {{name: metric}}"
            )
        if names.count(name) > 1:
            raise ArgumentError(
                f"metrics holds {name!r} {names.count(name)} times; give names of your own in a "
                f"dictionary, {{name: metric}}"
            )
    return found


def _under(name: Any, metric: Any) -> Metric:
    if not isinstance(name, str) or not name:
        raise ArgumentTypeError(f"metrics: {name!r} is no name for a metric")
    return find(metric, name)


def _name_of(function: Callable[..., Any]) -> str:
    name = getattr(function, "__name__", "<lambda>")
    if name == "<lambda>":
        raise ArgumentError(
            f"metrics: {function!r:.60} has no name; give it one in a dictionary, "
            f"{{name: function}}"
        )
    return name
