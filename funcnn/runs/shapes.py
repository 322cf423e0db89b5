"""What the shapes alone tell of a run, found by abstract evaluation: nothing compiles."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Array

from funcnn.core import (
    ArgumentError,
    ArgumentTypeError,
    Params,
    Samples,
    Structs,
    TrainState,
)
from funcnn.core.caches import compiled, remembered
from funcnn.core.keys import initial_key, run_key
from funcnn.core.memory import require_memory
from funcnn.core.precision import numerics
from funcnn.core.tracing import plain_errors, refusing_draws
from funcnn.data.arrays import to_numpy
from funcnn.loop.batches import Drawn
from funcnn.loop.fit import first_state
from funcnn.loop.forms import Form, Kept
from funcnn.loop.gradient import loss_of
from funcnn.loop.problem import Problem
from funcnn.loop.step import step_of
from funcnn.loop.update import Update
from funcnn.loop.whole import WholeStep
from funcnn.optimizers.optimizer import Recipe
from funcnn.runs.written import digest_of

__all__ = [
    "Memory",
    "RunShapes",
    "bytes_of",
    "matching_params",
    "matching_state",
    "memory_of",
    "params_shapes",
    "run_shapes",
    "step_digest",
    "structs",
]


class RunShapes(NamedTuple):
    """What a run will hold, as shapes and dtypes.

    Attributes:
        state: the state of the run, its params among it.
        prediction: what the model makes of all the samples; None where the step is given whole.
    """

    state: TrainState
    prediction: jax.ShapeDtypeStruct | None


class Memory(NamedTuple):
    """About how many bytes a run needs, found from shapes alone.

    Attributes:
        step: what the equations of a step make and read: what should fit into a cache.
        whole: an upper bound of all. Beside what a step makes, that is what the form has made of
            the start, and four states: those before and after each of the last two segments.
        data: what the form makes of the samples, which no other counts: the members of a sweep
            share it, unless they have samples of their own.
    """

    step: int
    whole: int
    data: int


def structs(tree: Any) -> Any:
    """The shapes and dtypes of a tree of arrays."""
    return jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), tree)


def params_shapes(init: Callable[..., Params], dtype: str) -> Structs:
    """The shapes of a model's initial values.

    Raises:
        ArgumentError, ArgumentTypeError: where they are none, or not of the run's dtype.
    """
    return _initial_shapes(init, dtype)


def run_shapes(
    problem: Problem,
    form: Form,
    numbers: dict[str, Any],
    params: Structs,
    data: Samples,
    dtype: str,
) -> RunShapes:
    """Go through a run's functions once, without computing anything.

    Args:
        problem: what will be compiled for.
        form: in which form.
        numbers: the optimizer's, by name.
        params: their shapes and dtypes.
        data: the shapes and dtypes of the samples.
        dtype: the run's.

    Raises:
        ArgumentError, ArgumentTypeError: where they do not fit together, or where
            an update would not give back a state of the same kind.
    """
    leaves, tree = jax.tree.flatten(params)
    names = jax.tree.structure(numbers)
    return _run_shapes(problem, form, names, tree, tuple(leaves), data, dtype)


def memory_of(
    problem: Problem,
    form: Form,
    shapes: RunShapes,
    data: Samples,
    dtype: str,
) -> Memory:
    """The memory that a run needs."""
    leaves, tree = jax.tree.flatten(shapes.state)
    return _memory(problem, form, tree, tuple(leaves), data, dtype)


def step_digest(problem: Problem, form: Form, shapes: RunShapes, data: Samples, dtype: str) -> str:
    """What tells a run's step from any that computes something else; see ``written``."""
    step, kept = _step_of(problem, form, shapes.state, data, dtype)
    with numerics(dtype):
        return digest_of(step, kept)


def matching_params(params: Params, shapes: Structs) -> Params:
    """A private copy of params, where their tree, shapes and dtypes are these.

    Raises:
        ArgumentError, ArgumentTypeError: naming the first difference.
    """
    wanted = {_named(path): leaf for path, leaf in jax.tree.leaves_with_path(shapes)}
    given = {_named(path): leaf for path, leaf in jax.tree.leaves_with_path(params)}
    if jax.tree.structure(params) != jax.tree.structure(shapes):
        missing = [name for name in wanted if name not in given]
        unknown = [name for name in given if name not in wanted]
        raise ArgumentError(
            f"params are another tree: missing {', '.join(missing) or 'none'}, "
            f"unknown {', '.join(unknown) or 'none'}; the model has {', '.join(wanted)}"
        )
    copies = {}
    for name, leaf in given.items():
        array, want = to_numpy(name, leaf), wanted[name]
        if isinstance(leaf, (float, int)) and not isinstance(leaf, bool):
            array = array.astype(want.dtype)
        if array.shape != want.shape or array.dtype != want.dtype:
            raise ArgumentError(
                f"{name} is {array.dtype}{array.shape}; the model has {want.dtype}{want.shape}"
            )
        if not np.isfinite(array).all():
            raise ArgumentError(f"{name} is not finite")
        copies[name] = array
    return jax.tree.unflatten(jax.tree.structure(shapes), list(copies.values()))


