"""What the adapters of other libraries' models share."""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable, Hashable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from funcnn.core import ArgumentError, Model, Params
from funcnn.core.keys import initial_key
from funcnn.core.precision import check_dtype
from funcnn.core.tracing import plain_errors
from funcnn.data.arrays import as_given
from funcnn.data.sources import load

__all__ = ["ByValue", "Sample", "drawing", "in_run_dtype", "kept", "modes", "sampled", "started"]

kept = functools.lru_cache(maxsize=128)
"""Keeps the newest models, and so what was compiled for them: equal ones may come again, though
no object that they came from lives. That many, since nothing tells when one is not needed."""

TRAINING = {"train": True, "training": True, "is_training": True, "deterministic": False}
"""What the arguments by which a call is told its mode are in training."""


class Sample(NamedTuple):
    """What is known of one sample of x.

    Attributes:
        shape: its shape.
        dtype: ``"float64"`` for floats of whichever width, ``"int32"`` or ``"bool"``.
    """

    shape: tuple[int, ...]
    dtype: str

    def batch(self) -> Array:
        """One sample of zeros with an axis of samples, in the width that JAX computes in."""
        return jnp.zeros((1, *self.shape), jax.dtypes.canonicalize_dtype(self.dtype))


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


def sampled(arguments: dict[str, Any]) -> tuple[dict[str, Any], Sample]:
    """The arguments with their data as a table, and what one sample of x is.

    For models whose params' shapes follow from the inputs.

    Raises:
        ArgumentError, ArgumentTypeError: where there are no data, or some that no run can take.
    """
    if arguments.get("data") is None:
        raise ArgumentError("data=None: a model of your own has no data of its own; pass (x, y)")
    names = {"target": None, "categories": None}
    table = load(arguments["data"], *(arguments.get(name) for name in names))
    x = as_given("x", np.array(table.x[:1]), "float64")
    return arguments | names | {"data": table}, Sample(x.shape[1:], x.dtype.name)


def in_run_dtype(params: Params) -> Params:
    """Initial values that a library draws in float32, in the width that JAX computes in."""
    wide = jax.dtypes.canonicalize_dtype(np.float64)
    return jax.tree.map(
        lambda leaf: leaf.astype(wide) if leaf.dtype == np.float32 else leaf, params
    )


def drawing(init: Callable[..., Params], apply: Callable[..., Array], sample: Sample) -> bool:
    """Whether ``apply(params, x)`` fails without a key; what fails with one too is told later.

    Raises:
        ArgumentError, ArgumentTypeError: where ``init`` fails.
    """
    with plain_errors("the model's init"):
        params = jax.eval_shape(lambda: init(initial_key(0)))
    try:
        jax.eval_shape(lambda params: apply(params, sample.batch()), params)
    except Exception:
        return True
    return False


def modes(call: Callable[..., Any], training: bool) -> dict[str, bool]:
    """The arguments that tell a call whether it is one of training, as far as it takes them.

    >>> modes(lambda x, *, train: x, training=False)
    {'train': False}
    """
    names = TRAINING.keys() & inspect.signature(call).parameters.keys()
    return {name: TRAINING[name] is training for name in sorted(names)}


def _key(leaf: Any) -> Hashable:
    if isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        leaf = jax.random.key_data(leaf)
    if isinstance(leaf, (jax.Array, np.ndarray)):
        array = np.asarray(leaf)
        return array.dtype.name, array.shape, array.tobytes()
    return type(leaf), leaf
