"""How the arithmetic of an update is arranged: as the formula says.

A form is a change of variables around the loop: what the loop keeps of a state and of
the data, and the loss and its gradient by what it keeps. ``direct`` keeps what users see,
``turned`` its matrices the other way round; the form in ``gram`` keeps far less.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp

from funcnn.core import ArgumentError, ArgumentTypeError, TrainState, remembered
from funcnn.randomness import draw_batch, step_key

if TYPE_CHECKING:
    from typing import TypeAlias

    from jaxtyping import Array, Float, Int, Key

    from funcnn.core import Data, Loss, Params

    Back: TypeAlias = Callable[[TrainState], TrainState]

__all__ = ["Form", "built_like", "compiled", "direct", "each_like", "loss_of", "turned"]


class Form(NamedTuple):
    """A way to keep a state and its data inside the loop.

    Attributes:
        arrange: ``arrange(state, data) -> (state, data, back)``: both as the loop keeps
            them, and ``back(state) -> state``, the way back to what users see.
        value_and_grad: ``value_and_grad(params, data, key, step) -> (loss, gradient)``
            of what is kept.
    """

    arrange: Callable[[TrainState, Data], tuple[TrainState, Any, Back]]
    value_and_grad: Callable[..., tuple[Array, Params]]


@remembered
def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """``jax.jit(function)``, the same for the same function.

    A compiled function is traced once for its arguments' shapes, wherever it is
    called from: alone, in a loop, or to learn its result's shape.
    """
    return jax.jit(function)


def direct(
    apply: Callable[..., Array],
    stochastic: bool,
    manual: Callable[..., tuple[Array, Params]] | None,
    loss: Loss,
    batch_size: int | None,
) -> Form:
    """What the formula says, with the automatic gradient or one derived by hand."""

    def value_and_grad(
        params: Params, data: Data, key: Key[Array, ""], step: Int[Array, ""]
    ) -> tuple[Float[Array, ""], Params]:
        x, y = data
        if batch_size is not None and batch_size < len(x):
            batch = draw_batch(key, step, len(x), batch_size)
            x, y = x[batch], y[batch]
        if manual is not None:
            return manual(params, x, y)
        draw = (step_key(key, step),) if stochastic else ()
        return jax.value_and_grad(
            lambda params: loss_of(loss, compiled(apply)(params, x, *draw), y)
        )(params)

    return Form(lambda state, data: (state, data, lambda state: state), value_and_grad)


def turned(*arguments: Any) -> Form:
    """:func:`direct`, where the loop keeps each matrix of the params as (outputs, inputs).

    XLA multiplies faster by these on a CPU. The optimizer must treat each number alone,
    as those of ``funcnn.optimizers`` do: then the steps are the same.
    """
    as_given = direct(*arguments)

    def arrange(state: TrainState, data: Data) -> tuple[TrainState, Data, Back]:
        def turn(state: TrainState) -> TrainState:
            return each_like(state.params, _transpose, state)

        return turn(state), data, turn

    def value_and_grad(params: Params, *others: Any) -> tuple[Array, Params]:
        value, gradient = as_given.value_and_grad(_transpose(params), *others)
        return value, _transpose(gradient)

    return Form(arrange, value_and_grad)


def _transpose(params: Params) -> Params:
    return jax.tree.map(lambda leaf: leaf.T if leaf.ndim == 2 else leaf, params)


def each_like(params: Params, function: Callable[[Params], Params], tree: Any) -> Any:
    """The tree with the function applied to each part that is built like the params."""
    alike = built_like(params)
    return jax.tree.map(lambda part: function(part) if alike(part) else part, tree, is_leaf=alike)


def built_like(params: Params) -> Callable[[Any], bool]:
    """Whether a part of a tree is built like the params."""
    structure = jax.tree.structure(params)
    return lambda part: jax.tree.structure(part) == structure


def loss_of(loss: Loss, prediction: Array, y: Array) -> Float[Array, ""]:
    """The loss, where prediction and target can be compared and one float comes out.

    Raises:
        ArgumentError, ArgumentTypeError: where that is not so.
    """
    if not isinstance(prediction, jax.Array):
        raise ArgumentTypeError(
            f"apply must return an array, the prediction; it returns {type(prediction)}"
        )
    _require_comparable(prediction, y)
    value = loss(prediction, y)
    if not isinstance(value, jax.Array):
        raise ArgumentTypeError(f"the loss must be an array of one float, not {type(value)}")
    if value.shape != () or not jnp.issubdtype(value.dtype, jnp.floating):
        raise ArgumentError(f"the loss must be one float; it is {value.dtype}{value.shape}")
    return value


def _require_comparable(prediction: Array, target: Array) -> None:
    """Nothing broadcasts; whole numbers may be classes, and lack the prediction's last axis."""
    classes = (
        not jnp.issubdtype(target.dtype, jnp.floating)
        and prediction.shape[:-1] == target.shape
        and prediction.shape[-1:] != (1,)
    )
    if prediction.shape != target.shape and not classes:
        raise ArgumentError(
            f"the model predicts shape {prediction.shape} and the target has shape "
            f"{target.shape}; nothing is broadcast: reshape one of them"
        )
