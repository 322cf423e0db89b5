"""The direct form: what the formula says.

Where the optimizer treats each number alone, the loop keeps each matrix of the params
transposed, as (outputs, inputs): XLA multiplies faster by these on a CPU, and the steps are
the same.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from funcnn.core import Params, Samples, TrainState
from funcnn.core.caches import compiled
from funcnn.core.keys import step_key
from funcnn.loop.batches import taken
from funcnn.loop.forms.form import Cost, Kept, Shapes
from funcnn.loop.forms.work import network_work, points_work
from funcnn.loop.gradient import gradient_step, loss_of
from funcnn.loop.problem import Problem
from funcnn.loop.products import members_first
from funcnn.loop.whole import WholeStep
from funcnn.losses import sum_squared_error
from funcnn.optimizers.optimizer import Recipe, each_buffer

__all__ = ["DIRECT", "Direct", "value_and_grad"]


class Direct:
    """The direct form; it fits every problem that is made of a model, a loss and an optimizer."""

    name = "direct"

    def why_not(self, problem: Problem) -> str | None:
        """It needs a formula: a step that is given whole has a form of its own."""
        return "the step is given whole" if isinstance(problem.optimizer, WholeStep) else None

    def cost(self, problem: Problem, shapes: Shapes) -> Cost:
        """Every step goes through all of its samples."""
        if problem.model.linear:
            return Cost(0.0, points_work(shapes))
        return Cost(0.0, network_work(problem, shapes))

    def begin(self, problem: Problem, state: TrainState, data: Samples) -> TrainState:
        """The state itself."""
        del problem, data
        return state._replace(kept=None)

    def enter(self, problem: Problem, state: TrainState, data: Samples) -> Kept:
        """The state, its matrices transposed where they may be, and the data as they are."""
        return Kept(_transposed(problem, state), None, jax.tree.map(jnp.asarray, data))

    def step(
        self, problem: Problem, kept: Kept, rows: Int[Array, " batch"] | None
    ) -> tuple[TrainState, Float[Array, ""]]:
        """A gradient step."""
        data = taken(kept.data, rows)
        layout = _as_it_is if _elementwise(problem) is None else _transpose
        key, step = kept.state.key, kept.state.step

        @members_first
        def of_layout(params: Params) -> tuple[Float[Array, ""], Params]:
            value, gradient = value_and_grad(problem, layout(params), data, key, step)
            return value, layout(gradient)

        return gradient_step(problem, kept.state, of_layout)

    def leave(self, problem: Problem, kept: Kept) -> TrainState:
        """The state, its matrices as they were."""
        return _transposed(problem, kept.state)


DIRECT = Direct()


def value_and_grad(
    problem: Problem,
    params: Params,
    data: Samples,
    key: Key[Array, ""],
    step: Int[Array, ""],
) -> tuple[Float[Array, ""], Params]:
    """The loss of a step and its gradient, automatic or derived by hand."""
    x, y, weight = data
    model = problem.model
    if problem.gradient == "manual" and model.value_and_grad is not None:
        return model.value_and_grad(params, x, y)
    draw = (step_key(key, step),) if model.stochastic else ()

    def loss_at(params: Params) -> Float[Array, ""]:
        return loss_of(problem.loss, compiled(model.apply)(params, x, *draw), y, weight)

    if not (model.linear and problem.loss is sum_squared_error):
        return jax.value_and_grad(loss_at)(params)
    # A half and its double are exact. The derivative of half a square is the error itself: XLA
    # leaves out a multiplication of all predictions. Other models may have rules of their own for
    # reverse mode, which need not give half of the gradient for half of the loss.
    half, gradient = jax.value_and_grad(lambda params: loss_at(params) / 2)(params)
    return 2 * half, jax.tree.map(lambda leaf: 2 * leaf, gradient)


def _elementwise(problem: Problem) -> Recipe | None:
    """The problem's optimizer, where it treats each number alone."""
    optimizer = problem.optimizer
    return optimizer if isinstance(optimizer, Recipe) and optimizer.elementwise else None


def _transposed(problem: Problem, state: TrainState) -> TrainState:
    recipe = _elementwise(problem)
    if recipe is None:
        return state
    return state._replace(
        params=_transpose(state.params),
        optimizer_state=each_buffer(recipe, _transpose, state.optimizer_state, state.params),
    )


def _transpose(params: Params) -> Params:
    return jax.tree.map(lambda leaf: leaf.T if leaf.ndim == 2 else leaf, params)


def _as_it_is(params: Params) -> Params:
    return params
