"""What was asked of ``train``, checked and completed before anything compiles."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.core import Tracer

from funcnn import models
from funcnn.core import (
    ArgumentError,
    ArgumentTypeError,
    Loss,
    Model,
    Params,
    Structs,
    TrainState,
    checks,
)
from funcnn.core.keys import check_seed
from funcnn.core.precision import check_dtype, numerics
from funcnn.data.arrays import is_whole, load, prepare_inputs, prepare_targets
from funcnn.experiments import OF_MODEL, Experiment, find
from funcnn.loop.forms import FORMS, NAMES, Form, Shapes
from funcnn.loop.forms.quadratic import QUADRATIC
from funcnn.loop.problem import Problem, make_problem
from funcnn.loop.update import form_named
from funcnn.losses import LOSSES
from funcnn.optimizers import OPTIMIZERS, Optimizer
from funcnn.runs.shapes import (
    RunShapes,
    matching_params,
    matching_state,
    params_shapes,
    run_shapes,
    structs,
)

__all__ = ["DEFAULTS", "Defaults", "Plan", "accepted_by", "choose_optimizer", "make_plan"]


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


TRACED = (
    "train and sweep run Python loops and cannot be traced by jit, grad or vmap: funcnn.fit is "
    "for that"
)


class Plan(NamedTuple):
    """A run that is known to make sense.

    Attributes:
        problem: what is compiled for.
        form: how the arithmetic is arranged.
        model: the model, its sizes settled.
        optimizer: the optimizer, its numbers settled.
        params: where to start; None to draw the model's initial values.
        state: the state to go on from; None to start anew.
        named: the optimizer's numbers that the call gives: they replace those of ``state``.
        data: (x, y), NumPy arrays of the run's own.
        target_axes: the number of axes y had before it was arranged for the model;
            None where it was not.
        shapes: what the run will hold.
        steps: how many updates to make.
        dtype: the run's arithmetic.
        seed: what the random numbers follow from.
    """

    problem: Problem
    form: Form
    model: Model
    optimizer: optax.GradientTransformation
    params: Params | None
    state: TrainState | None
    named: frozenset[str]
    data: tuple[np.ndarray, np.ndarray]
    target_axes: int | None
    shapes: RunShapes
    steps: int
    dtype: str
    seed: int

    @property
    def numbers(self) -> dict[str, Any]:
        """The optimizer's numbers, by name."""
        return self.optimizer.numbers if isinstance(self.optimizer, Optimizer) else {}


def make_plan(
    model: str | Model | tuple[Any, ...] | None = None,
    data: Any = None,
    *,
    experiment: str | Experiment | None = None,
    target: str | Sequence[str] | None = None,
    params: Params | None = None,
    state: TrainState | None = None,
    hidden: int | Sequence[int] | None = None,
    out_features: int | None = None,
    degree: int | None = None,
    loss: str | Loss | None = None,
    optimizer: str | optax.GradientTransformation | None = None,
    learning_rate: Any = None,
    gradient: str | None = None,
    form: str = "direct",
    steps: int | None = None,
    batch_size: int | None = None,
    dtype: Any = None,
    seed: int | None = None,
    **hyperparameters: Any,
) -> Plan:
    """Everything that ``train`` documents of these arguments.

    Raises:
        ArgumentError, ArgumentTypeError: for whatever cannot be trained.
    """
    _refuse_traced((data, params, state, learning_rate, hyperparameters))
    asked, record, defaults = what_to_train(model, data, experiment)
    if params is not None and state is not None:
        raise ArgumentError("params and state: a state has its params; give one of the two")
    if state is not None:
        _require_state(state, seed)
        dtype = _dtype_of(state) if dtype is None else dtype
    dtype = check_dtype(defaults.dtype if dtype is None else dtype)
    seed = check_seed(0 if seed is None else seed)
    chosen_loss = _loss(loss, defaults)
    chosen_optimizer = choose_optimizer(optimizer, learning_rate, hyperparameters, defaults)
    _require_representable(chosen_optimizer, dtype)
    steps = checks.integer(
        "steps", defaults.steps if steps is None else steps, at_least=1, below=2**31
    )

    x, y = _load(data, target, record)
    axes = _input_axes(asked)
    x = prepare_inputs(x, axes, dtype)
    given_axes = y.ndim
    y = prepare_targets(y, axes, chosen_loss, dtype)
    target_axes = None if axes is None or is_whole(y) else given_axes
    sizes = {"hidden": hidden, "out_features": out_features, "degree": degree}
    start = params if state is None else state.params
    chosen_model = _model(asked, sizes, x, y, start)

    problem = make_problem(
        chosen_model,
        chosen_loss,
        chosen_optimizer,
        defaults.gradient if gradient is None else gradient,
        batch_size,
    )
    if batch_size is not None and batch_size > len(x):
        raise ArgumentError(f"batch_size={batch_size} is more than the {len(x)} samples")
    tree = _params_shapes(asked, chosen_model, start, dtype)
    if start is not None:
        start = matching_params(start, tree)
    inputs, targets = structs((x, y))
    chosen_form = _form(form, problem, Shapes(tree, inputs, targets), steps)
    if chosen_form is QUADRATIC and not isinstance(asked, str):
        _require_linear(chosen_model, tree, x, dtype)
    numbers = chosen_optimizer.numbers if isinstance(chosen_optimizer, Optimizer) else {}
    shapes = run_shapes(problem, chosen_form, numbers, tree, inputs, targets, dtype)
    _require_known_classes(y, shapes.prediction)
    return Plan(
        problem=problem,
        form=chosen_form,
        model=chosen_model,
        optimizer=chosen_optimizer,
        params=None if params is None else start,
        state=None if state is None else matching_state(state, shapes.state),
        named=frozenset(hyperparameters).union([] if learning_rate is None else ["learning_rate"]),
        data=(x, y),
        target_axes=target_axes,
        shapes=shapes,
        steps=steps,
        dtype=dtype,
        seed=seed,
    )


