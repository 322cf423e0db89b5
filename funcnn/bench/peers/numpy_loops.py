"""NumPy: the gradient and the update by hand, in a Python loop.

The products broadcast over a sweep's members, so that one loop serves them all.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from funcnn.bench import arrays
from funcnn.bench.drawing import Task
from funcnn.bench.peers import NotServedError, Prepared

__all__ = ["by_hand"]

Weights = dict[str, np.ndarray]
State = dict[str, Any]


def by_hand(task: Task, device: str) -> Prepared:
    """Forward, backward, update, with the optimizer's buffers changed in place."""
    if device != "cpu":
        raise NotServedError("NumPy computes on the CPU")
    gradient, update = GRADIENTS[arrays.kind(task)], UPDATES[task.optimizer]
    inputs, rates = arrays.inputs(task), arrays.rates(task)

    def run(steps: int) -> Weights:
        weights = arrays.weights(task, task.params)
        state = initial_state(weights)
        for step in range(steps):
            x = inputs if task.terms is None else inputs[task.terms[step]]
            _, gradients = gradient(weights, x, task.y)
            update(weights, gradients, rates, state)
        return weights

    return Prepared(run, lambda weights: arrays.named(task, weights))


def mlp(w: Weights, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, Weights]:
    """The loss and gradient of max(0, x·w1)·w2."""
    h = x @ w["w1"]
    h_relu = np.maximum(h, 0)
    error = h_relu @ w["w2"] - y
    grad_y = 2 * error
    grad_h = grad_y @ w["w2"].mT
    grad_h *= h >= 0
    return _squares(error, 2), {"w1": x.T @ grad_h, "w2": h_relu.mT @ grad_y}


def mlp_linear(w: Weights, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, Weights]:
    """The loss and gradient of Linear–ReLU–Linear."""
    h = x @ w["w1"]
    h += w["b1"][..., None, :]
    h_relu = np.maximum(h, 0)
    error = h_relu @ w["w2"]
    error += w["b2"][..., None, :] - y
    grad_y = 2 * error
    grad_h = grad_y @ w["w2"].mT
    grad_h *= h > 0
    return _squares(error, 2), {
        "w1": x.T @ grad_h,
        "b1": grad_h.sum(axis=-2),
        "w2": h_relu.mT @ grad_y,
        "b2": grad_y.sum(axis=-2),
    }


def polynomial(w: Weights, powers: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, Weights]:
    """The loss and gradient of a polynomial, its powers of x given."""
    error = w["coefficients"] @ powers - y
    return _squares(error, 1), {"coefficients": 2 * (error @ powers.T)}


def legendre(w: Weights, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, Weights]:
    """The loss and gradient of a + b P₃(c + d x)."""
    z = w["c"] + w["d"] * x
    square = z * z
    p3 = 0.5 * z * (5 * square - 3)
    error = w["a"] + w["b"] * p3 - y
    grad_y = 2 * error
    grad_z = (1.5 * w["b"]) * grad_y * (5 * square - 1)
    return _squares(error, 1), {
        "a": grad_y.sum(),
        "b": grad_y @ p3,
        "c": grad_z.sum(),
        "d": grad_z @ x,
    }


def initial_state(weights: Weights) -> State:
    """What the optimizers remember: two buffers for each weight at most, and a count."""
    first = {name: np.zeros_like(weight) for name, weight in weights.items()}
    second = {name: np.zeros_like(weight) for name, weight in weights.items()}
    return {"first": first, "second": second, "count": 0}


def sgd(weights: Weights, gradients: Weights, rates: Weights, state: State) -> None:
    """w −= rate · g."""
    del state
    for name, gradient in gradients.items():
        weights[name] -= rates[name] * gradient


def momentum(weights: Weights, gradients: Weights, rates: Weights, state: State) -> None:
    """v = 0.9 v + g; w −= rate · v."""
    for name, gradient in gradients.items():
        velocity = state["first"][name]
        velocity *= 0.9
        velocity += gradient
        weights[name] -= rates[name] * velocity


def rmsprop(weights: Weights, gradients: Weights, rates: Weights, state: State) -> None:
    """v = 0.99 v + 0.01 g²; w −= rate · g / (√v + 1e-8)."""
    for name, gradient in gradients.items():
        squares = state["second"][name]
        squares *= 0.99
        squares += 0.01 * np.square(gradient)
        weights[name] -= rates[name] * gradient / (np.sqrt(squares) + 1e-8)


def adam(weights: Weights, gradients: Weights, rates: Weights, state: State) -> None:
    """Adam with β = (0.9, 0.999) and ε = 1e-8, the defaults of ``torch.optim``."""
    state["count"] += 1
    for name, gradient in gradients.items():
        mean, squares = state["first"][name], state["second"][name]
        mean *= 0.9
        mean += 0.1 * gradient
        square = np.square(gradient, out=gradient)
        square *= 0.001
        squares *= 0.999
        squares += square
        # The gradient's memory serves for the rest.
        denominator = np.sqrt(squares, out=gradient)
        denominator *= (1 - 0.999 ** state["count"]) ** -0.5
        denominator += 1e-8
        change = np.divide(mean, denominator, out=gradient)
        change *= rates[name] / (1 - 0.9 ** state["count"])
        weights[name] -= change


GRADIENTS = {
    "mlp": mlp,
    "mlp_linear": mlp_linear,
    "polynomial": polynomial,
    "legendre": legendre,
}
UPDATES = {"sgd": sgd, "momentum": momentum, "rmsprop": rmsprop, "adam": adam}


def _squares(error: np.ndarray, axes: int) -> np.ndarray:
    """The sum of squares over the last axes: one product of a vector with itself."""
    flat = error if axes == 1 else error.reshape(*error.shape[:-2], -1)
    return np.vecdot(flat, flat)
