"""What ``hk.transform`` gives, trained as it is.

>>> import funcnn, haiku as hk, jax, jax.numpy as jnp
>>> net = hk.transform(lambda x: hk.nets.MLP([8, 1])(x))
>>> x = jnp.ones((16, 3))
>>> result = funcnn.train(net, (x, 2 * jnp.ones((16, 1))), steps=500, learning_rate=0.01)
>>> sorted(result.params)
['mlp/~/linear_0', 'mlp/~/linear_1']
>>> [round(float(one), 3) for one in net.apply(result.params, None, x)[0]]
[2.0]
"""

from __future__ import annotations

import dataclasses
import inspect
from typing import Any

import haiku as hk
from jaxtyping import Array, Key, Shaped

from funcnn.core import ArgumentTypeError, Model, Params
from funcnn.core.precision import jax_promotion
from funcnn.interop.adapting import Sample, drawing, in_run_dtype, kept, modes, sampled

__all__ = ["adapted"]


def adapted(arguments: dict[str, Any]) -> dict[str, Any]:
    """The arguments of ``train`` for a transformed function of Haiku, in funcnn's own words.

    The params are drawn by its own ``init`` for the shape of x. Where the function takes
    ``is_training``, ``training``, ``train`` or ``deterministic``, it is told so; one that draws
    random numbers, by ``hk.next_rng_key``, gets a key in each step.

    Raises:
        ArgumentError, ArgumentTypeError: for what is no result of ``hk.transform``; that of
            ``hk.transform_with_state`` has values that each call changes.
    """
    net = arguments["model"]
    if isinstance(net, hk.TransformedWithState):
        raise ArgumentTypeError(
            "model comes from hk.transform_with_state: it has values that each call changes, such "
            "as the running values of BatchNorm, and a run changes params alone; hk.transform "
            "refuses such parts, and takes LayerNorm or GroupNorm"
        )
    if not isinstance(net, hk.Transformed):
        raise ArgumentTypeError(f"model must be what hk.transform gives, not {net!r:.60}")
    arguments, sample = sampled(arguments)
    return arguments | {"model": _model(net, sample)}


@dataclasses.dataclass(frozen=True)
class Init:
    """The initial params of a transformed function for inputs of a shape."""

    net: hk.Transformed
    sample: Sample

    @jax_promotion()
    def __call__(self, key: Key[Array, ""]) -> Params:
        """The function's initial params, in the run's dtype."""
        options = modes(self.net.init, training=True)
        return in_run_dtype(self.net.init(key, self.sample.batch(), **options))


@dataclasses.dataclass(frozen=True)
class Apply:
    """A transformed function's apply."""

    net: hk.Transformed
    training: bool

    @jax_promotion()
    def __call__(
        self, params: Params, x: Shaped[Array, "samples ..."], key: Key[Array, ""] | None = None
    ) -> Shaped[Array, "samples ..."]:
        """What the function makes of x."""
        names = inspect.signature(self.net.apply).parameters
        draws = (key,) if "rng" in names else ()  # hk.without_apply_rng takes it away.
        return self.net.apply(params, *draws, x, **modes(self.net.apply, self.training))


@kept
def _model(net: hk.Transformed, sample: Sample) -> Model:
    init, apply = Init(net, sample), Apply(net, training=True)
    return Model(
        init,
        apply,
        stochastic=drawing(init, apply, sample),
        predict=Apply(net, training=False),
    )
