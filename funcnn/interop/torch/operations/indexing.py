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

MEAN, LARGEST = 1, 2
"""PyTorch's numbers of the mean over a bag, and of the largest; 0 is the sum."""


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
    values = jnp.asarray(source if jnp.ndim(source) == 0 else _first_of(source, places))
    return x.at[_along(x, dim, places)].set(values.astype(x.dtype))


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
    """The sum, mean or largest of the rows in each bag.

    Returns:
        It; each place's bag; how many a bag holds; and, for the largest, of which rows it is.
    """
    _require_plain_bags(scaled, sparse)
    if options[:1] == (True,):  # The last is where the last bag ends.
        offsets = offsets[:-1]
    bags = jnp.searchsorted(offsets, jnp.arange(len(places)), side="right") - 1
    counted = places != _padding(options)
    counts = jnp.zeros(offsets.shape, places.dtype).at[bags].add(counted.astype(places.dtype))
    rows = embedding(weight, places)
    rows = rows if sample_weight is None else rows * sample_weight[:, None]
    shape = (len(offsets), weight.shape[1])
    if mode == LARGEST:
        rows = jnp.where(counted[:, None], rows, -jnp.inf)
        largest = jnp.full(shape, -jnp.inf, weight.dtype).at[bags].max(rows)
        number = jnp.where(rows == largest[bags], jnp.arange(len(places))[:, None], len(places))
        first = jnp.full(shape, len(places), number.dtype).at[bags].min(number)
        maxima = places.at[first].get(mode="fill", fill_value=0)
        return jnp.where(counts[:, None] > 0, largest, 0), bags, counts, maxima
    sums = jnp.zeros(shape, weight.dtype).at[bags].add(jnp.where(counted[:, None], rows, 0))
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
    del offsets
    _require_plain_bags(scaled, sparse)
    nothing = jnp.zeros((rows, gradient.shape[-1]), gradient.dtype)
    if mode == LARGEST:
        of_bags = jnp.where(counts[:, None] > 0, gradient, 0)
        return nothing.at[maxima, jnp.arange(gradient.shape[-1])].add(of_bags)
    of_rows = gradient[bags]
    if mode == MEAN:
        of_rows = of_rows / jnp.maximum(counts, 1)[bags][:, None].astype(gradient.dtype)
    if sample_weight is not None:
        of_rows = of_rows * sample_weight[:, None]
    counted = (places != _padding(options))[:, None]
    return nothing.at[places].add(jnp.where(counted, of_rows, 0))


def embedding_bag_weight_backward(
    gradient: Array, weight: Array, places: Array, offsets: Array, bags: Array, *options: Any
) -> Array:
    """The gradient of the weights of the samples in ``embedding_bag``."""
    del offsets
    of_places = jnp.sum(gradient[bags] * embedding(weight, places), -1)
    _, *last = options
    return jnp.where(places != _padding(tuple(last)), of_places, 0)


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


def _padding(options: tuple[Any, ...]) -> int:
    """The row that no bag counts; -1 for none."""
    return next((one for one in options if not isinstance(one, bool)), -1)


def _require_plain_bags(scaled: bool, sparse: bool) -> None:
    if scaled or sparse:
        raise NotImplementedError("nn.EmbeddingBag with sparse or scale_grad_by_freq")


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
