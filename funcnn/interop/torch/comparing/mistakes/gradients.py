"""Operations of a port with the same value and another gradient."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.extend.core import JaxprEqn
from jaxtyping import Array

__all__ = ["Other", "others"]


class Other(NamedTuple):
    """What an operation may be replaced by.

    Attributes:
        name: the mistake, if the gradient is PyTorch's with it.
        advice: what to change.
        function: the operation with another gradient.
    """

    name: str
    advice: str
    function: Callable[..., Any]


def others(operation: JaxprEqn) -> Iterator[Other]:
    """The gradients that an operation may have at equal numbers, at 0, or where it stops one."""
    name, parameters = operation.primitive.name, operation.params
    if name == "stop_gradient":
        yield Other(
            "a stop_gradient that PyTorch has not (no detach there)",
            "take the stop_gradient away",
            lambda x: x,
        )
    if name == "max":
        tied = (
            "jax.numpy.maximum, whose gradient is halved where both numbers are equal",
            "jax.nn.relu, or jnp.where(x > 0, x, 0), has PyTorch's gradient at 0",
        )
        yield Other(*tied, lambda a, b: jnp.where(a > b, a, b))
        yield Other(*tied, lambda a, b: jnp.where(b > a, b, a))
    if name == "min":
        tied = (
            "jax.numpy.minimum, whose gradient is halved where both numbers are equal",
            "jnp.where(x < y, x, y)",
        )
        yield Other(*tied, lambda a, b: jnp.where(a < b, a, b))
        yield Other(*tied, lambda a, b: jnp.where(b < a, b, a))
    if name == "clamp":
        yield Other(
            "jax.lax.clamp, whose gradient at its bounds is another",
            "jnp.where(x < low, low, jnp.where(x > high, high, x))",
            lambda low, x, high: jnp.where(x < low, low, jnp.where(x > high, high, x)),
        )
    if name == "abs":
        yield Other(
            "jax.numpy.abs, whose gradient at 0 is 1",
            "x * jnp.sign(x) has PyTorch's gradient at 0, which is 0",
            lambda x: x * jnp.sign(x),
        )
    if name in ("reduce_max", "reduce_min"):
        axes = parameters["axes"]
        yield Other(
            "a maximum whose gradient is shared by all equal numbers",
            "PyTorch's max along an axis gives it to one: take it by its argmax",
            lambda x: _first_of(x, axes, name == "reduce_max"),
        )
    if name == "sqrt":
        yield Other(*_at_zero("a root"), lambda x: _safe(jnp.sqrt, x))
    if name == "rsqrt":
        yield Other(*_at_zero("a root"), lambda x: _safe(jax.lax.rsqrt, x))
    if name == "log":
        yield Other(*_at_zero("a logarithm"), lambda x: _safe(jnp.log, x))
    if name == "div":
        yield Other(
            *_at_zero("a division"),
            lambda a, b: jnp.where(b == 0, a / b, a / jnp.where(b == 0, 1, b)),
        )
    if name == "pow":
        yield Other(*_at_zero("a power"), lambda x, y: _safe(lambda z: z**y, x))


def _at_zero(what: str) -> tuple[str, str]:
    return (
        f"{what} at 0, whose gradient is not finite (and jnp.where around it does not stop it)",
        "give it a safe number first: jnp.where(x == 0, 1, x) inside, jnp.where outside; "
        "PyTorch's norm has gradient 0 at 0",
    )


def _safe(function: Callable[[Array], Array], x: Array) -> Array:
    """A function with gradient 0 at 0."""
    inside = jnp.where(x == 0, 1, x)
    return jnp.where(x == 0, jax.lax.stop_gradient(function(x)), function(inside))


def _first_of(x: Array, axes: tuple[int, ...], largest: bool) -> Array:
    """The largest or least along some axes; the gradient goes to the first of equal ones."""
    kept = [axis for axis in range(x.ndim) if axis not in axes]
    flat = x.transpose(*kept, *axes).reshape(*(x.shape[axis] for axis in kept), -1)
    place = (jnp.argmax if largest else jnp.argmin)(flat, axis=-1)
    return jnp.take_along_axis(flat, place[..., None], axis=-1)[..., 0]
