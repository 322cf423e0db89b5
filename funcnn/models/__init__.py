"""The models, one a module: ``funcnn.models.mlp.apply(params, x)``.

Each module holds the initial values (``init``), the network (``apply``), the sizes that
follow from given params (``sizes``) and, where there is one, the gradient derived by hand.
``make`` binds them to sizes, as a ``funcnn.Model``.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Int

from funcnn.core import ArgumentError, Model, checks
from funcnn.core.keys import run_key, step_key
from funcnn.models import (
    dynamic,
    legendre,
    mlp,
    mlp_linear,
    polynomial,
    polynomial_linear,
)
from funcnn.models.activations import ACTIVATIONS

__all__ = [
    "ACTIVATIONS",
    "MODELS",
    "dynamic",
    "extra_terms",
    "legendre",
    "make",
    "mlp",
    "mlp_linear",
    "options_of",
    "polynomial",
    "polynomial_linear",
    "sizes_of",
]

MODELS = {
    module.__name__.rpartition(".")[2]: module
    for module in (mlp, mlp_linear, polynomial, polynomial_linear, legendre, dynamic)
}


def make(name: str, **arguments: Any) -> Model:
    """A model by name.

    Args:
        name: one of ``MODELS``.
        **arguments: the sizes, as the module's ``init`` takes them: ``in_features``,
            ``hidden`` (a tuple for ``mlp_linear``, ``()`` for no hidden layer) and
            ``out_features`` for the networks, ``degree`` for the polynomials; and the
            options, as its ``apply`` takes them: ``activation`` and ``dropout`` for
            ``mlp_linear``.

    Returns:
        The same ``Model`` object for the same arguments, so that what was
        compiled for it is found again.

    Raises:
        ArgumentError, ArgumentTypeError: for an unknown name, size or option.

    >>> make("mlp", in_features=4, hidden=3, out_features=2).init(jax.random.key(0))["w1"].shape
    (4, 3)
    """
    checks.choice("model", name, MODELS)
    checks.keywords(MODELS[name].init, arguments, [*sizes_of(name), *options_of(name)])
    options = _options(**{key: arguments.pop(key) for key in options_of(name) if key in arguments})
    sizes = arguments
    if "degree" in sizes:
        # 25: the letters a to z name the coefficients.
        degree = checks.integer("degree", sizes["degree"], at_least=1, below=26)
        sizes["degree"] = degree
    for size in ("in_features", "out_features"):
        if size in sizes:
            sizes[size] = checks.integer(size, sizes[size], at_least=1)
    if "hidden" in sizes:
        sizes["hidden"] = _hidden(name, sizes["hidden"])
    return _make(name, tuple(sorted(options.items())), **dict(sorted(sizes.items())))


def sizes_of(name: str) -> tuple[str, ...]:
    """The names of the sizes that a model takes.

    >>> sizes_of("polynomial")
    ('degree',)
    """
    return _keyword_only(MODELS[name].init)


def options_of(name: str) -> tuple[str, ...]:
    """The names of the options that a model takes: what it does beside its sizes.

    >>> options_of("mlp_linear"), options_of("mlp")
    (('activation', 'dropout'), ())
    """
    return _keyword_only(MODELS[name].apply)


def extra_terms(seed: int, steps: int) -> Int[np.ndarray, " steps"]:
    """The number of extra terms that ``dynamic`` draws at each step of a run with this seed.

    >>> extra_terms(seed=0, steps=8)
    array([1, 0, 0, 1, 0, 2, 2, 1], dtype=int32)
    """
    step = jnp.arange(checks.integer("steps", steps, at_least=0), dtype=jnp.int32)
    key = run_key(seed)
    return np.asarray(jax.vmap(lambda t: dynamic.draw_terms(step_key(key, t)))(step))


@functools.cache
def _keyword_only(function: Callable[..., Any]) -> tuple[str, ...]:
    parameters = inspect.signature(function).parameters.values()
    return tuple(one.name for one in parameters if one.kind == one.KEYWORD_ONLY)


@functools.cache
def _make(name: str, options: tuple[tuple[str, Any], ...], **sizes: Any) -> Model:
    init = functools.partial(MODELS[name].init, **sizes)
    return _without_sizes(name, **dict(options))._replace(init=init)


@functools.cache
def _without_sizes(name: str, **options: Any) -> Model:
    """What networks of all sizes share: what is compiled is found by these functions."""
    module = MODELS[name]
    noisy = "dropout" in options
    without_noise = {key: value for key, value in options.items() if key != "dropout"}
    return Model(
        init=None,
        apply=_bound(module.apply, options),
        value_and_grad=None if options else getattr(module, "value_and_grad", None),
        formula=getattr(module, "formula", None),
        stochastic=noisy or module is dynamic,
        linear=module in (polynomial, polynomial_linear),
        head=None if noisy else _bound(getattr(module, "head", None), without_noise),
        input_axes=2 if "in_features" in sizes_of(name) else 1,
        predict=(
            _bound(module.apply, without_noise) if noisy else getattr(module, "predict", None)
        ),
    )


def _bound(function: Callable[..., Any] | None, options: dict[str, Any]) -> Any:
    return functools.partial(function, **options) if function and options else function


def _options(activation: Any = "relu", dropout: Any = 0.0) -> dict[str, Any]:
    """The options that are not PyTorch's plain Linear–ReLU–Linear."""
    options: dict[str, Any] = {}
    if checks.choice("activation", activation, ACTIVATIONS) != "relu":
        options["activation"] = activation
    if rate := checks.number("dropout", dropout, below=1):
        options["dropout"] = rate
    return options


def _hidden(name: str, hidden: Any) -> int | tuple[int, ...]:
    layers = tuple(hidden) if isinstance(hidden, (tuple, list)) else (hidden,)
    layers = tuple(checks.integer("hidden", layer, at_least=1) for layer in layers)
    if name != "mlp":
        return layers
    if len(layers) != 1:
        raise ArgumentError(
            f"hidden={hidden!r}: mlp has one hidden layer; model='mlp_linear' takes any number"
        )
    return layers[0]
