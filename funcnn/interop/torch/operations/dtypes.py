"""PyTorch's dtypes as JAX's."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from funcnn.core import AnyArray, ArgumentError

__all__ = ["as_dtype", "python_number", "require_held"]


def as_dtype(dtype: Any) -> Any:
    """The dtype of an array that stands for a tensor of that dtype, ``torch.float64`` or its name.

    Where JAX computes in 32 bits, whole numbers have 32 too.

    Raises:
        ArgumentError: for floats of 64 bits there: nothing is rounded without a word.
    """
    name = str(dtype).removeprefix("torch.")
    known = jnp.dtype(name)
    held = jax.dtypes.canonicalize_dtype(known)
    if held != known and jnp.issubdtype(known, jnp.inexact):
        raise ArgumentError(
            f"the module computes in {name}, and JAX in 32 bits here: train it with "
            f"dtype='float64' (net.double()), or cast what is {name} in it to float32"
        )
    return held


def python_number(x: Array) -> Array:
    """The one number of a tensor as Python has it: a float of as many bits as JAX computes in."""
    if not jnp.issubdtype(x.dtype, jnp.floating):
        return x
    return x.astype(jax.dtypes.canonicalize_dtype(np.float64))


def require_held(array: AnyArray) -> None:
    """Refuse whole numbers that are too large for JAX, where it computes in 32 bits.

    Raises:
        ArgumentError: for these.
    """
    held = jax.dtypes.canonicalize_dtype(array.dtype)
    if held == array.dtype or not jnp.issubdtype(held, jnp.integer) or not array.size:
        return
    least, most = jnp.iinfo(held).min, jnp.iinfo(held).max
    if np.min(array) < least or np.max(array) > most:
        raise ArgumentError(
            "the module holds whole numbers of more than 32 bits, and JAX computes in 32 bits "
            "here: train it with dtype='float64' (net.double())"
        )