@functools.cache
def accepted_by(*functions: Callable[..., Any]) -> list[str]:
    """All that functions such as ``train`` may be given by name, with any of the optimizers."""
    return [
        parameter.name
        for function in (*functions, *OPTIMIZERS.values())
        for parameter in inspect.signature(function).parameters.values()
        if parameter.kind is not parameter.VAR_KEYWORD
    ]


@functools.cache
def _parameters(function: Callable[..., Any]) -> list[str]:
    return list(inspect.signature(function).parameters)


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
    elif not isinstance(model, Model):
        model = _pair(model)
    if record is None:
        return model, None, DEFAULTS
    return model, record, Defaults(*(getattr(record, name) for name in Defaults._fields))


def choose_optimizer(
    optimizer: Any, learning_rate: Any, hyperparameters: Mapping[str, Any], defaults: Defaults
) -> optax.GradientTransformation:
    """The optimizer that the arguments of ``train`` ask for.

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


def _refuse_traced(given: Any) -> None:
    """Refuse arrays that ``jit``, ``grad`` or ``vmap`` are tracing."""
    if any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves(given)):
        raise ArgumentTypeError(TRACED)


def _pair(model: Any) -> Model:
    if isinstance(model, tuple) and len(model) == 2:
        init, apply = model
        if init is not None:
            checks.function("model's init", init)
        return Model(init, checks.function("model's apply", apply))
    raise ArgumentTypeError(
        f"model must be a name ({', '.join(OF_MODEL)}), a funcnn.Model, or a pair "
        f"(init, apply), not {model!r}"
    )


def _require_state(state: Any, seed: Any) -> None:
    if not isinstance(state, TrainState):
        raise ArgumentTypeError(
            f"state must be a funcnn.TrainState, such as a result's state, not {state!r:.60}"
        )
    if seed is not None:
        raise ArgumentError("seed: a state goes on with the random numbers of its own run")


def _dtype_of(state: TrainState) -> Any:
    leaves = jax.tree.leaves(state.params)
    return getattr(leaves[0], "dtype", None) if leaves else None


def _load(data: Any, target: Any, record: Experiment | None) -> tuple[np.ndarray, np.ndarray]:
    if data is not None:
        return load(data, target)
    if record is None:
        raise ArgumentError("data=None: a model of your own has no data of its own; pass (x, y)")
    if target is not None:
        raise ArgumentError(f"target={target!r} names columns of a .csv; no data were given")
    return load(record.data())


def _require_representable(optimizer: optax.GradientTransformation, dtype: str) -> None:
    """Refuse numbers that the run's arithmetic would round to another meaning."""
    if not isinstance(optimizer, Optimizer):
        return
    kind = np.dtype(dtype).type
    for name, number in optimizer.numbers.items():
        if isinstance(number, dict):  # A schedule checks its own.
            continue
        with np.errstate(over="ignore", under="ignore"):
            rounded = kind(number)
        if number != 0 and abs(rounded) < np.finfo(kind).tiny:
            raise ArgumentError(f"{name}={number!r} is 0 in {dtype}, which trains nothing")
        if not np.isfinite(rounded) or (number < 1 <= rounded):
            raise ArgumentError(
                f"{name}={number!r} is {float(rounded)} in {dtype}; dtype='float64' can tell"
            )


