"""The gradients of resizing, and of padding by what is there: all are linear, axis by axis.

The values themselves are taken apart by PyTorch's own formulas.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

__all__ = ["RESIZING"]

Matrix = Float[np.ndarray, "outputs inputs"]

CUBIC = -0.75
"""The free number of the cubic kernel, as PyTorch has it."""


def _nearest(offset: float) -> Callable[..., Matrix]:
    def matrix(inputs: int, outputs: int, scale: float | None) -> Matrix:
        step = np.float32(1 / scale if scale else inputs / outputs)  # In float32, as there.
        places = np.floor((np.arange(outputs, dtype=np.float32) + np.float32(offset)) * step)
        return np.eye(inputs)[np.minimum(places.astype(int), inputs - 1)]

    return matrix


def _places(
    inputs: int, outputs: int, align: bool, scale: float | None
) -> Float[np.ndarray, " outputs"]:
    """Where each output lies among the inputs."""
    if align:
        return np.arange(outputs) * ((inputs - 1) / (outputs - 1) if outputs > 1 else 0.0)
    return (np.arange(outputs) + 0.5) * (1 / scale if scale else inputs / outputs) - 0.5


def _linear(inputs: int, outputs: int, align: bool, scale: float | None) -> Matrix:
    places = np.maximum(_places(inputs, outputs, align, scale), 0)
    low = np.minimum(places.astype(int), inputs - 1)
    share = np.clip(places - low, 0, 1)[:, None]
    return (1 - share) * np.eye(inputs)[low] + share * np.eye(inputs)[
        np.minimum(low + 1, inputs - 1)
    ]


def _cubic(inputs: int, outputs: int, align: bool, scale: float | None) -> Matrix:
    places = _places(inputs, outputs, align, scale)
    low = np.floor(places).astype(int)
    matrix = np.zeros((outputs, inputs))
    for tap in range(-1, 3):
        distance = np.abs(places - (low + tap))
        near = ((CUBIC + 2) * distance - (CUBIC + 3)) * distance**2 + 1
        far = CUBIC * (((distance - 5) * distance + 8) * distance - 4)
        weight = np.where(distance <= 1, near, far)
        matrix += weight[:, None] * np.eye(inputs)[np.clip(low + tap, 0, inputs - 1)]
    return matrix


def _pulled_back(gradient: Array, matrices: Sequence[Matrix]) -> Array:
    """The gradient of applying a matrix to each of the last axes."""
    for axis, matrix in enumerate(matrices, start=gradient.ndim - len(matrices)):
        product = jnp.tensordot(gradient, matrix.astype(gradient.dtype), ((axis,), (0,)))
        gradient = jnp.moveaxis(product, -1, axis)
    return gradient


def _resize_backward(matrix: Callable[..., Matrix], options: int) -> Callable[..., Array]:
    """Of a resizing whose formula takes so many options before the scales of the axes."""

    def backward(gradient: Array, outputs: Any, inputs: Sequence[int], *given: Any) -> Array:
        lengths = list(zip(inputs[2:], outputs, strict=True))
        scales = [*given[options:], *[None] * len(lengths)]
        matrices = [
            matrix(*pair, *given[:options], scale)
            for pair, scale in zip(lengths, scales, strict=False)
        ]
        return _pulled_back(gradient, matrices)

    return backward


def _replication_pad_backward(gradient: Array, x: Array, padding: Sequence[int]) -> Array:
    axes = len(padding) // 2
    matrices = []
    for place, length in enumerate(x.shape[x.ndim - axes :]):
        before, after = padding[2 * (axes - 1 - place) : 2 * (axes - place)]
        places = np.clip(np.arange(-before, length + after), 0, length - 1)
        matrices.append(np.eye(length)[places])
    return _pulled_back(gradient, matrices)


RESIZING: dict[str, Callable[..., Any]] = {
    "upsample_bicubic2d_backward": _resize_backward(_cubic, 1),
    "upsample_bilinear2d_backward": _resize_backward(_linear, 1),
    "upsample_linear1d_backward": _resize_backward(_linear, 1),
    "upsample_trilinear3d_backward": _resize_backward(_linear, 1),
}
for _axes in (1, 2, 3):
    RESIZING |= {
        f"_upsample_nearest_exact{_axes}d_backward": _resize_backward(_nearest(0.5), 0),
        f"upsample_nearest{_axes}d_backward": _resize_backward(_nearest(0.0), 0),
        f"replication_pad{_axes}d_backward": _replication_pad_backward,
    }
