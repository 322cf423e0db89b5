"""PyTorch without autograd: the gradient and the update by hand, in a Python loop.

The products broadcast over a sweep's members, so that one loop serves them all.
"""

from __future__ import annotations

from typing import Any

import torch

from funcnn.bench import arrays
from funcnn.bench.drawing import Task
from funcnn.bench.peers import Prepared
from funcnn.bench.peers.pytorch_tensors import Step, Tensors, looped, place

__all__ = ["UPDATES", "by_hand", "initial_state"]

State = dict[str, Any]


def by_hand(task: Task, device: str) -> Prepared:
    """Forward, backward, update, with tensors changed in place."""
    weights = place(arrays.weights(task, task.params), device)
    rates = place(arrays.rates(task), device)
    y = place({"y": task.y}, device)["y"]
    gradient, update = GRADIENTS[arrays.kind(task)], UPDATES[task.optimizer]

    def begin() -> Step:
        state = initial_state(weights)

        def step(x: torch.Tensor) -> torch.Tensor:
            loss, gradients = gradient(weights, x, y)
            update(weights, gradients, rates, state)
            return loss

        return step

    return looped(task, weights, begin)


def mlp(w: Tensors, x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, Tensors]:
    """The loss and gradient of max(0, x·w1)·w2."""
    h = x @ w["w1"]
    h_relu = h.clamp(min=0)
    error = h_relu @ w["w2"] - y
    grad_y = 2 * error
    grad_h = (grad_y @ w["w2"].mT).masked_fill_(h < 0, 0)
    loss = error.square().sum(dim=(-2, -1))
    return loss, {"w1": x.T @ grad_h, "w2": h_relu.mT @ grad_y}


def mlp_linear(w: Tensors, x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, Tensors]:
    """The loss and gradient of Linear–ReLU–Linear."""
    h_relu = (x @ w["w1"]).add_(w["b1"].unsqueeze(-2)).relu_()
    error = (h_relu @ w["w2"]).add_(w["b2"].unsqueeze(-2) - y)
    grad_y = 2 * error
    grad_h = (grad_y @ w["w2"].mT).masked_fill_(h_relu == 0, 0)
    loss = error.square().sum(dim=(-2, -1))
    return loss, {
        "w1": x.T @ grad_h,
        "b1": grad_h.sum(dim=-2),
        "w2": h_relu.mT @ grad_y,
        "b2": grad_y.sum(dim=-2),
    }


def polynomial(w: Tensors, powers: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, Tensors]:
    """The loss and gradient of a polynomial, its powers of x given."""
    error = w["coefficients"] @ powers - y
    return error.square().sum(dim=-1), {"coefficients": 2 * (error @ powers.T)}


def legendre(w: Tensors, x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, Tensors]:
    """The loss and gradient of a + b P₃(c + d x)."""
    z = w["c"] + w["d"] * x
    square = z * z
    p3 = 0.5 * z * (5 * square - 3)
    error = w["a"] + w["b"] * p3 - y
    grad_y = 2 * error
    grad_z = (1.5 * w["b"]) * grad_y * (5 * square - 1)
    return error @ error, {
        "a": grad_y.sum(),
        "b": grad_y @ p3,
        "c": grad_z.sum(),
        "d": grad_z @ x,
    }


def initial_state(weights: Tensors) -> State:
    """What the optimizers remember: two buffers for each weight at most, and a count."""
    first = {name: torch.zeros_like(weight) for name, weight in weights.items()}
    second = {name: torch.zeros_like(weight) for name, weight in weights.items()}
    return {"first": first, "second": second, "count": 0}


def sgd(weights: Tensors, gradients: Tensors, rates: Tensors, state: State) -> None:
    """w −= rate · g."""
    del state
    for name, gradient in gradients.items():
        weights[name].addcmul_(rates[name], gradient, value=-1)


def momentum(weights: Tensors, gradients: Tensors, rates: Tensors, state: State) -> None:
    """v = 0.9 v + g; w −= rate · v."""
    for name, gradient in gradients.items():
        velocity = state["first"][name].mul_(0.9).add_(gradient)
        weights[name].addcmul_(rates[name], velocity, value=-1)


def rmsprop(weights: Tensors, gradients: Tensors, rates: Tensors, state: State) -> None:
    """v = 0.99 v + 0.01 g²; w −= rate · g / (√v + 1e-8)."""
    for name, gradient in gradients.items():
        squares = state["second"][name].mul_(0.99).addcmul_(gradient, gradient, value=0.01)
        denominator = squares.sqrt().add_(1e-8)
        weights[name].addcdiv_(rates[name] * gradient, denominator, value=-1)


def adam(weights: Tensors, gradients: Tensors, rates: Tensors, state: State) -> None:
    """Adam with β = (0.9, 0.999) and ε = 1e-8, the defaults of ``torch.optim``."""
    state["count"] += 1
    for name, gradient in gradients.items():
        mean = state["first"][name].lerp_(gradient, 0.1)
        squares = state["second"][name].mul_(0.999).addcmul_(gradient, gradient, value=0.001)
        denominator = squares.sqrt().mul_((1 - 0.999 ** state["count"]) ** -0.5).add_(1e-8)
        rate = rates[name] / (1 - 0.9 ** state["count"])
        weights[name].addcdiv_(rate * mean, denominator, value=-1)


GRADIENTS = {
    "mlp": mlp,
    "mlp_linear": mlp_linear,
    "polynomial": polynomial,
    "legendre": legendre,
}
UPDATES = {"sgd": sgd, "momentum": momentum, "rmsprop": rmsprop, "adam": adam}
