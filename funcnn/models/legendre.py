"""A Legendre polynomial, shifted and scaled: y = a + b P₃(c + d x).

P₃ has a derivative of its own. Where PyTorch subclasses ``torch.autograd.Function``, JAX
pairs the function with two others, which ``defvjp`` registers.

Source: "PyTorch learning notes 5", section 5.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from funcnn.core import AnyArray, Params, Structs
from funcnn.losses import sum_squared_error

__all__ = ["apply", "formula", "init", "p3", "sizes", "value_and_grad"]

Values: TypeAlias = Float[AnyArray, "*shape"] | float


@jax.custom_vjp
def p3(z: Values) -> Values:
    """P₃(z) = ½ (5z³ − 3z), with a rule of its own for reverse mode (``jax.grad``) alone.

    >>> float(p3(1.0)), float(jax.grad(p3)(1.0))
    (1.0, 6.0)
    """
    return 0.5 * (5 * z**3 - 3 * z)


def _forward(z: Values) -> tuple[Values, Values]:
    """The value, and what ``_backward`` will need: the input, no more."""
    return p3(z), z


def _backward(z: Values, grad_output: AnyArray) -> tuple[AnyArray]:
    """The gradient of the input, from that of the output: P₃′(z) = 3/2 (5z² − 1)."""
    return (grad_output * 1.5 * (5 * z**2 - 1),)


p3.defvjp(_forward, _backward)


def init(key: Key[Array, ""]) -> dict[str, Array]:
    """``{"a": 0, "b": −1, "c": 0, "d": 0.3}``: the tutorial's own start, whatever the key."""
    del key
    return {
        name: jnp.array(value, dtype=float)
        for name, value in {"a": 0.0, "b": -1.0, "c": 0.0, "d": 0.3}.items()
    }


def sizes(params: Params | Structs) -> dict[str, Any]:
    """``{}``: it has no sizes to set."""
    del params
    return {}


def apply(params: Params, x: Float[AnyArray, " samples"]) -> Float[Array, " samples"]:
    """The curve a + b P₃(c + d x) at each x."""
    return params["a"] + params["b"] * p3(params["c"] + params["d"] * x)


def value_and_grad(
    params: Params, x: Float[AnyArray, " samples"], y: Float[AnyArray, " samples"]
) -> tuple[Float[Array, ""], Params]:
    """The sum of squared errors and its gradient, derived by hand.

    A drop-in for ``jax.value_and_grad`` of the loss of :func:`apply`.
    """
    z = params["c"] + params["d"] * x
    p3_z = 0.5 * (5 * z**3 - 3 * z)
    y_pred = params["a"] + params["b"] * p3_z
    loss = sum_squared_error(y_pred, y)

    grad_y_pred = 2 * (y_pred - y)
    grad_z = grad_y_pred * params["b"] * 1.5 * (5 * z**2 - 1)
    gradient = {
        "a": grad_y_pred.sum(),
        "b": jnp.vdot(grad_y_pred, p3_z),
        "c": grad_z.sum(),
        "d": jnp.vdot(grad_z, x),
    }
    return loss, gradient


def formula(params: Params) -> str:
    """The fitted function as the tutorial prints it.

    >>> formula({"a": 0.0, "b": -1.0, "c": 0.0, "d": 0.3})
    'y = 0.0 + -1.0 * P3(0.0 + 0.3 x)'
    """
    a, b, c, d = (float(params[name]) for name in "abcd")
    return f"y = {a} + {b} * P3({c} + {d} x)"
