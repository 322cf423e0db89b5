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

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Key

from funcnn.core import ArgumentError, Data, Params, Samples, TrainState, checks
from funcnn.core.caches import remembered
from funcnn.core.precision import jax_promotion, refuse_wider
from funcnn.loop.batches import Count, Feed
from funcnn.loop.forms import Form, Kept
from funcnn.loop.problem import Problem
from funcnn.loop.step import samples_of, step_of
from funcnn.loop.update import Update

__all__ = ["first_state", "fit", "initial_state", "loop"]


def initial_state(
    params: Params, optimizer: optax.GradientTransformation, key: Key[Array, ""]
) -> TrainState:
    """The state of a run before its first step.

    Args:
        params: the initial values; NumPy arrays are copied.
        optimizer: the optimizer that ``make_update`` was, or will be, given.
        key: the key from which every step derives its random numbers.

    Raises:
        ArgumentTypeError: for float64 where JAX computes in 32 bits.
    """
    refuse_wider(params=params)
    return first_state(_private(params), optimizer.init, key)


def fit(
    update: Update,
    state: TrainState,
    data: Data,
    steps: Count,
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
        ArgumentError, ArgumentTypeError: where ``steps`` or ``capacity`` cannot be, or for
            float64 where JAX computes in 32 bits.
    """
    refuse_wider(state=state, data=data)
    state, samples = _private((state, samples_of(_private(data))))
    if isinstance(steps, (jax.Array, np.ndarray)):
        if capacity is None:
            raise ArgumentError("capacity= is needed, the length of the losses, if steps vary")
        capacity = checks.integer("capacity", capacity, at_least=1, below=2**31)
        return _fit(update.problem, update.form, None, capacity)(state, samples, steps)
    steps = checks.integer("steps", steps, at_least=1, below=2**31)
    if capacity is None:
        capacity = steps
    capacity = checks.integer("capacity", capacity, at_least=steps, below=2**31)
    return _fit(update.problem, update.form, steps, capacity)(state, samples)


def first_state(params: Params, init: Callable[[Params], Any], key: Key[Array, ""]) -> TrainState:
    """The state before the first step, where ``init`` makes the optimizer's state."""
    params = jax.tree.map(_strongly_typed, params)
    with jax_promotion():
        optimizer_state = jax.tree.map(_strongly_typed, init(params))
    return TrainState(params, optimizer_state, jnp.asarray(0, jnp.int32), key)


def loop(
    problem: Problem,
    form: Form,
    capacity: int,
    kept: Kept,
    first: Count,
    steps: Count,
    feed: Feed | None = None,
) -> tuple[TrainState, Float[Array, " capacity"]]:
    """The loop itself: steps of a form, from what it keeps to what it keeps after them.

    Args:
        problem: what a step computes.
        form: how its arithmetic is arranged.
        capacity: the length of the array of losses.
        kept: what the loop holds.
        first: the number of the first step.
        steps: how many steps to make.
        feed: what the loop is handed, where it does not choose the samples itself.
    """
    loss = jax.eval_shape(lambda kept: step_of(problem, form, kept, first, feed)[1], kept)

    def body(
        index: Count, carry: tuple[TrainState, Float[Array, " capacity"]]
    ) -> tuple[TrainState, Float[Array, " capacity"]]:
        state, losses = carry
        state, loss = step_of(problem, form, kept._replace(state=state), first + index, feed)
        return state, losses.at[index].set(loss)

    losses = jnp.zeros((capacity,), loss.dtype)
    return jax.lax.fori_loop(0, steps, body, (kept.state, losses))


@remembered
def _fit(
    problem: Callable[[], Problem],
    form: Callable[[], Form],
    steps: Callable[[], int | None],
    capacity: Callable[[], int],
) -> Callable[..., Any]:
    """A form entered, some steps, and left, in one program: for one number of steps, or any."""
    form_, fixed_steps, capacity_ = form(), steps(), capacity()

    def run(
        state: TrainState, data: Samples, steps: Count = 0
    ) -> tuple[TrainState, Float[Array, " capacity"]]:
        kept = form_.enter(problem(), form_.begin(problem(), state, data), data)
        count = steps if fixed_steps is None else fixed_steps
        after, losses = loop(problem(), form_, capacity_, kept, state.step, count)
        return form_.leave(problem(), kept._replace(state=after))._replace(kept=None), losses

    return jax.jit(run)


def _private(tree: Any) -> Any:
    """The tree with copies of its NumPy arrays, which JAX might otherwise read later."""
    return jax.tree.map(lambda leaf: leaf.copy() if isinstance(leaf, np.ndarray) else leaf, tree)


def _strongly_typed(leaf: Any) -> Array:
    """What a first update would make of a weakly typed array, so that the loop is traced once."""
    leaf = jnp.asarray(leaf)
    return jnp.asarray(leaf, leaf.dtype) if leaf.weak_type else leaf
