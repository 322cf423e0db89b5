"""Operations that arrange numbers in another shape, or cut and join arrays."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array

__all__ = ["SHAPES"]


def reshape(x: Array, shape: Sequence[int]) -> Array:
    """The numbers in another shape."""
    return x.reshape(tuple(shape))


def squeeze(x: Array, dim: int | Sequence[int] | None = None) -> Array:
    """Without the axes of length 1, or without those of them that are named."""
    if dim is None:
        return jnp.squeeze(x)
    named = [dim] if isinstance(dim, int) else dim
    return jnp.squeeze(x, tuple(one for one in named if x.ndim and x.shape[one] == 1))


def expand(x: Array, shape: Sequence[int], implicit: bool = False) -> Array:
    """Repeated along axes of length 1 and new ones in front; -1 leaves an axis as it is."""
    del implicit
    new = len(shape) - x.ndim
    lengths = [x.shape[axis - new] if size == -1 else size for axis, size in enumerate(shape)]
    return jnp.broadcast_to(x, lengths)


def cat(arrays: Sequence[Array], dim: int = 0) -> Array:
    """Joined along an axis; arrays of shape (0,) are left out."""
    return jnp.concatenate([array for array in arrays if array.shape != (0,)], dim)


def split(x: Array, size: int | Sequence[int], dim: int = 0) -> tuple[Array, ...]:
    """Parts of a size along an axis, the last one shorter where they do not come out even."""
    length = x.shape[dim]
    ends = range(size, length, size) if isinstance(size, int) else itertools.accumulate(size)
    edges = [0, *ends] + ([length] if isinstance(size, int) else [])
    return tuple(
        lax.slice_in_dim(x, first, last, axis=dim) for first, last in itertools.pairwise(edges)
    )


def _cut(x: Array, dim: int, start: int | None, end: int | None, step: int) -> tuple[slice, ...]:
    cut = [slice(None)] * x.ndim
    cut[dim] = slice(start, end, step)
    return tuple(cut)


def cut(x: Array, dim: int = 0, start: Any = None, end: Any = None, step: int = 1) -> Array:
    """``x[start:end:step]`` along an axis."""
    return x[_cut(x, dim, start, end, step)]


def put_cut(
    x: Array, source: Array, dim: int = 0, start: Any = None, end: Any = None, step: int = 1
) -> Array:
    """``x`` with ``x[start:end:step] = source`` along an axis."""
    return x.at[_cut(x, dim, start, end, step)].set(source)


def select(x: Array, dim: int, index: int) -> Array:
    """``x[index]`` along an axis."""
    return lax.index_in_dim(x, index, dim, keepdims=False)


def put_selected(x: Array, source: Array, dim: int, index: int) -> Array:
    """``x`` with ``x[index] = source`` along an axis."""
    return x.at[(slice(None),) * (dim % x.ndim) + (index,)].set(source)


def put_diagonal(x: Array, source: Array, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Array:
    """``x`` with another diagonal."""
    moved = jnp.moveaxis(x, (dim1, dim2), (-2, -1))
    rows = np.arange(source.shape[-1]) + max(0, -offset)
    columns = np.arange(source.shape[-1]) + max(0, offset)
    return jnp.moveaxis(moved.at[..., rows, columns].set(source), (-2, -1), (dim1, dim2))


def constant_pad(x: Array, padding: Sequence[int], value: Any = 0) -> Array:
    """Padded at both ends of the last axes, the last axis first; negative numbers cut off."""
    ends = [(0, 0, 0)] * x.ndim
    for place in range(len(padding) // 2):
        ends[x.ndim - 1 - place] = (padding[2 * place], padding[2 * place + 1], 0)
    return lax.pad(x, jnp.asarray(value, x.dtype), ends)


def unfold(x: Array, dim: int, size: int, step: int) -> Array:
    """Windows of a size along an axis, every ``step``; a window's own axis is the last."""
    starts = np.arange(0, x.shape[dim] - size + 1, step)
    windows = jnp.take(x, starts[:, None] + np.arange(size), axis=dim)
    return jnp.moveaxis(windows, dim % x.ndim + 1, -1)


