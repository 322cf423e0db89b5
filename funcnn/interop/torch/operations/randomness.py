"""Operations that draw random numbers: by a key, and so not PyTorch's numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Key

from funcnn.interop.torch.operations.dtypes import as_dtype

__all__ = ["RANDOM", "WHERE_IT_IS_SAID"]


def uniform_of(shape: Sequence[int], *, key: Key[Array, ""], **options: Any) -> Array:
    """Evenly from 0 to 1."""
    return jax.random.uniform(key, tuple(shape), as_dtype(options.get("dtype") or "float32"))


def normal_of(shape: Sequence[int], *, key: Key[Array, ""], **options: Any) -> Array:
    """From the standard normal distribution."""
    return jax.random.normal(key, tuple(shape), as_dtype(options.get("dtype") or "float32"))


def uniform(
    x: Array, low: float = 0.0, high: float = 1.0, *, key: Key[Array, ""], **options: Any
) -> Array:
    """Evenly between two bounds, of the shape of an array."""
    del options
    return jax.random.uniform(key, x.shape, x.dtype, low, high)


def normal(
    mean: Any, deviation: Any = 1.0, size: Any = None, *, key: Key[Array, ""], **options: Any
) -> Array:
    """From normal distributions: of one for all places, or one for each."""
    shape = jnp.broadcast_shapes(jnp.shape(mean), jnp.shape(deviation)) if size is None else size
    dtypes = (one.dtype for one in (mean, deviation) if isinstance(one, jax.Array))
    dtype = as_dtype(options.get("dtype") or next(dtypes, "float32"))
    return mean + deviation * jax.random.normal(key, tuple(shape), dtype)


def normal_like(
    x: Array, mean: float = 0.0, deviation: float = 1.0, *, key: Key[Array, ""], **options: Any
) -> Array:
    """From a normal distribution, of the shape of an array."""
    return normal(mean, deviation, x.shape, key=key, dtype=x.dtype, **options)


def whole_of(*bounds_and_shape: Any, key: Key[Array, ""], **options: Any) -> Array:
    """Whole numbers below a bound, or between two."""
    *bounds, shape = bounds_and_shape
    low, high = bounds if len(bounds) == 2 else (0, *bounds)
    return jax.random.randint(
        key, tuple(shape), low, high, as_dtype(options.get("dtype") or "int64")
    )


def permutation(count: int, *, key: Key[Array, ""], **options: Any) -> Array:
    """The whole numbers below a bound in any order."""
    return jax.random.permutation(key, count).astype(as_dtype(options.get("dtype") or "int64"))


def bernoulli(x: Array, p: Any = None, *, key: Key[Array, ""], **options: Any) -> Array:
    """1 with the given probability, or with that of each place; otherwise 0."""
    del options
    return jax.random.bernoulli(key, x if p is None else p, x.shape).astype(x.dtype)


def dropout(x: Array, p: float, train: bool | None, *, key: Key[Array, ""]) -> tuple[Array, Array]:
    """What is left of ``x``, scaled up for what is set to 0, and where it is left."""
    if train is False:
        return x, jnp.ones(x.shape, bool)
    left = jax.random.bernoulli(key, 1 - p, x.shape)
    return jnp.where(left, x, 0) * (0.0 if p == 1 else 1 / (1 - p)), left


def rrelu(
    x: Array,
    noise: Array,
    low: float = 1 / 8,
    high: float = 1 / 3,
    training: bool = False,
    *,
    key: Key[Array, ""] | None = None,
) -> tuple[Array, Array]:
    """A ReLU whose slope below 0 is drawn, and the slopes."""
    del noise
    drawn = (low + high) / 2
    if training and key is not None:
        drawn = jax.random.uniform(key, x.shape, x.dtype, low, high)
    slopes = jnp.where(x <= 0, drawn, 1).astype(x.dtype)
    return x * slopes, slopes


def _like(draw: Callable[..., Array]) -> Callable[..., Array]:
    def call(x: Array, *, key: Key[Array, ""], **options: Any) -> Array:
        return draw(x.shape, key=key, dtype=options.get("dtype") or x.dtype)

    return call


RANDOM: dict[str, Callable[..., Any]] = {
    "bernoulli": bernoulli,
    "native_dropout": dropout,
    "normal": normal,
    "normal_functional": normal_like,
    "rand": uniform_of,
    "rand_like": _like(uniform_of),
    "randint": whole_of,
    "randn": normal_of,
    "randn_like": _like(normal_of),
    "randperm": permutation,
    "rrelu_with_noise_functional": rrelu,
    "uniform": uniform,
}
"""Each is given the key of its own draw as ``key``."""

WHERE_IT_IS_SAID = {"rrelu_with_noise_functional": 4}
"""The argument that says whether an operation draws at all, of those that need not."""
