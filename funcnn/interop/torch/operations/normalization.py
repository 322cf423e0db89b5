"""Normalizations over axes, and of weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array

from funcnn.interop.torch.operations.reductions import REDUCTIONS

__all__ = ["NORMALIZATIONS"]


def _normalized(x: Array, axes: tuple[int, ...], epsilon: float) -> tuple[Array, Array, Array]:
    """At mean 0 and variance 1 over some axes; the mean, and the inverse of the spread."""
    mean = jnp.mean(x, axes, keepdims=True)
    centered = x - mean
    inverse = lax.rsqrt(jnp.mean(centered * centered, axes, keepdims=True) + epsilon)
    return centered * inverse, mean, inverse


def layer_norm(
    x: Array, shape: Sequence[int], weight: Array | None, bias: Array | None, epsilon: float
) -> tuple[Array, Array, Array]:
    """Normalized over the last axes; the mean and the inverse of the spread."""
    axes = tuple(range(x.ndim - len(shape), x.ndim))
    result, mean, inverse = _normalized(x, axes, epsilon)
    result = result if weight is None else result * weight
    return result if bias is None else result + bias, mean, inverse


def group_norm(
    x: Array,
    weight: Array | None,
    bias: Array | None,
    samples: int,
    channels: int,
    places: int,
    groups: int,
    epsilon: float,
) -> tuple[Array, Array, Array]:
    """Normalized over groups of channels; the mean and the inverse of the spread."""
    del places
    result, mean, inverse = _normalized(x.reshape(samples, groups, -1), (2,), epsilon)
    result = result.reshape(samples, channels, -1)
    result = result if weight is None else result * weight[:, None]
    result = result if bias is None else result + bias[:, None]
    return result.reshape(x.shape), mean[..., 0], inverse[..., 0]


def var_mean(x: Array, dim: Any = None, **options: Any) -> tuple[Array, Array]:
    """The variance and the mean."""
    mean = REDUCTIONS["mean"](x, dim, options.get("keepdim", False))
    return REDUCTIONS["var"](x, dim, **options), mean


def _all_but(x: Array, dim: int) -> tuple[int, ...]:
    return tuple(axis for axis in range(x.ndim) if axis != dim % x.ndim)


def weight_norm(direction: Array, size: Array, dim: int = 0) -> tuple[Array, Array]:
    """A weight of a given size along a direction; and the direction's own size."""
    axes = _all_but(direction, dim)
    norm = jnp.sqrt(jnp.sum(direction * direction, axes, keepdims=True))
    return direction * (size / norm), norm


def weight_norm_backward(
    gradient: Array, direction: Array, size: Array, norm: Array, dim: int
) -> tuple[Array, Array]:
    """The gradient of ``weight_norm`` by the direction and the size."""
    along = jnp.sum(gradient * direction, _all_but(direction, dim), keepdims=True)
    return size / norm * (gradient - direction * along / (norm * norm)), along / norm


NORMALIZATIONS: dict[str, Callable[..., Any]] = {
    "_weight_norm_interface": weight_norm,
    "_weight_norm_interface_backward": weight_norm_backward,
    "native_group_norm": group_norm,
    "native_layer_norm": layer_norm,
    "var_mean": var_mean,
}
