"""The losses by name, with the options that they are given."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

from funcnn.core import Loss, checks
from funcnn.core.names import alias
from funcnn.losses.classification import binary_cross_entropy, cross_entropy
from funcnn.losses.options import checked
from funcnn.losses.regression import (
    huber,
    mean_absolute_error,
    mean_squared_error,
    smooth_l1,
    sum_squared_error,
)

__all__ = ["LOSSES", "OPTIONS", "named", "weighted", "without_options"]

LOSSES: dict[str, Callable[..., Any]] = {
    "sum_squared_error": sum_squared_error,
    "mean_squared_error": mean_squared_error,
    "mean_absolute_error": mean_absolute_error,
    "huber": huber,
    "smooth_l1": smooth_l1,
    "binary_cross_entropy": binary_cross_entropy,
    "cross_entropy": cross_entropy,
}


def named(name: str, **options: Any) -> Loss:
    """The loss of that name, with these options.

    Args:
        name: one of ``LOSSES``, or the name of the same loss in another library, such as
            ``"mse"``, ``"nn.L1Loss"`` or ``"BCEWithLogitsLoss"``.
        options: what the function takes by name, but for ``sample_weight``.

    Returns:
        The function itself, where no option differs from its default. Otherwise a function
        with the options set: the same one for the same name and options, so that what was
        compiled for it is found again.

    Raises:
        ArgumentError, ArgumentTypeError: for an unknown name, an option that this loss does
            not take, or a value that cannot be used.

    >>> named("HuberLoss") is named("huber", delta=1) is huber
    True
    >>> named("huber", delta=2) is named("huber", delta=2.0)
    True
    """
    function = LOSSES[checks.choice("loss", alias("loss", name), LOSSES)]
    defaults = _options_of(function)
    checks.keywords(function, options, defaults)
    values = {option: checked(option, value) for option, value in options.items()}
    changed = {option: value for option, value in values.items() if value != defaults[option]}
    return _with_options(function, frozenset(changed.items())) if changed else function


def without_options(loss: Loss) -> Loss:
    """The function behind a loss that was given options; any other loss as it is.

    >>> without_options(named("huber", delta=2)) is huber
    True
    """
    return loss.func if isinstance(loss, functools.partial) else loss


def weighted(loss: Loss) -> bool:
    """Whether a loss, which may be one's own, takes ``sample_weight=`` by name.

    >>> weighted(huber), weighted(lambda prediction, target: prediction.sum())
    (True, False)
    """
    try:
        parameter = inspect.signature(loss).parameters.get("sample_weight")
    except (TypeError, ValueError):  # Some functions that are not written in Python.
        return False
    return parameter is not None and parameter.kind in (
        parameter.KEYWORD_ONLY,
        parameter.POSITIONAL_OR_KEYWORD,
    )


@functools.lru_cache(256)
def _with_options(function: Callable[..., Any], options: frozenset[tuple[str, Any]]) -> Loss:
    partial = functools.partial(function, **dict(options))
    return functools.update_wrapper(partial, function)


@functools.cache
def _options_of(function: Callable[..., Any]) -> dict[str, Any]:
    """The options of a loss, and their defaults."""
    return {
        parameter.name: parameter.default
        for parameter in inspect.signature(function).parameters.values()
        if parameter.kind is parameter.KEYWORD_ONLY and parameter.name != "sample_weight"
    }


OPTIONS = frozenset(option for loss in LOSSES.values() for option in _options_of(loss))
"""What any of the losses takes by name, beside ``sample_weight``."""
