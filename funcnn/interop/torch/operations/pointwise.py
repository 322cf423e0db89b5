"""Operations that treat each number alone."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array

__all__ = ["POINTWISE"]

LARGEST_POWER = 64
"""Up to which whole exponent a power is made of products, as PyTorch's small ones are."""


def add(a: Any, b: Any, alpha: Any = 1) -> Any:
    """``a + alpha * b``."""
    return a + (b if _is_one(alpha) else alpha * b)


def sub(a: Any, b: Any, alpha: Any = 1) -> Any:
    """``a - alpha * b``."""
    return a - (b if _is_one(alpha) else alpha * b)


def div(a: Any, b: Any, rounding_mode: str | None = None) -> Any:
    """``a / b``, rounded to a whole number where that is asked for."""
    if rounding_mode == "floor":
        return jnp.floor_divide(a, b)
    quotient = jnp.true_divide(a, b)
    return jnp.trunc(quotient) if rounding_mode == "trunc" else quotient


def power(base: Any, exponent: Any) -> Any:
    """``base ** exponent``; a whole exponent is a product, exact for small ones."""
    if isinstance(exponent, (int, float)):
        if float(exponent).is_integer() and abs(exponent) <= LARGEST_POWER:
            return lax.integer_pow(jnp.asarray(base), int(exponent))
        if exponent == 0.5:
            return jnp.sqrt(base)
    return jnp.power(base, exponent)


def clamp(x: Array, low: Any = None, high: Any = None) -> Array:
    """``x`` between two bounds; NaN stays NaN, and the upper bound wins."""
    if low is not None:
        x = jnp.where(x < low, low, x)
    if high is not None:
        x = jnp.where(x > high, high, x)
    return x


def hardsigmoid_backward(gradient: Array, x: Array) -> Array:
    """The gradient of ``clamp(x + 3, 0, 6) / 6``, with the sixth of PyTorch's CPU kernel.

    The kernel keeps 1/6 in single precision, for float64 too.
    """
    sixth = float(np.float32(1) / np.float32(6))
    return jnp.where((x > -3) & (x < 3), gradient * sixth, 0)


def shrink_backward(gradient: Array, x: Array, bound: Any) -> Array:
    """The gradient of ``hardshrink`` and ``softshrink``: 0 from ``-bound`` to ``bound``."""
    return jnp.where((x >= -bound) & (x <= bound), 0, gradient)


def sinc(x: Array) -> Array:
    """``sin(πx) / (πx)``, and 1 at 0."""
    scaled = math.pi * x
    return jnp.where(x == 0, 1, jnp.sin(scaled) / jnp.where(x == 0, 1, scaled))


def sigmoid(x: Array) -> Array:
    """``1 / (1 + exp(-x))``."""
    return 1 / (1 + jnp.exp(-x))


def masked_fill(x: Array, mask: Array, value: Any) -> Array:
    """``value`` where the mask is true, ``x`` elsewhere."""
    return jnp.where(mask, jnp.asarray(value, x.dtype), x)


def _is_one(value: Any) -> bool:
    return isinstance(value, (int, float)) and value == 1


def _from_numpy(names: str) -> dict[str, Callable[..., Any]]:
    return {name: getattr(jnp, name) for name in names.split()}


POINTWISE: dict[str, Callable[..., Any]] = {
    **_from_numpy(
        "abs ceil copysign cos cosh exp exp2 expm1 floor fmax fmin fmod hypot imag isfinite isinf "
        "isnan log log10 log1p log2 logical_and logical_not logical_or logical_xor maximum minimum "
        "nextafter real reciprocal remainder round sign signbit sin sinh sqrt square tan tanh "
        "trunc where bitwise_and bitwise_or bitwise_xor bitwise_not floor_divide angle conj"
    ),
    "acos": jnp.arccos,
    "acosh": jnp.arccosh,
    "add": add,
    "asin": jnp.arcsin,
    "asinh": jnp.arcsinh,
    "atan": jnp.arctan,
    "atan2": jnp.arctan2,
    "atanh": jnp.arctanh,
    "clamp": clamp,
    "clamp_max": lambda x, high: clamp(x, None, high),
    "clamp_min": clamp,
    "complex": lax.complex,
    "conj_physical": jnp.conj,
    "digamma": lax.digamma,
    "div": div,
    "eq": operator.eq,
    "erf": lax.erf,
    "erfc": lax.erfc,
    "erfinv": lax.erf_inv,
    "ge": operator.ge,
    "gt": operator.gt,
    "hardsigmoid_backward": hardsigmoid_backward,
    "hardshrink_backward": shrink_backward,
    "le": operator.le,
    "lgamma": lax.lgamma,
    "lt": operator.lt,
    "masked_fill": masked_fill,
    "mul": operator.mul,
    "ne": operator.ne,
    "neg": operator.neg,
    "polar": lambda size, angle: lax.complex(size * jnp.cos(angle), size * jnp.sin(angle)),
    "pow": power,
    "relu": lambda x: jnp.maximum(x, 0),
    "rsqrt": lax.rsqrt,
    "rsub": lambda a, b, alpha=1: sub(b, a, alpha),
    "sgn": jnp.sign,
    "sigmoid": sigmoid,
    "sinc": sinc,
    "softshrink_backward": shrink_backward,
    "sub": sub,
    "sym_float": lambda x: x,
    "sym_max": jnp.maximum,
    "sym_min": jnp.minimum,
    "truediv": operator.truediv,
    "view_as_complex": lambda x: lax.complex(x[..., 0], x[..., 1]),
    "view_as_real": lambda x: jnp.stack([x.real, x.imag], -1),
}
