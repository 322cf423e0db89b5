"""Errors of JAX's tracing, said in plain words."""

from __future__ import annotations

import contextlib
import functools
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import numpy as np

from funcnn.core.errors import ArgumentError, ArgumentTypeError

__all__ = ["calling", "plain_errors", "require_same_twice"]


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


def require_same_twice(whose: str, function: Callable[..., Any], *arguments: Any) -> None:
    """Refuse a function that is another one each time that it is traced.

    A compiled program repeats what the first trace has found: a random number of NumPy, the time.

    Args:
        whose: the function, as the beginning of a sentence.
        function: a user's own.
        arguments: the shapes and dtypes of its arguments.

    Raises:
        ArgumentError: where two traces of it differ.
    """
    # Two functions: JAX remembers the trace of one.
    traces = [jax.make_jaxpr(functools.partial(function))(*arguments) for _ in range(2)]
    texts = [re.sub(r"0x[0-9a-f]+", "", str(one.jaxpr)) for one in traces]
    constants = [[*one.consts, *_literals(one.jaxpr)] for one in traces]
    if texts[0] != texts[1] or not _are_equal(*constants):
        raise ArgumentError(
            f"{whose} computes something else each time that it is traced, such as with random "
            f"numbers of NumPy or with the time: the loop would repeat those of the first trace. "
            f"Random numbers come from a key: funcnn.Model(init, apply, stochastic=True)"
        )


def _literals(jaxpr: Any) -> Iterator[Any]:
    """The values that stand in a program, in those inside it too."""
    from jax.extend.core import Literal, jaxprs_in_params  # It costs import time.

    for equation in jaxpr.eqns:
        yield from (one.val for one in equation.invars if isinstance(one, Literal))
        for inner in jaxprs_in_params(equation.params):
            yield from _literals(inner)


def _are_equal(some: Sequence[Any], others: Sequence[Any]) -> bool:
    """Whether all arrays are the same to the bit, NaN too."""
    return list(map(_bytes, some)) == list(map(_bytes, others))


def _bytes(value: Any) -> bytes:
    return np.asarray(value).tobytes()


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0]
