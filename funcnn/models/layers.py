"""What the models are made of: PyTorch's initial values, ``clamp``, dropout, and powers of x.

Each tree of initial values is cut from **one** random draw. The program that
draws is most of what a cold start compiles, and one draw compiles several times
faster than one for each array.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from funcnn.core import AnyArray, ArgumentError, Params, Structs

__all__ = ["clamp", "dropout", "linear", "normal", "powers", "shape_of"]


def clamp(h: Float[AnyArray, "*shape"]) -> Float[Array, "*shape"]:
    """max(h, 0) with a gradient of **1** at exactly 0, as ``h.clamp(min=0)`` has it.

    ``jax.nn.relu`` and ``torch.nn.ReLU`` have 0 there, ``jnp.maximum`` ½.

    >>> jax.grad(clamp)(0.0), jax.grad(jax.nn.relu)(0.0)
    (Array(1., dtype=float32, weak_type=True), Array(0., dtype=float32, weak_type=True))
    """
    return jnp.where(h < 0, jnp.zeros_like(h), h)


def dropout(
    key: Key[Array, ""], h: Float[AnyArray, "*shape"], rate: float
) -> Float[Array, "*shape"]:
    """Each number of h set to 0 with probability ``rate``, the others divided by ``1 - rate``.

    As ``torch.nn.Dropout`` does in training: the mean over the draws is h. The same numbers
    are dropped in float32 and in float64.
    """
    bits = jax.random.bits(key, h.shape, jnp.uint32)
    kept = bits >= jnp.uint32(int(rate * 2**32))
    return jnp.where(kept, h / (1 - rate), jnp.zeros_like(h))


def normal(key: Key[Array, ""], shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Array]:
    """Arrays of the given shapes, each value N(0, 1), like ``torch.randn``.

    >>> {name: w.shape for name, w in normal(jax.random.key(0), {"w1": (3, 2), "a": ()}).items()}
    {'w1': (3, 2), 'a': ()}
    """
    return _cut(jax.random.normal(key, (_total(shapes),)), shapes)


def linear(key: Key[Array, ""], sizes: tuple[int, ...]) -> dict[str, Array]:
    """Weights and biases of a stack of linear layers, drawn as ``torch.nn.Linear`` does.

    Both are uniform between ±1/√in. (``he_uniform`` and ``lecun_normal``, JAX's
    usual choices, are other distributions.)

    Args:
        key: a JAX random key.
        sizes: the widths, from the inputs to the outputs: ``len(sizes) - 1`` layers.

    Returns:
        ``{"w1": (in, hidden), "b1": (hidden,), "w2": (hidden, out), ...}``.
    """
    bounds, shapes = {}, {}
    for layer, (fan_in, fan_out) in enumerate(itertools.pairwise(sizes), start=1):
        shapes |= {f"w{layer}": (fan_in, fan_out), f"b{layer}": (fan_out,)}
        bounds |= dict.fromkeys((f"w{layer}", f"b{layer}"), 1 / math.sqrt(fan_in))
    draw = _cut(jax.random.uniform(key, (_total(shapes),), minval=-1.0, maxval=1.0), shapes)
    return {name: bounds[name] * value for name, value in draw.items()}


def powers(x: Float[AnyArray, " samples"], degree: int) -> Float[Array, "powers samples"]:
    """1, x, …, x to the degree, a row each.

    A product of coefficients with these rows uses the whole width of a CPU, and so
    does its gradient; term by term, neither does.

    >>> powers(jnp.array([2.0, 3.0]), 2).tolist()
    [[1.0, 1.0], [2.0, 3.0], [4.0, 9.0]]
    """
    return jnp.stack([x**power for power in range(degree + 1)])


def shape_of(params: Params | Structs, name: str, axes: int) -> tuple[int, ...]:
    """The shape of one array of a model's params.

    Raises:
        ArgumentError: where there is none of that name, or it has another number of axes.

    >>> shape_of({"w1": jnp.ones((3, 2))}, "w1", axes=2)
    (3, 2)
    """
    if not isinstance(params, Mapping):
        raise ArgumentError(f"params must be a dict that holds {name}, not {type(params)}")
    if name not in params:
        raise ArgumentError(f"params must hold {name}; they hold {', '.join(map(str, params))}")
    try:
        shape = np.shape(params[name])
    except ValueError as error:
        raise ArgumentError(f"params[{name!r}] is no array: {error}") from error
    if len(shape) != axes:
        raise ArgumentError(f"params[{name!r}] must have {axes} axes; its shape is {shape}")
    return shape


def _total(shapes: Mapping[str, tuple[int, ...]]) -> int:
    return sum(math.prod(shape) for shape in shapes.values())


def _cut(values: Float[Array, " total"], shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Array]:
    ends = list(itertools.accumulate(math.prod(shape) for shape in shapes.values()))
    starts = [0, *ends[:-1]]
    return {
        name: values[start:end].reshape(shape)
        for (name, shape), start, end in zip(shapes.items(), starts, ends, strict=True)
    }
