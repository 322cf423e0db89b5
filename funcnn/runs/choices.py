"""What a call of ``train`` leaves open: the model, its sizes, the loss and the optimizer."""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import optax

from funcnn import losses, models
from funcnn.core import ArgumentError, ArgumentTypeError, Loss, Model, Params, checks
from funcnn.experiments import OF_MODEL, Experiment, find
from funcnn.loop.problem import check_model
from funcnn.loop.whole import StepMaker
from funcnn.optimizers import OPTIMIZERS, Optimizer
from funcnn.runs.foreign import ADAPTERS

__all__ = [
    "DEFAULTS",
    "NUMBERS",
    "OF_PYTORCH",
    "Defaults",
    "choose_loss",
    "choose_optimizer",
    "input_axes",
    "numbers_of",
    "require_representable",
    "sized_model",
    "what_to_train",
]


NUMBERS = ("learning_rate", "momentum", "weight_decay", "alpha", "eps", "beta1", "beta2")
"""The numbers that optimizers keep in their state: members of a sweep may differ in them."""

OF_PYTORCH = ("dampening", "lambd", "lr_decay", "momentum_decay", "rho")
"""Those that optimizers of PyTorch have beside, for its modules."""

SHARES = ("alpha", "beta1", "beta2", "dropout", "momentum", "rho")
"""Numbers that mean something else where they are 1."""


class Defaults(NamedTuple):
    """What a run is given that its call does not say.

    Attributes:
        loss: the name of the loss.
        optimizer: the name of the optimizer.
        learning_rate: its rate; None for the optimizer's own default.
        gradient: ``"autodiff"`` or ``"manual"``.
        steps: the number of updates.
        dtype: the run's arithmetic.
    """

    loss: str
    optimizer: str
    learning_rate: int | float | None
    gradient: str
    steps: int
    dtype: str


DEFAULTS = Defaults("mean_squared_error", "adam", None, "autodiff", 1000, "float32")
"""For a user's own data: Adam at ``torch.optim``'s rate."""


def what_to_train(
    model: Any, data: Any, experiment: Any
) -> tuple[Any, Experiment | None, Defaults]:
    """The model, the record that the data come from, and what the call does not say.

    The numbers of a record belong to its data: they are taken where the experiment is named,
    or where no other data are given.
    """
    record = None if experiment is None else find(experiment)
    if model is None:
        model = "mlp" if record is None else record.model
    if isinstance(model, str):
        checks.choice("model", model, OF_MODEL)
        if record is None and data is None:
            record = OF_MODEL[model]
    else:
        model = check_model(model if isinstance(model, Model) else _pair(model))
    if record is None:
        return model, None, DEFAULTS
    return model, record, Defaults(*(getattr(record, name) for name in Defaults._fields))


def choose_loss(loss: Any, defaults: Defaults, **options: Any) -> Loss:
    """The loss, by its name and with the options that it takes, or as the function that it is.

    Raises:
        ArgumentError, ArgumentTypeError: for a name or an option that cannot be used.
    """
    if callable(loss):
        if options:
            raise ArgumentError(
                f"{', '.join(options)}: a loss that is a function has its own options; "
                f"pass the loss's name to set them here"
            )
        return checks.function("loss", loss)
    return losses.named(defaults.loss if loss is None else loss, **options)


def choose_optimizer(
    optimizer: Any, learning_rate: Any, hyperparameters: Mapping[str, Any], defaults: Defaults
) -> optax.GradientTransformation | StepMaker:
    """The optimizer that the arguments of ``train`` ask for.

    Raises:
        ArgumentError, ArgumentTypeError: for a name or a number that cannot be used.
    """
    if isinstance(optimizer, StepMaker):
        rate = {} if learning_rate is None else {"learning_rate": learning_rate}
        return optimizer.given(rate | dict(hyperparameters))
    if isinstance(optimizer, optax.GradientTransformation):
        given = [*(["learning_rate"] if learning_rate is not None else []), *hyperparameters]
        if given:
            raise ArgumentError(
                f"{', '.join(given)}: an optax transformation has its own; "
                f"pass the optimizer's name to set them here"
            )
        return optimizer
    if optimizer is None:
        optimizer = defaults.optimizer
    if not isinstance(optimizer, str):
        raise ArgumentTypeError(
            f"optimizer must be a name ({', '.join(OPTIMIZERS)}) or an "
            f"optax.GradientTransformation, not {optimizer!r}"
        )
    make = OPTIMIZERS[checks.choice("optimizer", optimizer, OPTIMIZERS)]
    checks.keywords(make, hyperparameters, _parameters(make))
    if learning_rate is None and optimizer == defaults.optimizer:
        learning_rate = defaults.learning_rate
    rate = {} if learning_rate is None else {"learning_rate": learning_rate}
    return make(**rate, **hyperparameters)


