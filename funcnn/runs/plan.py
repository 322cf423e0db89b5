"""What was asked of ``train``, checked and completed before anything compiles."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import numpy as np
import optax

from funcnn import checks, gram, models
from funcnn.core import ArgumentError, ArgumentTypeError, Model
from funcnn.data import load, prepare_inputs, prepare_targets
from funcnn.experiments import OF_MODEL, Experiment, find
from funcnn.hyperparameters import without_numbers
from funcnn.losses import LOSSES, cross_entropy
from funcnn.optimizers import OPTIMIZERS
from funcnn.precision import check_dtype
from funcnn.randomness import check_seed
from funcnn.shapes import matching_params, shapes_of
from funcnn.updates import FORMS, make_update

if TYPE_CHECKING:
    from funcnn.core import Loss, Params
    from funcnn.updates import Update

__all__ = ["Plan", "accepted_by", "choose_optimizer", "make_plan", "model_and_experiment"]


class Plan(NamedTuple):
    """A run that is known to make sense.

    Attributes:
        model: the model, its sizes settled.
        optimizer: the optimizer, its numbers settled.
        update: the step to repeat.
        params: where to start; None to draw the model's initial values.
        data: (x, y), NumPy arrays of the run's own.
        target_axes: the number of axes y had before it was arranged for the model;
            None where it was not.
        parameter_count: the number of single parameters.
        steps: how many updates to make.
        dtype: the run's arithmetic.
        form: how it is arranged, ``"direct"`` or ``"gram"``.
        seed: what the random numbers follow from.
    """

    model: Model
    optimizer: optax.GradientTransformation
    update: Update
    params: Params | None
    data: tuple[np.ndarray, np.ndarray]
    target_axes: int | None
    parameter_count: int
    steps: int
    dtype: str
    form: str
    seed: int


def make_plan(
    model: str | Model | tuple[Callable[..., Any], Callable[..., Any]] | None = None,
    data: Any = None,
    *,
    experiment: str | Experiment | None = None,
    target: str | Sequence[str] | None = None,
    params: Params | None = None,
    hidden: int | Sequence[int] | None = None,
    degree: int | None = None,
    loss: str | Loss | None = None,
    optimizer: str | optax.GradientTransformation | None = None,
    learning_rate: Any = None,
    gradient: str | None = None,
    form: str = "direct",
    steps: int | None = None,
    batch_size: int | None = None,
    dtype: Any = None,
    seed: int = 0,
    **hyperparameters: Any,
) -> Plan:
    """Everything that ``train`` documents of these arguments.

    Raises:
        ArgumentError, ArgumentTypeError: for whatever cannot be trained.
    """
    model, own = model_and_experiment(model, experiment)
    if gradient is None:
        gradient = "autodiff" if own is None else own.gradient
    if dtype is None:
        dtype = "float32" if own is None else own.dtype
    dtype = check_dtype(dtype)
    seed = check_seed(seed)
    chosen_loss = _loss(loss, own)
    chosen_optimizer = choose_optimizer(optimizer, learning_rate, hyperparameters, own)
    if steps is None and own is None:
        raise ArgumentTypeError("steps= is needed to train a model of your own")
    steps = own.steps if steps is None and own is not None else steps
    steps = checks.integer("steps", steps, at_least=1, below=2**31)

    if data is None and own is None:
        raise ArgumentError("data=None: a model of your own has no data of its own; pass (x, y)")
    if data is None and target is not None:
        raise ArgumentError(f"target={target!r} names columns of a .csv; no data were given")
    x, y = load(own.data() if data is None and own is not None else data, target)
    axes = _input_axes(model)
    x = prepare_inputs(x, axes, dtype)
    target_axes = None if axes is None or chosen_loss is cross_entropy else y.ndim
    y = prepare_targets(y, axes, chosen_loss, dtype)
    chosen_model = _model(model, {"hidden": hidden, "degree": degree}, x, y, chosen_loss)
    parts = (chosen_model, chosen_loss, chosen_optimizer)
    if checks.choice("form", form, (*FORMS, "auto")) == "auto":
        refused = gram.refusal(*parts, gradient, batch_size) is not None
        form = "direct" if refused or not _gram_is_cheaper(chosen_model, x) else "gram"
    update = make_update(*parts, gradient=gradient, batch_size=batch_size, form=form)
    if batch_size is not None and batch_size > len(x):
        raise ArgumentError(f"batch_size={batch_size} is more than the {len(x)} samples")
    shapes = shapes_of(
        chosen_model,
        without_numbers(chosen_optimizer),
        update,
        jax.ShapeDtypeStruct(x.shape, x.dtype),
        jax.ShapeDtypeStruct(y.shape, y.dtype),
        dtype,
    )
    if chosen_loss is cross_entropy and y.max() >= (classes := shapes.prediction.shape[-1]):
        raise ArgumentError(f"y holds the class {y.max()}; the model knows 0 to {classes - 1}")
    if params is not None:
        params = matching_params(params, shapes.params)
    return Plan(
        model=chosen_model,
        optimizer=chosen_optimizer,
        update=update,
        params=params,
        data=(x, y),
        target_axes=target_axes,
        parameter_count=sum(leaf.size for leaf in jax.tree.leaves(shapes.params)),
        steps=steps,
        dtype=dtype,
        form=form,
        seed=seed,
    )


def _gram_is_cheaper(model: Model, x: np.ndarray) -> bool:
    """A first layer trades its inputs for the samples, a linear model its samples for nothing."""
    return model.linear or len(x) < x.shape[1]


@functools.cache
def accepted_by(*functions: Callable[..., Any]) -> list[str]:
    """All that functions such as ``train`` may be given by name, with any of the optimizers."""
    return [
        parameter.name
        for function in (*functions, *OPTIMIZERS.values())
        for parameter in inspect.signature(function).parameters.values()
        if parameter.kind is not parameter.VAR_KEYWORD
    ]


def model_and_experiment(model: Any, experiment: Any) -> tuple[Any, Experiment | None]:
    """The model to train, and the experiment that says what is not given."""
    own = None if experiment is None else find(experiment)
    if model is None:
        model = "mlp" if own is None else own.model
    if isinstance(model, str):
        return model, own or OF_MODEL[checks.choice("model", model, OF_MODEL)]
    if isinstance(model, Model) or (isinstance(model, tuple) and len(model) == 2):
        checks.function("model's init", model[0])
        checks.function("model's apply", model[1])
        return model, own
    raise ArgumentTypeError(
        f"model must be a name ({', '.join(OF_MODEL)}), a funcnn.Model, or a pair "
        f"(init, apply), not {model!r}"
    )


def choose_optimizer(
    optimizer: Any, learning_rate: Any, hyperparameters: dict[str, Any], own: Experiment | None
) -> optax.GradientTransformation:
    """The optimizer that the arguments of ``train`` and the experiment ask for.

    Raises:
        ArgumentError, ArgumentTypeError: for a name or a number that cannot be used.
    """
    if isinstance(optimizer, optax.GradientTransformation):
        given = [*(["learning_rate"] if learning_rate is not None else []), *hyperparameters]
        if given:
            raise ArgumentError(
                f"{', '.join(given)}: an optax transformation has its own; "
                f"pass the optimizer's name to set them here"
            )
        return optimizer
    if optimizer is None:
        optimizer = "adam" if own is None else own.optimizer
    if not isinstance(optimizer, str):
        raise ArgumentTypeError(
            f"optimizer must be a name ({', '.join(OPTIMIZERS)}) or an "
            f"optax.GradientTransformation, not {optimizer!r}"
        )
    make = OPTIMIZERS[checks.choice("optimizer", optimizer, OPTIMIZERS)]
    checks.keywords(make, hyperparameters, inspect.signature(make).parameters)
    if learning_rate is not None:
        hyperparameters = {"learning_rate": learning_rate} | hyperparameters
    elif own is not None and own.optimizer == optimizer:
        hyperparameters = {"learning_rate": own.learning_rate} | hyperparameters
    return make(**hyperparameters)


def _input_axes(model: Any) -> int | None:
    if isinstance(model, str):
        return models.make(model).input_axes
    return model.input_axes if isinstance(model, Model) else None


def _model(model: Any, sizes: dict[str, Any], x: np.ndarray, y: np.ndarray, loss: Loss) -> Model:
    sizes = {name: size for name, size in sizes.items() if size is not None}
    if not isinstance(model, str):
        if sizes:
            raise ArgumentError(
                f"{', '.join(sizes)}: the sizes of a model of your own are its own affair"
            )
        return model if isinstance(model, Model) else Model(*model)
    accepted = models.sizes_of(model)
    for name in sizes:
        if name not in accepted:
            others = [other for other in accepted if other in ("hidden", "degree")]
            hint = f"it takes {', '.join(others)}" if others else "it has no sizes to set"
            raise ArgumentError(f"model={model!r} has no {name}; {hint}")
    if "in_features" in accepted:
        outputs = int(y.max()) + 1 if loss is cross_entropy else y.shape[1]
        sizes |= {"in_features": x.shape[1], "out_features": outputs}
    return models.make(model, **sizes)


def _loss(loss: Any, own: Experiment | None) -> Any:
    if loss is None:
        loss = "sum_squared_error" if own is None else own.loss
    return (
        checks.function("loss", loss)
        if callable(loss)
        else LOSSES[checks.choice("loss", loss, LOSSES)]
    )
