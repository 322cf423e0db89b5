"""The gram form of a network: its first layer from the inner products of the inputs.

A network starts h = x·w₁ (+ b₁). Every gradient of w₁ is xᵀ times something, so under an
optimizer whose steps are linear in gradients and params the loop need not hold w₁. With
w₁⁰ and m⁰ the weights and the momentum at the start, and K = x·xᵀ, it keeps two numbers c
and a and a matrix S (samples, hidden) of

    w₁ = c·w₁⁰ + a·m⁰ + xᵀS    h = c·(x·w₁⁰) + a·(x·m⁰) + KS

and the same of the momentum. What moves S is ∂loss/∂h; weight decay shrinks c, a and S
alike. The bias is a weight of one more input, which is always 1. A step multiplies
samples² × hidden numbers in place of 2 × samples × inputs × hidden.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, cast

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from funcnn.core import ArgumentError, Params, Samples, TrainState
from funcnn.core.caches import compiled
from funcnn.loop.batches import Blocks, taken
from funcnn.loop.forms.form import Cost, Kept, Shapes
from funcnn.loop.forms.work import first_layer_work
from funcnn.loop.gradient import gradient_step, loss_of
from funcnn.loop.problem import NO_CLIP, Problem
from funcnn.optimizers.optimizer import NumbersState, Recipe, each_buffer

__all__ = ["FIRST_LAYER"]

LAYER = ("w1", "b1")
"""The params of the first layer; not every network has the second."""


class Origin(NamedTuple):
    """The first layer where the run began, which the loop counts from.

    Attributes:
        weights: its params.
        momentum: the optimizer's memory of it; zeros where it has none.
    """

    weights: Params
    momentum: Params


class Counted(NamedTuple):
    """What ``TrainState.kept`` holds: where the loop counts from, and what it has counted.

    Attributes:
        origin: the first layer where the run began.
        params: c, a and S of the first layer, and the other params.
        optimizer_state: the optimizer's state, its memory counted likewise.
    """

    origin: Origin
    params: Params
    optimizer_state: NumbersState


class Products(NamedTuple):
    """What the loop reads of the data.

    Attributes:
        x: the inputs, for the way back to the weights.
        kernel: x·xᵀ, and 1 more where the layer has a bias.
        y: the targets.
        weight: the weights of the samples, where they have some.
    """

    x: Float[Array, "samples inputs"]
    kernel: Float[Array, "samples samples"]
    y: Array
    weight: Array | None


class Outputs(NamedTuple):
    """The first layer's outputs for every sample, by the weights and the momentum of the start."""

    weights: Float[Array, "samples hidden"]
    momentum: Float[Array, "samples hidden"]


