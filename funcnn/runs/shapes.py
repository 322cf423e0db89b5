"""What the shapes alone tell of a run, found by abstract evaluation: nothing compiles."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import numpy as np
import optax

from funcnn.core import ArgumentError, ArgumentTypeError, Model, TrainState, remembered
from funcnn.data import to_numpy
from funcnn.fitting import initial_state
from funcnn.forms import compiled
from funcnn.precision import numerics
from funcnn.randomness import initial_key, run_key

if TYPE_CHECKING:
    from jaxtyping import Array

    from funcnn.core import Params
    from funcnn.updates import Update

__all__ = ["Shapes", "matching_params", "memory_of", "shapes_of"]


class Shapes(NamedTuple):
    """What a run will hold, as shapes and dtypes.

    Attributes:
        params: the model's tree.
        state: the state of the run, params among it.
        prediction: what the model makes of all the samples.
    """

    params: Params
    state: TrainState
    prediction: jax.ShapeDtypeStruct


@remembered
def shapes_of(
    model: Model,
    optimizer: optax.GradientTransformation,
    update: Update,
    x: jax.ShapeDtypeStruct,
    y: jax.ShapeDtypeStruct,
    dtype: str,
) -> Shapes:
    """Go through a run's functions once, without computing anything.

    Raises:
        ArgumentError, ArgumentTypeError: where they do not fit together, or where
            an update would not give back a state of the same kind.
    """

    def predict(params: Params, x: Array) -> Array:
        key = (run_key(0),) if model.stochastic else ()
        return compiled(model.apply)(params, x, *key)

    with numerics(dtype):
        params = jax.eval_shape(lambda: compiled(model.init)(initial_key(0)))
        _require_floats(params, dtype)
        state = jax.eval_shape(lambda params: initial_state(params, optimizer, run_key(0)), params)
        _require_same_kind(state, jax.eval_shape(update, state, (x, y))[0])
        return Shapes(params, state, jax.eval_shape(predict, state.params, x))


@remembered
def memory_of(
    model: Model,
    optimizer: optax.GradientTransformation,
    update: Update,
    x: jax.ShapeDtypeStruct,
    y: jax.ShapeDtypeStruct,
    dtype: str,
) -> int:
    """About how many bytes a run needs beside its data: an upper bound, found from shapes alone.

    That is all that the equations of an update make, and four states: those before
    and after each of the last two chunks.
    """
    state = shapes_of(model, optimizer, update, x, y, dtype).state
    with numerics(dtype):
        program = jax.make_jaxpr(update)(state, (x, y))
    return _bytes_made(program.jaxpr) + 4 * sum(map(_bytes, jax.tree.leaves(state)))


def matching_params(params: Params, shapes: Params) -> Params:
    """A private copy of params, where their tree, shapes and dtypes are the model's."""
    wanted = {_named(path): leaf for path, leaf in jax.tree.leaves_with_path(shapes)}
    given = {_named(path): leaf for path, leaf in jax.tree.leaves_with_path(params)}
    if jax.tree.structure(params) != jax.tree.structure(shapes):
        missing = [name for name in wanted if name not in given]
        unknown = [name for name in given if name not in wanted]
        raise ArgumentError(
            f"params are another tree: missing {', '.join(missing) or 'none'}, "
            f"unknown {', '.join(unknown) or 'none'}; the model has {', '.join(wanted)}"
        )
    copies = {}
    for name, leaf in given.items():
        array, want = to_numpy(name, leaf), wanted[name]
        if isinstance(leaf, (float, int)) and not isinstance(leaf, bool):
            array = array.astype(want.dtype)
        if array.shape != want.shape or array.dtype != want.dtype:
            raise ArgumentError(
                f"{name} is {array.dtype}{array.shape}; the model has {want.dtype}{want.shape}"
            )
        if not np.isfinite(array).all():
            raise ArgumentError(f"{name} is not finite")
        copies[name] = array
    return jax.tree.unflatten(jax.tree.structure(shapes), list(copies.values()))


def _require_floats(params: Params, dtype: str) -> None:
    leaves = jax.tree.leaves_with_path(params)
    if not leaves:
        raise ArgumentError("the model's init gives no parameters")
    for path, leaf in leaves:
        if leaf.dtype != dtype:
            raise ArgumentTypeError(
                f"the model's init gives {_named(path)} as {leaf.dtype}; the run is in {dtype}"
            )


def _require_same_kind(before: TrainState, after: TrainState) -> None:
    if jax.tree.structure(after) != jax.tree.structure(before):
        raise ArgumentError("an update changes the structure of the params or optimizer state")
    for (path, old), new in zip(
        jax.tree.leaves_with_path(before), jax.tree.leaves(after), strict=True
    ):
        if (old.shape, old.dtype) != (new.shape, new.dtype):
            raise ArgumentError(
                f"an update turns state{jax.tree_util.keystr(path)} from {old.dtype}{old.shape} "
                f"into {new.dtype}{new.shape}"
            )


def _named(path: Any) -> str:
    return f"params{jax.tree_util.keystr(path)}"


def _bytes_made(program: Any) -> int:
    from jax.extend.core import jaxprs_in_params  # It costs import time.

    made = 0
    for equation in program.eqns:
        inner = [_bytes_made(part) for part in jaxprs_in_params(equation.params)]
        made += sum(inner) if inner else sum(_bytes(result.aval) for result in equation.outvars)
    return made


def _bytes(array: Any) -> int:
    return math.prod(array.shape) * array.dtype.itemsize
