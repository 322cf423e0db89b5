"""Pooling: the largest or the mean of each window."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array

from funcnn.interop.torch.operations.layouts import samples_innermost

__all__ = ["POOLING"]

Sizes = int | Sequence[int]


FEW = 64
"""Up to how many places of a window the gradient of its largest is put together by slices."""


class Window(NamedTuple):
    """Where the windows of a pooling lie along an axis.

    Attributes:
        length: of the axis.
        size: how many places a window has.
        stride: from one window to the next.
        padding: how many places before the first the first window begins.
        dilation: the distance between the places of a window.
        windows: how many there are.
    """

    length: int
    size: int
    stride: int
    padding: int
    dilation: int
    windows: int

    @property
    def ends(self) -> tuple[int, int]:
        """How much is to be put before and after the axis, so that every window is full."""
        last = (self.windows - 1) * self.stride + self.dilation * (self.size - 1) - self.padding
        return self.padding, max(0, last + 1 - self.length)

    @property
    def reach(self) -> int:
        """From the first window's first place to the last one's, both counted."""
        return (self.windows - 1) * self.stride + 1

    def places(self, number: int) -> np.ndarray:
        """Where the place of that number of each window is; outside of the axis in padding."""
        return np.arange(self.windows) * self.stride + self.dilation * number - self.padding


def _each(sizes: Sizes, axes: int, default: Sizes = 0) -> list[int]:
    given = [sizes] if isinstance(sizes, int) else list(sizes)
    if not given:
        return _each(default, axes)
    return given * axes if len(given) == 1 else given


def _windows(
    lengths: Sequence[int],
    kernel: Sizes,
    stride: Sizes,
    padding: Sizes,
    dilation: Sizes,
    ceil: bool,
) -> list[Window]:
    """The windows along each axis."""
    axes = len(lengths)
    sizes = _each(kernel, axes)
    given = _each(stride, axes, sizes), _each(padding, axes), _each(dilation, axes)
    windows = []
    for length, size, step, pad, spread in zip(lengths, sizes, *given, strict=True):
        room = length + 2 * pad - spread * (size - 1) - 1
        count = (-(-room // step) if ceil else room // step) + 1
        if ceil and (count - 1) * step >= length + pad:  # It would begin in the padding's end.
            count -= 1
        windows.append(Window(length, size, step, pad, spread, count))
    return windows


def _read(x: Array, axis: int, window: Window, fill: Any) -> list[Array]:
    """What stands at each place of all windows along an axis; ``fill`` outside of it."""
    ends = [(0, 0, 0)] * x.ndim
    ends[axis] = (*window.ends, 0)
    x = lax.pad(x, jnp.asarray(fill, x.dtype), ends)
    firsts = (window.dilation * number for number in range(window.size))
    return [
        lax.slice_in_dim(x, first, first + window.reach, window.stride, axis) for first in firsts
    ]


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
        lengths = x.shape[-axes:]
        windows = _windows(lengths, kernel, stride, padding, dilation, ceil)
        x = samples_innermost(x) if x.ndim == axes + 2 else x
        values, places = x, jnp.zeros(x.shape, jnp.int32)
        for axis in reversed(range(axes)):
            scale = math.prod(lengths[axis + 1 :])
            values, places = _largest(values, places, axis - axes, windows[axis], scale)
        return values, places

    return pool


def _largest(x: Array, places: Array, axis: int, window: Window, scale: int) -> tuple[Array, Array]:
    """The largest of each window along an axis, and its place in the flattened axes.

    Args:
        x: the numbers.
        places: of each, its place in the axes after this one.
        axis: which, counted from the last.
        window: its windows.
        scale: how many places the axes after this one have.
    """
    column = (-1, *[1] * (-1 - axis))
    largest = place = jnp.zeros((), x.dtype)
    was_inside = np.zeros(window.windows, bool)
    parts = zip(_read(x, axis, window, -jnp.inf), _read(places, axis, window, 0), strict=True)
    for number, (values, after) in enumerate(parts):
        along = window.places(number)
        is_inside = (along >= 0) & (along < window.length)
        own = after + jnp.asarray((scale * along).reshape(column), after.dtype)
        if number:
            is_first = (is_inside & ~was_inside).reshape(column)
            larger = (values > largest) | jnp.isnan(values) | is_first
            largest, place = jnp.where(larger, values, largest), jnp.where(larger, own, place)
        else:
            largest, place = values, own
        was_inside |= is_inside
    return largest, place


def _spread_back(axes: int) -> Callable[..., Array]:
    def spread(gradient: Array, x: Array, *options: Any) -> Array:
        """Each window's gradient, added at the place that was the largest."""
        *given, places = options
        lengths = x.shape[-axes:]
        windows = _windows(lengths, *given)
        if math.prod(window.size for window in windows) > FEW:
            return _scattered(axes)(gradient, x, places)
        if x.ndim == axes + 2:
            gradient, places = samples_innermost(gradient), samples_innermost(places)
        total = jnp.zeros(x.shape, gradient.dtype)
        for numbers in itertools.product(*(range(window.size) for window in windows)):
            ends, flat = [(0, 0, 0)] * (x.ndim - axes), np.zeros((), int)
            for window, number in zip(windows, numbers, strict=True):
                along = window.places(number)
                first = int(along[0])
                ends.append((first, window.length - first - window.reach, window.stride - 1))
                is_inside = (along >= 0) & (along < window.length)
                # Padding is never the largest.
                own = np.where(is_inside, along, -math.prod(lengths))
                flat = flat[..., None] * window.length + own
            chosen = jnp.where(places == flat.astype(places.dtype), gradient, 0)
            total = total + lax.pad(chosen, jnp.zeros((), gradient.dtype), ends)
        return total

    return spread


def _scattered(axes: int) -> Callable[..., Array]:
    def spread(gradient: Array, x: Array, places: Array) -> Array:
        """Numbers added at places of the flattened last axes."""
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
        windows = _windows(x.shape[-axes:], kernel, stride, padding, 1, ceil)
        lead = x.ndim - axes
        sums = lax.reduce_window(
            x,
            np.zeros((), x.dtype),
            lax.add,
            (*[1] * lead, *(window.size for window in windows)),
            (*[1] * lead, *(window.stride for window in windows)),
            (*[(0, 0)] * lead, *(window.ends for window in windows)),
        )
        counts = np.asarray(divisor) if divisor else _counted(windows, count_padding)
        return sums / counts.astype(x.dtype)

    return pool


def _counted(windows: Sequence[Window], padding_too: bool) -> np.ndarray:
    """How many places each window has, those in the padding counted or not."""
    counts = np.ones((), int)
    for window in windows:
        first = window.places(0)
        pad = window.padding if padding_too else 0
        inside = np.minimum(first + window.size, window.length + pad) - np.maximum(first, -pad)
        counts = counts[..., None] * inside
    return counts


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
    "adaptive_max_pool2d_backward": _scattered(2),
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
