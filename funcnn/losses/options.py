"""The options of the losses: what each of them may be."""

from __future__ import annotations

from typing import Any

from jax.core import Tracer

from funcnn.core import ArgumentError, ArgumentTypeError, checks

__all__ = ["checked"]


def checked(option: str, value: Any) -> Any:
    """``value`` as a loss computes with it: a float, a tuple of floats, or None.

    Raises:
        ArgumentError, ArgumentTypeError: where it is no value for this option.

    >>> checked("class_weight", [1, 2])
    (1.0, 2.0)
    """
    if option == "class_weight":
        return _positive_numbers(option, value)
    if option == "pos_weight":
        return _positive_numbers(option, value, one_is_enough=True)
    number = checks.number(option, value, positive=option == "delta")
    if option == "label_smoothing" and not isinstance(number, Tracer) and number > 1:
        raise ArgumentError(f"label_smoothing={value!r} must be from 0 to 1")
    return number


def _positive_numbers(option: str, value: Any, *, one_is_enough: bool = False) -> Any:
    if value is None or isinstance(value, Tracer):
        return value
    values = value.tolist() if hasattr(value, "tolist") else value
    if isinstance(values, (list, tuple)):
        return tuple(
            checks.number(f"{option}[{index}]", each, positive=True)
            for index, each in enumerate(values)
        )
    if one_is_enough:
        return checks.number(option, values, positive=True)
    raise ArgumentTypeError(f"{option}={value!r:.60} must be a sequence of positive numbers")
