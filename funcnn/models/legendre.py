"""A Legendre polynomial, shifted and scaled: y = a + b P₃(c + d x).

Source: "PyTorch learning notes 5", section 5.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax.numpy as jnp

from funcnn.legendre import p3
from funcnn.losses import sum_squared_error

if TYPE_CHECKING:
    from jaxtyping import Array, Float, Key

__all__ = ["apply", "formula", "init", "value_and_grad"]


def init(key: Key[Array, ""]) -> dict[str, Array]:
    """``{"a": 0, "b": −1, "c": 0, "d": 0.3}``: the seed's own start, whatever the key."""
    del key
    return {
        name: jnp.array(value, dtype=float)
        for name, value in {"a": 0.0, "b": -1.0, "c": 0.0, "d": 0.3}.items()
    }


def apply(params: dict[str, Array], x: Float[Array, " samples"]) -> Float[Array, " samples"]:
    """a + b P₃(c + d x) at each x."""
    return params["a"] + params["b"] * p3(params["c"] + params["d"] * x)


def value_and_grad(
    params: dict[str, Array], x: Float[Array, " samples"], y: Float[Array, " samples"]
) -> tuple[Float[Array, ""], dict[str, Array]]:
    """The sum of squared errors and its gradient, derived by hand.

    A drop-in for ``jax.value_and_grad`` of the loss of :func:`apply`, with
    P₃′(z) = 3/2 (5z² − 1).
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


def formula(params: dict[str, Array]) -> str:
    """The fitted function as the seed prints it.

    >>> formula({"a": 0.0, "b": -1.0, "c": 0.0, "d": 0.3})
    'y = 0.0 + -1.0 * P3(0.0 + 0.3 x)'
    """
    a, b, c, d = (float(params[name]) for name in "abcd")
    return f"y = {a} + {b} * P3({c} + {d} x)"
