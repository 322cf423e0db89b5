"""The activations by PyTorch's names, each the function of ``torch.nn.functional`` to the letter.

Where JAX means something else, it is written out: ``jax.nn.gelu`` is an approximation unless told
otherwise, ``jax.nn.leaky_relu`` has a gradient of 1 at 0, where PyTorch has the slope, and
``jax.nn.softplus`` has no threshold.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TypeAlias

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from funcnn.core import AnyArray

__all__ = ["ACTIVATIONS", "Activation", "gelu", "identity", "leaky_relu", "softplus"]

Activation: TypeAlias = Callable[[AnyArray], AnyArray]
"""A function of each number alone."""

SLOPE = 0.01
"""Of ``leaky_relu`` below 0, as in PyTorch."""

THRESHOLD = 20.0
"""From which input on ``softplus`` is the line, as in PyTorch."""


def gelu(h: Float[AnyArray, "*shape"]) -> Float[Array, "*shape"]:
    """h Φ(h), with the exact distribution function Φ of N(0, 1)."""
    return jax.nn.gelu(h, approximate=False)


def leaky_relu(h: Float[AnyArray, "*shape"]) -> Float[Array, "*shape"]:
    """h above 0, and h/100 elsewhere.

    >>> round(float(jax.grad(leaky_relu)(0.0)), 6)
    0.01
    """
    return jnp.where(h > 0, h, SLOPE * h)


def softplus(h: Float[AnyArray, "*shape"]) -> Float[Array, "*shape"]:
    """log(1 + exp h) up to h = 20, and h above."""
    above = h > THRESHOLD
    # What is not taken must be finite all the same, or its gradient would be NaN.
    return jnp.where(above, h, jnp.log1p(jnp.exp(jnp.where(above, jnp.zeros_like(h), h))))


def identity(h: Float[AnyArray, "*shape"]) -> Float[AnyArray, "*shape"]:
    """The input itself: the layers make one linear function together."""
    return h


ACTIVATIONS: Mapping[str, Activation] = MappingProxyType(
    {
        "relu": jax.nn.relu,
        "tanh": jnp.tanh,
        "sigmoid": jax.nn.sigmoid,
        "gelu": gelu,
        "silu": jax.nn.silu,
        "elu": jax.nn.elu,
        "leaky_relu": leaky_relu,
        "softplus": softplus,
        "identity": identity,
    }
)
"""Every activation that ``mlp_linear`` can be given, by name."""
