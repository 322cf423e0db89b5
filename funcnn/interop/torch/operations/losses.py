"""Gradients of losses that PyTorch has no formula of its own for."""

from __future__ import annotations

from collections.abc import Callable

import jax.numpy as jnp
from jaxtyping import Array

__all__ = ["LOSSES"]

MEAN = 1
"""PyTorch's number of the reduction to a mean; 0 is none, 2 the sum."""


def multi_margin_loss_backward(
    gradient: Array,
    x: Array,
    target: Array,
    p: int,
    margin: float,
    weight: Array | None = None,
    reduction: int = MEAN,
) -> Array:
    """By ``x``, of ``Σ max(0, margin − x[target] + x)ᵖ`` over all classes but the target's."""
    rows = jnp.atleast_2d(x)
    target = jnp.atleast_1d(target)[:, None]
    is_target = jnp.arange(rows.shape[1]) == target
    above = margin - jnp.take_along_axis(rows, target, 1) + rows
    slope = jnp.where((above > 0) & ~is_target, 1.0 if p == 1 else 2 * above, 0) / rows.shape[1]
    if weight is not None:
        slope = slope * weight[target]
    if reduction == MEAN:
        slope = slope / len(rows)
    slope = jnp.where(is_target, -slope.sum(1, keepdims=True), slope)
    each = gradient[:, None] if gradient.ndim else gradient
    return (slope * each).reshape(x.shape)


LOSSES: dict[str, Callable[..., Array]] = {
    "multi_margin_loss_backward": multi_margin_loss_backward,
}
