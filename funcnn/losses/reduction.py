"""From a loss for every sample to one number: what all losses have in common."""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Float, Shaped

from funcnn.core import AnyArray, ArgumentError

__all__ = ["mean", "ratio", "require_equal_shapes", "weights_of"]


def mean(
    each: Float[Array, "*shape"], sample_weight: Shaped[AnyArray, " samples"] | None
) -> Float[Array, ""]:
    """The mean of all values; with weights, a sample counts as often as its weight says.

    Args:
        each: a loss for every sample and output, (samples, ...).
        sample_weight: (samples,); None for a mean of all alike.
    """
    if sample_weight is None:
        return each.mean()
    weight = weights_of(each, sample_weight)
    return ratio(jnp.vdot(weight, each.reshape(len(each), -1).mean(axis=1)), weight.sum())


def ratio(total: Float[Array, ""], count: Float[Array, ""]) -> Float[Array, ""]:
    """``total / count``, where a count of 0 gives 0, and so does its gradient."""
    return total / jnp.where(count == 0, 1.0, count)


def weights_of(
    each: Float[Array, "*shape"], sample_weight: Shaped[AnyArray, " samples"]
) -> Float[Array, " samples"]:
    """The samples' weights, in the dtype of what they weigh.

    Raises:
        ArgumentError: where there is not one weight for each sample.
    """
    if each.ndim == 0 or jnp.shape(sample_weight) != each.shape[:1]:
        raise ArgumentError(
            f"sample_weight has shape {jnp.shape(sample_weight)} and the prediction "
            f"{each.shape}; one weight for each sample is needed, (samples,)"
        )
    return jnp.asarray(sample_weight).astype(each.dtype)


def require_equal_shapes(prediction: AnyArray, target: AnyArray) -> None:
    """Refuse what would be broadcast.

    Raises:
        ArgumentError: where the shapes differ.
    """
    if prediction.shape != target.shape:
        raise ArgumentError(
            f"the prediction has shape {prediction.shape} and the target {target.shape}; "
            f"nothing is broadcast: reshape one of them"
        )
