"""One step of training as a pure, compiled function."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import optax

from funcnn import checks
from funcnn.core import ArgumentError, ArgumentTypeError, Model, TrainState, remembered
from funcnn.losses import sum_squared_error
from funcnn.precision import jax_promotion
from funcnn.randomness import draw_batch, step_key

if TYPE_CHECKING:
    from jaxtyping import Array, Float, Key

    from funcnn.core import Data, Loss, Params, Update

__all__ = ["GRADIENTS", "compiled", "make_update"]

GRADIENTS = ("autodiff", "manual")


def make_update(
    model: Model,
    loss: Loss,
    optimizer: optax.GradientTransformation,
    *,
    gradient: str = "autodiff",
    batch_size: int | None = None,
) -> Update:
    """One step of training as a pure, compiled function.

    Args:
        model: the model to train.
        loss: ``loss(prediction, target) -> scalar``.
        optimizer: one of ``funcnn.optimizers``, or any of optax.
        gradient: ``"autodiff"`` (``jax.value_and_grad``), or ``"manual"`` for the
            rule derived by hand, where the model has one; that rule is for
            ``sum_squared_error``.
        batch_size: how many samples a step takes, drawn by key and step so that
            an epoch takes none twice; None for all of them.

    Returns:
        ``update(state, data) -> (state, loss)``, the loss being the one before
        the step. The same function for the same arguments, and for optimizers of
        ``funcnn.optimizers`` that differ in their numbers alone.

    Raises:
        ArgumentError, ArgumentTypeError: for an argument that does not fit.
    """
    if not isinstance(model, Model):
        raise ArgumentTypeError(f"model must be a funcnn.Model, not {model!r}")
    if not isinstance(optimizer, optax.GradientTransformation):
        raise ArgumentTypeError(
            f"optimizer must be an optax.GradientTransformation, not {optimizer!r}"
        )
    checks.function("loss", loss)
    checks.choice("gradient", gradient, GRADIENTS)
    if gradient == "manual" and model.value_and_grad is None:
        raise ArgumentError("gradient='manual': this model has no gradient derived by hand")
    if gradient == "manual" and model.stochastic:
        raise ArgumentError("gradient='manual': this model draws random numbers")
    if gradient == "manual" and loss is not sum_squared_error:
        raise ArgumentError(
            "gradient='manual' is derived for loss='sum_squared_error' and no other"
        )
    if batch_size is not None:
        batch_size = checks.integer("batch_size", batch_size, at_least=1)
    value_and_grad = model.value_and_grad if gradient == "manual" else None
    extra_arguments = isinstance(optimizer, optax.GradientTransformationExtraArgs)
    return _make_update(
        model.apply,
        model.stochastic,
        value_and_grad,
        loss,
        optimizer.update,
        extra_arguments,
        batch_size,
    )


@remembered
def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """``jax.jit(function)``, the same for the same function.

    A compiled function is traced once for its arguments' shapes, wherever it is
    called from: alone, in a loop, or to learn its result's shape.
    """
    return jax.jit(function)


@remembered
def _make_update(
    apply: Callable[..., Array],
    stochastic: bool,
    manual: Callable[..., tuple[Array, Params]] | None,
    loss: Loss,
    optimizer_update: Callable[..., Any],
    extra_arguments: bool,
    batch_size: int | None,
) -> Update:
    def loss_of(
        params: Params, x: Array, y: Array, key: tuple[Key[Array, ""], ...]
    ) -> Float[Array, ""]:
        prediction = compiled(apply)(params, x, *key)
        if not isinstance(prediction, jax.Array):
            raise ArgumentTypeError(
                f"apply must return an array, the prediction; it returns {type(prediction)}"
            )
        _require_comparable(prediction, y)
        value = loss(prediction, y)
        if not isinstance(value, jax.Array):
            raise ArgumentTypeError(f"the loss must be an array of one float, not {type(value)}")
        if value.shape != () or not jnp.issubdtype(value.dtype, jnp.floating):
            raise ArgumentError(f"the loss must be one float; it is {value.dtype}{value.shape}")
        return value

    @jax.jit
    def update(state: TrainState, data: Data) -> tuple[TrainState, Float[Array, ""]]:
        x, y = data
        if batch_size is not None and batch_size < len(x):
            batch = draw_batch(state.key, state.step, len(x), batch_size)
            x, y = x[batch], y[batch]
        key = (step_key(state.key, state.step),) if stochastic else ()
        if manual is None:
            value, gradient = jax.value_and_grad(loss_of)(state.params, x, y, key)
        else:
            value, gradient = manual(state.params, x, y)
        # What optax's line searches and plateau schedules ask for.
        extra = {
            "value": value,
            "grad": gradient,
            "value_fn": lambda params: loss_of(params, x, y, key),
        }
        with jax_promotion():
            change, optimizer_state = optimizer_update(
                gradient, state.optimizer_state, state.params, **extra if extra_arguments else {}
            )
            params = optax.apply_updates(state.params, change)
        return TrainState(params, optimizer_state, state.step + 1, state.key), value

    return update


def _require_comparable(prediction: Array, target: Array) -> None:
    """Nothing broadcasts; whole numbers may be classes, and lack the prediction's last axis."""
    classes = (
        not jnp.issubdtype(target.dtype, jnp.floating)
        and prediction.shape[:-1] == target.shape
        and prediction.shape[-1:] != (1,)
    )
    if prediction.shape != target.shape and not classes:
        raise ArgumentError(
            f"the model predicts shape {prediction.shape} and the target has shape "
            f"{target.shape}; nothing is broadcast: reshape one of them"
        )
