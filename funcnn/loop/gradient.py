"""A gradient step: the loss and its gradient, what the optimizer makes of it, the next state."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from funcnn.core import AnyArray, ArgumentError, ArgumentTypeError, Loss, Params, TrainState
from funcnn.core.precision import jax_promotion
from funcnn.loop.problem import Clip, Problem
from funcnn.loop.whole import WholeStep

__all__ = ["gradient_step", "loss_of"]


def gradient_step(
    problem: Problem,
    state: TrainState,
    value_and_grad: Callable[[Params], tuple[Float[Array, ""], Params]],
) -> tuple[TrainState, Float[Array, ""]]:
    """What a step computes, and the loss before it.

    Args:
        problem: says which optimizer.
        state: the state before the step, as a form arranges it.
        value_and_grad: ``value_and_grad(params) -> (loss, gradient)`` on this step's samples.
    """
    assert not isinstance(problem.optimizer, WholeStep)
    value, gradient = value_and_grad(state.params)
    gradient = _clipped(problem.clip, gradient)
    extra = {}
    if isinstance(problem.optimizer, optax.GradientTransformationExtraArgs):
        # What optax's line searches and plateau schedules ask for.
        extra = {
            "value": value,
            "grad": gradient,
            "value_fn": lambda params: value_and_grad(params)[0],
        }
    with jax_promotion():
        change, optimizer_state = problem.optimizer.update(
            gradient, state.optimizer_state, state.params, **extra
        )
        params = optax.apply_updates(state.params, change)
    return TrainState(params, optimizer_state, state.step + 1, state.key), value


def loss_of(
    loss: Loss, prediction: Array, y: AnyArray, weight: AnyArray | None = None
) -> Float[Array, ""]:
    """The loss, where prediction and target can be compared and one float comes out.

    Raises:
        ArgumentError, ArgumentTypeError: where that is not so.
    """
    if not isinstance(prediction, jax.Array):
        raise ArgumentTypeError(
            f"apply must return an array, the prediction; it returns {type(prediction)}"
        )
    if prediction.dtype == bool or jnp.issubdtype(prediction.dtype, jnp.integer):
        raise ArgumentTypeError(
            f"apply returns {prediction.dtype}, which has no gradient: a prediction is of floats"
        )
    if weight is not None:
        loss = functools.partial(loss, sample_weight=weight)
    # A loss of another library knows what it compares.
    classes = not getattr(loss, "compares", False) and _require_comparable(prediction, y)
    if classes and prediction.shape[-1] in (1, len(y)):
        # As many classes as samples: a difference of the two would be of every pair.
        with jax.numpy_rank_promotion("raise"):
            value = _refusing_pairs(loss, prediction, y)
    else:
        value = loss(prediction, y)
    if not isinstance(value, jax.Array):
        raise ArgumentTypeError(f"the loss must be an array of one float, not {type(value)}")
    if value.shape != () or not jnp.issubdtype(value.dtype, jnp.floating):
        raise ArgumentError(f"the loss must be one float; it is {value.dtype}{value.shape}")
    return value


def _clipped(clip: Clip, gradient: Params) -> Params:
    """The gradient, cut as PyTorch cuts it; its 1e-6 keeps a norm of zero from dividing."""
    if clip.norm is not None:
        share = jnp.minimum(clip.norm / (optax.tree.norm(gradient) + 1e-6), 1.0)
        gradient = jax.tree.map(lambda leaf: share * leaf, gradient)
    if (limit := clip.value) is not None:
        gradient = jax.tree.map(lambda leaf: jnp.clip(leaf, -limit, limit), gradient)
    return gradient


def _require_comparable(prediction: Array, target: AnyArray) -> bool:
    """Whether the target holds classes: whole numbers, without the prediction's last axis.

    Raises:
        ArgumentError: where the shapes differ otherwise: nothing is broadcast.
    """
    if prediction.shape == target.shape:
        return False
    whole = not jnp.issubdtype(target.dtype, jnp.floating)
    if whole and prediction.shape[:-1] == target.shape and prediction.shape[-1:] != (1,):
        return True
    hint = "reshape one of them"
    if whole and prediction.shape == (*target.shape, 1):
        hint = (
            "where the target holds classes, the model needs an output for each "
            "(out_features=); where it holds one number for each output, give it a last axis"
        )
    raise ArgumentError(
        f"the model predicts shape {prediction.shape} and the target has shape "
        f"{target.shape}; nothing is broadcast: {hint}"
    )


def _refusing_pairs(loss: Loss, prediction: Array, y: AnyArray) -> Any:
    try:
        return loss(prediction, y)
    except ValueError as error:
        if "rank_promotion" not in str(error):
            raise
        raise ArgumentError(
            f"the loss broadcasts the target, of shape {y.shape}, against the prediction, of "
            f"shape {prediction.shape}; nothing is broadcast: index the prediction by the "
            f"classes, or reshape the target"
        ) from error