def as_strided(
    x: Array, size: Sequence[int], stride: Sequence[int], offset: int | None = None
) -> Array:
    """The numbers at given distances in memory, where ``x`` lies row by row."""
    places = np.full((), offset or 0)
    for length, distance in zip(size, stride, strict=True):
        places = places[..., None] + np.arange(length) * distance
    return x.reshape(-1)[places]


def _windows_along(length: int, size: int, dilation: int, padding: int, stride: int) -> np.ndarray:
    """The places of each window along a padded axis, (size, windows)."""
    starts = np.arange(0, length + 2 * padding - dilation * (size - 1), stride)
    return np.arange(size)[:, None] * dilation + starts


def im2col(
    x: Array,
    kernel: Sequence[int],
    dilation: Sequence[int],
    padding: Sequence[int],
    stride: Sequence[int],
) -> Array:
    """Sliding windows of images as columns: ``nn.Unfold``."""
    rows, columns = (
        _windows_along(*axis)
        for axis in zip(x.shape[-2:], kernel, dilation, padding, stride, strict=True)
    )
    padded = constant_pad(x, [padding[1], padding[1], padding[0], padding[0]])
    windows = padded[..., rows[:, None, :, None], columns[None, :, None, :]]
    lead = x.shape[:-3]
    return windows.reshape(*lead, x.shape[-3] * math.prod(kernel), -1)


def pixel_shuffle(x: Array, factor: int) -> Array:
    """Channels turned into a finer grid."""
    *lead, channels, height, width = x.shape
    parts = x.reshape(*lead, channels // factor**2, factor, factor, height, width)
    moved = jnp.moveaxis(parts, (-2, -4, -1, -3), (-4, -3, -2, -1))
    return moved.reshape(*lead, channels // factor**2, height * factor, width * factor)


def resize(x: Array, shape: Sequence[int], **options: Any) -> Array:
    """The numbers in another shape; of more than there are, zeros where PyTorch leaves memory."""
    del options
    flat, size = x.reshape(-1), math.prod(shape)
    return jnp.pad(flat[:size], (0, max(0, size - x.size))).reshape(tuple(shape))


def _as_it_is(x: Any, *others: Any, **options: Any) -> Any:
    del others, options
    return x


SHAPES: dict[str, Callable[..., Any]] = {
    **dict.fromkeys(
        ("alias", "clone", "contiguous", "detach", "lift_fresh", "resolve_conj", "resolve_neg"),
        _as_it_is,
    ),
    **dict.fromkeys(("_unsafe_view", "reshape", "view"), reshape),
    "_conj": jnp.conj,
    "_neg_view": jnp.negative,
    "as_strided": as_strided,
    "cat": cat,
    "constant_pad_nd": constant_pad,
    "copy": lambda x, source, *_: jnp.broadcast_to(source, x.shape).astype(x.dtype),
    "diagonal": lambda x, offset=0, dim1=0, dim2=1: jnp.diagonal(x, offset, dim1, dim2),
    "diagonal_scatter": put_diagonal,
    "expand": expand,
    "flip": lambda x, dims: jnp.flip(x, tuple(dims)),
    "im2col": im2col,
    "permute": lambda x, dims: jnp.transpose(x, tuple(dims)),
    "pixel_shuffle": pixel_shuffle,
    "repeat": lambda x, repeats: jnp.tile(x, tuple(repeats)),
    "resize": resize,
    "roll": lambda x, shifts, dims=(): (
        jnp.roll(x, tuple(shifts), tuple(dims) or None) if dims else jnp.roll(x, shifts[0])
    ),
    "select": select,
    "select_scatter": put_selected,
    "slice": cut,
    "slice_scatter": put_cut,
    "split": split,
    "split_with_sizes": split,
    "squeeze": squeeze,
    "stack": lambda arrays, dim=0: jnp.stack(arrays, dim),
    "t": lambda x: x.T,
    "transpose": lambda x, dim0, dim1: jnp.swapaxes(x, dim0, dim1) if x.ndim else x,
    "tril": lambda x, diagonal=0: jnp.tril(x, diagonal),
    "triu": lambda x, diagonal=0: jnp.triu(x, diagonal),
    "unbind": lambda x, dim=0: tuple(jnp.moveaxis(x, dim, 0)),
    "unfold": unfold,
    "unsqueeze": jnp.expand_dims,
}
