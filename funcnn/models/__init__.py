"""The models, one a module: ``funcnn.models.mlp.apply(params, x)``.

Each module holds the initial values (``init``), the network (``apply``), the sizes that
follow from given params (``sizes``) and, where there is one, the gradient derived by hand.
``make`` binds them to sizes, as a ``funcnn.Model``.
"""

from __future__ import annotations

import functools
import inspect
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

__all__ = [
    "MODELS",
    "dynamic",
    "extra_terms",
    "legendre",
    "make",
    "mlp",
    "mlp_linear",
    "polynomial",
    "polynomial_linear",
    "sizes_of",
]

MODELS = {
    module.__name__.rpartition(".")[2]: module
    for module in (mlp, mlp_linear, polynomial, polynomial_linear, legendre, dynamic)
}


def make(name: str, **sizes: Any) -> Model:
    """A model by name.

    Args:
        name: one of ``MODELS``.
        **sizes: as the module's ``init`` takes them: ``in_features``, ``hidden``
            (a tuple for ``mlp_linear``, ``()`` for no hidden layer) and ``out_features``
            for the networks, ``degree`` for the polynomials.

    Returns:
        The same ``Model`` object for the same arguments, so that what was
        compiled for it is found again.

    Raises:
        ArgumentError, ArgumentTypeError: for an unknown name or size.

    >>> make("mlp", in_features=4, hidden=3, out_features=2).init(jax.random.key(0))["w1"].shape
    (4, 3)
    """
    checks.choice("model", name, MODELS)
    checks.keywords(MODELS[name].init, sizes, sizes_of(name))
    if "degree" in sizes:
        # 25: the letters a to z name the coefficients.
        degree = checks.integer("degree", sizes["degree"], at_least=1, below=26)
        sizes["degree"] = degree
    for size in ("in_features", "out_features"):
        if size in sizes:
            sizes[size] = checks.integer(size, sizes[size], at_least=1)
    if "hidden" in sizes:
        sizes["hidden"] = _hidden(name, sizes["hidden"])
    return _make(name, **dict(sorted(sizes.items())))


def sizes_of(name: str) -> list[str]:
    """The names of the sizes that a model takes.

    >>> sizes_of("polynomial")
    ['degree']
    """
    parameters = inspect.signature(MODELS[name].init).parameters.values()
    return [parameter.name for parameter in parameters if parameter.kind == parameter.KEYWORD_ONLY]


def extra_terms(seed: int, steps: int) -> Int[np.ndarray, " steps"]:
    """The number of extra terms that ``dynamic`` draws at each step of a run with this seed.

    >>> extra_terms(seed=0, steps=8)
    array([1, 0, 0, 1, 0, 2, 2, 1], dtype=int32)
    """
    step = jnp.arange(checks.integer("steps", steps, at_least=0), dtype=jnp.int32)
    key = run_key(seed)
    return np.asarray(jax.vmap(lambda t: dynamic.draw_terms(step_key(key, t)))(step))


@functools.cache
def _make(name: str, **sizes: Any) -> Model:
    module = MODELS[name]
    return Model(
        init=functools.partial(module.init, **sizes),
        apply=module.apply,
        value_and_grad=getattr(module, "value_and_grad", None),
        formula=getattr(module, "formula", None),
        stochastic=module is dynamic,
        linear=module in (polynomial, polynomial_linear),
        head=getattr(module, "head", None),
        input_axes=2 if "in_features" in sizes_of(name) else 1,
    )


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
