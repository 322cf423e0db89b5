"""Convolutions."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array

from funcnn.interop.torch.operations.layouts import samples_innermost

__all__ = ["CONVOLUTIONS"]


class Way(NamedTuple):
    """How a kernel goes over its input, by axes.

    Attributes:
        stride: the steps of the kernel.
        ends: how many zeros stand before and after the input.
        spread: the distance between the input's numbers, with zeros between them.
        dilation: the distance between the kernel's numbers.
        groups: how many parts the channels are in.
    """

    stride: Sequence[int]
    ends: Sequence[tuple[int, int]]
    spread: Sequence[int]
    dilation: Sequence[int]
    groups: int


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
    way = Way(stride, ends, spread, dilation, groups)
    x = samples_innermost(x)
    result = lax.platform_dependent(
        x,
        weight,
        cpu=functools.partial(_by_products, way),
        default=functools.partial(_by_convolution, way),
    )
    result = samples_innermost(result)
    return result if bias is None else result + bias.reshape(1, -1, *(1,) * axes)


def _by_convolution(way: Way, x: Array, weight: Array) -> Array:
    """A convolution as XLA's operation."""
    letters = "DHW"[-len(way.stride) :]
    return lax.conv_general_dilated(
        x,
        weight,
        way.stride,
        way.ends,
        lhs_dilation=way.spread,
        rhs_dilation=way.dilation,
        dimension_numbers=(f"NC{letters}", f"OI{letters}", f"NC{letters}"),
        feature_group_count=way.groups,
    )


def _by_products(way: Way, x: Array, weight: Array) -> Array:
    """A convolution as a product of matrices with what lies under the kernel at each place.

    On a CPU XLA's own operation and its gradients take up to 25 times as long.
    """
    stride, ends, spread, dilation, groups = way
    samples, outputs, sizes = x.shape[0], weight.shape[0], weight.shape[2:]
    between = [(*end, one - 1) for end, one in zip(ends, spread, strict=True)]
    x = jnp.moveaxis(x, 0, -1)
    x = lax.pad(x, jnp.zeros((), x.dtype), [(0, 0, 0), *between, (0, 0, 0)])
    reach = [d * (k - 1) for d, k in zip(dilation, sizes, strict=True)]
    places = [(n - r - 1) // s + 1 for n, r, s in zip(x.shape[1:-1], reach, stride, strict=True)]

    def under(offset: Sequence[int]) -> Array:
        """What meets one number of the kernel."""
        first = [o * d for o, d in zip(offset, dilation, strict=True)]
        last = [f + s * (n - 1) + 1 for f, s, n in zip(first, stride, places, strict=True)]
        return lax.slice(x, (0, *first, 0), (len(x), *last, samples), (1, *stride, 1))

    parts = jnp.stack([under(offset) for offset in itertools.product(*map(range, sizes))], 1)
    parts = parts.reshape(groups, -1, samples * math.prod(places))
    kernel = weight.reshape(groups, outputs // groups, -1)
    result = kernel @ parts if groups > 1 else kernel[0] @ parts[0]
    return jnp.moveaxis(result.reshape(outputs, *places, samples), -1, 0)


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
    gradient = samples_innermost(gradient)
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
