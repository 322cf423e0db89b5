"""What a model says of itself, held to it before a form relies on it."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from funcnn.core import AnyArray, ArgumentError, Model, Params, Structs
from funcnn.core.precision import numerics

__all__ = ["require_head", "require_linear"]


def require_linear(model: Model, shapes: Structs, x: np.ndarray, dtype: str) -> None:
    """Hold a model to its ``linear=True``, by its predictions for two random trees of params.

    Raises:
        ArgumentError: where its prediction is not linear in its params.
    """
    # Large and of either sign: near zero a sine is a line, and above it a ReLU.
    draw = _drawing(shapes, dtype)
    one, two = draw(1, 2), draw(-4, -3)
    with numerics(dtype):
        nothing = jax.tree.map(jnp.zeros_like, one)
        both = jax.tree.map(jnp.add, one, two)
        zero, first, second, together = (
            np.asarray(model.apply(tree, jnp.asarray(x)), np.float64)
            for tree in (nothing, one, two, both)
        )
    if zero.any() or not _close(together, first + second, dtype):
        raise ArgumentError(
            "the model says linear=True, and its prediction is not linear in its params: for "
            "params of zeros it must be zero, and for a sum of params the sum of the predictions"
        )


def require_head(model: Model, shapes: Structs, x: np.ndarray, dtype: str) -> None:
    """Hold a model to its ``head``, by its predictions for a random tree of params.

    Raises:
        ArgumentError: where ``head`` does not go on from the first layer as ``apply`` does.
    """
    params = _drawing(shapes, dtype)(-1, 1)
    with numerics(dtype):
        inputs = jnp.asarray(x)
        h = inputs @ params["w1"]
        if "b1" in params:
            h = h + params["b1"][None]
        rest = {name: value for name, value in params.items() if name not in ("w1", "b1")}
        expected = np.asarray(model.apply(params, inputs), np.float64)
        found = np.asarray(model.head(rest, h), np.float64) if model.head else expected
    if found.shape != expected.shape or not _close(found, expected, dtype):
        raise ArgumentError(
            "the model's head is not what its apply does: head(params, x·w1 + b1) must be "
            "apply(params, x)"
        )


def _drawing(shapes: Structs, dtype: str) -> Callable[[float, float], Params]:
    generator = np.random.default_rng(0)

    def draw(low: int | float, high: int | float) -> Params:
        with numerics(dtype):
            return jax.tree.map(
                lambda leaf: jnp.asarray(generator.uniform(low, high, leaf.shape), dtype), shapes
            )

    return draw


def _close(found: AnyArray, expected: AnyArray, dtype: str) -> bool:
    scale = np.abs(found).max() + np.abs(expected).max()
    return bool(np.abs(found - expected).max() <= np.sqrt(np.finfo(dtype).eps) * scale)
