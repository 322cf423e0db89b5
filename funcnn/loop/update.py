"""One step of training as a pure, compiled function."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import jax
import optax

from funcnn import checks, gram
from funcnn.core import ArgumentError, ArgumentTypeError, Model, TrainState, remembered
from funcnn.forms import Form, direct, turned
from funcnn.hyperparameters import made_of
from funcnn.losses import sum_squared_error
from funcnn.precision import jax_promotion

if TYPE_CHECKING:
    from jaxtyping import Array, Float

    from funcnn.core import Data, Loss, Params

__all__ = ["FORMS", "GRADIENTS", "Update", "advance", "make_update"]

FORMS = ("direct", "gram")

GRADIENTS = ("autodiff", "manual")


def make_update(
    model: Model,
    loss: Loss,
    optimizer: optax.GradientTransformation,
    *,
    gradient: str = "autodiff",
    batch_size: int | None = None,
    form: str = "direct",
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
        form: ``"direct"``, or ``"gram"`` for the same steps from inner products of
            the inputs, where :func:`funcnn.gram.refusal` has nothing against it.

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
    checks.choice("form", form, FORMS)
    extra_arguments = isinstance(optimizer, optax.GradientTransformationExtraArgs)
    if form == "gram":
        refusal = gram.refusal(model, loss, optimizer, gradient, batch_size)
        if refusal is not None:
            raise ArgumentError(f"form='gram': {refusal}")
        if model.linear:
            return _make_update(gram.of_linear_model, (model.apply, loss), optimizer.update, False)
        return _make_update(gram.of_first_layer, (model.head, loss), optimizer.update, False)
    value_and_grad = model.value_and_grad if gradient == "manual" else None
    arguments = (model.apply, model.stochastic, value_and_grad, loss, batch_size)
    layout = direct if made_of(optimizer)[0] is None else turned
    return _make_update(layout, arguments, optimizer.update, extra_arguments)


@dataclasses.dataclass(frozen=True, eq=False)
class Update:
    """One step of training: call it for a step, give it to ``fit`` for many.

    Attributes:
        arrange: the state and the data as a loop keeps them, and the way back.
        advance: ``advance(state, data) -> (state, loss)``, a step of what is kept.
    """

    arrange: Callable[[TrainState, Data], tuple[TrainState, Any, Callable]]
    advance: Callable[[TrainState, Any], tuple[TrainState, Float[Array, ""]]]

    def __call__(self, state: TrainState, data: Data) -> tuple[TrainState, Float[Array, ""]]:
        """The state after one step, and the loss before it."""
        return _step(self, state, data)


def advance(
    value_and_grad: Callable[..., tuple[Array, Params]],
    optimizer_update: Callable[..., Any],
    extra_arguments: bool,
    state: TrainState,
    data: Any,
) -> tuple[TrainState, Float[Array, ""]]:
    """What a step computes: the loss and its gradient, the optimizer's change, the next state."""
    value, gradient = value_and_grad(state.params, data, state.key, state.step)
    # What optax's line searches and plateau schedules ask for.
    extra = {
        "value": value,
        "grad": gradient,
        "value_fn": lambda params: value_and_grad(params, data, state.key, state.step)[0],
    }
    with jax_promotion():
        change, optimizer_state = optimizer_update(
            gradient, state.optimizer_state, state.params, **extra if extra_arguments else {}
        )
        params = optax.apply_updates(state.params, change)
    return TrainState(params, optimizer_state, state.step + 1, state.key), value


@functools.partial(jax.jit, static_argnums=0)
def _step(update: Update, state: TrainState, data: Data) -> tuple[TrainState, Float[Array, ""]]:
    kept, kept_data, back = update.arrange(state, data)
    kept, loss = update.advance(kept, kept_data)
    return back(kept), loss


@remembered
def _make_update(
    form: Callable[..., Form],
    form_arguments: tuple[Any, ...],
    optimizer_update: Callable[..., Any],
    extra_arguments: bool,
) -> Update:
    arrange, value_and_grad = form(*form_arguments)
    step = functools.partial(advance, value_and_grad, optimizer_update, extra_arguments)
    return Update(arrange, jax.jit(step))
