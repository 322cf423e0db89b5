"""What a loop is compiled for."""

from __future__ import annotations

from typing import NamedTuple

import optax

from funcnn.core import ArgumentError, ArgumentTypeError, Loss, Model, checks
from funcnn.losses import sum_squared_error
from funcnn.optimizers.optimizer import Recipe, recipe_of

__all__ = ["GRADIENTS", "Problem", "make_problem"]

GRADIENTS = ("autodiff", "manual")


class Problem(NamedTuple):
    """What a loop is compiled for. A compiled program is found again by it.

    Attributes:
        model: the model, its ``init`` left out: a loop does not depend on where it starts.
        loss: ``loss(prediction, target) -> scalar``.
        optimizer: an optimizer of funcnn less its numbers, or an optax transformation.
        gradient: ``"autodiff"`` or ``"manual"``.
        batch_size: how many samples a step takes; None for all of them.
    """

    model: Model
    loss: Loss
    optimizer: Recipe | optax.GradientTransformation
    gradient: str
    batch_size: int | None


def make_problem(
    model: Model,
    loss: Loss,
    optimizer: optax.GradientTransformation,
    gradient: str = "autodiff",
    batch_size: int | None = None,
) -> Problem:
    """The problem that these make, where they fit together.

    Raises:
        ArgumentError, ArgumentTypeError: for an argument that cannot be used.
    """
    if not isinstance(model, Model):
        raise ArgumentTypeError(f"model must be a funcnn.Model, not {model!r}")
    if not isinstance(optimizer, optax.GradientTransformation):
        raise ArgumentTypeError(
            f"optimizer must be an optax.GradientTransformation, not {optimizer!r}"
        )
    checks.function("model's apply", model.apply)
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
    return Problem(model._replace(init=None), loss, recipe_of(optimizer), gradient, batch_size)
