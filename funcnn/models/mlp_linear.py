"""Linear–ReLU–…–Linear with biases: ``torch.nn.Sequential(Linear, ReLU, Linear)``.

Any number of hidden layers: the params say how many there are.

Source: "Neural networks on random data", cells 4 and 8.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp

from funcnn.layers import linear
from funcnn.losses import sum_squared_error

if TYPE_CHECKING:
    from jaxtyping import Array, Float, Key

__all__ = ["apply", "init", "value_and_grad"]


def init(
    key: Key[Array, ""],
    *,
    in_features: int = 1000,
    hidden: tuple[int, ...] = (100,),
    out_features: int = 10,
) -> dict[str, Array]:
    """``{"w1": (in_features, hidden[0]), "b1": (hidden[0],), "w2": …}``, ``nn.Linear``'s values."""
    return linear(key, (in_features, *hidden, out_features))


def apply(
    params: dict[str, Array], x: Float[Array, "samples inputs"]
) -> Float[Array, "samples outputs"]:
    """The network's prediction for each row of x."""
    *hidden, last = _layers(params)
    for weight, bias in hidden:
        x = jax.nn.relu(x @ weight + bias[None])
    weight, bias = last
    return x @ weight + bias[None]


def value_and_grad(
    params: dict[str, Array],
    x: Float[Array, "samples inputs"],
    y: Float[Array, "samples outputs"],
) -> tuple[Float[Array, ""], dict[str, Array]]:
    """The sum of squared errors and its gradient, derived by hand.

    A drop-in for ``jax.value_and_grad`` of the loss of :func:`apply`. Layer k
    takes ``inputs[k]``; its ReLU lets the gradient through where the output is
    positive, and nowhere else.
    """
    *hidden, last = _layers(params)
    inputs = [x]
    for weight, bias in hidden:
        inputs.append(jax.nn.relu(inputs[-1] @ weight + bias[None]))
    weight, bias = last
    y_pred = inputs[-1] @ weight + bias[None]
    loss = sum_squared_error(y_pred, y)

    gradient = {}
    grad_output = 2 * (y_pred - y)
    for layer in range(len(inputs), 0, -1):
        layer_input = inputs[layer - 1]
        gradient[f"w{layer}"] = layer_input.T @ grad_output
        gradient[f"b{layer}"] = grad_output.sum(axis=0)
        if layer > 1:
            grad_input = grad_output @ params[f"w{layer}"].T
            grad_output = jnp.where(layer_input > 0, grad_input, 0)
    return loss, gradient


def _layers(params: dict[str, Array]) -> list[tuple[Array, Array]]:
    return [(params[f"w{k}"], params[f"b{k}"]) for k in range(1, len(params) // 2 + 1)]
