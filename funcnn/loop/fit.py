"""The loop: many updates in one compiled program.

>>> import funcnn
>>> model = funcnn.models.make("mlp", in_features=3, hidden=4, out_features=2)
>>> optimizer = funcnn.optimizers.sgd(1e-3)
>>> update = funcnn.make_update(model, funcnn.losses.sum_squared_error, optimizer)
>>> state = initial_state(model.init(jax.random.key(0)), optimizer, jax.random.key(1))
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
import numpy as np
import optax

from funcnn import checks
from funcnn.core import ArgumentError, TrainState, remembered
from funcnn.precision import jax_promotion
from funcnn.updates import Update

if TYPE_CHECKING:
    from jaxtyping import Array, Float, Int, Key

    from funcnn.core import Data, Params

__all__ = ["fit", "initial_state", "loop"]


def initial_state(
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


def fit(
    update: Update,
    state: TrainState,
    data: Data,
    steps: int | np.integer | Int[Array, ""],
    *,
    capacity: int | None = None,
) -> tuple[TrainState, Float[Array, " steps"]]:
    """Many updates in one compiled loop.

    Pure, and usable under ``jax.jit``, ``jax.grad`` and ``jax.vmap``. Where
    ``steps`` is an int it is part of the program, which can be differentiated in
    either mode (through Adam and RMSprop only where no gradient is exactly 0:
    their square root has no derivative there). Where it is an array, one program
    serves every number of steps, and has no reverse mode.

    Args:
        update: as ``make_update`` returns it.
        state: where to start.
        data: ``(x, y)``, whatever the update takes.
        steps: how many updates to make.
        capacity: the length of the array of losses: at least ``steps``, and needed
            where that is an array; ``steps`` itself without it.

    Returns:
        The state after the last update, and the loss before each; zeros beyond
        ``steps``.

    Raises:
        ArgumentError, ArgumentTypeError: where ``steps`` or ``capacity`` cannot be.
    """
    if isinstance(steps, (jax.Array, np.ndarray, np.generic)):
        if capacity is None:
            raise ArgumentError("capacity= is needed, the length of the losses, if steps vary")
        return _program(update, None, capacity)(state, data, steps)
    steps = checks.integer("steps", steps, at_least=1, below=2**31)
    capacity = steps if capacity is None else checks.integer("capacity", capacity, at_least=steps)
    return _program(update, steps, capacity)(state, data)


def loop(
    update: Update, capacity: int, state: TrainState, data: Data, steps: int | Int[Array, ""]
) -> tuple[TrainState, Float[Array, " capacity"]]:
    """What :func:`fit` compiles."""
    state, data, back = update.arrange(state, data)
    loss = jax.eval_shape(update.advance, state, data)[1]

    def body(
        index: Int[Array, ""], carry: tuple[TrainState, Float[Array, " capacity"]]
    ) -> tuple[TrainState, Float[Array, " capacity"]]:
        state, losses = carry
        state, loss = update.advance(state, data)
        return state, losses.at[index].set(loss)

    losses = jnp.zeros((capacity,), loss.dtype)
    state, losses = jax.lax.fori_loop(0, steps, body, (state, losses))
    return back(state), losses


@remembered
def _program(update: Update, fixed_steps: int | None, capacity: int) -> Callable[..., Any]:
    """The loop for one number of steps, or for any."""
    run = functools.partial(loop, update, capacity)
    return jax.jit(run if fixed_steps is None else functools.partial(run, steps=fixed_steps))


def _strongly_typed(leaf: Array) -> Array:
    """What a first update would make of a weakly typed array, so that the loop is traced once."""
    return jnp.asarray(leaf, leaf.dtype) if getattr(leaf, "weak_type", False) else leaf
