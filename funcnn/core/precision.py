"""The arithmetic of a run, set for its duration and for nobody else."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np

from funcnn.core import ArgumentError, ArgumentTypeError

__all__ = ["DTYPES", "check_dtype", "jax_promotion", "numerics", "refuse_wider"]

DTYPES = ("float32", "float64")


def check_dtype(dtype: Any) -> str:
    """The name of a dtype that a run can have.

    >>> check_dtype("float16")
    Traceback (most recent call last):
    ...
    funcnn.core.errors.ArgumentError: dtype='float16' cannot be trained in. Known: float32, float64
    """
    try:
        name = np.dtype(dtype).name if dtype is not None else ""
    except (SyntaxError, TypeError, ValueError):
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
    product to TF32 on an NVIDIA GPU. A run moves its arrays itself, and tells a divergence
    from its losses, so that guards against either do not apply inside. No setting outlives
    the block.
    """
    with (
        jax.enable_x64(dtype == "float64"),
        jax.default_matmul_precision("highest"),
        jax.transfer_guard("allow"),
        jax.debug_nans(False),
        jax.debug_infs(False),
    ):
        yield


def refuse_wider(**arrays: Any) -> None:
    """Refuse float64 where JAX computes in 32 bits, which would halve it without a word.

    Raises:
        ArgumentTypeError: with what to do.
    """
    if jax.dtypes.canonicalize_dtype(np.float64) == np.float64:
        return
    for name, tree in arrays.items():
        if any(getattr(leaf, "dtype", None) == np.float64 for leaf in jax.tree.leaves(tree)):
            raise ArgumentTypeError(
                f"{name} holds float64, and JAX computes in 32 bits here: call this inside "
                f"`with jax.enable_x64(True):`, or cast {name} to float32"
            )