def numbers_of(optimizer: optax.GradientTransformation | StepMaker) -> dict[str, Any]:
    """An optimizer's numbers by name; none of an optax transformation, which does not tell."""
    return optimizer.numbers if isinstance(optimizer, (Optimizer, StepMaker)) else {}


def require_representable(dtype: str, **numbers: Any) -> None:
    """Refuse numbers that the run's arithmetic would round to another meaning.

    Args:
        dtype: the run's arithmetic.
        **numbers: what is computed with, by name: a number or several; what is no number is
            checked elsewhere.
    """
    kind = np.dtype(dtype).type
    for name, given in numbers.items():
        several = given.tolist() if hasattr(given, "tolist") else given
        for number in several if isinstance(several, (list, tuple)) else [several]:
            if not isinstance(number, (int, float)) or not math.isfinite(number):
                continue
            with np.errstate(over="ignore", under="ignore"):
                rounded = kind(number)
            if number != 0 and abs(rounded) < np.finfo(kind).tiny:
                raise ArgumentError(f"{name}={number!r} is 0 in {dtype}")
            if not np.isfinite(rounded) or (name in SHARES and number < 1 <= rounded):
                raise ArgumentError(
                    f"{name}={number!r} is {float(rounded)} in {dtype}; dtype='float64' can tell"
                )


def input_axes(model: str | Model) -> int | None:
    """How many axes the model's inputs have; None for a model that takes them as they come."""
    return models.make(model).input_axes if isinstance(model, str) else model.input_axes


def sized_model(
    model: str | Model,
    sizes: dict[str, Any],
    x: np.ndarray,
    outputs: int | None,
    params: Params | None,
) -> Model:
    """The model with its sizes: those that are said, those of the params, those of the data.

    Its options, ``activation`` and ``dropout``, stand among the sizes that are said.
    """
    sizes = {name: size for name, size in sizes.items() if size is not None}
    if not isinstance(model, str):
        if sizes:
            raise ArgumentError(
                f"{', '.join(sizes)}: the sizes and options of a model of your own are its own "
                f"affair"
            )
        return model
    accepted = models.sizes_of(model)
    for name in sizes:
        if name in models.options_of("mlp_linear") and not models.options_of(model):
            raise ArgumentError(f"model={model!r} has no {name}; model='mlp_linear' takes it")
        if name not in (*accepted, *models.options_of(model)):
            others = [other for other in accepted if other != "in_features"]
            hint = f"it takes {', '.join(others)}" if others else "it has no sizes to set"
            raise ArgumentError(f"model={model!r} has no {name}; {hint}")
    if params is not None:
        sizes |= _sizes_of_params(model, sizes, params)
    if "in_features" in accepted:
        sizes.setdefault("in_features", x.shape[1])
        if "out_features" not in sizes:
            sizes["out_features"] = outputs
        if sizes["in_features"] != x.shape[1]:
            raise ArgumentError(
                f"x has {x.shape[1]} features; the params are for {sizes['in_features']}"
            )
    return models.make(model, **sizes)


def _sizes_of_params(model: str, said: dict[str, Any], params: Params) -> dict[str, Any]:
    sizes = models.MODELS[model].sizes(params)
    for name, size in said.items():
        # A width may be said as a number or as the one width of a tuple.
        if name in sizes and np.ravel(size).tolist() != np.ravel(sizes[name]).tolist():
            raise ArgumentError(f"{name}={size!r}: the params are for {name}={sizes[name]!r}")
    return sizes


def _pair(model: Any) -> Model:
    if isinstance(model, tuple) and len(model) == 2:
        return Model(*model)
    raise ArgumentTypeError(
        f"model must be a name ({', '.join(OF_MODEL)}), a funcnn.Model, a pair (init, apply), or "
        f"a model of {', '.join(ADAPTERS)}; not {model!r:.200}"
    )


@functools.cache
def _parameters(function: Callable[..., Any]) -> list[str]:
    return list(inspect.signature(function).parameters)
