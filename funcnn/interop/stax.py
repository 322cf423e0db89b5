"""Pairs of ``jax.example_libraries.stax``, trained as they are.

>>> import funcnn, jax.numpy as jnp
>>> from jax.example_libraries import stax
>>> net = init, apply = stax.serial(stax.Dense(8), stax.Relu, stax.Dense(1))
>>> x = jnp.ones((16, 3))
>>> result = funcnn.train(net, (x, 2 * jnp.ones((16, 1))), steps=500, learning_rate=0.01)
>>> [round(float(one), 3) for one in apply(result.params, x[0])]
[2.0]
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

from jaxtyping import Array, Key, Shaped

from funcnn.core import ArgumentTypeError, Model, Params, checks
from funcnn.core.precision import jax_promotion
from funcnn.interop.adapting import Sample, drawing, in_run_dtype, kept, sampled

__all__ = ["adapted"]


def adapted(arguments: dict[str, Any]) -> dict[str, Any]:
    """The arguments of ``train`` for a pair of stax, in funcnn's own words.

    The params are drawn by the pair's own ``init`` for the shape of x. A pair that asks for
    random numbers, as ``stax.Dropout`` does in the mode ``"train"``, gets a key in each step, and
    cannot predict: its mode is part of it.

    Raises:
        ArgumentError, ArgumentTypeError: for what is no pair of functions.
    """
    pair = arguments["model"]
    if len(pair) != 2:
        raise ArgumentTypeError(f"model must be a pair (init, apply) of stax, not {pair!r:.60}")
    for name, function in zip(("init", "apply"), pair, strict=True):
        checks.function(f"model's {name}", function)
    arguments, sample = sampled(arguments)
    return arguments | {"model": _model(Pair(*pair), sample)}


class Pair(NamedTuple):
    """``init(key, shape) -> (shape, params)`` and ``apply(params, x, rng=None)``."""

    init: Callable[..., Any]
    apply: Callable[..., Any]


@dataclasses.dataclass(frozen=True)
class Init:
    """The initial params of a pair for inputs of a shape."""

    pair: Pair
    sample: Sample

    @jax_promotion()
    def __call__(self, key: Key[Array, ""]) -> Params:
        """The pair's initial params, in the run's dtype."""
        _, params = self.pair.init(key, (-1, *self.sample.shape))
        return in_run_dtype(params)


@dataclasses.dataclass(frozen=True)
class Apply:
    """A pair's apply."""

    pair: Pair

    @jax_promotion()
    def __call__(
        self, params: Params, x: Shaped[Array, "samples ..."], key: Key[Array, ""] | None = None
    ) -> Shaped[Array, "samples ..."]:
        """What the pair makes of x."""
        return self.pair.apply(params, x, **({} if key is None else {"rng": key}))


@kept
def _model(pair: Pair, sample: Sample) -> Model:
    init, apply = Init(pair, sample), Apply(pair)
    return Model(init, apply, stochastic=drawing(init, apply, sample))
