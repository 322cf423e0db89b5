"""How arrays of samples, channels and places lie in memory."""

from __future__ import annotations

import jax
from jax import lax
from jax.experimental.layout import Layout, with_layout_constraint

__all__ = ["samples_innermost"]


def samples_innermost(x: jax.Array) -> jax.Array:
    """An array ``(N, C, ...)`` that lies in memory as ``(C, ..., N)`` would, on a CPU.

    What goes over places, as convolutions and pooling do, then reads and writes whole rows of
    samples.
    """
    order = (*range(1, x.ndim), 0)
    return lax.platform_dependent(
        x, cpu=lambda x: with_layout_constraint(x, Layout(order)), default=lambda x: x
    )
