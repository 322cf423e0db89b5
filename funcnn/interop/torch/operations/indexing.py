"""Operations that read or write at computed places.

A place outside an array gives NaN, where PyTorch raises: a run that meets one ends as diverged.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array

__all__ = ["INDEXING"]

MEAN = 1
"""PyTorch's number of the mean over a bag; 0 is the sum, and 2 the largest."""


def _places(indices: Sequence[Array | None]) -> tuple[Any, ...]:
    return tuple(slice(None) if one is None else one for one in indices)


def _from_the_front(places: Array, length: int) -> Array:
    """Places that count from the front alone: a negative one lies outside."""
    return jnp.where(places < 0, length, places)


def index(x: Array, indices: Sequence[Array | None]) -> Array:
    """``x[indices]``, None standing for a whole axis."""
    return x.at[_places(indices)].get(mode="fill")


def index_put(
    x: Array, indices: Sequence[Array | None], values: Array, accumulate: bool = False
) -> Array:
    """``x`` with ``x[indices] = values``, or ``+=``."""
    (first, *others) = indices
    if first is not None and first.dtype == bool and not others:
        rest = x.ndim - first.ndim
        if jnp.ndim(values) > rest:
            raise NotImplementedError("writing through a mask a value for each of its places")
        mask = first.reshape(first.shape + (1,) * rest)
        return jnp.where(mask, x + values if accumulate else values, x)
    target = x.at[_places(indices)]
    return target.add(values) if accumulate else target.set(values)


def masked_index(x: Array, mask: Array, indices: Sequence[Array | None], fill: Any) -> Array:
    """``x[indices]`` where the mask is true, ``fill`` elsewhere."""
    return jnp.where(mask, index(x, indices), jnp.asarray(fill, x.dtype))


def gather(x: Array, dim: int, places: Array, *, sparse_grad: bool = False) -> Array:
    """``x`` at the given places along an axis."""
    del sparse_grad
    if x.ndim == 0:
        return jnp.broadcast_to(x, places.shape)
    for axis in range(x.ndim):
        if axis != dim % x.ndim:
            x = lax.slice_in_dim(x, 0, places.shape[axis], axis=axis)
    places = _from_the_front(places, x.shape[dim])
    return jnp.take_along_axis(x, places, dim, mode="fill")


def _along(x: Array, dim: int, places: Array) -> tuple[Any, ...]:
    """The full index of the places along an axis."""
    grid = list(jnp.indices(places.shape, sparse=True))
    grid[dim % x.ndim] = places
    return tuple(grid)


def _first_of(source: Array, places: Array) -> Array:
    return source[tuple(slice(0, length) for length in places.shape)]


def scatter(x: Array, dim: int, places: Array, source: Any) -> Array:
    """``x`` with other values at the given places along an axis."""
    values = source if jnp.ndim(source) == 0 else _first_of(source, places)
    return x.at[_along(x, dim, places)].set(values)


def scatter_add(x: Array, dim: int, places: Array, source: Array) -> Array:
    """``x`` with values added at the given places along an axis."""
    return x.at[_along(x, dim, places)].add(_first_of(source, places))


def index_select(x: Array, dim: int, places: Array) -> Array:
    """``x`` at the given places along an axis, the others whole."""
    if x.ndim == 0:
        return x
    return jnp.take(x, _from_the_front(places, x.shape[dim]), axis=dim, mode="fill")


def index_add(x: Array, dim: int, places: Array, source: Array, *, alpha: Any = 1) -> Array:
    """``x`` with slices added at the given places along an axis."""
    return x.at[(slice(None),) * (dim % x.ndim) + (places,)].add(alpha * source)


def embedding(weight: Array, places: Array, *options: Any) -> Array:
    """The rows of ``weight`` at the given places."""
    del options
    return index_select(weight, 0, places)


def embedding_backward(
    gradient: Array, places: Array, rows: int, padding: int, scaled: bool
) -> Array:
    """The gradient of the rows: sums over where each was read, but for the padding's."""
    if scaled:
        counts = jnp.zeros(rows, gradient.dtype).at[places.reshape(-1)].add(1)
        gradient = gradient / counts[places][..., None]
    if padding >= 0:
        gradient = jnp.where((places == padding)[..., None], 0, gradient)
    zeros = jnp.zeros((rows, gradient.shape[-1]), gradient.dtype)
    return zeros.at[places.reshape(-1)].add(gradient.reshape(-1, gradient.shape[-1]))


