"""The gradient of ``grid_sample``, which reads an image between its points."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

__all__ = ["SAMPLING"]

BILINEAR, NEAREST = 0, 1
"""PyTorch's numbers of the ways to read."""

ZEROS, BORDER = 0, 1
"""PyTorch's numbers of what is outside."""


def grid_sample(image: Array, grid: Array, way: int, outside: int, corners: bool) -> Array:
    """Images ``(N, C, H, W)``, read at places ``(N, h, w, 2)`` from −1 to 1."""
    if way not in (BILINEAR, NEAREST) or outside not in (ZEROS, BORDER):
        raise NotImplementedError("torch.grid_sample: bicubic, or of reflections")
    height, width = image.shape[2:]
    x = _place(grid[..., 0], width, outside, corners)
    y = _place(grid[..., 1], height, outside, corners)
    if way == NEAREST:
        return _at(image, jnp.round(y), jnp.round(x))
    left, top = jnp.floor(x), jnp.floor(y)
    right, below = x - left, y - top
    parts = (
        _at(image, top, left) * ((1 - below) * (1 - right))[:, None],
        _at(image, top, left + 1) * ((1 - below) * right)[:, None],
        _at(image, top + 1, left) * (below * (1 - right))[:, None],
        _at(image, top + 1, left + 1) * (below * right)[:, None],
    )
    return sum(parts[1:], parts[0])


def grid_sample_backward(
    gradient: Array,
    image: Array,
    grid: Array,
    way: int,
    outside: int,
    corners: bool,
    wanted: Sequence[bool],
) -> tuple[Array, Array]:
    """By the image, and by the places."""
    del wanted

    def sampled(image: Array, grid: Array) -> Array:
        return grid_sample(image, grid, way, outside, corners)

    _, pull = jax.vjp(sampled, image, grid)
    return pull(gradient)


def _place(share: Array, size: int, outside: int, corners: bool) -> Array:
    """Which of so many points: 0 to ``size - 1``, or between; at the border its slope is 0."""
    place = (share + 1) / 2 * (size - 1) if corners else ((share + 1) * size - 1) / 2
    if outside == ZEROS:
        return place
    return jnp.where(place <= 0, 0, jnp.where(place >= size - 1, size - 1, place))


def _at(image: Array, y: Array, x: Array) -> Array:
    """What the image holds at points of whole numbers; 0 outside."""
    height, width = image.shape[2:]
    inside = (y >= 0) & (y < height) & (x >= 0) & (x < width)
    rows, columns = (
        jnp.clip(one, 0, size - 1).astype(jnp.int32) for one, size in ((y, height), (x, width))
    )
    own = jnp.arange(len(image))[:, None, None]
    found = jnp.moveaxis(image[own, :, rows, columns], -1, 1)
    return jnp.where(inside[:, None], found, 0)


SAMPLING: dict[str, Callable[..., Any]] = {"grid_sampler_2d_backward": grid_sample_backward}
