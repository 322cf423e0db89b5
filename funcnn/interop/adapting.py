"""What the adapters of other libraries' models share."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Hashable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from funcnn.core import Model, Params
from funcnn.core.precision import check_dtype

__all__ = ["ByValue", "started"]


@dataclasses.dataclass(frozen=True, eq=False)
class ByValue:
    """A tree that is equal to another of the same structure and values, arrays among them.

    Attributes:
        tree: of arrays, and of leaves that are hashable.
    """

    tree: Any

    @functools.cached_property
    def key(self) -> Hashable:
        """What is the same for equal trees."""
        leaves, structure = jax.tree.flatten(self.tree)
        return structure, tuple(map(_key, leaves))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ByValue) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)


def started(arguments: dict[str, Any], model: Model, values: Params) -> dict[str, Any]:
    """The arguments with a model, which starts from the values that its library's object holds.

    They are taken in the run's dtype, which is their own where the call gives none. They are
    not taken where the call says where to start.

    Raises:
        ArgumentError, ArgumentTypeError: for a dtype that no run can have.
    """
    if arguments.get("params") is not None or arguments.get("state") is not None:
        return arguments | {"model": model}
    dtype = arguments.get("dtype")
    if dtype is None and (leaves := jax.tree.leaves(values)):
        dtype = np.result_type(*(leaf.dtype for leaf in leaves))
    dtype = None if dtype is None else check_dtype(dtype)
    params = jax.tree.map(lambda leaf: np.asarray(leaf, dtype), values)
    return arguments | {"model": model, "params": params, "dtype": dtype}


def _key(leaf: Any) -> Hashable:
    if isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        leaf = jax.random.key_data(leaf)
    if isinstance(leaf, (jax.Array, np.ndarray)):
        array = np.asarray(leaf)
        return array.dtype.name, array.shape, array.tobytes()
    return type(leaf), leaf