def _input_axes(model: Any) -> int | None:
    return models.make(model).input_axes if isinstance(model, str) else model.input_axes


def _model(
    model: str | Model, sizes: dict[str, Any], x: np.ndarray, y: np.ndarray, params: Params | None
) -> Model:
    """The model with its sizes: those that are said, those of the params, those of the data."""
    sizes = {name: size for name, size in sizes.items() if size is not None}
    if not isinstance(model, str):
        if sizes:
            raise ArgumentError(
                f"{', '.join(sizes)}: the sizes of a model of your own are its own affair"
            )
        return model
    accepted = models.sizes_of(model)
    for name in sizes:
        if name not in accepted:
            others = [other for other in accepted if other != "in_features"]
            hint = f"it takes {', '.join(others)}" if others else "it has no sizes to set"
            raise ArgumentError(f"model={model!r} has no {name}; {hint}")
    if params is not None:
        sizes |= _sizes_of_params(model, sizes, params)
    if "in_features" in accepted:
        sizes.setdefault("in_features", x.shape[1])
        if "out_features" not in sizes:
            sizes["out_features"] = int(y.max()) + 1 if y.ndim == 1 else y.shape[1]
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


def _params_shapes(request: Any, model: Model, params: Params | None, dtype: str) -> Structs:
    """The shapes of the params: as the model draws them, or as they are given."""
    if params is None or isinstance(request, str):
        if model.init is None:
            raise ArgumentError("the model has no init, and no params are given to start from")
        return params_shapes(model.init, dtype)
    leaves = jax.tree.leaves(params)
    if not leaves:
        raise ArgumentError("params hold no parameters")
    return jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(np.shape(leaf), np.dtype(dtype)), params)


def _form(name: str, problem: Problem, shapes: Shapes, steps: int) -> Form:
    """The form that is asked for; for ``"auto"`` the one that should be done first."""
    if name != "auto" or not isinstance(name, str):
        checks.choice("form", name, (*NAMES, "auto"))
        return form_named(name, problem)

    def microseconds(form: Form) -> float:
        enter, step = form.cost(problem, shapes)
        return enter + steps * step

    return min((form for form in FORMS if form.why_not(problem) is None), key=microseconds)


def _require_linear(model: Model, shapes: Structs, x: np.ndarray, dtype: str) -> None:
    """Hold a model to its ``linear=True``, by its predictions for two random trees of params."""
    generator = np.random.default_rng(0)

    def drawn(low: int, high: int) -> Params:
        return jax.tree.map(
            lambda leaf: jnp.asarray(generator.uniform(low, high, leaf.shape), dtype), shapes
        )

    with numerics(dtype):
        # Large and of either sign: near zero a sine is a line, and above it a ReLU.
        one, two = drawn(1, 2), drawn(-4, -3)
        nothing = jax.tree.map(jnp.zeros_like, one)
        both = jax.tree.map(jnp.add, one, two)
        zero, first, second, together = (
            np.asarray(model.apply(tree, jnp.asarray(x)), np.float64)
            for tree in (nothing, one, two, both)
        )
    scale = np.abs(first).max() + np.abs(second).max()
    rounding = np.sqrt(np.finfo(dtype).eps) * scale
    if zero.any() or np.abs(together - first - second).max() > rounding:
        raise ArgumentError(
            "the model says linear=True, and its prediction is not linear in its params: for "
            "params of zeros it must be zero, and for a sum of params the sum of the predictions"
        )


def _require_known_classes(y: np.ndarray, prediction: jax.ShapeDtypeStruct) -> None:
    if not is_whole(y) or prediction.shape[:-1] != y.shape:
        return
    if y.min() < 0:
        raise ArgumentError(f"y holds the class {y.min()}; classes count from 0")
    if y.max() >= (classes := prediction.shape[-1]):
        raise ArgumentError(f"y holds the class {y.max()}; the model knows 0 to {classes - 1}")


def _loss(loss: Any, defaults: Defaults) -> Any:
    if callable(loss):
        return checks.function("loss", loss)
    return LOSSES[checks.choice("loss", defaults.loss if loss is None else loss, LOSSES)]
