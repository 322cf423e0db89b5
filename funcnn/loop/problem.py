"""What a loop is compiled for."""

from __future__ import annotations

from typing import Any, NamedTuple

import optax

from funcnn.core import ArgumentError, ArgumentTypeError, Loss, Model, checks
from funcnn.loop.batches import Batches, Drawn
from funcnn.loop.placement import Placement
from funcnn.loop.whole import WholeStep
from funcnn.losses import sum_squared_error
from funcnn.optimizers.optimizer import Recipe, recipe_of

__all__ = [
    "GRADIENTS",
    "NO_CLIP",
    "Clip",
    "Problem",
    "check_model",
    "clip_of",
    "drawn",
    "make_problem",
    "whole_problem",
]

GRADIENTS = ("autodiff", "manual")


class Clip(NamedTuple):
    """What a gradient is cut to before the optimizer sees it.

    Attributes:
        norm: the most that the norm of all gradients together may be,
            ``torch.nn.utils.clip_grad_norm_``; None for any.
        value: the most that each number may be, ``torch.nn.utils.clip_grad_value_``; None
            for any.
    """

    norm: float | None = None
    value: float | None = None


NO_CLIP = Clip()


class Problem(NamedTuple):
    """What a loop is compiled for. A compiled program is found again by it.

    Attributes:
        model: the model, its ``init`` left out: a loop does not depend on where it starts.
        loss: ``loss(prediction, target) -> scalar``.
        optimizer: an optimizer of funcnn less its numbers, or an optax transformation. Or a step
            that is given whole: then the model and the loss say nothing.
        gradient: ``"autodiff"`` or ``"manual"``.
        batches: which samples a step takes; None for all of them.
        clip: what the gradient is cut to.
        weighted: whether the samples have weights.
        placement: over which devices its arrays lie; None where they lie on one.
    """

    model: Model
    loss: Loss
    optimizer: Recipe | optax.GradientTransformation | WholeStep
    gradient: str
    batches: Batches | None
    clip: Clip = NO_CLIP
    weighted: bool = False
    placement: Placement | None = None


def make_problem(
    model: Model,
    loss: Loss,
    optimizer: optax.GradientTransformation,
    gradient: str = "autodiff",
    batches: Batches | None = None,
    clip: Clip = NO_CLIP,
    weighted: bool = False,
    placement: Placement | None = None,
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
    check_model(model)
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
    if gradient == "manual" and weighted:
        raise ArgumentError("gradient='manual' is derived without sample_weight")
    model, recipe = model._replace(init=None), recipe_of(optimizer)
    return Problem(model, loss, recipe, gradient, batches, clip, weighted, placement)


def whole_problem(
    step: WholeStep, batches: Batches | None, placement: Placement | None = None
) -> Problem:
    """The problem of a step that is given whole."""
    nothing = Model(None, _nothing)
    return Problem(nothing, _nothing, step, "autodiff", batches, placement=placement)


def check_model(model: Model) -> Model:
    """The model, where each of its parts is of a kind that it may be.

    Raises:
        ArgumentTypeError: naming the part.
    """
    for name in ("init", "value_and_grad", "formula", "head", "predict", "saved"):
        if (part := getattr(model, name)) is not None:
            checks.function(f"model's {name}", part)
    checks.function("model's apply", model.apply)
    for name in ("stochastic", "linear"):
        checks.flag(f"model's {name}", getattr(model, name))
    if model.input_axes not in (None, 1, 2):
        raise ArgumentTypeError(f"model's input_axes={model.input_axes!r} must be 1, 2 or None")
    return model


def drawn(batch_size: Any, shuffle: Any = None, drop_last: Any = None) -> Drawn | None:
    """The batches that these ask for; None where a step takes all samples.

    Raises:
        ArgumentError, ArgumentTypeError: for an argument that cannot be used.
    """
    asked = {"shuffle": shuffle, "drop_last": drop_last}
    given = {name: checks.flag(name, flag) for name, flag in asked.items() if flag is not None}
    if batch_size is not None:
        return Drawn(checks.integer("batch_size", batch_size, at_least=1), **given)
    if given:
        raise ArgumentError(f"{', '.join(given)}: without batch_size a step takes all samples")
    return None


def clip_of(norm: Any = None, value: Any = None) -> Clip:
    """What a gradient is cut to.

    Raises:
        ArgumentError, ArgumentTypeError: for what is no positive number.
    """
    asked = {"clip_grad_norm": norm, "clip_grad_value": value}
    norm, value = (
        limit if limit is None else checks.number(name, limit, positive=True)
        for name, limit in asked.items()
    )
    return Clip(norm, value)


def _nothing(*_: Any) -> Any:
    """Stands for the model and the loss of a step that is given whole."""
    raise AssertionError("a step that is given whole has no model and no loss of its own")