def matching_state(state: TrainState, shapes: TrainState, steps: int) -> TrainState:
    """The state to go on from, where this run's has the same structure, shapes and dtypes.

    Args:
        state: the state.
        shapes: those of this run's.
        steps: how many steps it is to go on for.

    Raises:
        ArgumentError, ArgumentTypeError: naming the first difference.
    """
    matching_params(state.params, shapes.params)
    given, wanted = state._replace(kept=None), shapes._replace(kept=None)
    if jax.tree.structure(given) != jax.tree.structure(wanted):
        raise ArgumentError(
            "state: its optimizer_state is another optimizer's; go on with the optimizer that "
            "the state comes from"
        )
    for (path, leaf), want in zip(
        jax.tree.leaves_with_path(given), jax.tree.leaves(wanted), strict=True
    ):
        if not isinstance(leaf, (jax.Array, np.ndarray, np.generic)):
            raise ArgumentTypeError(
                f"state{jax.tree_util.keystr(path)} must be an array, not {leaf!r:.60}"
            )
        if (leaf.shape, leaf.dtype) != (want.shape, want.dtype):
            raise ArgumentError(
                f"state{jax.tree_util.keystr(path)} is {leaf.dtype}{leaf.shape}; this run has "
                f"{want.dtype}{want.shape}"
            )
    if not 0 <= int(state.step) < 2**31 - steps:
        raise ArgumentError(
            f"state.step={int(state.step)}, and steps={steps} more: steps are counted from 0, to "
            f"below 2**31"
        )
    return jax.tree.map(lambda leaf: leaf.copy() if isinstance(leaf, np.ndarray) else leaf, state)


@remembered
def _initial_shapes(init: Callable[[], Callable[..., Params]], dtype: Callable[[], str]) -> Structs:
    with numerics(dtype()), plain_errors("the model's init"):
        params = jax.eval_shape(lambda: init()(initial_key(0)))
    _require_floats(params, dtype())
    return jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), params)


@remembered
def _run_shapes(
    problem: Callable[[], Problem],
    form: Callable[[], Form],
    numbers: Callable[[], Any],
    tree: Callable[[], Any],
    leaves: Callable[[], tuple[Any, ...]],
    data: Callable[[], Samples],
    dtype: Callable[[], str],
) -> RunShapes:
    zeros = jax.tree.unflatten(numbers(), [0.0] * numbers().num_leaves)

    def start(params: Params) -> TrainState:
        optimizer = problem().optimizer
        if isinstance(optimizer, (Recipe, WholeStep)):
            return first_state(params, lambda params: optimizer.init(params, zeros), run_key(0))
        return first_state(params, optimizer.init, run_key(0))

    def predict(params: Params, x: Array) -> Array:
        key = (run_key(0),) if problem().model.stochastic else ()
        return compiled(problem().model.apply)(params, x, *key)

    def compare(prediction: Array, data: Samples) -> Array:
        return loss_of(problem().loss, prediction, data.y, data.weight)

    params = jax.tree.unflatten(tree(), leaves())
    # One function after the other, so that an error says whose it is.
    with numerics(dtype()):
        prediction = None
        if not isinstance(problem().optimizer, WholeStep):
            with plain_errors("the model's apply"):
                prediction = _traced(problem().model.apply, predict, params, data().x)
            if (quiet := problem().model.predict) is not None:
                with plain_errors("the model's predict"):
                    without_noise = jax.eval_shape(compiled(quiet), params, data().x)
                    _require_same_prediction(structs(without_noise), structs(prediction))
            with plain_errors("the loss"):
                jax.eval_shape(compare, prediction, data())
        with plain_errors("the optimizer or its schedule"):
            state = jax.eval_shape(start, params)
        after = jax.eval_shape(_update(problem(), form(), data()), state, data())[0]
        _require_same_kind(state, after)
        return RunShapes(state, prediction)


