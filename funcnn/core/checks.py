"""Checks of single arguments: each returns what it was given, or says what is wrong."""

from __future__ import annotations

import difflib
import math
import operator
from collections.abc import Callable, Iterable
from typing import Any, SupportsFloat, SupportsIndex

import numpy as np
from jax.core import Tracer

from funcnn.core.errors import ArgumentError, ArgumentTypeError
from funcnn.core.names import ALIASES, ARGUMENTS, VALUES, Table, alias, here, spelt

__all__ = ["choice", "flag", "function", "integer", "keywords", "number"]

ALIKE_VALUES, ALIKE_ARGUMENTS = 0.6, 0.7
"""From which likeness on, of 0 to 1, a name may be a misspelling of another.

Between 0.6 and 0.7, an argument of another library is as often like one of another meaning.
"""


def choice(argument: str, value: Any, choices: Iterable[str]) -> str:
    """``value``, where it is one of ``choices``; the right or the nearest is named if not.

    >>> choice("optimizer", "SGD", ["sgd"])
    Traceback (most recent call last):
    ...
    funcnn.core.errors.ArgumentError: optimizer='SGD' is not known; did you mean 'sgd'? Known: sgd
    """
    choices = list(choices)
    known = f"Known: {', '.join(choices)}"
    if not isinstance(value, str):
        raise ArgumentTypeError(f"{argument}={value!r} is not a name. {known}")
    if value not in choices:
        hint = _hint(value, choices, VALUES.get(argument, Table({}, {})), ALIKE_VALUES, repr)
        raise ArgumentError(f"{argument}={value!r} is not known{hint} {known}")
    return value


def integer(argument: str, value: Any, *, at_least: int, below: int = 2**63) -> int:
    """``value`` as an int, where it is one whole number (and no bool) in the range.

    >>> integer("steps", 2.5, at_least=1)
    Traceback (most recent call last):
    ...
    funcnn.core.errors.ArgumentTypeError: steps=2.5 is not an integer
    """
    try:
        if not _may_be_one(value, "int", "uint"):
            raise TypeError
        whole = operator.index(value)
    except TypeError:
        raise ArgumentTypeError(f"{argument}={value!r} is not an integer") from None
    if whole < at_least:
        raise ArgumentError(f"{argument}={whole} must be at least {at_least}")
    if whole >= below:
        raise ArgumentError(f"{argument}={whole} must be below {below}")
    return whole


def number(
    argument: str, value: Any, *, positive: bool = False, below: int | float = math.inf
) -> Any:
    """``value`` as a float, where it is finite and not negative, nor zero if ``positive``.

    A traced value passes as it is: it has no value yet.

    >>> number("learning_rate", -1.0, positive=True)
    Traceback (most recent call last):
    ...
    funcnn.core.errors.ArgumentError: learning_rate=-1.0 must be a positive finite number
    """
    if isinstance(value, Tracer):
        return value
    try:
        if not _may_be_one(value, "int", "uint", "float", "bfloat"):
            raise TypeError
        if not isinstance(value, (SupportsFloat, SupportsIndex)):
            raise TypeError  # float() would read texts and bytes, too.
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
    """``value``, where it is callable and hashable: what is compiled for it is found by it.

    What is PyTorch's is refused: it computes with tensors, and not with what JAX traces.
    """
    advice = ""
    named = value if hasattr(value, "__name__") else type(value)
    module = getattr(named, "__module__", None) or ""  # None for what was typed in a doctest.
    if callable(value) and module.split(".")[0] == "torch":
        name = named.__name__
        meant = alias(argument, name) if argument in ALIASES else name
        advice = f"; {argument}={meant!r} is the same here" if meant != name else ""
        raise ArgumentTypeError(
            f"{argument} is PyTorch's {name}, which takes tensors and nothing that JAX traces"
            f"{advice}"
        )
    if callable(value):
        try:
            hash(value)
        except TypeError as error:
            advice = f": {error}. Pass a function that calls it, such as functools.partial(it)"
        else:
            return value
    raise ArgumentTypeError(
        f"{argument} must be a function (and hashable), not {value!r:.60}{advice}"
    )


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
            hint = _hint(name, accepted, ARGUMENTS, ALIKE_ARGUMENTS, str)
            known = f"Accepted: {', '.join(dict.fromkeys(accepted)) or 'nothing'}"
            raise ArgumentTypeError(f"{function.__name__} takes no {name}{hint} {known}")


def _hint(
    name: str, choices: list[str], table: Table, alike: float, show: Callable[[str], str]
) -> str:
    """What may be meant by an unknown name, as the end of a sentence and the next."""
    meant, words = here(name, choices, table)
    if not meant and (same := spelt(name, choices)):
        meant, words = same, ""
    if not meant and not words:
        lower = {choice.lower(): choice for choice in reversed(choices)}
        nearest = difflib.get_close_matches(name.lower(), lower, n=1, cutoff=alike)
        meant = [lower[choice] for choice in nearest]
    asked = f"; did you mean {' or '.join(map(show, meant))}?" if meant else "."
    return f"{asked} {words}".rstrip()


def _may_be_one(value: Any, *kinds: str) -> bool:
    """Whether a value may be one number: what has a dtype, only where it is of these kinds."""
    dtype = getattr(value, "dtype", None)
    if dtype is None:
        return not isinstance(value, bool)
    name = getattr(dtype, "name", str(dtype).removeprefix("torch."))
    return name.startswith(kinds) and getattr(value, "ndim", 0) == 0
