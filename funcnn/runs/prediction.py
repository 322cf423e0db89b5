"""What a model predicts: without noise, and for many samples a part at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Key, Shaped

from funcnn.core import AnyArray, ArgumentError, Model, Params
from funcnn.core.caches import compiled

__all__ = ["ROWS", "predictions", "predictor"]

ROWS = 2**14
"""The most samples that are predicted at once: of more, the layers between fill the memory."""


def predictor(model: Model) -> Callable[[Params, Array], Array]:
    """The function ``(params, x) -> prediction`` of a model that draws no random numbers.

    It is the model's ``predict``; without one, ``apply`` itself, where that draws nothing.

    Raises:
        ArgumentError: for a stochastic model without ``predict``.
    """
    if model.predict is not None:
        return model.predict
    if model.stochastic:
        raise ArgumentError(
            "this model draws random numbers and does not say what it predicts without them: give "
            "it predict=, funcnn.Model(init, apply, stochastic=True, predict=predict), a function "
            "(params, x) -> prediction"
        )
    return model.apply


def predictions(
    model: Model, params: Params, x: Any, key: Key[Array, ""] | None = None
) -> Shaped[Array, "samples ..."]:
    """The model's predictions, without noise where it can predict so.

    Args:
        model: the model.
        params: its params.
        x: its inputs, an array or what gives an array for a slice; or a tuple of such.
        key: for a model that draws random numbers: draw them by it, in place of predicting
            without noise.

    Raises:
        ArgumentError: for a model that draws and does not say what it predicts without.
    """
    apply = compiled(predictor(model) if key is None else model.apply)
    draws = () if key is None else (key,)
    samples = len(jax.tree.leaves(x)[0])
    if samples <= ROWS:
        return apply(params, _sliced(x, 0, samples), *draws)
    parts = (_sliced(x, first, first + ROWS) for first in range(0, samples, ROWS))
    return jnp.concatenate([_of_rows(apply, params, part, draws) for part in parts])


def _sliced(x: Any, first: int, last: int) -> Any:
    return jax.tree.map(lambda array: array[first:last], x)


def _of_rows(apply: Any, params: Params, x: Any, draws: tuple[Any, ...]) -> Array:
    """The predictions for some rows, filled up so that one program serves the last ones too."""
    missing = ROWS - len(jax.tree.leaves(x)[0])

    def filled(array: AnyArray) -> AnyArray:
        return np.pad(np.asarray(array), [(0, missing)] + [(0, 0)] * (np.ndim(array) - 1))

    if missing:
        x = jax.tree.map(filled, x)
    return apply(params, x, *draws)[: ROWS - missing]
