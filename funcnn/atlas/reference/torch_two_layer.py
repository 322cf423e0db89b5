"""The two-layer network in eager PyTorch, a function for each of the tutorial's ways to train it.

Each function takes NumPy's arrays and gives the loss before each step and the
final params.

    inputs: (samples, inputs)
    targets: (samples, outputs)
    initial: ``w1`` (inputs, hidden) and ``w2`` (hidden, outputs); left as they are
    steps: the number of updates
    learning_rate: the share of the gradient that an update takes off

They import nothing of the rest of funcnn; PyTorch is the extra ``torch``.
"""

from __future__ import annotations

import numpy as np

from funcnn.atlas.reference.torch_arrays import array, linear, parameter, torch

__all__ = [
    "two_layer_autograd",
    "two_layer_loss",
    "two_layer_module_explicit",
    "two_layer_module_implicit",
    "two_layer_optim",
    "two_layer_sequential",
    "two_layer_sequential_optim",
    "two_layer_tensor",
]

Weights = dict[str, np.ndarray]
Trained = tuple[np.ndarray, Weights]


def two_layer_tensor(
    inputs: np.ndarray, targets: np.ndarray, initial: Weights, steps: int, learning_rate: float
) -> Trained:
    """Tensors in place of arrays, the gradient still by hand."""
    x, y = torch.tensor(inputs), torch.tensor(targets)
    w1, w2 = torch.tensor(initial["w1"]), torch.tensor(initial["w2"])

    losses = []
    for _ in range(steps):
        h = x.mm(w1)
        h_relu = h.clamp(min=0)
        y_pred = h_relu.mm(w2)
        loss = (y_pred - y).pow(2).sum()
        losses.append(loss.item())

        grad_y_pred = 2 * (y_pred - y)
        grad_w2 = h_relu.t().mm(grad_y_pred)
        grad_h_relu = grad_y_pred.mm(w2.t())
        grad_h = grad_h_relu.clone()
        grad_h[h < 0] = 0
        grad_w1 = x.t().mm(grad_h)

        w1 -= learning_rate * grad_w1
        w2 -= learning_rate * grad_w2
    return np.array(losses), {"w1": array(w1), "w2": array(w2)}


def two_layer_autograd(
    inputs: np.ndarray, targets: np.ndarray, initial: Weights, steps: int, learning_rate: float
) -> Trained:
    """The gradient by autograd, the updates by hand."""
    x, y = torch.tensor(inputs), torch.tensor(targets)
    w1, w2 = parameter(initial["w1"]), parameter(initial["w2"])

    losses = []
    for _ in range(steps):
        y_pred = x.mm(w1).clamp(min=0).mm(w2)
        loss = (y_pred - y).pow(2).sum()
        losses.append(loss.item())

        loss.backward()
        with torch.no_grad():
            for weight in (w1, w2):
                weight -= learning_rate * weight.grad
                weight.grad.zero_()
    return np.array(losses), {"w1": array(w1), "w2": array(w2)}


def two_layer_optim(
    inputs: np.ndarray, targets: np.ndarray, initial: Weights, steps: int, learning_rate: float
) -> Trained:
    """The updates by an optimizer."""
    x, y = torch.tensor(inputs), torch.tensor(targets)
    w1, w2 = parameter(initial["w1"]), parameter(initial["w2"])
    optimizer = torch.optim.SGD([w1, w2], lr=learning_rate)

    losses = []
    for _ in range(steps):
        y_pred = x.mm(w1).clamp(min=0).mm(w2)
        loss = (y_pred - y).pow(2).sum()
        losses.append(loss.item())

        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    return np.array(losses), {"w1": array(w1), "w2": array(w2)}


def two_layer_loss(
    inputs: np.ndarray, targets: np.ndarray, initial: Weights, steps: int, learning_rate: float
) -> Trained:
    """The loss by a module of ``nn``."""
    x, y = torch.tensor(inputs), torch.tensor(targets)
    w1, w2 = parameter(initial["w1"]), parameter(initial["w2"])
    optimizer = torch.optim.SGD([w1, w2], lr=learning_rate)
    loss_function = torch.nn.MSELoss(reduction="sum")

    losses = []
    for _ in range(steps):
        y_pred = x.mm(w1).clamp(min=0).mm(w2)
        loss = loss_function(y_pred, y)
        losses.append(loss.item())

        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    return np.array(losses), {"w1": array(w1), "w2": array(w2)}


def two_layer_sequential(
    inputs: np.ndarray, targets: np.ndarray, initial: Weights, steps: int, learning_rate: float
) -> Trained:
    """The network as a stack of layers, the updates by hand."""
    x, y = torch.tensor(inputs), torch.tensor(targets)
    first, second = linear(initial["w1"]), linear(initial["w2"])
    model = torch.nn.Sequential(first, torch.nn.ReLU(), second)
    loss_function = torch.nn.MSELoss(reduction="sum")

    losses = []
    for _ in range(steps):
        loss = loss_function(model(x), y)
        losses.append(loss.item())

        loss.backward()
        with torch.no_grad():
            for weight in model.parameters():
                weight -= learning_rate * weight.grad
        model.zero_grad()
    return np.array(losses), {"w1": array(first.weight.t()), "w2": array(second.weight.t())}


def two_layer_sequential_optim(
    inputs: np.ndarray, targets: np.ndarray, initial: Weights, steps: int, learning_rate: float
) -> Trained:
    """The network as a stack of layers, the updates by an optimizer."""
    x, y = torch.tensor(inputs), torch.tensor(targets)
    first, second = linear(initial["w1"]), linear(initial["w2"])
    model = torch.nn.Sequential(first, torch.nn.ReLU(), second)
    loss_function = torch.nn.MSELoss(reduction="sum")
    optimizer = torch.optim.SGD(model.parameters(), lr=learning_rate)

    losses = []
    for _ in range(steps):
        loss = loss_function(model(x), y)
        losses.append(loss.item())

        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    return np.array(losses), {"w1": array(first.weight.t()), "w2": array(second.weight.t())}


def two_layer_module_explicit(
    inputs: np.ndarray, targets: np.ndarray, initial: Weights, steps: int, learning_rate: float
) -> Trained:
    """The network as a module that holds its weights."""

    class Network(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.w1 = parameter(initial["w1"])
            self.w2 = parameter(initial["w2"])

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.mm(self.w1).clamp(min=0).mm(self.w2)

    x, y = torch.tensor(inputs), torch.tensor(targets)
    model = Network()
    loss_function = torch.nn.MSELoss(reduction="sum")
    optimizer = torch.optim.SGD(model.parameters(), lr=learning_rate)

    losses = []
    for _ in range(steps):
        loss = loss_function(model(x), y)
        losses.append(loss.item())

        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    return np.array(losses), {"w1": array(model.w1), "w2": array(model.w2)}


def two_layer_module_implicit(
    inputs: np.ndarray, targets: np.ndarray, initial: Weights, steps: int, learning_rate: float
) -> Trained:
    """The network as a module that holds layers."""

    class Network(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.first = linear(initial["w1"])
            self.second = linear(initial["w2"])

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.second(self.first(x).clamp(min=0))

    x, y = torch.tensor(inputs), torch.tensor(targets)
    model = Network()
    loss_function = torch.nn.MSELoss(reduction="sum")
    optimizer = torch.optim.SGD(model.parameters(), lr=learning_rate)

    losses = []
    for _ in range(steps):
        loss = loss_function(model(x), y)
        losses.append(loss.item())

        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    w1, w2 = model.first.weight.t(), model.second.weight.t()
    return np.array(losses), {"w1": array(w1), "w2": array(w2)}