def embedding_bag(
    weight: Array,
    places: Array,
    offsets: Array,
    scaled: bool = False,
    mode: int = 0,
    sparse: bool = False,
    sample_weight: Array | None = None,
    *options: Any,
) -> tuple[Array, Array, Array, Array]:
    """The sum or mean of the rows in each bag; each place's bag, and how many a bag holds."""
    _require_plain_bags(scaled, mode, sparse, options)
    bags = jnp.searchsorted(offsets, jnp.arange(len(places)), side="right") - 1
    counts = jnp.zeros(offsets.shape, places.dtype).at[bags].add(1)
    rows = embedding(weight, places)
    rows = rows if sample_weight is None else rows * sample_weight[:, None]
    sums = jnp.zeros((len(offsets), weight.shape[1]), weight.dtype).at[bags].add(rows)
    if mode == MEAN:
        sums = sums / jnp.maximum(counts, 1)[:, None].astype(sums.dtype)
    return sums, bags, counts, offsets


def embedding_bag_backward(
    gradient: Array,
    places: Array,
    offsets: Array,
    bags: Array,
    counts: Array,
    maxima: Array,
    rows: int,
    scaled: bool,
    mode: int,
    sparse: bool,
    sample_weight: Array | None,
    *options: Any,
) -> Array:
    """The gradient of the rows of ``embedding_bag``."""
    del offsets, maxima
    _require_plain_bags(scaled, mode, sparse, options)
    of_rows = gradient[bags]
    if mode == MEAN:
        of_rows = of_rows / jnp.maximum(counts, 1)[bags][:, None].astype(gradient.dtype)
    if sample_weight is not None:
        of_rows = of_rows * sample_weight[:, None]
    return jnp.zeros((rows, gradient.shape[-1]), gradient.dtype).at[places].add(of_rows)


def embedding_bag_weight_backward(
    gradient: Array, weight: Array, places: Array, offsets: Array, bags: Array, *options: Any
) -> Array:
    """The gradient of the weights of the samples in ``embedding_bag``."""
    del offsets, options
    return jnp.sum(gradient[bags] * embedding(weight, places), -1)


def searchsorted(
    edges: Array, values: Array, *, right: bool = False, side: str | None = None, **options: Any
) -> Array:
    """Where values would stand among edges in order, along the last axis."""
    if options.get("sorter") is not None:
        raise NotImplementedError("torch.searchsorted with sorter")
    side = "right" if right or side == "right" else "left"
    if edges.ndim == 1:
        return jnp.searchsorted(edges, values, side=side)
    before = jnp.less_equal if side == "right" else jnp.less
    return jnp.sum(before(edges[..., None, :], values[..., None]), -1)


def _require_plain_bags(scaled: bool, mode: int, sparse: bool, options: tuple[Any, ...]) -> None:
    padding = [one for one in options if not isinstance(one, bool)]
    if scaled or sparse or mode > MEAN or any(one >= 0 for one in padding):
        raise NotImplementedError(
            "nn.EmbeddingBag with mode='max', sparse, scale_grad_by_freq or padding_idx"
        )


INDEXING: dict[str, Callable[..., Any]] = {
    **dict.fromkeys(("_embedding_bag", "_embedding_bag_forward_only"), embedding_bag),
    "_embedding_bag_backward": embedding_bag_backward,
    "_embedding_bag_per_sample_weights_backward": embedding_bag_weight_backward,
    "_unsafe_index": index,
    "_unsafe_index_put": index_put,
    "_unsafe_masked_index": masked_index,
    "bucketize": lambda values, edges, **options: searchsorted(edges, values, **options),
    "embedding": embedding,
    "embedding_dense_backward": embedding_backward,
    "gather": gather,
    "index": index,
    "index_add": index_add,
    "index_put": index_put,
    "index_select": index_select,
    "scatter": scatter,
    "scatter_add": scatter_add,
    "searchsorted": searchsorted,
}
