"""Convolutions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array

__all__ = ["CONVOLUTIONS"]


def convolution(
    x: Array,
    weight: Array,
    bias: Array | None,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    transposed: bool,
    output_padding: Sequence[int],
    groups: int,
) -> Array:
    """A convolution over any number of axes, or its transpose: PyTorch's layout."""
    axes = x.ndim - 2
    stride, padding, dilation, output_padding = (
        tuple(given) * axes if len(given) == 1 else tuple(given)
        for given in (stride, padding, dilation, output_padding)
    )
    ends = [(one, one) for one in padding]
    spread = (1,) * axes
    if transposed:
        weight = _turned(weight, groups)
        spread, stride = stride, (1,) * axes
        sizes = zip(dilation, weight.shape[2:], padding, output_padding, strict=True)
        ends = [(d * (k - 1) - p, d * (k - 1) - p + o) for d, k, p, o in sizes]
    letters = "DHW"[-axes:]
    result = lax.conv_general_dilated(
        x,
        weight,
        stride,
        ends,
        lhs_dilation=spread,
        rhs_dilation=dilation,
        dimension_numbers=(f"NC{letters}", f"OI{letters}", f"NC{letters}"),
        feature_group_count=groups,
    )
    return result if bias is None else result + bias.reshape(1, -1, *(1,) * axes)


def _turned(weight: Array, groups: int) -> Array:
    """The kernel of the convolution that a transposed one is: (outputs, inputs), flipped."""
    inputs, outputs, *sizes = weight.shape
    parts = weight.reshape(groups, inputs // groups, outputs, *sizes).swapaxes(1, 2)
    turned = parts.reshape(groups * outputs, inputs // groups, *sizes)
    return jnp.flip(turned, tuple(range(2, turned.ndim)))


def convolution_backward(
    gradient: Array,
    x: Array,
    weight: Array,
    bias_sizes: Any,
    *options: Any,
) -> tuple[Array | None, Array | None, Array | None]:
    """The gradients of a convolution by its input, kernel and bias, where they are asked for."""
    del bias_sizes
    *how, wanted = options
    _, pulled = jax.vjp(lambda x, weight: convolution(x, weight, None, *how), x, weight)
    of_x, of_weight = pulled(gradient)
    of_bias = jnp.sum(gradient, (0, *range(2, gradient.ndim)))
    return (
        of_x if wanted[0] else None,
        of_weight if wanted[1] else None,
        of_bias if wanted[2] else None,
    )


CONVOLUTIONS: dict[str, Callable[..., Any]] = {
    "convolution": convolution,
    "convolution_backward": convolution_backward,
}
