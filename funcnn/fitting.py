"""The functional core of training: one update, and many of them in one loop.

>>> import funcnn
>>> model = funcnn.models.make("mlp", in_features=3, hidden=4, out_features=2)
>>> optimizer = funcnn.optimizers.sgd(1e-3)
>>> update = make_update(model, funcnn.losses.sum_squared_error, optimizer)
>>> state = start(model.init(jax.random.key(0)), optimizer, jax.random.key(1))
>>> state, losses = fit(update, state, (jnp.ones((5, 3)), jnp.ones((5, 2))), steps=100)
>>> int(state.step), losses.shape, bool(losses[-1] < losses[0])
(100, (100,), True)
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import optax
from jax.core import Tracer

from funcnn import checks
from funcnn.core import ArgumentError, ArgumentTypeError, Model, TrainState
from funcnn.losses import sum_squared_error
from funcnn.precision import jax_promotion
from funcnn.randomness import draw_batch, step_key

if TYPE_CHECKING:
    from jaxtyping import Array, Float, Int, Key

    from funcnn.core import Data, Loss, Params, Update

__all__ = ["GRADIENTS", "compiled", "fit", "make_update", "start"]

GRADIENTS = ("autodiff", "manual")


def start(
    params: Params, optimizer: optax.GradientTransformation, key: Key[Array, ""]
) -> TrainState:
    """The state of a run before its first step.

    Args:
        params: the initial values.
        optimizer: the optimizer that ``make_update`` was, or will be, given.
        key: the key from which every step derives its random numbers.
    """
    params = jax.tree.map(_strongly_typed, params)
    with jax_promotion():
        optimizer_state = jax.tree.map(_strongly_typed, optimizer.init(params))
    return TrainState(params, optimizer_state, jnp.asarray(0, jnp.int32), key)


def make_update(
    model: Model,
    loss: Loss,
    optimizer: optax.GradientTransformation,
    *,
    gradient: str = "autodiff",
    batch_size: int | None = None,
) -> Update:
    """One step of training as a pure, compiled function.

    Args:
        model: the model to train.
        loss: ``loss(prediction, target) -> scalar``.
        optimizer: one of ``funcnn.optimizers``, or any of optax.
        gradient: ``"autodiff"`` (``jax.value_and_grad``), or ``"manual"`` for the
            rule derived by hand, where the model has one; that rule is for
            ``sum_squared_error``.
        batch_size: how many samples a step takes, drawn by key and step so that
            an epoch takes none twice; None for all of them.

    Returns:
        ``update(state, data) -> (state, loss)``, the loss being the one before
        the step. The same function for the same arguments, and for optimizers of
        ``funcnn.optimizers`` that differ in their numbers alone.

    Raises:
        ArgumentError, ArgumentTypeError: for an argument that does not fit.
    """
    checks.choice("gradient", gradient, GRADIENTS)
    if gradient == "manual" and model.value_and_grad is None:
        raise ArgumentError("gradient='manual': this model has no gradient derived by hand")
    if gradient == "manual" and loss is not sum_squared_error:
        raise ArgumentError(
            "gradient='manual' is derived for loss='sum_squared_error' and no other"
        )
    if batch_size is not None:
        batch_size = checks.integer("batch_size", batch_size, at_least=1)
    value_and_grad = model.value_and_grad if gradient == "manual" else None
    return _make_update(
        model.apply, model.stochastic, value_and_grad, loss, optimizer.update, batch_size
    )


def fit(
    update: Update,
    state: TrainState,
    data: Data,
    steps: int | Int[Array, ""],
    *,
    capacity: int | None = None,
) -> tuple[TrainState, Float[Array, " steps"]]:
    """Many updates in one compiled loop.

    Pure: under ``jax.jit`` with ``steps`` static it can be differentiated
    through in either mode, and under ``jax.vmap`` it trains many states at once.
    With ``steps`` traced one program serves every number of steps (and has no
    reverse mode: it is then a loop of unknown length).

    Args:
        update: as ``make_update`` returns it.
        state: where to start.
        data: ``(x, y)``, whatever the update takes.
        steps: how many updates to make.
        capacity: the length of the array of losses; needed where ``steps`` is
            traced, and otherwise equal to it.

    Returns:
        The state after the last update, and the loss before each; zeros beyond
        ``steps``.

    Raises:
        ArgumentError: where ``steps`` is traced and ``capacity`` is absent.
    """
    if capacity is None:
        if isinstance(steps, Tracer):
            raise ArgumentError("fit needs capacity=, the length of the losses, for traced steps")
        capacity = steps = checks.integer("steps", steps, at_least=0)
    loss = jax.eval_shape(update, state, data)[1]
    losses = jnp.zeros((capacity,), loss.dtype)

    def body(
        index: Int[Array, ""], carry: tuple[TrainState, Float[Array, " capacity"]]
    ) -> tuple[TrainState, Float[Array, " capacity"]]:
        state, losses = carry
        state, loss = update(state, data)
        return state, losses.at[index].set(loss)

    return jax.lax.fori_loop(0, steps, body, (state, losses))


@functools.lru_cache(maxsize=256)
def _make_update(
    apply: Callable[..., Array],
    stochastic: bool,
    manual: Callable[..., tuple[Array, Params]] | None,
    loss: Loss,
    optimizer_update: Callable[..., Any],
    batch_size: int | None,
) -> Update:
    def loss_of(
        params: Params, x: Array, y: Array, key: tuple[Key[Array, ""], ...]
    ) -> Float[Array, ""]:
        prediction = compiled(apply)(params, x, *key)
        if not isinstance(prediction, jax.Array):
            raise ArgumentTypeError(
                f"apply must return an array, the prediction; it returns {type(prediction)}"
            )
        _require_comparable(prediction, y)
        value = loss(prediction, y)
        if value.shape != () or not jnp.issubdtype(value.dtype, jnp.floating):
            raise ArgumentError(f"the loss must be one float; it is {value.dtype}{value.shape}")
        return value

    def value_and_grad(state: TrainState, x: Array, y: Array) -> tuple[Array, Params]:
        if manual is not None:
            return manual(state.params, x, y)
        key = (step_key(state.key, state.step),) if stochastic else ()
        return jax.value_and_grad(loss_of)(state.params, x, y, key)

    @jax.jit
    def update(state: TrainState, data: Data) -> tuple[TrainState, Float[Array, ""]]:
        x, y = data
        if batch_size is not None and batch_size < len(x):
            batch = draw_batch(state.key, state.step, len(x), batch_size)
            x, y = x[batch], y[batch]
        value, gradient = value_and_grad(state, x, y)
        with jax_promotion():
            change, optimizer_state = optimizer_update(
                gradient, state.optimizer_state, state.params
            )
            params = optax.apply_updates(state.params, change)
        return TrainState(params, optimizer_state, state.step + 1, state.key), value

    return update


@functools.lru_cache(maxsize=256)
def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """``jax.jit(function)``, the same for the same function.

    A compiled function is traced once for its arguments' shapes, wherever it is
    called from: alone, in a loop, or to learn its result's shape.
    """
    return jax.jit(function)


def _strongly_typed(leaf: Array) -> Array:
    """What a first update would make of a weakly typed array, so that the loop is traced once."""
    return jnp.asarray(leaf, leaf.dtype) if getattr(leaf, "weak_type", False) else leaf


def _require_comparable(prediction: Array, target: Array) -> None:
    """A float target has the prediction's shape; whole numbers may be classes."""
    if jnp.issubdtype(target.dtype, jnp.floating) and prediction.shape != target.shape:
        raise ArgumentError(
            f"the model predicts shape {prediction.shape} and the target has shape "
            f"{target.shape}; nothing is broadcast: reshape one of them"
        )
