"""What was asked of ``train``, checked and completed before anything compiles."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import numpy as np
from jax.core import Tracer

from funcnn.core import (
    ArgumentError,
    ArgumentTypeError,
    Loss,
    Model,
    Params,
    Samples,
    Structs,
    TrainState,
    checks,
)
from funcnn.core.keys import check_seed
from funcnn.core.precision import check_dtype
from funcnn.data.arrays import is_whole
from funcnn.data.columns import Categories, Table
from funcnn.data.mapped import Mapped
from funcnn.data.sources import load
from funcnn.experiments import Experiment
from funcnn.loop.batches import Batches, Blocks, Drawn
from funcnn.loop.forms import FORMS, NAMES, Form, Shapes
from funcnn.loop.forms.first_layer import FIRST_LAYER
from funcnn.loop.forms.quadratic import QUADRATIC
from funcnn.loop.problem import Problem, clip_of, make_problem, whole_problem
from funcnn.loop.update import form_named
from funcnn.loop.whole import StepMaker
from funcnn.losses import OPTIONS
from funcnn.optimizers import OPTIMIZERS
from funcnn.runs.choices import (
    OF_PYTORCH,
    choose_loss,
    choose_optimizer,
    input_axes,
    numbers_of,
    require_representable,
    sized_model,
    what_to_train,
)
from funcnn.runs.claims import require_head, require_linear
from funcnn.runs.devices import placement_of, require_even
from funcnn.runs.epochs import course_of
from funcnn.runs.foreign import adapting
from funcnn.runs.plan import Plan
from funcnn.runs.samples import Prepared, prepare
from funcnn.runs.shapes import (
    matching_params,
    matching_state,
    params_shapes,
    run_shapes,
    structs,
)

MANY_CLASSES = 100
"""From so many classes on, it is asked whether they are classes."""

__all__ = ["TRACED", "accepted_by", "make_plan"]


TRACED = (
    "train and sweep run Python loops and cannot be traced by jit, grad or vmap: funcnn.fit is "
    "for that"
)


@adapting
def make_plan(
    model: str | Model | tuple[Any, ...] | None = None,
    data: Any = None,
    *,
    experiment: str | Experiment | None = None,
    target: str | Sequence[str] | None = None,
    params: Params | None = None,
    state: TrainState | None = None,
    hidden: int | Sequence[int] | None = None,
    activation: str | None = None,
    dropout: float | None = None,
    out_features: int | None = None,
    degree: int | None = None,
    loss: str | Loss | None = None,
    optimizer: Any = None,
    scheduler: Any = None,
    learning_rate: Any = None,
    gradient: str | None = None,
    form: str = "direct",
    steps: int | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    shuffle: bool | None = None,
    drop_last: bool | None = None,
    batches: Any = None,
    sample_weight: Any = None,
    validation: Any = None,
    validation_fraction: float | None = None,
    fold: tuple[int, int] | None = None,
    resample: bool | None = None,
    standardize: bool | None = None,
    categories: Categories = None,
    clip_grad_norm: float | None = None,
    clip_grad_value: float | None = None,
    dtype: Any = None,
    devices: int | Sequence[Any] | None = None,
    sharding: str | None = None,
    seed: int | None = None,
    **hyperparameters: Any,
) -> Plan:
    """Everything that ``train`` documents of these arguments.

    Raises:
        ArgumentError, ArgumentTypeError: for whatever cannot be trained.
    """
    _refuse_traced(
        data=data,
        params=params,
        state=state,
        dropout=dropout,
        learning_rate=learning_rate,
        batches=batches,
        sample_weight=sample_weight,
        validation=validation,
        clip_grad_norm=clip_grad_norm,
        clip_grad_value=clip_grad_value,
        **hyperparameters,
    )
    if scheduler is not None:
        raise ArgumentError(
            "scheduler is for an optimizer of torch.optim; here learning_rate takes a schedule"
        )
    asked, record, defaults = what_to_train(model, data, experiment)
    if params is not None and state is not None:
        raise ArgumentError("params and state: a state has its params; give one of the two")
    if state is not None:
        _require_state(state, seed)
        dtype = _dtype_of(state) if dtype is None else dtype
    dtype = check_dtype(defaults.dtype if dtype is None else dtype)
    seed = check_seed(0 if seed is None else seed)
    options = {name: hyperparameters.pop(name) for name in OPTIONS & hyperparameters.keys()}
    chosen_loss = choose_loss(loss, defaults, **options)
    chosen_optimizer = choose_optimizer(optimizer, learning_rate, hyperparameters, defaults)
    clip = clip_of(clip_grad_norm, clip_grad_value)
    placement = placement_of(devices, sharding)
    numbers = numbers_of(chosen_optimizer)
    limits = {"clip_grad_norm": clip.norm, "clip_grad_value": clip.value}
    require_representable(dtype, **numbers, **options, **limits, dropout=dropout)

    axes = input_axes(asked)
    prepared = prepare(
        _load(data, target, categories, record),
        axes,
        chosen_loss,
        dtype,
        seed,
        sample_weight=sample_weight,
        validation=validation,
        validation_fraction=validation_fraction,
        fold=fold,
        resample=resample,
        standardize=standardize,
    )
    samples = prepared.training
    sizes = {
        "hidden": hidden,
        "activation": activation,
        "dropout": dropout,
        "out_features": out_features,
        "degree": degree,
    }
    start = params if state is None else state.params
    chosen_model = sized_model(asked, sizes, samples.x, _outputs(prepared), start)
    course = course_of(
        len(samples.y),
        defaults.steps,
        steps=steps,
        epochs=epochs,
        batch_size=batch_size,
        shuffle=shuffle,
        drop_last=drop_last,
        batches=batches,
    )
    whole = isinstance(chosen_optimizer, StepMaker)
    tree = _params_shapes(asked, chosen_model, start, dtype, whole)
    if start is not None:
        start = matching_params(start, tree)
    batches = _where_they_lie(course.batches, samples)
    if placement is not None:
        require_even(placement, len(samples.y) if batches is None else batches.size, tree)
    kinds = structs(samples)
    if isinstance(chosen_optimizer, StepMaker):
        _refuse_parts(gradient=gradient, sample_weight=sample_weight)
        step = chosen_optimizer.made(start, kinds, _sizes(batches, len(samples.y)))
        problem = whole_problem(step, batches, placement)
    else:
        problem = make_problem(
            chosen_model,
            chosen_loss,
            chosen_optimizer,
            defaults.gradient if gradient is None else gradient,
            batches,
            clip,
            weighted=samples.weight is not None,
            placement=placement,
        )
    chosen_form = _form(form, problem, Shapes(tree, kinds.x, kinds.y), course.steps)
    shapes = run_shapes(problem, chosen_form, numbers, tree, kinds, dtype)
    for part in (samples, prepared.validation):
        if part is not None and shapes.prediction is not None:
            _require_known_classes(part.y, shapes.prediction)
    if not isinstance(asked, str):
        if chosen_form is QUADRATIC:
            require_linear(chosen_model, tree, samples.x, dtype)
        if chosen_form is FIRST_LAYER:
            require_head(chosen_model, tree, samples.x, dtype)
    return Plan(
        problem=problem,
        form=chosen_form,
        model=chosen_model,
        loss=chosen_loss,
        optimizer=chosen_optimizer,
        recipe=_recipe(asked, activation, dropout),
        params=None if params is None else start,
        state=None if state is None else matching_state(state, shapes.state, course.steps),
        named=frozenset(hyperparameters).union([] if learning_rate is None else ["learning_rate"]),
        data=samples,
        validation=prepared.validation,
        preparation=prepared.preparation,
        rows=course.rows,
        schedule=_schedule(chosen_optimizer, state, course.steps),
        shapes=shapes,
        steps=course.steps,
        per_epoch=course.per_epoch,
        dtype=dtype,
        seed=seed,
    )


@functools.cache
def accepted_by(*functions: Callable[..., Any]) -> list[str]:
    """All that functions such as ``train`` may be given, with any optimizer and any loss."""
    named = [
        parameter.name
        for function in (*functions, *OPTIMIZERS.values())
        for parameter in inspect.signature(function).parameters.values()
        if parameter.kind is not parameter.VAR_KEYWORD
    ]
    return [*named, *sorted(OPTIONS), *OF_PYTORCH]


def _refuse_traced(**given: Any) -> None:
    """Refuse arrays that ``jit``, ``grad`` or ``vmap`` are tracing."""
    for name, value in given.items():
        try:
            leaves = jax.tree.leaves(value, is_leaf=lambda part: isinstance(part, Iterator))
        except ValueError as error:
            raise ArgumentTypeError(
                f"{name} holds a dict whose keys cannot be put in order: text is needed"
            ) from error
        if any(isinstance(leaf, Tracer) for leaf in leaves):
            raise ArgumentTypeError(f"{name} is traced: {TRACED}")


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


def _load(data: Any, target: Any, categories: Categories, record: Experiment | None) -> Table:
    if isinstance(data, Table):  # An adapter has read them.
        return data
    if data is not None:
        return load(data, target, categories)
    if record is None:
        raise ArgumentError("data=None: a model of your own has no data of its own; pass (x, y)")
    if target is not None:
        raise ArgumentError(f"target={target!r} names columns of a table; no data were given")
    return load(record.data())


def _params_shapes(
    request: Any, model: Model, params: Params | None, dtype: str, whole: bool
) -> Structs:
    """The shapes of the params: as the model draws them, or as they are given."""
    if params is None or isinstance(request, str):
        if model.init is None:
            raise ArgumentError("the model has no init, and no params are given to start from")
        return params_shapes(model.init, dtype)
    leaves = jax.tree.leaves(params)
    if not leaves:
        raise ArgumentError("params hold no parameters")

    def kind(leaf: Any) -> jax.ShapeDtypeStruct:
        # Only a step that is given whole has params that are no floats: counters in buffers.
        own = np.dtype(getattr(leaf, "dtype", dtype) if whole else dtype)
        held = own.kind in "biu"
        return jax.ShapeDtypeStruct(np.shape(leaf), own if held else np.dtype(dtype))

    return jax.tree.map(kind, params)


def _form(name: str, problem: Problem, shapes: Shapes, steps: int) -> Form:
    """The form that is asked for; for ``"auto"`` the one that should be done first."""
    if name != "auto" or not isinstance(name, str):
        checks.choice("form", name, (*NAMES, "auto"))
        return form_named(name, problem)

    def microseconds(form: Form) -> float:
        enter, step = form.cost(problem, shapes)
        return enter + steps * step

    return min((form for form in FORMS if form.why_not(problem) is None), key=microseconds)


def _recipe(asked: Any, activation: Any, dropout: Any) -> dict[str, Any] | None:
    if not isinstance(asked, str):
        return None
    options = {"activation": activation, "dropout": dropout}
    return {"model": asked} | {name: one for name, one in options.items() if one is not None}


def _outputs(prepared: Prepared) -> int | None:
    """How many outputs the targets ask for; None where they do not say."""
    y, classes = prepared.training.y, prepared.preparation.classes
    if y.ndim == 2:
        return y.shape[1]
    if not is_whole(y):
        return None
    parts = [part.y for part in (prepared.training, prepared.validation) if part is not None]
    count = max(0 if classes is None else len(classes), *(int(one.max()) + 1 for one in parts), 0)
    samples = sum(map(len, parts))
    if count > max(MANY_CLASSES, samples // 2):
        raise ArgumentError(
            f"y would be {count} classes of {samples} samples: is it a number to predict, as with "
            f"loss='mean_squared_error'? If they are classes, say out_features={count}"
        )
    return count


def _schedule(optimizer: Any, state: TrainState | None, steps: int) -> Any:
    """The optimizer's numbers after each step from 0 on, as far as the run goes."""
    if not isinstance(optimizer, StepMaker):
        return None
    return optimizer.numbers_after(steps + (0 if state is None else int(state.step)))


