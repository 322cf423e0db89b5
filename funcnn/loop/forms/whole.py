"""The form of a step that is given whole: its arithmetic is its own."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from funcnn.core import Samples, TrainState
from funcnn.core.caches import compiled
from funcnn.core.keys import step_key
from funcnn.loop.batches import taken
from funcnn.loop.forms.form import Cost, Kept, Shapes
from funcnn.loop.problem import Problem
from funcnn.loop.whole import WholeStep

__all__ = ["WHOLE"]


class Whole:
    """The form of steps that are given whole."""

    name = "direct"

    def why_not(self, problem: Problem) -> str | None:
        """It has nothing to arrange of its own."""
        return None if isinstance(problem.optimizer, WholeStep) else "the step is not given whole"

    def cost(self, problem: Problem, shapes: Shapes) -> Cost:
        """Not known, and not needed: no other form makes the same steps."""
        del problem, shapes
        return Cost(0.0, 0.0)

    def begin(self, problem: Problem, state: TrainState, data: Samples) -> TrainState:
        """The state itself."""
        del problem, data
        return state._replace(kept=None)

    def enter(self, problem: Problem, state: TrainState, data: Samples) -> Kept:
        """The data as they are, and the state as the step takes it."""
        optimizer_state = _step_of(problem).enter(state.optimizer_state)
        state = state._replace(optimizer_state=optimizer_state)
        return Kept(state, None, jax.tree.map(jnp.asarray, data))

    def step(
        self, problem: Problem, kept: Kept, rows: Int[Array, " batch"] | None
    ) -> tuple[TrainState, Float[Array, ""]]:
        """The step on these samples."""
        state = kept.state
        params, optimizer_state, loss = compiled(_step_of(problem).step)(
            state.params,
            state.optimizer_state,
            taken(kept.data, rows),
            step_key(state.key, state.step),
            state.step,
        )
        return TrainState(params, optimizer_state, state.step + 1, state.key), loss

    def leave(self, problem: Problem, kept: Kept) -> TrainState:
        """The state with all that the optimizer remembers."""
        optimizer_state = _step_of(problem).leave(kept.state.optimizer_state)
        return kept.state._replace(optimizer_state=optimizer_state)


def _step_of(problem: Problem) -> WholeStep:
    assert isinstance(problem.optimizer, WholeStep)
    return problem.optimizer


WHOLE = Whole()
