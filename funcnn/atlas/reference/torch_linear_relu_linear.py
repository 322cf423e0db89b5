"""Linear–ReLU–Linear in eager PyTorch, trained by hand and by Adam.

Each function takes NumPy's arrays and gives the loss before each step and the
final params.

    inputs: (samples, inputs)
    targets: (samples, outputs)
    initial: ``w1`` (inputs, hidden), ``b1``, ``w2`` (hidden, outputs), ``b2``; left as they are
    steps: the number of updates
    learning_rate: the optimizer's, or the share of the gradient that is taken off

They import nothing of the rest of funcnn; PyTorch is the extra ``torch``.
"""

from __future__ import annotations

import numpy as np

from funcnn.atlas.reference.torch_arrays import array, linear, torch

__all__ = [
    "linear_relu_linear",
    "linear_relu_linear_adam",
]

Weights = dict[str, np.ndarray]
Trained = tuple[np.ndarray, Weights]


def linear_relu_linear(
    inputs: np.ndarray, targets: np.ndarray, initial: Weights, steps: int, learning_rate: float
) -> Trained:
    """The updates by hand."""
    x, y = torch.tensor(inputs), torch.tensor(targets)
    first = linear(initial["w1"], initial["b1"])
    second = linear(initial["w2"], initial["b2"])
    model = torch.nn.Sequential(first, torch.nn.ReLU(), second)
    loss_function = torch.nn.MSELoss(reduction="sum")

    losses = []
    for _ in range(steps):
        loss = loss_function(model(x), y)
        losses.append(loss.item())

        model.zero_grad()
        loss.backward()
        with torch.no_grad():
            for param in model.parameters():
                param -= learning_rate * param.grad
    return np.array(losses), _params(first, second)


def linear_relu_linear_adam(
    inputs: np.ndarray, targets: np.ndarray, initial: Weights, steps: int, learning_rate: float
) -> Trained:
    """The updates by Adam."""
    x, y = torch.tensor(inputs), torch.tensor(targets)
    first = linear(initial["w1"], initial["b1"])
    second = linear(initial["w2"], initial["b2"])
    model = torch.nn.Sequential(first, torch.nn.ReLU(), second)
    loss_function = torch.nn.MSELoss(reduction="sum")
    optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate)

    losses = []
    for _ in range(steps):
        loss = loss_function(model(x), y)
        losses.append(loss.item())

        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return np.array(losses), _params(first, second)


def _params(first: torch.nn.Linear, second: torch.nn.Linear) -> Weights:
    return {
        "w1": array(first.weight.t()),
        "b1": array(first.bias),
        "w2": array(second.weight.t()),
        "b2": array(second.bias),
    }
