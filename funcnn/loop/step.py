"""One step of a problem in a form, on the samples that are its turn."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Float

from funcnn.core import AnyArray, ArgumentError, ArgumentTypeError, Samples, TrainState
from funcnn.core.precision import refuse_wider
from funcnn.data.arrays import to_numpy
from funcnn.loop.batches import Count, Drawn, Feed
from funcnn.loop.forms import Form, Kept
from funcnn.loop.problem import Problem
from funcnn.loop.whole import WholeStep
from funcnn.optimizers.optimizer import NumbersState, Recipe

__all__ = ["checked_state", "samples_of", "step_of"]

NAMES = ("x", "y", "weight")


def step_of(
    problem: Problem, form: Form, kept: Kept, step: Count, feed: Feed | None = None
) -> tuple[TrainState, Float[Array, ""]]:
    """What a step makes of ``kept.state``, and the loss before it.

    Args:
        problem: says which samples it takes.
        form: how its arithmetic is arranged.
        kept: what the loop holds.
        step: the step's number. It is the state's own, but the same for all members of a
            sweep, so that what depends on it alone is decided once for all of them.
        feed: what the loop is handed, where it does not choose the samples itself.
    """
    state, loss = _made(problem, form, kept, step, feed)
    if feed is not None and feed.numbers is not None:
        numbers = {name: values[step] for name, values in feed.numbers.items()}
        optimizer_state: NumbersState = state.optimizer_state
        numbers = optimizer_state.numbers | numbers
        state = state._replace(optimizer_state=optimizer_state._replace(numbers=numbers))
    return state, loss


def checked_state(problem: Problem, state: Any) -> TrainState:
    """The state that a user gives to ``update`` or ``fit``.

    Raises:
        ArgumentTypeError: for what is none, for that of another optimizer, or for float64 where
            JAX computes in 32 bits.
    """
    if not isinstance(state, TrainState):
        raise ArgumentTypeError(
            f"state must be a funcnn.TrainState, as initial_state gives, not {state!r:.60}"
        )
    has_numbers = isinstance(problem.optimizer, (Recipe, WholeStep))
    if has_numbers != isinstance(state.optimizer_state, NumbersState):
        raise ArgumentTypeError(
            f"state.optimizer_state is another optimizer's, {state.optimizer_state!r:.60}: make "
            f"the state by initial_state with the optimizer that make_update was given"
        )
    refuse_wider(state=state)
    return state


def samples_of(problem: Problem, data: Any) -> Samples:
    """The samples that a user gives to ``update`` or ``fit``: ``(x, y)``, or with weights.

    Raises:
        ArgumentError, ArgumentTypeError: for what is no pair of arrays as long as each other,
            and too short for a batch; for float64 where JAX computes in 32 bits.
    """
    if not isinstance(data, (tuple, list)) or not 2 <= len(data) <= 3:
        raise ArgumentTypeError(f"data must be a pair (x, y) of arrays, not {data!r:.60}")
    if len(data) == 3 and data[2] is None:
        data = data[:2]
    parts = [_part(name, value) for name, value in zip(NAMES, data, strict=False)]
    refuse_wider(data=parts)
    samples: int | None = None
    for name, part in zip(NAMES, parts, strict=False):
        for array in jax.tree.leaves(part):
            if not array.ndim:
                raise ArgumentTypeError(
                    f"{name} is a single value; its first axis must be the samples"
                )
            samples = len(array) if samples is None else samples
            if len(array) != samples:
                raise ArgumentError(f"x holds {samples} samples and {name} {len(array)}")
    if isinstance(problem.batches, Drawn) and problem.batches.size > (samples or 0):
        raise ArgumentError(f"batch_size={problem.batches.size} is more than the {samples} samples")
    return Samples(*parts)


def _made(
    problem: Problem, form: Form, kept: Kept, step: Count, feed: Feed | None
) -> tuple[TrainState, Float[Array, ""]]:
    """What a step makes of the state, by the numbers that are in it."""
    batches = problem.batches
    if feed is not None and feed.samples is not None:
        kept = kept._replace(data=feed.samples)
    if batches is None:
        return form.step(problem, kept, None)
    samples = len(kept.data.y)
    if isinstance(batches, Drawn):
        if not batches.per_epoch(samples):
            raise ArgumentError(
                f"batch_size={batches.size} is more than the {samples} samples, and drop_last "
                f"leaves out all of them"
            )
        if batches.size == samples:
            return form.step(problem, kept, None)
    state = kept.state
    rows = batches.rows(state.key, state.step if feed is None else step, samples, feed)
    divided = rows
    if problem.placement is not None:
        rows, divided = problem.placement.rows(rows)
    few = batches.short(samples)
    if not few:
        return form.step(problem, kept, divided)
    # Several devices might not divide a short batch evenly: each takes all of it.
    return jax.lax.cond(
        batches.is_short(step, samples, feed),
        lambda: form.step(problem, kept, rows[:few]),
        lambda: form.step(problem, kept, divided),
    )


def _part(name: str, value: Any) -> Any:
    """An array; of x a tuple of JAX's arrays too, for a model that takes several."""
    several = name == "x" and type(value) is tuple
    if several and value and all(isinstance(one, jax.Array) for one in value):
        return value
    return _array(name, value)


def _array(name: str, value: Any) -> AnyArray:
    """An array of JAX as it is, what else can be one as a private copy."""
    if isinstance(value, jax.Array):
        return value
    if type(value).__module__.split(".")[0] == "torch":
        raise ArgumentTypeError(f"{name} is a PyTorch tensor: pass {name}.numpy()")
    array = to_numpy(name, value)
    if array.dtype != bool and not np.issubdtype(array.dtype, np.number):
        raise ArgumentTypeError(f"{name} must hold numbers, not {array.dtype}")
    return array
