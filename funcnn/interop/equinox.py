"""Modules of Equinox, trained as they are.

>>> import equinox as eqx, funcnn, jax, jax.numpy as jnp
>>> net = eqx.nn.MLP(3, 1, 8, depth=1, key=jax.random.key(0))
>>> x = jnp.ones((16, 3))
>>> result = funcnn.train(net, (x, 2 * jnp.ones((16, 1))), steps=500, learning_rate=0.01)
>>> trained = eqx.combine(result.params, net)  # an eqx.nn.MLP again
>>> [round(float(one), 3) for one in jax.vmap(trained)(x)[0]]
[2.0]
"""

from __future__ import annotations

import dataclasses
import inspect
from typing import Any

import equinox as eqx
import jax
from jaxtyping import Array, Key, PyTree, Shaped

from funcnn.core import ArgumentError, ArgumentTypeError, Model
from funcnn.core.precision import jax_promotion
from funcnn.interop.adapting import ByValue, kept, started

__all__ = ["adapted"]


def adapted(arguments: dict[str, Any]) -> dict[str, Any]:
    """The arguments of ``train`` for a module of Equinox, in funcnn's own words.

    A module takes one sample, as is usual there: the model calls it under ``jax.vmap``. The
    params are ``eqx.filter(module, eqx.is_inexact_array)``, a tree of the module's own kind.
    Where ``__call__`` takes a ``key``, and a part is there that inference mode would change, such
    as ``eqx.nn.Dropout``, each sample is given a key of its own; predictions are made in inference
    mode.

    Raises:
        ArgumentError, ArgumentTypeError: for what is no module that can be called with x alone,
            such as one with an ``eqx.nn.BatchNorm``, which keeps running values.
    """
    module = arguments["model"]
    if not isinstance(module, eqx.Module) or not callable(module):
        raise ArgumentTypeError(
            f"model must be an equinox.Module that can be called, not {module!r:.60}"
        )
    for path, part in jax.tree_util.tree_leaves_with_path(module, is_leaf=_is_state):
        if _is_state(part):
            raise ArgumentError(
                f"model{jax.tree_util.keystr(path)} is state that each call changes, such as the "
                f"running values of BatchNorm, and a run changes params alone: take LayerNorm or "
                f"GroupNorm"
            )
    params, static = eqx.partition(module, eqx.is_inexact_array)
    return started(arguments, _model(ByValue(static)), params)


@dataclasses.dataclass(frozen=True)
class Apply:
    """A module's call on many samples.

    Attributes:
        static: all of the module but its params.
    """

    static: ByValue

    @jax_promotion()
    def __call__(
        self,
        params: PyTree,
        x: Shaped[Array, "samples ..."],
        key: Key[Array, ""] | None = None,
    ) -> Shaped[Array, "samples ..."]:
        """The module's outputs, one for each sample; with a key, one of its own for each."""
        module = eqx.combine(params, self.static.tree)
        if key is None:
            return jax.vmap(module)(x)
        return jax.vmap(lambda one, own: module(one, key=own))(x, jax.random.split(key, len(x)))


@kept
def _model(static: ByValue) -> Model:
    """The model of a module, less its params: the same for equal ones."""
    still = ByValue(eqx.nn.inference_mode(static.tree))
    key = inspect.signature(static.tree).parameters.get("key")
    draws = key is not None and (key.default is key.empty or still != static)
    return Model(None, Apply(static), stochastic=draws, predict=Apply(still))


def _is_state(part: Any) -> bool:
    return isinstance(part, eqx.nn.StateIndex)
