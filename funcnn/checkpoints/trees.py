"""Trees of arrays as flat lists of arrays and descriptions of them, and back."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from funcnn.core import ArgumentError, ArgumentTypeError

__all__ = [
    "Description",
    "describe",
    "digest",
    "from_memory",
    "from_tree",
    "to_memory",
    "to_tree",
]

Description = dict[str, Any]
"""What is known of a saved array.

Its name; its shape and dtype in words; the shape and dtype of what is stored, which for a random
key is its data; the implementation of the key, or None; and the digest of what is stored.
"""

PLACE = "array"
"""The key by which the JSON of a memory says that an array stands in its place."""


def from_tree(tree: Any, root: str) -> tuple[list[np.ndarray], list[Description]]:
    """The leaves of a tree as NumPy arrays, random keys as their data, and what each is.

    Raises:
        ArgumentTypeError: for a leaf that is no array of numbers or keys.
    """
    arrays, descriptions = [], []
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        array, description = _from_leaf(root + jax.tree_util.keystr(path), leaf)
        arrays.append(array)
        descriptions.append(description)
    return arrays, descriptions


def describe(like: Any, root: str) -> dict[str, str]:
    """The names of a tree's leaves, and the shape and dtype of each in words."""
    return {
        root + jax.tree_util.keystr(path): in_words(leaf.shape, leaf.dtype)
        for path, leaf in jax.tree_util.tree_leaves_with_path(like)
    }


def in_words(shape: Any, dtype: Any) -> str:
    """A shape and a dtype in words."""
    return f"{tuple(shape)} {dtype}"


def to_tree(like: Any, arrays: list[np.ndarray], descriptions: list[Description]) -> Any:
    """A tree of the structure of ``like``, with NumPy arrays, and keys as JAX has them."""
    leaves = [_to_leaf(*pair) for pair in zip(arrays, descriptions, strict=True)]
    return jax.tree.unflatten(jax.tree.structure(like), leaves)


def from_memory(
    memory: Mapping[str, Any],
) -> tuple[dict[str, Any], list[np.ndarray], list[Description]]:
    """What observers remember, as JSON with numbers in the places of the arrays, and those.

    Raises:
        ArgumentTypeError: for what is neither JSON nor an array of numbers.
    """
    arrays: list[np.ndarray] = []
    descriptions: list[Description] = []

    def place(name: str, value: Any) -> Any:
        if isinstance(value, (np.ndarray, np.generic, jax.Array)):
            array, description = _from_leaf(name, value)
            arrays.append(array)
            descriptions.append(description)
            return {PLACE: len(arrays) - 1}
        if isinstance(value, Mapping):
            if any(not isinstance(key, str) for key in value):
                raise ArgumentTypeError(f"{name} has keys that are no text, which JSON has not")
            placed = {key: place(f"{name}[{key!r}]", inner) for key, inner in value.items()}
            return {PLACE: placed} if PLACE in placed else placed
        if isinstance(value, (list, tuple)):
            return [place(f"{name}[{index}]", inner) for index, inner in enumerate(value)]
        if value is None or isinstance(value, (bool, int, float, str)):
            return value
        raise ArgumentTypeError(f"{name} is neither JSON nor an array: {value!r:.60}")

    return place("memory", memory), arrays, descriptions


def to_memory(
    placed: Any, arrays: list[np.ndarray], descriptions: list[Description]
) -> dict[str, Any]:
    """What :func:`from_memory` was given; tuples as lists, and arrays as NumPy's."""
    leaves = [_to_leaf(*pair) for pair in zip(arrays, descriptions, strict=True)]

    def take(value: Any) -> Any:
        if isinstance(value, list):
            return [take(inner) for inner in value]
        if not isinstance(value, dict):
            return value
        if PLACE not in value:
            return {key: take(inner) for key, inner in value.items()}
        inside = value[PLACE]
        if isinstance(inside, dict):  # a mapping that itself has this key
            return {key: take(inner) for key, inner in inside.items()}
        return leaves[inside]

    return take(placed)


def digest(array: np.ndarray) -> str:
    """The SHA-256 of an array's shape, dtype and bytes."""
    content = hashlib.sha256(in_words(array.shape, array.dtype).encode())
    content.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return content.hexdigest()


def _from_leaf(name: str, leaf: Any) -> tuple[np.ndarray, Description]:
    dtype = getattr(leaf, "dtype", None)
    if dtype is None:
        raise ArgumentTypeError(f"{name} is no array: {leaf!r:.60}")
    impl = None
    if jnp.issubdtype(dtype, jax.dtypes.prng_key):
        impl = jax.random.key_impl(leaf)
        if not isinstance(impl, str):
            raise ArgumentTypeError(f"{name} is a random key of a kind without a name")
        array = np.asarray(jax.random.key_data(leaf))
    else:
        array = np.asarray(leaf)
        if array.dtype.byteorder == ">":
            array = array.astype(array.dtype.newbyteorder("="))
        # JAX counts bfloat16 and its like as numbers, as NumPy does not; it has no long double.
        numbers = jnp.issubdtype(array.dtype, np.number) and array.dtype.char not in "gG"
        if not numbers and array.dtype != np.bool_:
            raise ArgumentTypeError(f"{name} is of {array.dtype}: not a kind to save")
    description = {
        "name": name,
        "kind": in_words(leaf.shape, dtype if impl else array.dtype),
        "shape": list(array.shape),
        "dtype": str(array.dtype),
        "key": impl,
        "sha256": digest(array),
    }
    return array, description


def _to_leaf(array: np.ndarray, description: Description) -> Any:
    if description["key"] is None:
        return array
    try:
        return jax.random.wrap_key_data(jnp.asarray(array), impl=description["key"])
    except ValueError as error:
        raise ArgumentError(f"{description['name']} is a key of another kind: {error}") from None
