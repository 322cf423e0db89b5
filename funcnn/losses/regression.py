"""Losses of numbers: how far each prediction is from its target."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Shaped

from funcnn.core import AnyArray, Number
from funcnn.losses.options import checked
from funcnn.losses.reduction import mean, require_equal_shapes, weights_of

__all__ = [
    "huber",
    "mean_absolute_error",
    "mean_squared_error",
    "smooth_l1",
    "sum_squared_error",
]


def sum_squared_error(
    prediction: Float[AnyArray, "*shape"],
    target: Float[AnyArray, "*shape"],
    *,
    sample_weight: Shaped[AnyArray, " samples"] | None = None,
) -> Float[Array, ""]:
    """Σ (prediction − target)², ``torch.nn.MSELoss(reduction="sum")``: the loss of every tutorial.

    Args:
        prediction: any shape; the first axis is the samples.
        target: the same shape.
        sample_weight: how often each sample counts, (samples,), not negative; once
            without it.

    Returns:
        A scalar, in the square of the target's unit.

    Raises:
        ArgumentError: where the shapes differ.

    >>> float(sum_squared_error(jnp.array([1.0, 2.0]), jnp.array([0.0, 4.0])))
    5.0
    """
    require_equal_shapes(prediction, target)
    error = prediction - target
    if sample_weight is not None:
        error = jnp.asarray(error)
        weight = weights_of(error, sample_weight)
        return jnp.vdot(weight, jnp.square(error).reshape(len(error), -1).sum(axis=1))
    return _sum_of_squares(jnp.asarray(error))


def mean_squared_error(
    prediction: Float[AnyArray, "*shape"],
    target: Float[AnyArray, "*shape"],
    *,
    sample_weight: Shaped[AnyArray, " samples"] | None = None,
) -> Float[Array, ""]:
    """The mean of (prediction − target)², ``torch.nn.MSELoss()``.

    Args, Returns and Raises as for :func:`sum_squared_error`. With weights w the loss is
    Σ w·l / Σ w for the samples' own losses l, and 0 where all weights are 0: this holds for
    every loss that is a mean.

    >>> float(mean_squared_error(jnp.array([1.0, 2.0]), jnp.array([0.0, 4.0])))
    2.5
    >>> x, y = jnp.array([1.0, 2.0]), jnp.array([0.0, 4.0])
    >>> float(mean_squared_error(x, y, sample_weight=jnp.array([2.0, 1.0])))
    2.0
    """
    if sample_weight is None:
        return sum_squared_error(prediction, target) / prediction.size
    return mean(jnp.square(_error(prediction, target)), sample_weight)


def mean_absolute_error(
    prediction: Float[AnyArray, "*shape"],
    target: Float[AnyArray, "*shape"],
    *,
    sample_weight: Shaped[AnyArray, " samples"] | None = None,
) -> Float[Array, ""]:
    """The mean of |prediction − target|, ``torch.nn.L1Loss()``.

    Its gradient is 0 where prediction and target are equal, as in PyTorch.

    Args and Raises as for :func:`mean_squared_error`.

    Returns:
        A scalar, in the target's unit.

    >>> float(mean_absolute_error(jnp.array([1.0, 2.0]), jnp.array([0.0, 4.0])))
    1.5
    """
    return mean(_distance(prediction, target), sample_weight)


def huber(
    prediction: Float[AnyArray, "*shape"],
    target: Float[AnyArray, "*shape"],
    *,
    delta: Number = 1.0,
    sample_weight: Shaped[AnyArray, " samples"] | None = None,
) -> Float[Array, ""]:
    """The mean of e²/2 up to |e| = δ and of δ·(|e| − δ/2) beyond, ``torch.nn.HuberLoss()``.

    Args, Returns and Raises as for :func:`mean_squared_error`, and:

    Args:
        prediction: any shape; the first axis is the samples.
        target: the same shape; e = prediction − target.
        delta: δ, from which error on the loss grows with its first power; positive, in the
            target's unit.
        sample_weight: (samples,).

    Source: Huber, Robust Estimation of a Location Parameter, 1964.

    >>> float(huber(jnp.array([0.5, 4.0]), jnp.zeros(2), delta=2.0))
    3.0625
    """
    delta = checked("delta", delta)
    return mean(optax.huber_loss(_error(prediction, target), delta=delta), sample_weight)


def smooth_l1(
    prediction: Float[AnyArray, "*shape"],
    target: Float[AnyArray, "*shape"],
    *,
    beta: Number = 1.0,
    sample_weight: Shaped[AnyArray, " samples"] | None = None,
) -> Float[Array, ""]:
    """The mean of e²/2β up to |e| = β and of |e| − β/2 beyond, ``torch.nn.SmoothL1Loss()``.

    Args, Returns and Raises as for :func:`mean_squared_error`, and:

    Args:
        prediction: any shape; the first axis is the samples.
        target: the same shape; e = prediction − target.
        beta: β, below which error the loss is a parabola; not negative, in the target's
            unit. For 0 this is :func:`mean_absolute_error`.
        sample_weight: (samples,).

    Source: Girshick, Fast R-CNN, 2015.

    >>> float(smooth_l1(jnp.array([0.5, 4.0]), jnp.zeros(2), beta=2.0))
    1.53125
    """
    beta = checked("beta", beta)
    distance = _distance(prediction, target)
    inner = jnp.minimum(distance, beta)
    # Where beta is 0, so is inner: then the divisor may be any number but 0.
    divisor = jnp.maximum(beta, jnp.finfo(distance.dtype).tiny)
    return mean(0.5 * inner * inner / divisor + (distance - inner), sample_weight)


@jax.custom_jvp
def _sum_of_squares(error: Array) -> Array:
    # A product of a vector with itself uses the whole width of a CPU; a sum does not.
    return jnp.vdot(error, error)


@_sum_of_squares.defjvp
def _(errors: tuple[Array], changes: tuple[Array]) -> tuple[Array, Array]:
    """Written with one factor 2, that XLA joins to others; JAX's own rule adds two products."""
    (error,), (change,) = errors, changes
    return _sum_of_squares(error), 2 * jnp.vdot(error, change)


def _error(prediction: AnyArray, target: AnyArray) -> Array:
    require_equal_shapes(prediction, target)
    return jnp.asarray(prediction - target)


def _distance(prediction: AnyArray, target: AnyArray) -> Array:
    """|prediction − target|, with a gradient of 0 where they are equal: that of jnp.abs is 1."""
    error = _error(prediction, target)
    return error * jnp.sign(error)
