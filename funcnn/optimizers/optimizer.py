"""The optimizers' type: an optax transformation that says what it is, its numbers in its state."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int

from funcnn.core import ArgumentError, ArgumentTypeError, Params, checks
from funcnn.core.precision import jax_promotion
from funcnn.optimizers.schedules import Schedule

__all__ = ["NumbersState", "Optimizer", "Recipe", "each_buffer", "recipe_of"]


class NumbersState(NamedTuple):
    """The state of an :class:`Optimizer`.

    Attributes:
        step: how many updates it has made, a scalar int32.
        numbers: the hyperparameters by name; of a schedule, its numbers by name.
        inner: the state of the optax transformation that it makes of them.
    """

    step: Int[Array, ""]
    numbers: dict[str, Any]
    inner: Any


class Recipe(NamedTuple):
    """An optimizer without its numbers: equal for all that share one compiled program.

    Attributes:
        factory: a module's function from settings and numbers to an optax transformation.
        settings: what decides the transformation's structure, by name.
        schedules: the hyperparameters that follow from the step, each with its function
            ``schedule(step, **numbers)``.
        elementwise: whether each number of the params is treated alone, so that the steps
            do not depend on how the numbers are arranged.
        linear: whether the steps are linear in gradients and params.
    """

    factory: Callable[..., optax.GradientTransformation]
    settings: tuple[tuple[str, Any], ...]
    schedules: tuple[tuple[str, Callable[..., Any]], ...]
    elementwise: bool
    linear: bool

    def init(self, params: Params, numbers: Mapping[str, Any]) -> NumbersState:
        """The state before the first update, with these numbers in it."""
        step = jnp.zeros((), jnp.int32)
        dtype = _dtype(params)
        traced = jax.tree.map(lambda number: jnp.asarray(number, dtype), dict(numbers))
        inner = self._transformation(step, traced, dtype).init(params)
        return NumbersState(step, traced, inner)

    def update(
        self, gradient: Params, state: NumbersState, params: Params | None = None
    ) -> tuple[Params, NumbersState]:
        """What to add to the params, and the next state."""
        transformation = self._transformation(state.step, state.numbers, _dtype(gradient))
        change, inner = transformation.update(gradient, state.inner, params)
        return change, NumbersState(state.step + 1, state.numbers, inner)

    def _transformation(
        self, step: Int[Array, ""], numbers: dict[str, Any], dtype: Any
    ) -> optax.GradientTransformation:
        values = dict(self.settings) | numbers
        for name, schedule in self.schedules:
            values[name] = _scheduled(name, schedule, step, numbers.get(name, {}), dtype)
        return self.factory(**values)


class Optimizer(optax.GradientTransformationExtraArgs):
    """An ``optax.GradientTransformation`` whose numbers live in its state.

    Another learning rate compiles nothing again, and ``jax.vmap`` over the numbers is a
    sweep.

    Attributes:
        recipe: all of it but the numbers.
        numbers: the hyperparameters that ``init`` puts into the state, by name.
    """

    recipe: Recipe
    numbers: dict[str, Any]

    def __new__(cls, recipe: Recipe, numbers: Mapping[str, Any]) -> Optimizer:
        """An optimizer from its recipe and its numbers."""
        numbers = dict(numbers)
        init = functools.partial(recipe.init, numbers=numbers)
        optimizer = super().__new__(cls, init, _with_extra_arguments(recipe))
        optimizer.recipe, optimizer.numbers = recipe, numbers
        return optimizer

    @classmethod
    def of(
        cls,
        factory: Callable[..., optax.GradientTransformation],
        settings: Mapping[str, Any] | None = None,
        *,
        linear: bool = False,
        **hyperparameters: Any,
    ) -> Optimizer:
        """The optimizer that a factory of an elementwise transformation makes.

        Args:
            factory: a module's own function, from settings and hyperparameters to
                a transformation that treats each number alone.
            settings: arguments that decide the transformation's structure.
            linear: whether its steps are linear in gradients and params.
            **hyperparameters: numbers (traced ones too), schedules, or None for
                what is not used.
        """
        fixed, numbers, schedules = dict(settings or {}), {}, {}
        for name, value in hyperparameters.items():
            if isinstance(value, Schedule):
                schedules[name] = _Rule(value.function, value.settings)
                numbers[name] = dict(value.numbers)
            elif callable(value):
                schedules[name] = value
            elif value is None:
                fixed[name] = None
            else:
                numbers[name] = value
        recipe = Recipe(
            factory, tuple(fixed.items()), tuple(schedules.items()), elementwise=True, linear=linear
        )
        return cls(recipe, numbers)

    def __getnewargs__(self) -> tuple[Any, ...]:
        """What a copy is made from."""
        return self.recipe, self.numbers


def recipe_of(optimizer: optax.GradientTransformation) -> Recipe | optax.GradientTransformation:
    """What a program is compiled for: an optimizer less its numbers, where these are known."""
    return optimizer.recipe if isinstance(optimizer, Optimizer) else optimizer


def each_buffer(
    optimizer: Recipe, function: Callable[[Params], Params], state: NumbersState, params: Params
) -> NumbersState:
    """The optimizer's state with ``function`` applied to each part that mirrors the params.

    Args:
        optimizer: whose state it is.
        function: from a tree built like ``params`` to another tree.
        state: the optimizer's state.
        params: the params that the state belongs to, for their structure.
    """
    structure, buffer = jax.tree.structure(params), object()

    def init(placeholder: Params) -> NumbersState:
        return optimizer.init(placeholder, state.numbers)

    marked = optax.tree_utils.tree_map_params(init, lambda _: buffer, state)

    def is_buffer(part: Any) -> bool:
        same = jax.tree.structure(part) == structure
        return same and all(leaf is buffer for leaf in jax.tree.leaves(part))

    return jax.tree.map(
        lambda mark, part: function(part) if is_buffer(mark) else part,
        marked,
        state,
        is_leaf=is_buffer,
    )


class _Rule(NamedTuple):
    """A schedule without its numbers: ``rule(step, **numbers)``."""

    function: Callable[..., Any]
    settings: tuple[tuple[str, Any], ...]

    def __call__(self, step: Int[Array, ""], **numbers: Any) -> Any:
        return self.function(step, **numbers, **dict(self.settings))


def _with_extra_arguments(recipe: Recipe) -> Callable[..., tuple[Params, NumbersState]]:
    """``recipe.update``, which ignores what optax passes to those that search along a line."""

    def update(
        gradient: Params, state: NumbersState, params: Params | None = None, **_: Any
    ) -> tuple[Params, NumbersState]:
        return recipe.update(gradient, state, params)

    return update


def _dtype(params: Params) -> Any:
    leaves = jax.tree.leaves(params)
    if not leaves:  # optax asks for a state of no params, to learn where they would be.
        return jax.dtypes.canonicalize_dtype(float)
    with jax.numpy_dtype_promotion("standard"):
        return jnp.result_type(*leaves)


def _scheduled(
    name: str,
    schedule: Callable[..., Any],
    step: Int[Array, ""],
    numbers: dict[str, Any],
    dtype: Any,
) -> Float[Array, ""]:
    """The value of a schedule at a step, which is counted in the run's own precision."""
    with jax_promotion():
        value = schedule(step.astype(jax.dtypes.canonicalize_dtype(int)), **numbers)
    if value is None:
        raise ArgumentTypeError(f"{name}: the schedule returns None; it must return a number")
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        # The same at every step.
        checks.number(f"{name}: the schedule's value", value, positive=name == "learning_rate")
    try:
        rate = jnp.asarray(value)
    except (TypeError, ValueError):
        raise ArgumentTypeError(
            f"{name}: the schedule returns {value!r:.60}; it must return a number"
        ) from None
    if rate.shape != ():
        raise ArgumentError(
            f"{name}: the schedule returns shape {rate.shape}; it must return one number"
        )
    if not jnp.issubdtype(rate.dtype, jnp.floating) and not jnp.issubdtype(rate.dtype, jnp.integer):
        raise ArgumentTypeError(
            f"{name}: the schedule returns {rate.dtype}; it must return a real number"
        )
    return rate.astype(dtype)
