"""Operations along axes: sums, extremes, orders, running sums."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array

from funcnn.interop.torch.operations.dtypes import as_dtype

__all__ = ["REDUCTIONS"]

Axes = int | Sequence[int] | None


def _axis(dim: Axes) -> Any:
    """PyTorch's ``dim`` as NumPy's ``axis``: an empty list stands for all axes."""
    if dim is None or isinstance(dim, int):
        return dim
    return tuple(dim) or None


def _reduction(reduce: Callable[..., Array]) -> Callable[..., Array]:
    def along(x: Array, dim: Axes = None, keepdim: bool = False, *, dtype: Any = None) -> Array:
        if dtype is not None:
            x = x.astype(as_dtype(dtype))
        return reduce(x, axis=_axis(dim), keepdims=keepdim)

    return along


def var(x: Array, dim: Axes = None, *, correction: Any = None, keepdim: bool = False) -> Array:
    """The variance, divided by the count less ``correction`` (1 without it)."""
    axis = _axis(dim)
    centered = x - jnp.mean(x, axis=axis, keepdims=True)
    total = jnp.sum(centered * centered, axis=axis, keepdims=keepdim)
    return total / max(0, _count(x, axis) - (1 if correction is None else correction))


def _count(x: Array, axis: Any) -> int:
    axes = range(x.ndim) if axis is None else (axis,) if isinstance(axis, int) else axis
    return math.prod(x.shape[one] for one in axes)


def _extreme(
    position: Callable[..., Array], value: Callable[..., Array]
) -> Callable[..., Array | tuple[Array, Array]]:
    """``max`` or ``min``: of all numbers, or along an axis with the place of the first."""

    def along(x: Array, dim: int | None = None, keepdim: bool = False) -> Any:
        if dim is None:
            return value(x)
        return _taken(x, position(x, axis=dim, keepdims=True), dim, keepdim)

    return along


def _taken(x: Array, places: Array, dim: int, keepdim: bool) -> tuple[Array, Array]:
    """The values at one place along an axis, and the places."""
    if x.ndim == 0:
        return x, jnp.zeros((), int)
    values = jnp.take_along_axis(x, places, dim)
    return (values, places) if keepdim else (values.squeeze(dim), places.squeeze(dim))


def sort(
    x: Array, dim: int = -1, descending: bool = False, *, stable: bool | None = None
) -> tuple[Array, Array]:
    """The numbers in order, and their places; equal ones stay in their order."""
    del stable
    if x.ndim == 0:
        return x, jnp.zeros((), int)
    places = jnp.argsort(x, axis=dim, stable=True, descending=descending)
    return jnp.take_along_axis(x, places, dim), places


def topk(
    x: Array, k: int, dim: int = -1, largest: bool = True, ordered: bool = True
) -> tuple[Array, Array]:
    """The k largest or smallest; of equal ones the first, where PyTorch takes any."""
    del ordered
    values, places = sort(x, dim, largest)
    if x.ndim == 0:
        return values, places
    return lax.slice_in_dim(values, 0, k, axis=dim), lax.slice_in_dim(places, 0, k, axis=dim)


def kthvalue(x: Array, k: int, dim: int = -1, keepdim: bool = False) -> tuple[Array, Array]:
    """The k-th smallest, counted from 1; of equal ones the first."""
    if x.ndim == 0:
        return x, jnp.zeros((), int)
    places = lax.slice_in_dim(jnp.argsort(x, axis=dim, stable=True), k - 1, k, axis=dim % x.ndim)
    return _taken(x, places, dim, keepdim)


def median(x: Array, dim: int | None = None, keepdim: bool = False) -> Any:
    """The lower of the middle ones."""
    if dim is None:
        return kthvalue(x.reshape(-1), (x.size + 1) // 2)[0]
    return kthvalue(x, (x.shape[dim] + 1) // 2 if x.ndim else 1, dim, keepdim)


def _running_extreme(reaches: Callable[[Array, Array], Array]) -> Callable[..., Any]:
    """``cummax`` or ``cummin``; of equal numbers the last one's place."""

    def along(x: Array, dim: int) -> tuple[Array, Array]:
        if x.ndim == 0:
            return x, jnp.zeros((), int)

        def later(first: tuple[Array, Array], second: tuple[Array, Array]) -> Any:
            second_counts = reaches(second[0], first[0])
            return tuple(jnp.where(second_counts, b, a) for a, b in zip(first, second, strict=True))

        places = lax.broadcasted_iota(jnp.int32, x.shape, dim % x.ndim)
        return lax.associative_scan(later, (x, places), axis=dim % x.ndim)

    return along


def log_running_sum(x: Array, dim: int) -> Array:
    """The logarithm of the running sum of exponentials."""
    return x if x.ndim == 0 else lax.cumlogsumexp(x, axis=dim % x.ndim)


def vector_norm(
    x: Array, order: Any = 2, dim: Axes = None, keepdim: bool = False, dtype: Any = None
) -> Array:
    """The norm of the vectors along some axes."""
    del dtype
    axis, size = _axis(dim), jnp.abs(x)
    if order == 2:
        return jnp.sqrt(jnp.sum(size * size, axis=axis, keepdims=keepdim))
    if order == 1:
        return jnp.sum(size, axis=axis, keepdims=keepdim)
    if order == 0:
        return jnp.sum(x != 0, axis=axis, keepdims=keepdim)
    if order == math.inf:
        return jnp.max(size, axis=axis, keepdims=keepdim)
    if order == -math.inf:
        return jnp.min(size, axis=axis, keepdims=keepdim)
    return jnp.sum(size**order, axis=axis, keepdims=keepdim) ** (1 / order)


def _running(accumulate: Callable[..., Array]) -> Callable[..., Array]:
    def along(x: Array, dim: int, *, dtype: Any = None) -> Array:
        x = x if dtype is None else x.astype(as_dtype(dtype))
        return x if x.ndim == 0 else accumulate(x, axis=dim)

    return along


REDUCTIONS: dict[str, Callable[..., Any]] = {
    "all": _reduction(jnp.all),
    "amax": _reduction(jnp.max),
    "amin": _reduction(jnp.min),
    "any": _reduction(jnp.any),
    "argmax": _reduction(jnp.argmax),
    "argmin": _reduction(jnp.argmin),
    "cummax": _running_extreme(jnp.greater_equal),
    "cummin": _running_extreme(jnp.less_equal),
    "cumprod": _running(jnp.cumprod),
    "cumsum": _running(jnp.cumsum),
    "kthvalue": kthvalue,
    "linalg_vector_norm": vector_norm,
    "logcumsumexp": log_running_sum,
    "max": _extreme(jnp.argmax, jnp.max),
    "mean": _reduction(jnp.mean),
    "median": median,
    "min": _extreme(jnp.argmin, jnp.min),
    "prod": _reduction(jnp.prod),
    "sort": sort,
    "sum": _reduction(jnp.sum),
    "topk": topk,
    "var": var,
}
