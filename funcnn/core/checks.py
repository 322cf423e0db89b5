"""Checks of single arguments: each returns what it was given, or says what is wrong."""

from __future__ import annotations

import difflib
import math
import operator
from collections.abc import Callable, Hashable, Iterable
from typing import Any

import numpy as np
from jax.core import Tracer

from funcnn.core import ArgumentError, ArgumentTypeError

__all__ = ["choice", "flag", "function", "integer", "keywords", "number"]


def choice(argument: str, value: Any, choices: Iterable[str]) -> str:
    """``value``, where it is one of ``choices``; the nearest is named where it is not.

    >>> choice("optimizer", "adm", ["sgd", "adam"])
    Traceback (most recent call last):
    ...
    funcnn.core.ArgumentError: optimizer='adm' is not known; did you mean 'adam'? Known: sgd, adam
    """
    choices = list(choices)
    known = f"Known: {', '.join(choices)}"
    if not isinstance(value, str):
        raise ArgumentTypeError(f"{argument}={value!r} is not a name. {known}")
    if value not in choices:
        nearest = difflib.get_close_matches(value, choices, n=1, cutoff=0.5)
        hint = f"; did you mean {nearest[0]!r}?" if nearest else "."
        raise ArgumentError(f"{argument}={value!r} is not known{hint} {known}")
    return value


def integer(argument: str, value: Any, *, at_least: int, below: int = 2**63) -> int:
    """``value`` as an int, where it is a whole number (and no bool) in the range.

    >>> integer("steps", 2.5, at_least=1)
    Traceback (most recent call last):
    ...
    funcnn.core.ArgumentTypeError: steps=2.5 is not an integer
    """
    try:
        if isinstance(value, (bool, np.bool_)):
            raise TypeError
        whole = operator.index(value)
    except TypeError:
        raise ArgumentTypeError(f"{argument}={value!r} is not an integer") from None
    if whole < at_least:
        raise ArgumentError(f"{argument}={whole} must be at least {at_least}")
    if whole >= below:
        raise ArgumentError(f"{argument}={whole} must be below {below}")
    return whole


def number(argument: str, value: Any, *, positive: bool = False, below: float = math.inf) -> Any:
    """``value`` as a float, where it is finite and not negative, nor zero if ``positive``.

    A traced value passes as it is: it has no value yet.

    >>> number("learning_rate", -1.0, positive=True)
    Traceback (most recent call last):
    ...
    funcnn.core.ArgumentError: learning_rate=-1.0 must be a positive finite number
    """
    if isinstance(value, Tracer):
        return value
    if isinstance(value, (bool, np.bool_, str)) or np.ndim(value) != 0:
        raise ArgumentTypeError(f"{argument}={value!r} is not a number")
    try:
        real = float(value)
    except (TypeError, ValueError, OverflowError):
        raise ArgumentTypeError(f"{argument}={value!r} is not a number") from None
    if not math.isfinite(real) or real < 0 or (positive and real == 0):
        kind = "positive" if positive else "non-negative"
        raise ArgumentError(f"{argument}={value!r} must be a {kind} finite number")
    if real >= below:
        raise ArgumentError(f"{argument}={value!r} must be below {below}")
    return real


def function(argument: str, value: Any) -> Any:
    """``value``, where it is callable and hashable: what is compiled for it is found by it."""
    if not callable(value) or not isinstance(value, Hashable):
        raise ArgumentTypeError(f"{argument} must be a function (and hashable), not {value!r}")
    return value


def flag(argument: str, value: Any) -> bool:
    """``value``, where it is True or False."""
    if not isinstance(value, (bool, np.bool_)):
        raise ArgumentTypeError(f"{argument}={value!r} must be True or False")
    return bool(value)


def keywords(function: Callable[..., Any], names: Iterable[str], accepted: Iterable[str]) -> None:
    """Refuse keyword arguments that ``function`` does not take."""
    accepted = list(accepted)
    for name in names:
        if name not in accepted:
            nearest = difflib.get_close_matches(name, accepted, n=1, cutoff=0.5)
            hint = f"; did you mean {nearest[0]}?" if nearest else "."
            known = f"Accepted: {', '.join(dict.fromkeys(accepted)) or 'nothing'}"
            raise ArgumentTypeError(f"{function.__name__} takes no {name}{hint} {known}")
