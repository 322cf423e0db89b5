"""What the shapes alone tell of a run, found by abstract evaluation: nothing compiles."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from funcnn.core import ArgumentError, ArgumentTypeError, Model, TrainState
from funcnn.fitting import compiled
from funcnn.randomness import initial_key

if TYPE_CHECKING:
    from funcnn.core import Params, Update

__all__ = [
    "matching_params",
    "require_float_leaves",
    "require_known_classes",
    "require_steady_update",
]


def require_float_leaves(shapes: Params, dtype: str) -> None:
    """Params of the run's dtype, and some at all."""
    leaves = jax.tree.leaves_with_path(shapes)
    if not leaves:
        raise ArgumentError("the model's init gives no parameters")
    for path, leaf in leaves:
        if leaf.dtype != dtype:
            raise ArgumentTypeError(
                f"the model's init gives {_named(path)} as {leaf.dtype}; the run is in {dtype}"
            )


def matching_params(params: Params, shapes: Params) -> Params:
    """A private copy of params, where their tree, shapes and dtypes are the model's."""
    wanted = {_named(path): leaf for path, leaf in jax.tree.leaves_with_path(shapes)}
    given = {_named(path): leaf for path, leaf in jax.tree.leaves_with_path(params)}
    if jax.tree.structure(params) != jax.tree.structure(shapes):
        missing = [name for name in wanted if name not in given]
        unknown = [
            f"{name} (did you mean {''.join(near)}?)" if near else name
            for name in given
            if name not in wanted
            for near in [difflib.get_close_matches(name, missing, n=1)]
        ]
        raise ArgumentError(
            f"params are another tree: missing {', '.join(missing) or 'none'}, "
            f"unknown {', '.join(unknown) or 'none'}; the model has {', '.join(wanted)}"
        )
    copies = {}
    for name, leaf in given.items():
        array, want = np.array(leaf), wanted[name]
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


def require_steady_update(update: Update, state: TrainState, data: Any) -> None:
    """One update gives a state of the same shapes and dtypes, as a loop needs."""
    after, _ = jax.eval_shape(update, state, data)
    if jax.tree.structure(after) != jax.tree.structure(state):
        raise ArgumentError("an update changes the structure of the params or optimizer state")
    for (path, old), new in zip(
        jax.tree.leaves_with_path(state), jax.tree.leaves(after), strict=True
    ):
        if (old.shape, old.dtype) != (new.shape, new.dtype):
            raise ArgumentError(
                f"an update turns state{jax.tree_util.keystr(path)} from {old.dtype}{old.shape} "
                f"into {new.dtype}{new.shape}"
            )


def require_known_classes(model: Model, params: Params, x: np.ndarray, y: np.ndarray) -> None:
    """Classes that the model has an output for; indexing would clamp the others."""

    def predict(params: Params) -> Any:
        key = (initial_key(0),) if model.stochastic else ()
        return compiled(model.apply)(params, x, *key)

    classes = jax.eval_shape(predict, params).shape[-1]
    if y.max() >= classes:
        raise ArgumentError(f"y holds the class {y.max()}; the model knows 0 to {classes - 1}")


def _named(path: Any) -> str:
    return f"params{jax.tree_util.keystr(path)}"
