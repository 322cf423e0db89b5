"""Linear–ReLU–…–Linear with biases: ``torch.nn.Sequential(Linear, ReLU, Linear)``.

Any number of hidden layers: the params say how many there are. ``hidden=()`` is one linear layer
and no more: linear regression with a loss of squared errors, softmax (multinomial logistic)
regression with ``cross_entropy``.

Any of ``ACTIVATIONS`` may stand in place of ReLU, and dropout after each. ``value_and_grad`` is
of ReLU without dropout.

Source: "Neural networks on random data", cells 4 and 8.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from funcnn.core import AnyArray, ArgumentError, Params, Structs
from funcnn.losses import sum_squared_error
from funcnn.models.activations import ACTIVATIONS
from funcnn.models.layers import dropout as drop
from funcnn.models.layers import linear, shape_of

__all__ = ["apply", "head", "init", "sizes", "value_and_grad"]


def init(
    key: Key[Array, ""],
    *,
    in_features: int = 1000,
    hidden: tuple[int, ...] = (100,),
    out_features: int = 10,
) -> dict[str, Array]:
    """``{"w1": (in_features, hidden[0]), "b1": (hidden[0],), "w2": …}``, ``nn.Linear``'s values.

    ``hidden=()`` is linear regression, or softmax regression: ``w1`` and ``b1`` alone.
    """
    return linear(key, (in_features, *hidden, out_features))


def sizes(params: Params | Structs) -> dict[str, Any]:
    """The sizes of given params, as :func:`init` takes them.

    Raises:
        ArgumentError: where a weight is missing, or is not a matrix.
    """
    in_features, _ = shape_of(params, "w1", axes=2)
    layers = range(1, max(1, _layers(params)) + 1)
    *hidden, out_features = (shape_of(params, f"w{layer}", axes=2)[1] for layer in layers)
    return {"in_features": in_features, "hidden": tuple(hidden), "out_features": out_features}


def apply(
    params: Params,
    x: Float[AnyArray, "samples inputs"],
    key: Key[Array, ""] | None = None,
    *,
    activation: str = "relu",
    dropout: float = 0.0,
) -> Float[AnyArray, "samples outputs"]:
    """The network's prediction for each row of x.

    Args:
        params: the weights and biases.
        x: the inputs.
        key: what the dropout follows from: layer k draws from ``fold_in(key, k)``.
        activation: one of ``ACTIVATIONS``, after each hidden layer.
        dropout: the share of each hidden layer's outputs that is set to 0, after the
            activation; 0 for none.

    Raises:
        ArgumentError: for dropout without a key.
    """
    return _after_first(params, _affine(params, 1, x), key, activation, dropout)


def head(
    params: Params, h: Float[AnyArray, "samples hidden"], *, activation: str = "relu"
) -> Float[AnyArray, "samples outputs"]:
    """The prediction from the first layer's h = x·w1 + b1; without hidden layers, h itself.

    It needs no ``w1`` and no ``b1``: the gram form of the loop leaves them out.
    """
    return _after_first(params, h, None, activation, 0.0)


def value_and_grad(
    params: Params,
    x: Float[AnyArray, "samples inputs"],
    y: Float[AnyArray, "samples outputs"],
) -> tuple[Float[Array, ""], Params]:
    """The sum of squared errors and its gradient, derived by hand.

    A drop-in for ``jax.value_and_grad`` of the loss of :func:`apply`. Layer k
    takes ``inputs[k - 1]``; its ReLU lets the gradient through where the output is
    positive, and nowhere else.
    """
    layers = _layers(params)
    inputs = [x]
    for layer in range(1, layers):
        inputs.append(jax.nn.relu(_affine(params, layer, inputs[-1])))
    y_pred = _affine(params, layers, inputs[-1])
    loss = sum_squared_error(y_pred, y)

    gradient = {}
    grad_output = 2 * (y_pred - y)
    for layer in range(layers, 0, -1):
        layer_input = inputs[layer - 1]
        gradient[f"w{layer}"] = layer_input.T @ grad_output
        gradient[f"b{layer}"] = grad_output.sum(axis=0)
        if layer > 1:
            grad_input = grad_output @ params[f"w{layer}"].T
            grad_output = jnp.where(layer_input > 0, grad_input, 0)
    return loss, gradient


def _after_first(
    params: Params,
    h: Float[AnyArray, "samples hidden"],
    key: Key[Array, ""] | None,
    activation: str,
    dropout: float,
) -> Float[AnyArray, "samples outputs"]:
    """What the network makes of the first layer's outputs."""
    for layer in range(2, _layers(params) + 1):
        h = ACTIVATIONS[activation](h)
        if dropout:
            if key is None:
                raise ArgumentError(f"dropout={dropout!r} draws random numbers: pass a key")
            h = drop(jax.random.fold_in(key, layer - 1), h, dropout)
        h = _affine(params, layer, h)
    return h


def _affine(
    params: Params, layer: int, x: Float[AnyArray, "samples inputs"]
) -> Float[AnyArray, "samples outputs"]:
    """One linear layer: x·w + b."""
    return x @ params[f"w{layer}"] + params[f"b{layer}"][None]


def _layers(params: Params | Structs) -> int:
    """How many linear layers there are; the params of the first may have been left out."""
    return 1 + sum(name.startswith("w") for name in params.keys() - {"w1"})
