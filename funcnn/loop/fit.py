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
from jax.core import Tracer
from jaxtyping import Array, Float, Key

from funcnn.core import (
    ArgumentError,
    ArgumentTypeError,
    Data,
    Params,
    Samples,
    TrainState,
    checks,
)
from funcnn.core.caches import remembered
from funcnn.core.memory import require_memory
from funcnn.core.precision import jax_promotion, refuse_wider
from funcnn.core.tracing import calling
from funcnn.data.arrays import to_numpy
from funcnn.loop.batches import Count, Feed
from funcnn.loop.forms import Form, Kept
from funcnn.loop.problem import Problem
from funcnn.loop.step import checked_state, samples_of, step_of
from funcnn.loop.update import UPDATE, Update

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
        ArgumentError, ArgumentTypeError: for params that are no floats, for what is no optimizer
            or no key, or for float64 where JAX computes in 32 bits.
    """
    if not isinstance(optimizer, optax.GradientTransformation):
        raise ArgumentTypeError(
            f"optimizer must be an optax.GradientTransformation, not {optimizer!r:.60}"
        )
    if getattr(key, "shape", None) != () or not jnp.issubdtype(key.dtype, jax.dtypes.prng_key):
        raise ArgumentTypeError(f"key must be one key, jax.random.key(seed), not {key!r:.60}")
    params = jax.tree.map_with_path(_parameter, params)
    if not jax.tree.leaves(params):
        raise ArgumentError("params hold no parameters")
    refuse_wider(params=params)
    return first_state(params, optimizer.init, key)


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
    if not isinstance(update, Update):
        raise ArgumentTypeError(f"update must be what make_update returns, not {update!r:.60}")
    state, samples = (
        _private(checked_state(update.problem, state)),
        samples_of(update.problem, data),
    )
    if isinstance(steps, (jax.Array, np.ndarray)):
        if capacity is None:
            raise ArgumentError("capacity= is needed, the length of the losses, if steps vary")
        capacity = _capacity(capacity, 1)
        _require_whole(steps, capacity)
        run = _fit(update.problem, update.form, None, capacity)
        return calling(UPDATE, run, state, samples, steps)
    steps = checks.integer("steps", steps, at_least=1, below=2**31)
    capacity = _capacity(steps if capacity is None else capacity, steps)
    run = _fit(update.problem, update.form, steps, capacity)
    return calling(UPDATE, run, state, samples)


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


def _capacity(capacity: Any, steps: int) -> int:
    capacity = checks.integer("capacity", capacity, at_least=steps, below=2**31)
    require_memory(f"capacity={capacity}: so many losses need", 4 * capacity)
    return capacity


def _require_whole(steps: jax.Array | np.ndarray, capacity: int) -> None:
    """Refuse an array that is no number of steps; what is traced has no value yet."""
    if steps.shape != () or not jnp.issubdtype(steps.dtype, jnp.integer):
        raise ArgumentTypeError(f"steps must be one whole number; it is {steps.dtype}{steps.shape}")
    if not isinstance(steps, Tracer):
        with jax.transfer_guard("allow"):
            checks.integer("steps", int(steps), at_least=0, below=capacity + 1)


def _parameter(path: Any, leaf: Any) -> Any:
    """A parameter as JAX may hold it: a private copy of what is not its own already."""
    name = f"params{jax.tree_util.keystr(path)}"
    if isinstance(leaf, (float, int)) and not isinstance(leaf, bool):
        return float(leaf)
    leaf = leaf if isinstance(leaf, jax.Array) else to_numpy(name, leaf)
    if not jnp.issubdtype(leaf.dtype, jnp.floating):
        raise ArgumentTypeError(f"{name} must hold floats, not {leaf.dtype}")
    return leaf


def _private(tree: Any) -> Any:
    """The tree with copies of its NumPy arrays, which JAX might otherwise read later."""
    return jax.tree.map(lambda leaf: leaf.copy() if isinstance(leaf, np.ndarray) else leaf, tree)


def _strongly_typed(leaf: Any) -> Array:
    """What a first update would make of a weakly typed array, so that the loop is traced once."""
    leaf = jnp.asarray(leaf)
    return jnp.asarray(leaf, leaf.dtype) if leaf.weak_type else leaf
