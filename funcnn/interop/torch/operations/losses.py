"""Losses, and gradients of losses, that PyTorch has no right formula of its own for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

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


def multilabel_margin_loss(x: Array, target: Array, reduction: int = MEAN) -> tuple[Array, Array]:
    """The loss, and which classes are targets, as 1 and 0.

    ``Σ max(0, 1 − x[target] + x)`` over a row's targets and its other classes, over their number.
    The targets are those before the first that is negative. PyTorch's own formula of it, which a
    trace would take, counts the others too.
    """
    pairs, above, is_target = _pairs(x, target)
    each = jnp.where(pairs, above, 0).sum((1, 2)) / above.shape[2]
    loss = each.mean() if reduction == MEAN else each.sum() if reduction else each
    whole = is_target.astype(x.dtype).reshape(target.shape)
    return loss if x.ndim > 1 else loss.reshape(()), whole


def multilabel_margin_loss_backward(
    gradient: Array, x: Array, target: Array, reduction: int, is_target: Array
) -> Array:
    """By ``x``."""
    del is_target
    pairs, _, _ = _pairs(x, target)
    active = pairs.astype(x.dtype)
    classes = jnp.arange(active.shape[2])
    labels = jnp.atleast_2d(target)[:, :, None] == classes
    slope = (active.sum(1) - (active.sum(2)[:, :, None] * labels).sum(1)) / len(classes)
    if reduction == MEAN:
        slope = slope / len(active)
    each = gradient[:, None] if gradient.ndim else gradient
    return (slope * each).reshape(x.shape)


def _pairs(x: Array, target: Array) -> tuple[Array, Array, Array]:
    """Which pairs of a target and another class are counted, what each gives; the targets."""
    rows, labels = jnp.atleast_2d(x), jnp.atleast_2d(target)
    is_named = jnp.cumprod(labels >= 0, axis=1).astype(bool)
    classes = jnp.arange(rows.shape[1])
    is_target = (is_named[:, :, None] & (labels[:, :, None] == classes)).any(1)
    own = jnp.take_along_axis(rows, jnp.maximum(labels, 0), 1)
    above = 1 - own[:, :, None] + rows[:, None, :]
    return is_named[:, :, None] & ~is_target[:, None, :] & (above > 0), above, is_target


LOSSES: dict[str, Callable[..., Any]] = {
    "multi_margin_loss_backward": multi_margin_loss_backward,
    "multilabel_margin_loss_forward": multilabel_margin_loss,
    "multilabel_margin_loss_backward": multilabel_margin_loss_backward,
}
