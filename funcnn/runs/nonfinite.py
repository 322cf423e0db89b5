"""Where a run stopped being finite: the first parameter whose gradient is not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from funcnn.core import TrainState
from funcnn.core.caches import remembered
from funcnn.core.precision import numerics
from funcnn.loop.batches import Feed, taken
from funcnn.loop.forms import Kept
from funcnn.loop.forms.direct import Direct, value_and_grad
from funcnn.loop.gradient import gradient_step
from funcnn.loop.problem import Problem
from funcnn.loop.step import step_of
from funcnn.loop.whole import WholeStep
from funcnn.runs.advance import Advance
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
        Such as ``"w2"``, or ``"layer.w"`` in nested params; None where every gradient is finite,
        or not known: of a step that is given whole.
    """
    if isinstance(plan.problem.optimizer, WholeStep):
        return None  # Its gradient is its own affair.
    # On one device: what is made again is few steps.
    plan = plan._replace(problem=plan.problem._replace(placement=None))
    with numerics(plan.dtype):
        advance = Advance(plan, capacity=1)
        step = _step(plan.problem)
        while (made := int(state.step)) <= last:
            kept = Kept(state._replace(kept=None), None, plan.resident)
            state = step(kept, advance.feed(made - plan.first))
            for path, is_finite in jax.tree.leaves_with_path(state.kept):
                if not is_finite:
                    return jax.tree_util.keystr(path, simple=True, separator=".") or "params"
    return None


class _Watched(Direct):
    """The formula; a state keeps which parts of the gradient that made it are finite."""

    def step(
        self, problem: Problem, kept: Kept, rows: Int[Array, " batch"] | None
    ) -> tuple[TrainState, Float[Array, ""]]:
        """A gradient step."""
        state, data = kept.state, taken(kept.data, rows)

        def of(params: Any) -> tuple[Array, Any]:
            return value_and_grad(problem, params, data, state.key, state.step)

        _, gradient = of(state.params)
        after, loss = gradient_step(problem, state, of)
        finite = jax.tree.map(lambda part: jnp.isfinite(part).all(), gradient)
        return after._replace(kept=finite), loss


@remembered
def _step(problem: Callable[[], Problem]) -> Callable[[Kept, Feed | None], TrainState]:
    """A step, watched."""

    def step(kept: Kept, feed: Feed | None) -> TrainState:
        return step_of(problem(), _Watched(), kept, kept.state.step, feed)[0]

    return jax.jit(step)
