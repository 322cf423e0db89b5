"""The arithmetic of a run, set for its duration and for nobody else."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np

from funcnn.core import ArgumentError, ArgumentTypeError

__all__ = ["DTYPES", "check_dtype", "jax_promotion", "numerics"]

DTYPES = ("float32", "float64")


def check_dtype(dtype: Any) -> str:
    """The name of a dtype that a run can have.

    >>> check_dtype("float16")
    Traceback (most recent call last):
    ...
    funcnn.core.ArgumentError: dtype='float16' cannot be trained in. Known: float32, float64
    """
    try:
        name = np.dtype(dtype).name if dtype is not None else ""
    except TypeError:
        raise ArgumentTypeError(
            f"dtype={dtype!r} is not a dtype. Known: {', '.join(DTYPES)}"
        ) from None
    if name not in DTYPES:
        raise ArgumentError(f"dtype={dtype!r} cannot be trained in. Known: {', '.join(DTYPES)}")
    return name


@contextlib.contextmanager
def jax_promotion() -> Iterator[None]:
    """JAX's own promotion of dtypes and ranks, which optax counts on, whatever the user has set."""
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        yield


@contextlib.contextmanager
def numerics(dtype: str) -> Iterator[None]:
    """Compute in ``dtype``, with matrix products in full precision, inside the ``with``.

    JAX halves float64 unless x64 is on, and rounds the factors of a float32
    product to TF32 on an NVIDIA GPU. Neither setting outlives the block.
    """
    with jax.enable_x64(dtype == "float64"), jax.default_matmul_precision("highest"):
        yield
