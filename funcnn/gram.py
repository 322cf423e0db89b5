"""The gram form: the same steps from inner products of the inputs.

A full batch enters its gradients through inner products alone, so a loop can carry
far less than the formula shows. Two cases, each exact but for rounding:

- a model **linear in its parameters**, whose loop needs no data points;
- a network whose **first layer** starts h = x·w₁, under an optimizer that is linear
  in the gradient: every step moves w₁ by xᵀ times something, and that is kept.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax.flatten_util import ravel_pytree

from funcnn.core import Model, TrainState
from funcnn.forms import Form, built_like, compiled, each_like, loss_of
from funcnn.hyperparameters import made_of
from funcnn.losses import mean_squared_error, sum_squared_error
from funcnn.optimizers import sgd_chain

if TYPE_CHECKING:
    from jaxtyping import Array, Float

    from funcnn.core import Data, Loss, Params
    from funcnn.forms import Back

__all__ = ["of_first_layer", "of_linear_model", "refusal"]


def refusal(
    model: Model,
    loss: Loss,
    optimizer: optax.GradientTransformation,
    gradient: str,
    batch_size: int | None,
) -> str | None:
    """Why the gram form would not give the same steps; None where it does."""
    squared_errors = (sum_squared_error, mean_squared_error)
    conditions = {
        "the model must be linear in its parameters, or known from its first layer on": (
            model.linear or model.head is not None
        ),
        "of a linear model the loss must be the sum or the mean of squared errors": (
            not model.linear or loss in squared_errors
        ),
        "of a linear model the optimizer must be one of funcnn.optimizers": (
            not model.linear or made_of(optimizer)[0] is not None
        ),
        "a first layer's steps add up under 'sgd' and 'momentum' alone, without weight_decay": (
            model.linear or _adds_up(optimizer)
        ),
        "it has a gradient of its own; leave gradient='manual' out": gradient != "manual",
        "inner products are of all samples; leave batch_size out": batch_size is None,
    }
    return next((reason for reason, met in conditions.items() if not met), None)


class Bowl(NamedTuple):
    """A loss that is a parabola in every direction, seen from a point near its lowest."""

    point: Float[Array, " params"]
    loss: Float[Array, ""]
    slope: Float[Array, " params"]
    curvature: Float[Array, "params params"]


def of_linear_model(apply: Callable[..., Array], loss: Loss) -> Form:
    """For predictions Φp, linear in the parameters p, and the sum or mean of squared errors.

    With G = ΦᵀΦ, a point p* near the least squares, and r = y − Φp* what is left there,

        loss = |r|² − 2 rᵀΦ d + dᵀG d    gradient = 2 (G d − Φᵀr)    d = p − p*

    at a cost that does not depend on the number of points. It is exact for every p*;
    one near the least squares keeps it from cancelling in single precision. Any
    optimizer that treats each parameter alone follows it.
    """

    def arrange(state: TrainState, data: Data) -> tuple[TrainState, Bowl, Back]:
        x, y = data
        start, as_tree = ravel_pytree(state.params)
        features = jax.jacfwd(lambda flat: compiled(apply)(as_tree(flat), x))(start)
        bowl = _bowl(features, y, 1 / y.size if loss is mean_squared_error else 1)
        kept = each_like(state.params, lambda tree: {"flat": ravel_pytree(tree)[0]}, state)
        return kept, bowl, lambda kept: each_like(kept.params, lambda t: as_tree(t["flat"]), kept)

    def value_and_grad(params: Params, bowl: Bowl, *_: Any) -> tuple[Array, Params]:
        away = params["flat"] - bowl.point
        bent = bowl.curvature @ away
        value = bowl.loss + jnp.vdot(away, bent + bowl.slope)
        return value, {"flat": 2 * bent + bowl.slope}

    return Form(arrange, value_and_grad)


def _bowl(features: Array, y: Array, share: float) -> Bowl:
    point = jnp.linalg.lstsq(features, y)[0]
    rest = y - features @ point
    return Bowl(
        point=point,
        loss=share * jnp.vdot(rest, rest),
        slope=-2 * share * (features.T @ rest),
        curvature=share * (features.T @ features),
    )


class Samples(NamedTuple):
    """What a network's first layer needs of its inputs."""

    start: Float[Array, "samples hidden"]
    along: Float[Array, "samples hidden"]
    kernel: Float[Array, "samples samples"]
    target: Float[Array, "samples outputs"]


def of_first_layer(head: Callable[..., Array], loss: Loss) -> Form:
    """For a network that starts h = x·w₁, and an optimizer linear in the gradient.

    With h⁰ = x·w₁⁰ and K = x·xᵀ, the loop keeps S of

        w₁ = w₁⁰ + xᵀS    h = h⁰ + KS

    and what moves S is ∂loss/∂h. A momentum m⁰ from before the loop is one more
    direction: w₁ = w₁⁰ + c·m⁰ + xᵀS, and m = c′·m⁰ + xᵀM. A step multiplies
    samples² × hidden numbers in place of 2 × samples × inputs × hidden.

    Args:
        head: ``head(params, h) -> prediction``, the rest of the network.
        loss: any.
    """

    def arrange(state: TrainState, data: Data) -> tuple[TrainState, Samples, Back]:
        x, y = data
        first = state.params["w1"]
        buffers = _those_like(state.params, state.optimizer_state)
        along = buffers[0]["w1"] if buffers else jnp.zeros_like(first)
        none = jnp.zeros((len(x), first.shape[1]), first.dtype)

        def kept_as(along: float) -> Callable[[Params], Params]:
            w1 = {"samples": none, "along": jnp.asarray(along, first.dtype)}
            return lambda tree: tree | {"w1": w1}

        kept = state._replace(
            params=kept_as(0)(state.params),
            optimizer_state=each_like(state.params, kept_as(1), state.optimizer_state),
        )

        def back(kept: TrainState) -> TrainState:
            def whole(tree: Params) -> Params:
                w1 = tree["w1"]
                return tree | {"w1": w1["along"] * along + x.T @ w1["samples"]}

            state = each_like(kept.params, whole, kept)
            return state._replace(params=state.params | {"w1": first + state.params["w1"]})

        return kept, Samples(x @ first, x @ along, x @ x.T, y), back

    def value_and_grad(params: Params, samples: Samples, *_: Any) -> tuple[Array, Params]:
        first = params["w1"]
        h = samples.start + first["along"] * samples.along + samples.kernel @ first["samples"]
        rest = {name: value for name, value in params.items() if name != "w1"}

        def of_h(h: Array, rest: Params) -> Array:
            return loss_of(loss, compiled(head)(rest, h), samples.target)

        value, (grad_h, gradient) = jax.value_and_grad(of_h, argnums=(0, 1))(h, rest)
        grad_first = {"samples": grad_h, "along": jnp.zeros_like(first["along"])}
        return value, gradient | {"w1": grad_first}

    return Form(arrange, value_and_grad)


def _adds_up(optimizer: optax.GradientTransformation) -> bool:
    """Whether its steps are linear in the gradients, and depend on nothing else."""
    factory, used = made_of(optimizer)
    return factory is sgd_chain and "weight_decay" not in used


def _those_like(params: Params, tree: Any) -> list[Params]:
    alike = built_like(params)
    return [part for part in jax.tree.leaves(tree, is_leaf=alike) if alike(part)]