@remembered
def _memory(
    problem: Callable[[], Problem],
    form: Callable[[], Form],
    tree: Callable[[], Any],
    leaves: Callable[[], tuple[Any, ...]],
    data: Callable[[], Samples],
    dtype: Callable[[], str],
) -> Memory:
    from jax.extend.core import Literal  # It costs import time.

    state = jax.tree.unflatten(tree(), leaves())
    step, kept = _step_of(problem(), form(), state, data(), dtype())
    with numerics(dtype()):
        program = jax.make_jaxpr(step)(kept).jaxpr
    states, starts = jax.tree.leaves(kept.state), jax.tree.leaves(kept.start)
    read = {variable for equation in program.eqns for variable in equation.invars
            if not isinstance(variable, Literal)}  # fmt: skip
    own = program.invars[: len(states) + len(starts)]
    made = _bytes_made(program)
    return Memory(
        step=made + sum(bytes_of(one.aval) for one in own if one in read),
        whole=made + 4 * sum(map(bytes_of, states)) + sum(map(bytes_of, starts)),
        data=sum(map(bytes_of, jax.tree.leaves(kept.data))),
    )


def _step_of(
    problem: Problem, form: Form, state: TrainState, data: Samples, dtype: str
) -> tuple[Callable[[Kept], Any], Kept]:
    """A step of a loop, and the shapes of what the loop holds."""
    update = _update(problem, form, data)

    def enter(state: TrainState, data: Samples) -> Kept:
        return form.enter(update.problem, form.begin(update.problem, state, data), data)

    def step(kept: Kept) -> Any:
        return step_of(update.problem, form, kept, 0)

    with numerics(dtype):
        return step, jax.eval_shape(enter, state, data)


def _traced(apply: Callable[..., Any], predict: Callable[..., Any], *arguments: Any) -> Any:
    """The shape of what ``predict`` gives, which traces ``apply``."""
    try:
        with refusing_draws("the model's apply", apply):
            return jax.eval_shape(predict, *arguments)
    except ArgumentError:
        compiled(apply).clear_cache()  # Another call would find its trace.
        raise


def _update(problem: Problem, form: Form, data: Samples) -> Update:
    """A step of the problem; of its batches only the size matters here."""
    if problem.batches is not None:
        size = problem.batches.size
        batches = Drawn(size, shuffle=False, drop_last=size <= data.y.shape[0])
        problem = problem._replace(batches=batches)
    return Update(problem, form)


def _require_floats(params: Structs, dtype: str) -> None:
    leaves = jax.tree.leaves_with_path(params)
    if not leaves:
        raise ArgumentError("the model's init gives no parameters")
    for path, leaf in leaves:
        if leaf.dtype != dtype:
            raise ArgumentTypeError(
                f"the model's init gives {_named(path)} as {leaf.dtype}; the run is in {dtype}"
            )
    needed = 4 * sum(map(bytes_of, jax.tree.leaves(params)))
    require_memory("the params and what a run makes of them need", needed)


def _require_same_kind(before: TrainState, after: TrainState) -> None:
    if jax.tree.structure(after) != jax.tree.structure(before):
        raise ArgumentError("an update changes the structure of the params or optimizer state")
    for (path, old), new in zip(
        jax.tree.leaves_with_path(before), jax.tree.leaves(after), strict=True
    ):
        if (old.shape, old.dtype) != (new.shape, new.dtype):
            raise ArgumentError(
                f"an update turns state{jax.tree_util.keystr(path)} from {old.dtype}{old.shape} "
                f"into {new.dtype}{new.shape}"
            )


def _require_same_prediction(found: Any, expected: jax.ShapeDtypeStruct) -> None:
    if found != expected:
        raise ArgumentError(
            f"the model's predict gives {found} where its apply gives {expected}; both are "
            f"predictions"
        )


def _named(path: Any) -> str:
    return f"params{jax.tree_util.keystr(path)}"


def _bytes_made(program: Any) -> int:
    from jax.extend.core import jaxprs_in_params  # It costs import time.

    made = 0
    for equation in program.eqns:
        inner = [_bytes_made(part) for part in jaxprs_in_params(equation.params)]
        made += sum(inner) if inner else sum(bytes_of(result.aval) for result in equation.outvars)
    return made


def bytes_of(array: Any) -> int:
    """The bytes of an array of that shape and dtype."""
    return math.prod(array.shape) * array.dtype.itemsize
