"""Operations that make new arrays, or arrays of another dtype."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array

from funcnn.interop.torch.operations.dtypes import as_dtype

__all__ = ["CREATION"]

# What an operation's dtype is, the trace has recorded: the result is cast to it.


def full(shape: Sequence[int], value: Any, **options: Any) -> Array:
    """An array of one number."""
    dtype = options.get("dtype")
    return jnp.full(tuple(shape), value, None if dtype is None else as_dtype(dtype))


def full_like(x: Array, value: Any, **options: Any) -> Array:
    """An array of one number, of the shape of another."""
    return full(x.shape, value, dtype=options.get("dtype") or x.dtype)


def arange(*bounds: Any, **options: Any) -> Array:
    """Numbers at equal distances, from (0 without it), to, and by (1 without it)."""
    dtype = options.get("dtype")
    return jnp.arange(*bounds, dtype=None if dtype is None else as_dtype(dtype))


def linspace(start: Any, end: Any, steps: int, **options: Any) -> Array:
    """So many numbers at equal distances, both ends among them."""
    return jnp.linspace(start, end, steps, dtype=as_dtype(options.get("dtype") or "float32"))


def iota(length: int, *, start: int = 0, step: int = 1, **options: Any) -> Array:
    """Whole numbers at equal distances."""
    return start + step * jnp.arange(length, dtype=as_dtype(options.get("dtype") or "int64"))


def cast(x: Any, **options: Any) -> Any:
    """The array in another dtype; complex numbers lose their imaginary part by it."""
    dtype = options.get("dtype")
    if dtype is None:
        return x
    asked = as_dtype(dtype)
    if jnp.iscomplexobj(x) and not jnp.issubdtype(asked, jnp.complexfloating):
        x = x.real
    return x.astype(asked)


def empty_strided(shape: Sequence[int], *strides: Any, **options: Any) -> Array:
    """An array of zeros, where PyTorch leaves what is in memory, laid out in some order."""
    del strides
    return full(shape, 0, **options)


def eye(rows: int, columns: int | None = None, **options: Any) -> Array:
    """The matrix with ones on its diagonal."""
    del options
    return jnp.eye(rows, columns)


def _new(value: int) -> Callable[..., Array]:
    """An array of one number, of the dtype of another where none is said."""

    def make(x: Array, shape: Sequence[int], *strides: Any, **options: Any) -> Array:
        del strides
        return full(shape, value, **{"dtype": x.dtype} | options)

    return make


CREATION: dict[str, Callable[..., Any]] = {
    **dict.fromkeys(("empty", "empty_permuted", "empty_strided"), empty_strided),
    **dict.fromkeys(("new_empty", "new_empty_strided", "new_zeros"), _new(0)),
    "_to_copy": cast,
    "arange": arange,
    "convert_element_type": lambda x, dtype: cast(x, dtype=dtype),
    "empty_like": lambda x, **options: full_like(x, 0, **options),
    "eye": eye,
    "fill": lambda x, value: jnp.broadcast_to(jnp.asarray(value, x.dtype), x.shape),
    "full": full,
    "full_like": full_like,
    "iota": iota,
    "linspace": linspace,
    "new_full": lambda x, shape, value, **options: full(
        shape, value, **{"dtype": x.dtype} | options
    ),
    "new_ones": _new(1),
    "ones": lambda shape, **options: full(shape, 1, **options),
    "ones_like": lambda x, **options: full_like(x, 1, **options),
    "scalar_tensor": lambda value, **options: full((), value, **options),
    "zeros": lambda shape, **options: full(shape, 0, **options),
    "zeros_like": lambda x, **options: full_like(x, 0, **options),
}
