"""Pooling: the largest or the mean of each window."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

__all__ = ["POOLING"]

Sizes = int | Sequence[int]


class Windows(NamedTuple):
    """Where the windows of a pooling lie.

    Attributes:
        places: the places of each window in the flattened last axes, (*windows, size).
        inside: which of them are no padding.
        divisors: how many places each window has, the padding counted: (*windows,).
    """

    places: np.ndarray
    inside: np.ndarray
    divisors: np.ndarray


def _each(sizes: Sizes, axes: int, default: Sizes = 0) -> list[int]:
    given = [sizes] if isinstance(sizes, int) else list(sizes)
    if not given:
        return _each(default, axes)
    return given * axes if len(given) == 1 else given


def _windows(
    lengths: Sequence[int],
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    ceil: bool,
) -> Windows:
    axes = len(lengths)
    places, inside, divisors = np.zeros((), int), np.ones((), bool), np.ones((), int)
    for length, size, step, pad, spread in zip(
        lengths, kernel, stride, padding, dilation, strict=True
    ):
        room = length + 2 * pad - spread * (size - 1) - 1
        count = (-(-room // step) if ceil else room // step) + 1
        if ceil and (count - 1) * step >= length + pad:  # It would begin in the padding's end.
            count -= 1
        starts = np.arange(count) * step - pad
        along = starts[:, None] + spread * np.arange(size)
        ends = np.minimum(starts + size, length + pad)
        places = places[..., None, None] * length + np.clip(along, 0, length - 1)
        inside = inside[..., None, None] & (along >= 0) & (along < length)
        divisors = divisors[..., None] * (ends - starts)
    order = (*range(0, 2 * axes, 2), *range(1, 2 * axes, 2))
    places, inside = (one.transpose(order) for one in (places, inside))
    shape = (*places.shape[:axes], math.prod(kernel))
    return Windows(places.reshape(shape), inside.reshape(shape), divisors)


def _read(x: Array, windows: Windows, fill: float) -> Array:
    axes = windows.divisors.ndim
    values = x.reshape(*x.shape[:-axes], -1)[..., windows.places]
    return values if windows.inside.all() else jnp.where(windows.inside, values, fill)


def _max_pool(axes: int) -> Callable[..., tuple[Array, Array]]:
    def pool(
        x: Array,
        kernel: Sizes,
        stride: Sizes = (),
        padding: Sizes = 0,
        dilation: Sizes = 1,
        ceil: bool = False,
    ) -> tuple[Array, Array]:
        """The largest number of each window, and its place; of equal ones the first."""
        sizes = _each(kernel, axes)
        windows = _windows(
            x.shape[-axes:],
            sizes,
            _each(stride, axes, sizes),
            _each(padding, axes),
            _each(dilation, axes),
            ceil,
        )
        values = _read(x, windows, -jnp.inf)
        largest = jnp.argmax(values, -1, keepdims=True)
        places = jnp.take_along_axis(jnp.broadcast_to(windows.places, values.shape), largest, -1)
        return jnp.take_along_axis(values, largest, -1)[..., 0], places[..., 0]

    return pool


def _spread_back(axes: int) -> Callable[..., Array]:
    def spread(gradient: Array, x: Array, *options: Any) -> Array:
        """Each window's gradient, added at the place that was the largest."""
        places = options[-1]
        lead = x.shape[:-axes]
        flat = places.reshape(math.prod(lead), -1)
        rows = np.arange(len(flat))[:, None]
        zeros = jnp.zeros((len(flat), math.prod(x.shape[-axes:])), gradient.dtype)
        return zeros.at[rows, flat].add(gradient.reshape(flat.shape)).reshape(x.shape)

    return spread


def _mean_pool(axes: int) -> Callable[..., Array]:
    def pool(
        x: Array,
        kernel: Sizes,
        stride: Sizes = (),
        padding: Sizes = 0,
        ceil: bool = False,
        count_padding: bool = True,
        divisor: int | None = None,
    ) -> Array:
        """The mean of each window."""
        sizes = _each(kernel, axes)
        windows = _windows(
            x.shape[-axes:],
            sizes,
            _each(stride, axes, sizes),
            _each(padding, axes),
            [1] * axes,
            ceil,
        )
        counts = windows.divisors if count_padding else windows.inside.sum(-1)
        counts = np.asarray(divisor or counts, x.dtype)
        return _read(x, windows, 0.0).sum(-1) / counts

    return pool


def _adaptive_mean_pool(axes: int) -> Callable[..., Array]:
    def pool(x: Array, lengths: Sizes) -> Array:
        """The means of as many windows as are asked for, which may overlap by one."""
        for axis, windows in enumerate(_each(lengths, axes), start=x.ndim - axes):
            shares = _shares(x.shape[axis], windows)
            x = jnp.moveaxis(jnp.tensordot(x, shares.astype(x.dtype), ((axis,), (1,))), -1, axis)
        return x

    return pool


def _window_ends(length: int, windows: int) -> list[tuple[int, int]]:
    return [(w * length // windows, -(-(w + 1) * length // windows)) for w in range(windows)]


def _shares(length: int, windows: int) -> np.ndarray:
    shares = np.zeros((windows, length))
    for window, (first, last) in enumerate(_window_ends(length, windows)):
        shares[window, first:last] = 1 / (last - first)
    return shares


def adaptive_max_pool(x: Array, lengths: Sizes) -> tuple[Array, Array]:
    """The largest of as many windows as are asked for, and their places; over two axes."""
    height, width = x.shape[-2:]
    flat = x.reshape(*x.shape[:-2], -1)
    rows, columns = _each(lengths, 2)
    values, places = [], []
    for top, bottom in _window_ends(height, rows):
        for left, right in _window_ends(width, columns):
            window = (np.arange(top, bottom)[:, None] * width + np.arange(left, right)).ravel()
            inside = flat[..., window]
            values.append(jnp.max(inside, -1))
            places.append(jnp.asarray(window)[jnp.argmax(inside, -1)])
    shape = (*x.shape[:-2], rows, columns)
    return jnp.stack(values, -1).reshape(shape), jnp.stack(places, -1).reshape(shape)


def _pulled_back(pool: Callable[..., Array]) -> Callable[..., Array]:
    """The gradient of a pooling that is linear."""

    def backward(gradient: Array, x: Array, *options: Any) -> Array:
        return jax.vjp(lambda x: pool(x, *options), x)[1](gradient)[0]

    return backward


def _adaptive_pulled_back(axes: int) -> Callable[..., Array]:
    def backward(gradient: Array, x: Array) -> Array:
        return _pulled_back(_adaptive_mean_pool(axes))(gradient, x, gradient.shape[-axes:])

    return backward


POOLING: dict[str, Callable[..., Any]] = {
    "adaptive_max_pool2d": adaptive_max_pool,
    "adaptive_max_pool2d_backward": _spread_back(2),
}
for _axes in (1, 2, 3):
    POOLING |= {
        f"_adaptive_avg_pool{_axes}d": _adaptive_mean_pool(_axes),
        f"_adaptive_avg_pool{_axes}d_backward": _adaptive_pulled_back(_axes),
        f"avg_pool{_axes}d": _mean_pool(_axes),
        f"avg_pool{_axes}d_backward": _pulled_back(_mean_pool(_axes)),
        f"max_pool{_axes}d_with_indices": _max_pool(_axes),
        f"max_pool{_axes}d_with_indices_backward": _spread_back(_axes),
    }
