"""The gram form of a model that is linear in its params: its loss is a quadratic function.

For predictions Φp and the sum of squared errors, with a point p* near the least squares,
r = y − Φp* what is left there, and a small matrix R with RᵀR = ΦᵀΦ,

    loss = |r|² − |s|² + |Rd − s|²    gradient = 2 Rᵀ(Rd − s)    d = p − p*    Rᵀs = Φᵀr

A step costs the same for any number of points; the sums over the points are made once. The
formula is exact for every p*; near the least squares it does not cancel in single precision,
and as a sum of squares no rounding makes it negative. Any optimizer that treats each number
alone follows it.
"""

from __future__ import annotations

from typing import NamedTuple, cast

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float, Int

from funcnn.core import ArgumentError, Params, Samples, TrainState
from funcnn.core.caches import compiled
from funcnn.loop.forms.form import Cost, Kept, Shapes
from funcnn.loop.forms.work import ENTER, count, points_work
from funcnn.loop.gradient import gradient_step
from funcnn.loop.problem import Problem
from funcnn.losses import mean_squared_error, sum_squared_error
from funcnn.optimizers.optimizer import Recipe, each_buffer

__all__ = ["QUADRATIC"]

REFINEMENTS = 2
"""How often the least squares are corrected by what is left: twice leaves only roundings."""


class QuadraticLoss(NamedTuple):
    """A quadratic function of the params, written around a point near its minimum.

    Attributes:
        point: p*.
        least: |r|² − |s|², the loss at the minimum.
        matrix: 2 RᵀR above R: one product with it gives the gradient and the error.
        offset: 2 Rᵀs above s.
    """

    point: Float[Array, " params"]
    least: Float[Array, ""]
    matrix: Float[Array, "both params"]
    offset: Float[Array, " both"]


class Quadratic:
    """The form for models that are linear in their params."""

    name = "gram"

    def why_not(self, problem: Problem) -> str | None:
        """It needs a linear model, squared errors, all samples, and an elementwise optimizer."""
        model, optimizer = problem.model, problem.optimizer
        conditions = {
            "the model is not linear in its params": model.linear,
            "a linear model that draws random numbers has another loss at every step": (
                not model.stochastic
            ),
            "of a linear model the loss must be the sum or the mean of squared errors": (
                problem.loss in (sum_squared_error, mean_squared_error)
            ),
            "of a linear model the optimizer must be one of funcnn.optimizers": (
                isinstance(optimizer, Recipe) and optimizer.elementwise
            ),
            "it is of one device; leave devices out": problem.placement is None,
            "it has a gradient of its own; gradient='autodiff' is needed, not 'manual'": (
                problem.gradient != "manual"
            ),
            "of a linear model its sums are over all samples; leave batch_size out": (
                problem.batches is None
            ),
            "of a linear model its sums count all samples alike; leave sample_weight out": (
                not problem.weighted
            ),
        }
        return next((reason for reason, met in conditions.items() if not met), None)

    def cost(self, problem: Problem, shapes: Shapes) -> Cost:
        """The points are gone through a few times, once; a step costs next to nothing."""
        del problem
        params = count(shapes.params)
        return Cost(ENTER + 28 * points_work(shapes), 0.02 + 0.0005 * params**2)

    def begin(self, problem: Problem, state: TrainState, data: Samples) -> TrainState:
        """The state itself: its params are all that the loop keeps."""
        del problem, data
        return state._replace(kept=None)

    def enter(self, problem: Problem, state: TrainState, data: Samples) -> Kept:
        """The params as one vector, and the loss as a quadratic function."""
        return Kept(
            _arranged(problem, state),
            jax.tree.map(jnp.zeros_like, state.params),
            _quadratic(problem, state.params, data),
        )

    def step(
        self, problem: Problem, kept: Kept, rows: Int[Array, " batch"] | None
    ) -> tuple[TrainState, Float[Array, ""]]:
        """A gradient step on the quadratic function."""
        del rows
        loss: QuadraticLoss = kept.data

        def value_and_grad(params: Params) -> tuple[Float[Array, ""], Params]:
            product = loss.matrix @ (params["all"] - loss.point) - loss.offset
            gradient, error = jnp.split(product, [len(loss.point)])
            return loss.least + jnp.vdot(error, error), {"all": gradient}

        return gradient_step(problem, kept.state, value_and_grad)

    def leave(self, problem: Problem, kept: Kept) -> TrainState:
        """The params as the model has them."""
        _, as_tree = ravel_pytree(kept.start)
        state = kept.state
        return state._replace(
            params=as_tree(state.params["all"]),
            optimizer_state=each_buffer(
                cast("Recipe", problem.optimizer),
                lambda buffer: as_tree(buffer["all"]),
                state.optimizer_state,
                state.params,
            ),
        )


QUADRATIC = Quadratic()


def _arranged(problem: Problem, state: TrainState) -> TrainState:
    def as_vector(params: Params) -> Params:
        return {"all": ravel_pytree(params)[0]}

    return state._replace(
        params=as_vector(state.params),
        optimizer_state=each_buffer(
            cast("Recipe", problem.optimizer), as_vector, state.optimizer_state, state.params
        ),
    )


def _quadratic(problem: Problem, params: Params, data: Samples) -> QuadraticLoss:
    x, y, _ = data
    zeros = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), params)
    start, as_tree = ravel_pytree(zeros)
    apply = compiled(problem.model.apply)
    predicted = jax.eval_shape(apply, zeros, x).shape
    if predicted != y.shape:
        raise ArgumentError(
            f"the model predicts shape {predicted} and the target has shape {y.shape}; nothing "
            f"is broadcast: reshape one of them"
        )
    features = jax.jacfwd(lambda vector: apply(as_tree(vector), x).ravel())(start)
    target = y.ravel()
    # R is taken from Φ itself: ΦᵀΦ would keep half the digits.
    root = jnp.linalg.qr(features, mode="r")
    turns, curvatures, directions = jnp.linalg.svd(root, full_matrices=False)
    rounding = max(features.shape) * jnp.finfo(features.dtype).eps
    curved = curvatures > rounding * curvatures[0]
    divisors = jnp.where(curved, curvatures, 1)

    point, rest = jnp.zeros_like(start), target
    for _ in range(1 + REFINEMENTS):
        along = directions @ (rest @ features)
        point = point + jnp.where(curved, along / divisors**2, 0) @ directions
        rest = target - features @ point
    along = directions @ (rest @ features)
    offset = turns @ jnp.where(curved, along / divisors, 0)
    least = jnp.maximum(jnp.vdot(rest, rest) - jnp.vdot(offset, offset), 0)
    share = 1 / target.size if problem.loss is mean_squared_error else 1.0
    root, offset = share**0.5 * root, share**0.5 * offset
    return QuadraticLoss(
        point=point,
        least=share * least,
        matrix=jnp.concatenate([2 * root.T @ root, root]),
        offset=jnp.concatenate([2 * root.T @ offset, offset]),
    )
