"""The two-layer network with explicit weights: y = max(0, x·w1)·w2, no biases.

Source: "Two fully connected layers" (all nine sections).
"""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from funcnn.core import AnyArray, Params, Structs
from funcnn.losses import sum_squared_error
from funcnn.models.layers import clamp, normal, shape_of

__all__ = ["apply", "head", "init", "sizes", "value_and_grad"]


def init(
    key: Key[Array, ""], *, in_features: int = 1000, hidden: int = 100, out_features: int = 10
) -> dict[str, Array]:
    """``{"w1": (in_features, hidden), "w2": (hidden, out_features)}``, each value N(0, 1)."""
    return normal(key, {"w1": (in_features, hidden), "w2": (hidden, out_features)})


def sizes(params: Params | Structs) -> dict[str, Any]:
    """The sizes of given params, as :func:`init` takes them.

    Raises:
        ArgumentError: where ``w1`` or ``w2`` is missing, or is not a matrix.
    """
    in_features, hidden = shape_of(params, "w1", axes=2)
    _, out_features = shape_of(params, "w2", axes=2)
    return {"in_features": in_features, "hidden": hidden, "out_features": out_features}


def apply(params: Params, x: Float[AnyArray, "samples inputs"]) -> Float[Array, "samples outputs"]:
    """The network's prediction for each row of x."""
    return head(params, x @ params["w1"])


def head(params: Params, h: Float[AnyArray, "samples hidden"]) -> Float[Array, "samples outputs"]:
    """The prediction from the first layer's h = x·w1."""
    h_relu = clamp(h)
    return h_relu @ params["w2"]


def value_and_grad(
    params: Params,
    x: Float[AnyArray, "samples inputs"],
    y: Float[AnyArray, "samples outputs"],
) -> tuple[Float[Array, ""], Params]:
    """The sum of squared errors and its gradient, derived by hand.

    A drop-in for ``jax.value_and_grad`` of the loss of :func:`apply`: the chain
    rule, read from the last line of the network to its first.
    """
    h = x @ params["w1"]
    h_relu = clamp(h)
    y_pred = h_relu @ params["w2"]
    loss = sum_squared_error(y_pred, y)

    grad_y_pred = 2 * (y_pred - y)
    grad_w2 = h_relu.T @ grad_y_pred
    grad_h_relu = grad_y_pred @ params["w2"].T
    grad_h = jnp.where(h < 0, 0, grad_h_relu)
    grad_w1 = x.T @ grad_h
    return loss, {"w1": grad_w1, "w2": grad_w2}
