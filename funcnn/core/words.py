"""The words of funcnn: a model, the state of a run, and the types of arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import jax
import numpy as np
from jaxtyping import Array, Float, Int, Key, PyTree, Shaped

__all__ = [
    "AnyArray",
    "Data",
    "Loss",
    "Model",
    "Number",
    "Params",
    "Samples",
    "Structs",
    "TrainState",
]

AnyArray: TypeAlias = Array | np.ndarray
"""An array of JAX or of NumPy."""

Number: TypeAlias = int | float | np.number | Shaped[AnyArray, ""]
"""One number, of Python or in an array; it may be traced."""

Params: TypeAlias = PyTree[Shaped[AnyArray, "..."] | np.number | int | float]
"""A model's parameters: a (nested) dict of arrays."""

Structs: TypeAlias = PyTree[jax.ShapeDtypeStruct]
"""The shapes and dtypes of a tree of arrays."""

Loss: TypeAlias = Callable[..., Float[Array, ""]]
"""``loss(prediction, target) -> scalar``; ``loss(prediction, target, sample_weight=weight)``
where the samples have weights."""


class Model(NamedTuple):
    """A model: two pure functions, and what is known about them.

    Attributes:
        init: ``init(key) -> params``, a nested dict of arrays; None where every run is
            given the params to start from.
        apply: ``apply(params, x) -> prediction``; ``apply(params, x, key)``
            where ``stochastic`` is true.
        value_and_grad: ``value_and_grad(params, x, y) -> (loss, gradient)``,
            derived by hand for the sum of squared errors; None where the model
            has no such rule.
        formula: ``formula(params) -> str``, the fitted function as text; None
            where it would not fit on a line.
        stochastic: whether ``apply`` draws random numbers, and so takes a key.
        linear: whether the prediction is linear in the params: the prediction for the sum
            of two trees of params is the sum of their predictions. ``train`` checks it
            on a few samples before it relies on it.
        head: ``head(params, h) -> prediction`` from the first layer's h = x·w1, plus b1
            where the params have it, for a network that starts so and uses x, ``w1`` and
            ``b1`` nowhere else.
        input_axes: 1 where a sample is a number and x is (samples,), 2 where it is
            a row and x is (samples, features); None to take x and y as they come.
        predict: ``predict(params, x) -> prediction``, the prediction without noise of a
            stochastic model; without it, ``apply`` predicts where the model is not
            stochastic, and a model that is can be trained and cannot predict.
        saved: ``saved(params) -> {name: array}``, what is written of them to a file, and read
            from it, by names in which dots join parts; None for the params as they are.
    """

    init: Callable[[Key[Array, ""]], Params] | None
    apply: Callable[..., Array]
    value_and_grad: Callable[[Params, Any, Any], tuple[Array, Params]] | None = None
    formula: Callable[[Params], str] | None = None
    stochastic: bool = False
    linear: bool = False
    head: Callable[[Params, Array], Array] | None = None
    input_axes: int | None = None
    predict: Callable[[Params, Array], Array] | None = None
    saved: Callable[[Params], Params] | None = None


class Samples(NamedTuple):
    """The samples of a run, a sample a row: arrays, or what reads them from a file.

    Attributes:
        x: the inputs; a tuple of arrays for a model that takes several.
        y: the targets.
        weight: how much each sample counts, (samples,); None where all count alike.
    """

    x: Any
    y: Any
    weight: Any = None


Data: TypeAlias = tuple[AnyArray, AnyArray] | tuple[AnyArray, AnyArray, AnyArray | None]
"""``(x, y)``, a sample a row, or ``(x, y, weight)``; :class:`Samples` are such."""


class TrainState(NamedTuple):
    """All that a run needs to go on, and nothing else.

    Attributes:
        params: the model's parameters.
        optimizer_state: what the optimizer remembers, its hyperparameters among it.
        step: the number of updates made, a scalar int32.
        key: the key from which every step derives its random numbers.
        kept: what the loop of the gram form holds in place of the params, so that a run
            that goes on from here gives the same bits as one that never stopped; None
            where the loop holds the params themselves.
    """

    params: Params
    optimizer_state: Any
    step: Int[Array, "*members"]
    key: Key[Array, "*members"]
    kept: Any = None
