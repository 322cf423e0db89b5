"""Modules of Flax NNX, trained as they are.

>>> import funcnn, jax.numpy as jnp
>>> from flax import nnx
>>> rngs = nnx.Rngs(0)
>>> net = nnx.Sequential(nnx.Linear(3, 8, rngs=rngs), nnx.relu, nnx.Linear(8, 1, rngs=rngs))
>>> x = jnp.ones((16, 3))
>>> result = funcnn.train(net, (x, 2 * jnp.ones((16, 1))), steps=500, learning_rate=0.01)
>>> nnx.update(net, result.params)
>>> [round(float(one), 3) for one in net(x)[0]]
[2.0]
"""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Key, Shaped

from funcnn.core import ArgumentError, ArgumentTypeError, Model, Params
from funcnn.core.precision import jax_promotion
from funcnn.interop.adapting import ByValue, kept, modes, started

__all__ = ["adapted"]


def adapted(arguments: dict[str, Any]) -> dict[str, Any]:
    """The arguments of ``train`` for a module of NNX, in funcnn's own words.

    The params are the values of its ``nnx.Param``, as a nested dict. A module that holds the
    state of random numbers, as ``nnx.Dropout`` does, draws by the run's own keys; predictions
    are made in the mode that ``module.eval()`` sets. Where ``__call__`` takes ``train``,
    ``training``, ``is_training`` or ``deterministic``, it is told so.

    Raises:
        ArgumentError, ArgumentTypeError: for what is no module that can be called. A module
            whose call writes other variables, as ``nnx.BatchNorm`` in train mode its running
            values, is refused when it is traced, before anything compiles.
    """
    module = arguments["model"]
    if not isinstance(module, nnx.Module) or not callable(module):
        raise ArgumentTypeError(
            f"model must be a flax.nnx.Module that can be called, not {module!r:.60}"
        )
    graph, params, *others = nnx.split(module, *KINDS)
    # Variables are written in place: these are others than the module's own.
    random, constant = jax.tree.map(lambda value: value, others)
    model = _model(graph, ByValue(random), ByValue(constant))
    return started(arguments, model, nnx.to_pure_dict(params))


KINDS = (nnx.Param, nnx.RngState, ...)
"""What a module is split into beside its graph: params, random state, and all other variables."""


@dataclasses.dataclass(frozen=True)
class Apply:
    """A module's call.

    Attributes:
        graph: what NNX calls the module without its variables.
        random: its keys of random numbers, and how often each was used.
        constant: its other variables that are no params.
        training: whether it is called as the module is, or in the mode that ``eval`` sets.
    """

    graph: nnx.GraphDef[Any]
    random: ByValue
    constant: ByValue
    training: bool

    @jax_promotion()
    def __call__(
        self, params: Params, x: Shaped[Array, "samples ..."], key: Key[Array, ""] | None = None
    ) -> Shaped[Array, "samples ..."]:
        """What the module makes of x; with a key, the random numbers follow from it.

        Raises:
            ArgumentError: where the call writes a variable, or draws without a key.
        """
        random = self.random.tree if key is None else _keyed(self.random.tree, key)
        # As new variables, for the call to write.
        random, constant = jax.tree.map(lambda value: value, (random, self.constant.tree))
        module = nnx.merge(self.graph, nnx.State(params), random, constant)
        if not self.training:
            module.eval()
        prediction = module(x, **modes(module, self.training))
        *_, drawn, written = nnx.split(module, *KINDS)
        if names := _changed(self.constant.tree, written):
            raise ArgumentError(
                f"the model's call writes {', '.join(names)}, such as the running values of "
                f"BatchNorm in train mode, and a run changes params alone: take LayerNorm or "
                f"GroupNorm, or call the module's eval() first"
            )
        if key is None and (names := _changed(self.random.tree, drawn)):
            raise ArgumentError(
                f"the model draws random numbers by {', '.join(names)} in eval mode too, and so "
                f"predicts nothing without noise"
            )
        return prediction


@kept
def _model(graph: nnx.GraphDef[Any], random: ByValue, constant: ByValue) -> Model:
    return Model(
        None,
        Apply(graph, random, constant, training=True),
        stochastic=bool(jax.tree.leaves(random.tree)),
        predict=Apply(graph, random, constant, training=False),
    )


def _keyed(random: Any, key: Key[Array, ""]) -> Any:
    """The random state with keys that follow from one."""
    leaves, structure = jax.tree.flatten(random)
    return structure.unflatten(
        jax.random.fold_in(key, number) if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) else leaf
        for number, leaf in enumerate(leaves)
    )


def _changed(before: Any, after: Any) -> list[str]:
    """The names of the variables that hold another array than before."""
    pairs = zip(jax.tree.leaves_with_path(before), jax.tree.leaves(after), strict=True)
    return [jax.tree_util.keystr(path) for (path, old), new in pairs if new is not old]
