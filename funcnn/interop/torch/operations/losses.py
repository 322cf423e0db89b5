"""Losses, and gradients of losses, that PyTorch has no right formula of its own for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
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


IMPOSSIBLE = -1e30
"""The logarithm of a probability of 0: with it, unlike −∞, the sums' gradients are numbers."""


def ctc_loss(x: Array, y: Array, x_lengths: Array, y_lengths: Array, blank: int) -> Array:
    """−log of the probability of all alignments of labels with a sequence, for each of a batch.

    Args:
        x: logarithms of probabilities, ``(T, N, C)``.
        y: labels, ``(N, S)``, or those of all sequences one after another.
        x_lengths: how many steps each sequence has, ``(N,)``.
        y_lengths: how many labels each has.
        blank: the class that stands for no label.

    Returns:
        The losses, ``(N,)``; infinite where no alignment is possible, and NaN where PyTorch
        raises: for lengths and labels that there cannot be.

    Source: Graves et al., "Connectionist temporal classification" (2006), eq. 6 to 8.
    """
    steps, count, classes = x.shape
    if y.ndim == 1:
        firsts = jnp.cumsum(y_lengths) - y_lengths
        labels = y.at[firsts[:, None] + jnp.arange(len(y))].get(mode="fill", fill_value=blank)
    else:
        labels = y
    most = labels.shape[1]
    # Blanks stand around all labels: only where two are the same one is needed between them.
    path = jnp.full((count, 2 * most + 1), blank, labels.dtype).at[:, 1::2].set(labels)
    may_skip = jnp.pad(path[:, 2:] != path[:, :-2], ((0, 0), (2, 0)))
    read = jnp.take_along_axis(x, jnp.clip(path, 0, classes - 1)[None], 2)
    places = jnp.arange(2 * most + 1)
    is_start = (places == 0) | ((places == 1) & (y_lengths[:, None] > 0))
    nothing = jnp.asarray(IMPOSSIBLE, x.dtype)

    def moved(alpha: Array, by: int) -> Array:
        return jnp.pad(alpha[:, :-by], ((0, 0), (by, 0)), constant_values=IMPOSSIBLE)

    def step(alpha: Array, at: tuple[Array, Array]) -> tuple[Array, None]:
        own, number = at
        from_before = jnp.logaddexp(alpha, moved(alpha, 1))
        skipping = jnp.where(may_skip, moved(alpha, 2), nothing) if most else nothing
        after = jnp.maximum(jnp.logaddexp(from_before, skipping) + own, IMPOSSIBLE)
        return jnp.where((number < x_lengths)[:, None], after, alpha), None

    alpha = jnp.where(is_start, read[0], nothing)
    alpha, _ = lax.scan(step, alpha, (read[1:], jnp.arange(1, steps)))
    last = 2 * y_lengths[:, None]
    ends = jnp.take_along_axis(alpha, jnp.concatenate([last, jnp.maximum(last - 1, 0)], 1), 1)
    both = jnp.where(y_lengths > 0, jnp.logaddexp(ends[:, 0], ends[:, 1]), ends[:, 0])
    loss = jnp.where(both > IMPOSSIBLE / 2, -both, jnp.inf)
    loss = jnp.where(x_lengths == 0, jnp.where(y_lengths == 0, 0.0, jnp.inf), loss)
    used = places[:most] < y_lengths[:, None]
    wrong = (used & ((labels < 0) | (labels >= classes))).any(1)
    wrong |= (x_lengths < 0) | (x_lengths > steps) | (y_lengths < 0) | (y_lengths > most)
    return jnp.where(wrong, jnp.nan, loss)


def ctc_gradient(
    gradient: Array,
    loss: Array,
    x: Array,
    y: Array,
    x_lengths: Array,
    y_lengths: Array,
    blank: int,
) -> Array:
    """By ``x``, as PyTorch has it: of what a softmax made, it is that by the logits.

    Of a loss that is infinite it is NaN, unless nothing is asked for: ``zero_infinity``.
    """
    _, pull = jax.vjp(lambda x: ctc_loss(x, y, x_lengths, y_lengths, blank), x)
    (slope,) = pull(jnp.ones_like(loss))
    is_there = (jnp.arange(len(x))[:, None] < x_lengths)[..., None]
    whole = jnp.where(jnp.isinf(loss)[:, None], jnp.nan, slope + jnp.exp(x))
    asked = gradient[:, None]
    return jnp.where(is_there & (asked != 0), whole * asked, 0)


LOSSES: dict[str, Callable[..., Any]] = {
    "ctc_gradient": ctc_gradient,
    "ctc_loss": ctc_loss,
    "multi_margin_loss_backward": multi_margin_loss_backward,
    "multilabel_margin_loss_forward": multilabel_margin_loss,
    "multilabel_margin_loss_backward": multilabel_margin_loss_backward,
}
