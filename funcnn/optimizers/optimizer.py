"""Optimizers whose numbers live in their state.

An optax transformation is closed over its numbers. With ``inject_hyperparams``
they move into the state; what is left is a template that all numbers share, and
that is found again by what it is made of.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from funcnn.core import remembered

__all__ = [
    "made_of",
    "numbers_of",
    "with_hyperparameters",
    "with_numbers",
    "without_numbers",
]


def with_hyperparameters(
    factory: Callable[..., optax.GradientTransformation],
    static: dict[str, bool],
    **hyperparameters: Any,
) -> optax.GradientTransformation:
    """``factory(**static, **hyperparameters)``, the numbers kept in the optimizer's state.

    Args:
        factory: a module's own function (not a closure), from hyperparameters to
            a transformation.
        static: arguments that decide the transformation's structure.
        **hyperparameters: numbers (traced ones too), schedules, or None for
            what is not used.

    Returns:
        A transformation whose ``update`` is the same object for all numbers.
    """
    schedules = {name: value for name, value in hyperparameters.items() if callable(value)}
    unused = {name: None for name, value in hyperparameters.items() if value is None}
    fixed = static | schedules | unused
    numbers = {name: value for name, value in hyperparameters.items() if name not in fixed}
    template = _template(factory, tuple(fixed.items()), tuple(numbers))
    used = frozenset(numbers) | frozenset(schedules)
    init = _Init(template.init, tuple(numbers.items()), factory, used)
    return optax.GradientTransformationExtraArgs(init, template.update)


def without_numbers(optimizer: optax.GradientTransformation) -> optax.GradientTransformation:
    """The optimizer's template, equal for all numbers; the optimizer itself where it has none.

    Its state has the optimizer's shapes and dtypes.
    """
    init = optimizer.init
    return optimizer._replace(init=init.template) if isinstance(init, _Init) else optimizer


def made_of(optimizer: optax.GradientTransformation) -> tuple[Callable | None, frozenset[str]]:
    """The factory of an optimizer, and the hyperparameters in use; (None, none) of any other."""
    init = optimizer.init
    return (init.factory, init.used) if isinstance(init, _Init) else (None, frozenset())


def numbers_of(optimizer: optax.GradientTransformation) -> dict[str, Any]:
    """The numbers that an optimizer puts in its state, by name.

    >>> from funcnn.optimizers import momentum
    >>> numbers_of(momentum(0.1))
    {'learning_rate': 0.1, 'momentum': 0.9}
    >>> numbers_of(optax.sgd(0.1))
    {}
    """
    return dict(optimizer.init.numbers) if isinstance(optimizer.init, _Init) else {}


def with_numbers(
    optimizer: optax.GradientTransformation, numbers: Mapping[str, Any]
) -> optax.GradientTransformation:
    """The optimizer with other numbers (traced ones too) for all of ``numbers_of`` it."""
    template = without_numbers(optimizer)
    if not numbers:
        return template
    return template._replace(init=_Init(template.init, tuple(numbers.items()), *made_of(optimizer)))


class _Init(NamedTuple):
    """The template's ``init``, the numbers to put in, and what the template was made of."""

    template: Callable[[Any], Any]
    numbers: tuple[tuple[str, Any], ...]
    factory: Callable[..., optax.GradientTransformation] | None
    used: frozenset[str]

    def __call__(self, params: optax.Params) -> Any:
        state = self.template(params)
        dtype = optax.tree.dtype(params, "highest")
        values = {name: jnp.asarray(value, dtype) for name, value in self.numbers}
        return state._replace(hyperparams=state.hyperparams | values)


@remembered
def _template(
    factory: Callable[..., Any], fixed: tuple[tuple[str, Any], ...], numbers: tuple[str, ...]
) -> optax.GradientTransformation:
    """The transformation but for its numbers, which ``init`` leaves at zero."""
    transformation = optax.inject_hyperparams(factory)(**dict(fixed), **dict.fromkeys(numbers, 0.0))
    return optax.GradientTransformationExtraArgs(
        jax.jit(transformation.init), transformation.update
    )