class FirstLayer:
    """The form for networks that are known from their first layer on."""

    name = "gram"

    def why_not(self, problem: Problem) -> str | None:
        """It needs a head, an optimizer linear in the gradient, and the automatic gradient."""
        model, optimizer = problem.model, problem.optimizer
        conditions = {
            "a network that draws random numbers has another head at every step": (
                not model.stochastic
            ),
            "the model is not known from its first layer on": model.head is not None,
            "a first layer's steps add up under 'sgd' and 'momentum' alone": (
                isinstance(optimizer, Recipe) and optimizer.linear
            ),
            "it is of one device; leave devices out": problem.placement is None,
            "it has a gradient of its own; gradient='autodiff' is needed, not 'manual'": (
                problem.gradient != "manual"
            ),
            "it needs all samples at once, and these lie in a file": (
                not isinstance(problem.batches, Blocks)
            ),
            "the gradient of the first layer is never made; leave clip_grad_norm and "
            "clip_grad_value out": problem.clip == NO_CLIP,
        }
        return next((reason for reason, met in conditions.items() if not met), None)

    def cost(self, problem: Problem, shapes: Shapes) -> Cost:
        """Inner products once; then steps that do not touch the inputs."""
        return Cost(*first_layer_work(problem, shapes))

    def begin(self, problem: Problem, state: TrainState, data: Samples) -> TrainState:
        """The state, counted from itself: c is 1, a and S are 0; of the momentum a is 1."""
        params = state.params
        if not isinstance(params, dict) or "w1" not in params:
            raise ArgumentError("form='gram': a model with a head needs params that hold 'w1'")
        layer = {name: params[name] for name in LAYER if name in params}
        momentum = [jax.tree.map(jnp.zeros_like, layer)]
        dtype = params["w1"].dtype
        zeros = jnp.zeros((len(data.x), params["w1"].shape[1]), dtype)

        def counted(start: int, of_momentum: int) -> Callable[[Params], Params]:
            numbers = {
                "start": jnp.asarray(start, dtype),
                "momentum": jnp.asarray(of_momentum, dtype),
            }
            return lambda tree: {
                "layer": numbers | {"sums": zeros},
                "rest": {name: value for name, value in tree.items() if name not in layer},
            }

        def counted_momentum(buffer: Params) -> Params:
            momentum[0] = {name: buffer[name] for name in layer}
            return counted(0, 1)(buffer)

        optimizer_state = each_buffer(
            cast("Recipe", problem.optimizer), counted_momentum, state.optimizer_state, params
        )
        origin = Origin(layer, momentum[0])
        return state._replace(kept=Counted(origin, counted(1, 0)(params), optimizer_state))

    def enter(self, problem: Problem, state: TrainState, data: Samples) -> Kept:
        """The inner products of the inputs, and the state as it is counted from its origin."""
        del problem
        x, y, weight = jax.tree.map(jnp.asarray, data)
        origin, params, optimizer_state = state.kept
        optimizer_state = optimizer_state._replace(numbers=state.optimizer_state.numbers)
        kernel = x @ x.T + (1 if "b1" in origin.weights else 0)
        outputs = Outputs(_outputs(x, origin.weights), _outputs(x, origin.momentum))
        kept = TrainState(params, optimizer_state, state.step, state.key)
        return Kept(kept, (origin, outputs), Products(x, kernel, y, weight))

    def step(
        self, problem: Problem, kept: Kept, rows: Int[Array, " batch"] | None
    ) -> tuple[TrainState, Float[Array, ""]]:
        """A gradient step, on the samples of its batch."""
        products: Products = kept.data
        _, outputs = kept.start
        read = (*outputs, products.kernel, products.y, products.weight)
        h_start, h_momentum, kernel, y, weight = taken(read, rows)

        def value_and_grad(params: Params) -> tuple[Float[Array, ""], Params]:
            layer, rest = params["layer"], params["rest"]
            sums = layer["sums"]
            h = layer["start"] * h_start + layer["momentum"] * h_momentum + kernel @ sums

            def of_outputs(h: Array, rest: Params) -> Float[Array, ""]:
                return loss_of(problem.loss, compiled(problem.model.head)(rest, h), y, weight)

            value, (grad_h, grad_rest) = jax.value_and_grad(of_outputs, argnums=(0, 1))(h, rest)
            if rows is not None:
                # Given batches may take a sample twice.
                grad_h = jnp.zeros_like(sums).at[rows].add(grad_h)
            grad_layer = {
                "sums": grad_h,
                "start": jnp.zeros_like(layer["start"]),
                "momentum": jnp.zeros_like(layer["momentum"]),
            }
            return value, {"layer": grad_layer, "rest": grad_rest}

        return gradient_step(problem, kept.state, value_and_grad)

    def leave(self, problem: Problem, kept: Kept) -> TrainState:
        """The weights, and what the loop counted, to go on from."""
        origin, _ = kept.start
        state, x = kept.state, kept.data.x

        def whole(tree: Params) -> Params:
            layer, sums = tree["layer"], tree["layer"]["sums"]
            moved = {"w1": x.T @ sums, "b1": sums.sum(axis=0)}
            return tree["rest"] | {
                name: layer["start"] * origin.weights[name]
                + layer["momentum"] * origin.momentum[name]
                + moved[name]
                for name in origin.weights
            }

        return TrainState(
            params=whole(state.params),
            optimizer_state=each_buffer(
                cast("Recipe", problem.optimizer), whole, state.optimizer_state, state.params
            ),
            step=state.step,
            key=state.key,
            kept=Counted(origin, state.params, state.optimizer_state),
        )


FIRST_LAYER = FirstLayer()


def _outputs(x: Float[Array, "samples inputs"], layer: Params) -> Float[Array, "samples hidden"]:
    outputs = x @ layer["w1"]
    return outputs + layer["b1"][None] if "b1" in layer else outputs
