"""Errors of JAX's tracing, said in plain words."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import jax

from funcnn.core.errors import ArgumentError, ArgumentTypeError

__all__ = ["calling", "plain_errors"]


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


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0]