def _refuse_parts(**given: Any) -> None:
    """Refuse what changes a part of a step, where the step is given whole."""
    for name, value in given.items():
        if value is not None:
            raise ArgumentError(
                f"{name}: the step is given whole, or made by an optimizer of "
                f"torch.optim: what it computes is its own"
            )


def _sizes(batches: Batches | None, samples: int) -> list[int]:
    """Of how many samples the steps of a run may be."""
    if batches is None:
        return [samples]
    if batches.size > samples:
        raise ArgumentError(
            f"batches: a step of {batches.size} samples, and there are {samples}; a step that is "
            f"given whole takes no more than these"
        )
    return [size for size in {batches.size, batches.short(samples)} if size]


def _where_they_lie(batches: Batches | None, samples: Samples) -> Batches | None:
    """The batches as they are taken from memory, or from a file."""
    if not any(isinstance(array, Mapped) for array in samples):
        return batches
    if not isinstance(batches, Drawn):
        raise ArgumentError(
            "data in .npy files are never read whole, so a step cannot take all samples, nor "
            "those of batches=: give batch_size"
        )
    return Blocks(batches, len(samples.y))


def _require_known_classes(y: np.ndarray, prediction: jax.ShapeDtypeStruct) -> None:
    if not is_whole(y) or prediction.shape[:-1] != y.shape:
        return
    if y.min() < 0:
        raise ArgumentError(f"y holds the class {y.min()}; classes count from 0")
    if y.max() >= (classes := prediction.shape[-1]):
        raise ArgumentError(f"y holds the class {y.max()}; the model knows 0 to {classes - 1}")
