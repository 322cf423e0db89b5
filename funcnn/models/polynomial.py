"""A polynomial: y = a + b x + c x² + d x³, or any other degree up to 25.

Source: "PyTorch learning notes 5", sections 2 to 4 and 8.
"""

from __future__ import annotations

import string
from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from funcnn.core import AnyArray, ArgumentError, Params, Structs
from funcnn.losses import sum_squared_error
from funcnn.models.layers import normal, powers

__all__ = ["apply", "formula", "init", "sizes", "value_and_grad"]


def init(key: Key[Array, ""], *, degree: int = 3) -> dict[str, Array]:
    """``{"a": (), "b": (), …}``: a letter for each power of x, each value N(0, 1)."""
    return normal(key, dict.fromkeys(string.ascii_lowercase[: degree + 1], ()))


def sizes(params: Params | Structs) -> dict[str, Any]:
    """The sizes of given params, as :func:`init` takes them.

    Raises:
        ArgumentError: where they are no dict of two coefficients at least.
    """
    if not isinstance(params, Mapping) or len(params) < 2:
        raise ArgumentError(
            f"params must be a dict of coefficients a, b, …, two at least; got {params!r:.60}"
        )
    return {"degree": len(params) - 1}


def apply(params: Params, x: Float[AnyArray, " samples"]) -> Float[Array, " samples"]:
    """The polynomial at each x."""
    coefficients = jnp.stack([params[letter] for letter in sorted(params)])
    return coefficients @ powers(x, degree=len(params) - 1)


def value_and_grad(
    params: Params, x: Float[AnyArray, " samples"], y: Float[AnyArray, " samples"]
) -> tuple[Float[Array, ""], Params]:
    """The sum of squared errors and its gradient, derived by hand.

    A drop-in for ``jax.value_and_grad`` of the loss of :func:`apply`: the
    prediction's derivative by the coefficient of xᵏ is xᵏ.
    """
    y_pred = apply(params, x)
    loss = sum_squared_error(y_pred, y)

    grad_y_pred = 2 * (y_pred - y)
    gradient = powers(x, degree=len(params) - 1) @ grad_y_pred
    return loss, dict(zip(sorted(params), gradient, strict=True))


def formula(params: Params) -> str:
    """The fitted polynomial as the tutorial prints it.

    >>> formula({"a": 1.0, "b": 2.0, "c": 3.0, "d": -4.0})
    'y = 1.0 + 2.0 x + 3.0 x^2 + -4.0 x^3'
    """
    powers = ["", " x", *(f" x^{power}" for power in range(2, len(params)))]
    terms = [
        f"{float(params[letter])}{x}" for letter, x in zip(sorted(params), powers, strict=True)
    ]
    return f"y = {' + '.join(terms)}"
