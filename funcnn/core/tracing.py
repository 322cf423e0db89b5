"""Errors of JAX's tracing, said in plain words."""

from __future__ import annotations

import contextlib
import random
import types
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np

from funcnn.core.errors import ArgumentError, ArgumentTypeError
from funcnn.core.functions import GENERATORS, closure_of, globals_of

__all__ = ["calling", "plain_errors", "refusing_draws"]


@contextlib.contextmanager
def plain_errors(whose: str) -> Iterator[None]:
    """Say whose function it is that fails while it is traced, and what to do.

    Args:
        whose: the function, as the beginning of a sentence.

    Raises:
        ArgumentError, ArgumentTypeError: in place of any error inside; those pass as they are.
    """
    try:
        yield
    except ArgumentError:
        raise
    except jax.errors.TracerArrayConversionError as error:
        raise ArgumentTypeError(
            f"{whose} hands a traced array to NumPy: use jax.numpy, which is traced "
            f"({_first_line(error)})"
        ) from error
    except jax.errors.ConcretizationTypeError as error:
        raise ArgumentTypeError(
            f"{whose} decides with Python by a value that is traced: use jnp.where or "
            f"jax.lax.cond in place of `if` ({_first_line(error)})"
        ) from error
    except Exception as error:
        kind = ArgumentTypeError if isinstance(error, TypeError) else ArgumentError
        raise kind(f"{whose} fails: {type(error).__name__}: {_first_line(error)}") from error


def calling(whose: str, function: Callable[..., Any], *arguments: Any) -> Any:
    """``function(*arguments)`` of a compiled function; its errors of tracing in plain words.

    What fails while it computes fails as it does in JAX.
    """
    try:
        return function(*arguments)
    except ArgumentError:
        raise
    except Exception:
        with plain_errors(whose):
            jax.eval_shape(function, *arguments)
        raise


@contextlib.contextmanager
def refusing_draws(whose: str, function: Callable[..., Any]) -> Iterator[None]:
    """Refuse a function that draws random numbers of NumPy or Python while it is traced.

    A compiled program would repeat those of the trace at every step.

    Args:
        whose: the function, as the beginning of a sentence.
        function: a user's own; generators in its closure and in its module are looked at, too.

    Raises:
        ArgumentError: where it has drawn.
    """
    generators = _generators(function)
    before = [_state(one) for one in generators]
    yield
    if [_state(one) for one in generators] != before:
        raise ArgumentError(
            f"{whose} draws random numbers of NumPy or Python: the compiled loop would repeat "
            f"those of its trace at every step. Take them from a key: "
            f"funcnn.Model(init, apply, stochastic=True), apply(params, x, key)"
        )


def _generators(function: Callable[..., Any]) -> list[Any]:
    """The generators that a function may draw from: those of all, and those that it refers to."""
    held: list[Any] = []
    if isinstance(function, types.FunctionType):
        held = [*globals_of(function).values(), *closure_of(function).values()]
    kinds = tuple(kind for kind, _, _ in GENERATORS)
    shared: list[Any] = [np.random.get_state, random.getstate]  # Methods of the generators of all.
    return [*(one.__self__ for one in shared), *(one for one in held if isinstance(one, kinds))]


def _state(generator: Any) -> str:
    """What a generator draws next follows from this."""
    return repr(next(get(generator) for kind, get, _ in GENERATORS if isinstance(generator, kind)))


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0]
