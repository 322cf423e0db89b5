"""Modules of Flax's linen, trained as they are.

>>> import funcnn, jax.numpy as jnp
>>> from flax import linen as nn
>>> net = nn.Sequential([nn.Dense(8), nn.relu, nn.Dense(1)])
>>> x = jnp.ones((16, 3))
>>> result = funcnn.train(net, (x, 2 * jnp.ones((16, 1))), steps=500, learning_rate=0.01)
>>> sorted(result.params)
['layers_0', 'layers_2']
>>> [round(float(one), 3) for one in net.apply({"params": result.params}, x)[0]]
[2.0]
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Hashable
from typing import Any

from flax import linen
from jaxtyping import Array, Key, Shaped

from funcnn.core import ArgumentError, ArgumentTypeError, Model, Params
from funcnn.core.precision import jax_promotion
from funcnn.interop.adapting import Sample, drawing, in_run_dtype, kept, modes, sampled

__all__ = ["adapted"]


def adapted(arguments: dict[str, Any]) -> dict[str, Any]:
    """The arguments of ``train`` for a module of linen, in funcnn's own words.

    The params are those of the module's collection ``"params"``, drawn by its own ``init`` for
    the shape of x. Where ``__call__`` takes ``train``, ``training``, ``is_training`` or
    ``deterministic``, it is told so; a module that draws random numbers, as ``nn.Dropout``
    does, gets a key in each step.

    Raises:
        ArgumentError, ArgumentTypeError: for what is no module that can be called, and for one
            that has variables beside its params, such as ``nn.BatchNorm`` with its running
            values.
    """
    module = arguments["model"]
    if not isinstance(module, linen.Module) or not callable(module):
        raise ArgumentTypeError(
            f"model must be a flax.linen.Module that can be called, not {module!r:.60}"
        )
    arguments, sample = sampled(arguments)
    return arguments | {"model": _model(Alike(module), sample)}


@dataclasses.dataclass(frozen=True, eq=False)
class Alike:
    """A module, equal to another of the same kind and fields, lists among them."""

    module: Any

    @functools.cached_property
    def key(self) -> Hashable:
        """What is the same for equal modules: Flax hashes none that holds a list."""
        return repr(self.module)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Alike) and self.module == other.module

    def __hash__(self) -> int:
        return hash(self.key)


@dataclasses.dataclass(frozen=True)
class Init:
    """The initial params of a module for inputs of a shape."""

    of: Alike
    sample: Sample

    @jax_promotion()
    def __call__(self, key: Key[Array, ""]) -> Params:
        """The module's initial params, in the run's dtype."""
        module = self.of.module
        variables = module.init(key, self.sample.batch(), **modes(module, training=False))
        others = sorted(variables.keys() - {"params"})
        if others:
            raise ArgumentError(
                f"the model has variables beside its params, {', '.join(others)}, such as the "
                f"running values of BatchNorm, and a run changes params alone: take LayerNorm or "
                f"GroupNorm"
            )
        return in_run_dtype(variables.get("params", {}))


@dataclasses.dataclass(frozen=True)
class Apply:
    """A module's call."""

    of: Alike
    training: bool

    @jax_promotion()
    def __call__(
        self, params: Params, x: Shaped[Array, "samples ..."], key: Key[Array, ""] | None = None
    ) -> Shaped[Array, "samples ..."]:
        """What the module makes of x."""
        module = self.of.module
        return module.apply({"params": params}, x, rngs=key, **modes(module, self.training))


@kept
def _model(of: Alike, sample: Sample) -> Model:
    init, apply = Init(of, sample), Apply(of, training=True)
    return Model(
        init,
        apply,
        stochastic=drawing(init, apply, sample),
        predict=Apply(of, training=False),
    )
