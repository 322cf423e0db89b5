"""Losses: ``loss(prediction, target) -> scalar``.

Nothing broadcasts: a prediction of shape (N, 1) against a target of shape (N,)
is an error, where NumPy and PyTorch would compare every pair.
"""

from __future__ import annotations

import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int

from funcnn.core import AnyArray, ArgumentError, ArgumentTypeError

__all__ = ["LOSSES", "cross_entropy", "mean_squared_error", "sum_squared_error"]


def sum_squared_error(
    prediction: Float[AnyArray, "*shape"], target: Float[AnyArray, "*shape"]
) -> Float[Array, ""]:
    """Σ (prediction − target)², ``torch.nn.MSELoss(reduction="sum")``: the loss of every tutorial.

    Args:
        prediction: any shape.
        target: the same shape.

    Returns:
        A scalar, in the square of the target's unit.

    Raises:
        ArgumentError: where the shapes differ.

    >>> float(sum_squared_error(jnp.array([1.0, 2.0]), jnp.array([0.0, 4.0])))
    5.0
    """
    _require_equal_shapes(prediction, target)
    error = prediction - target
    # A product of a vector with itself uses the whole width of a CPU; a sum does not.
    return jnp.vdot(error, error)


def mean_squared_error(
    prediction: Float[AnyArray, "*shape"], target: Float[AnyArray, "*shape"]
) -> Float[Array, ""]:
    """The mean of (prediction − target)², ``torch.nn.MSELoss()``.

    Args, Returns and Raises as for :func:`sum_squared_error`.

    >>> float(mean_squared_error(jnp.array([1.0, 2.0]), jnp.array([0.0, 4.0])))
    2.5
    """
    return sum_squared_error(prediction, target) / prediction.size


def cross_entropy(
    prediction: Float[AnyArray, "samples classes"], target: Int[AnyArray, " samples"]
) -> Float[Array, ""]:
    """The mean of −log softmax(prediction)[target], ``torch.nn.CrossEntropyLoss()``.

    Args:
        prediction: logits, (samples, classes).
        target: the class of each sample, (samples,), integers from 0 to classes − 1.

    Returns:
        A scalar, in nats.

    Raises:
        ArgumentError: where the shapes do not fit.
        ArgumentTypeError: where the target is not of integers.

    >>> round(float(cross_entropy(jnp.zeros((1, 2)), jnp.array([1]))), 6)
    0.693147
    """
    if prediction.ndim != 2 or target.shape != prediction.shape[:1]:
        raise ArgumentError(
            f"cross_entropy takes a prediction of shape (samples, classes) and a target of "
            f"shape (samples,); it was given {prediction.shape} and {target.shape}"
        )
    if not jnp.issubdtype(target.dtype, jnp.integer):
        raise ArgumentTypeError(f"cross_entropy takes integer targets, not {target.dtype}")
    return optax.softmax_cross_entropy_with_integer_labels(prediction, target).mean()


LOSSES = {
    "sum_squared_error": sum_squared_error,
    "mean_squared_error": mean_squared_error,
    "cross_entropy": cross_entropy,
}


def _require_equal_shapes(prediction: AnyArray, target: AnyArray) -> None:
    if prediction.shape != target.shape:
        raise ArgumentError(
            f"the prediction has shape {prediction.shape} and the target {target.shape}; "
            f"nothing is broadcast: reshape one of them"
        )
