"""Where a run stopped being finite: the first parameter whose gradient is not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int

from funcnn.core import Params, Samples, TrainState
from funcnn.core.caches import remembered
from funcnn.core.precision import numerics
from funcnn.loop.batches import Blocks, Given
from funcnn.loop.forms.direct import value_and_grad
from funcnn.loop.gradient import gradient_step
from funcnn.loop.problem import Problem
from funcnn.runs.plan import Plan

__all__ = ["nonfinite_parameter"]


def nonfinite_parameter(plan: Plan, state: TrainState, last: int) -> str | None:
    """The path of the first parameter whose gradient is not finite.

    Args:
        plan: the run that diverged.
        state: its last finite state.
        last: the number of the step whose loss is not finite: the steps from that of the
            state on are made again, up to this one, by the formula.

    Returns:
        Such as ``"w2"``, or ``"layer.w"`` in nested params; None where every gradient is finite.
    """
    state = state._replace(kept=None)
    with numerics(plan.dtype):
        step = _step(plan.problem)
        while int(state.step) <= last:
            finite, state = step(state, _samples(plan, state))
            for path, is_finite in jax.tree.leaves_with_path(finite):
                if not is_finite:
                    return jax.tree_util.keystr(path, simple=True, separator=".") or "params"
    return None


@remembered
def _step(problem: Callable[[], Problem]) -> Callable[..., Any]:
    """Which parts of a step's gradient are finite, and the state after the step."""

    def step(state: TrainState, samples: Samples) -> tuple[Any, TrainState]:
        found = []

        def gradient_of(params: Params) -> tuple[Array, Params]:
            value, gradient = value_and_grad(problem(), params, samples, state.key, state.step)
            found.append(gradient)
            return value, gradient

        after, _ = gradient_step(problem(), state, gradient_of)

        def is_finite(part: Array) -> Bool[Array, ""]:
            return jnp.isfinite(part).all()

        return jax.tree.map(is_finite, found[0]), after

    return jax.jit(step)


def _samples(plan: Plan, state: TrainState) -> Samples:
    """The samples of the step that is a state's turn."""
    rows = _rows(plan, state)
    if rows is None:
        return plan.data
    return jax.tree.map(lambda array: array[rows], plan.data)


def _rows(plan: Plan, state: TrainState) -> Int[np.ndarray, " batch"] | None:
    """Their numbers; None for all samples."""
    batches = plan.problem.batches
    if batches is None:
        return None
    if isinstance(batches, Given):
        assert plan.rows is not None
        rows = plan.rows[int(state.step) - plan.first]
        return rows[rows >= 0]
    drawn = batches.drawn if isinstance(batches, Blocks) else batches
    samples = len(plan.data.y)
    rows = np.asarray(drawn.rows(state.key, state.step, samples))
    few = drawn.short(samples)
    return rows[:few] if few and drawn.is_short(state.step, samples, None) else rows
