"""The curves of the tutorials in eager PyTorch, one function for each way of fitting them.

Each function takes NumPy's arrays and gives the loss before each step and the
final params.

    inputs: (samples,)
    targets: (samples,)
    initial: the scalars ``a``, ``b``, …, or ``w`` (3, 1) and ``b`` (1,); left as they are
    steps: the number of updates
    learning_rate: the optimizer's, or the share of the gradient that is taken off
    terms: for ``dynamic``, how many extra terms each step has, (steps,)

They import nothing of the rest of funcnn; PyTorch is the extra ``torch``.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from funcnn.atlas.reference.torch_arrays import array, linear, parameter, torch

__all__ = [
    "cubic_autograd",
    "cubic_linear",
    "cubic_linear_rmsprop",
    "cubic_module",
    "cubic_tensor",
    "dynamic",
    "legendre",
]

Weights = dict[str, np.ndarray]
Trained = tuple[np.ndarray, Weights]


def cubic_tensor(
    inputs: np.ndarray, targets: np.ndarray, initial: Weights, steps: int, learning_rate: float
) -> Trained:
    """Tensors in place of arrays, the gradient still by hand."""
    x, y = torch.tensor(inputs), torch.tensor(targets)
    a, b, c, d = (torch.tensor(initial[name]) for name in "abcd")

    losses = []
    for _ in range(steps):
        y_pred = a + b * x + c * x**2 + d * x**3
        loss = (y_pred - y).pow(2).sum()
        losses.append(loss.item())

        grad_y_pred = 2 * (y_pred - y)
        a -= learning_rate * grad_y_pred.sum()
        b -= learning_rate * (grad_y_pred * x).sum()
        c -= learning_rate * (grad_y_pred * x**2).sum()
        d -= learning_rate * (grad_y_pred * x**3).sum()
    return np.array(losses), {"a": array(a), "b": array(b), "c": array(c), "d": array(d)}


def cubic_autograd(
    inputs: np.ndarray, targets: np.ndarray, initial: Weights, steps: int, learning_rate: float
) -> Trained:
    """The gradient by autograd, the updates by hand."""
    x, y = torch.tensor(inputs), torch.tensor(targets)
    a, b, c, d = (parameter(initial[name]) for name in "abcd")

    losses = []
    for _ in range(steps):
        y_pred = a + b * x + c * x**2 + d * x**3
        loss = (y_pred - y).pow(2).sum()
        losses.append(loss.item())

        loss.backward()
        with torch.no_grad():
            for param in (a, b, c, d):
                param -= learning_rate * param.grad
                param.grad = None
    return np.array(losses), {"a": array(a), "b": array(b), "c": array(c), "d": array(d)}


def legendre(
    inputs: np.ndarray, targets: np.ndarray, initial: Weights, steps: int, learning_rate: float
) -> Trained:
    """a + b P₃(c + d x), with a backward pass of one's own for P₃."""

    class LegendrePolynomial3(torch.autograd.Function):
        @staticmethod
        def forward(ctx, z):
            ctx.save_for_backward(z)
            return 0.5 * (5 * z**3 - 3 * z)

        @staticmethod
        def backward(ctx, grad_output):
            (z,) = ctx.saved_tensors
            return grad_output * 1.5 * (5 * z**2 - 1)

    x, y = torch.tensor(inputs), torch.tensor(targets)
    a, b, c, d = (parameter(initial[name]) for name in "abcd")

    losses = []
    for _ in range(steps):
        y_pred = a + b * LegendrePolynomial3.apply(c + d * x)
        loss = (y_pred - y).pow(2).sum()
        losses.append(loss.item())

        loss.backward()
        with torch.no_grad():
            for param in (a, b, c, d):
                param -= learning_rate * param.grad
                param.grad = None
    return np.array(losses), {"a": array(a), "b": array(b), "c": array(c), "d": array(d)}


def cubic_linear(
    inputs: np.ndarray, targets: np.ndarray, initial: Weights, steps: int, learning_rate: float
) -> Trained:
    """The cubic as a linear layer on (x, x², x³), the updates by hand."""
    x, y = torch.tensor(inputs), torch.tensor(targets)
    xx = x.unsqueeze(-1).pow(torch.tensor([1, 2, 3]))
    layer = linear(initial["w"], initial["b"])
    model = torch.nn.Sequential(layer, torch.nn.Flatten(0, 1))
    loss_function = torch.nn.MSELoss(reduction="sum")

    losses = []
    for _ in range(steps):
        loss = loss_function(model(xx), y)
        losses.append(loss.item())

        model.zero_grad()
        loss.backward()
        with torch.no_grad():
            for param in model.parameters():
                param -= learning_rate * param.grad
    return np.array(losses), {"w": array(layer.weight.t()), "b": array(layer.bias)}


def cubic_linear_rmsprop(
    inputs: np.ndarray, targets: np.ndarray, initial: Weights, steps: int, learning_rate: float
) -> Trained:
    """The cubic as a linear layer on (x, x², x³), the updates by RMSprop."""
    x, y = torch.tensor(inputs), torch.tensor(targets)
    xx = x.unsqueeze(-1).pow(torch.tensor([1, 2, 3]))
    layer = linear(initial["w"], initial["b"])
    model = torch.nn.Sequential(layer, torch.nn.Flatten(0, 1))
    loss_function = torch.nn.MSELoss(reduction="sum")
    optimizer = torch.optim.RMSprop(model.parameters(), lr=learning_rate)

    losses = []
    for _ in range(steps):
        loss = loss_function(model(xx), y)
        losses.append(loss.item())

        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return np.array(losses), {"w": array(layer.weight.t()), "b": array(layer.bias)}


def cubic_module(
    inputs: np.ndarray, targets: np.ndarray, initial: Weights, steps: int, learning_rate: float
) -> Trained:
    """The cubic as a module, the updates by an optimizer."""

    class Polynomial3(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.c, self.d = (parameter(initial[name]) for name in "abcd")

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.a + self.b * x + self.c * x**2 + self.d * x**3

    x, y = torch.tensor(inputs), torch.tensor(targets)
    model = Polynomial3()
    loss_function = torch.nn.MSELoss(reduction="sum")
    optimizer = torch.optim.SGD(model.parameters(), lr=learning_rate)

    losses = []
    for _ in range(steps):
        loss = loss_function(model(x), y)
        losses.append(loss.item())

        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return np.array(losses), {name: array(value) for name, value in model.named_parameters()}


def dynamic(
    inputs: np.ndarray,
    targets: np.ndarray,
    initial: Weights,
    steps: int,
    learning_rate: float,
    terms: Sequence[int],
) -> Trained:
    """The cubic and ``terms[step]`` more terms, which share a weight, by SGD with momentum."""

    class DynamicNet(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.c, self.d, self.e = (parameter(initial[name]) for name in "abcde")

        def forward(self, x: torch.Tensor, extra_terms: int) -> torch.Tensor:
            y = self.a + self.b * x + self.c * x**2 + self.d * x**3
            for exponent in range(4, 4 + extra_terms):
                y = y + self.e * x**exponent
            return y

    x, y = torch.tensor(inputs), torch.tensor(targets)
    model = DynamicNet()
    loss_function = torch.nn.MSELoss(reduction="sum")
    optimizer = torch.optim.SGD(model.parameters(), lr=learning_rate, momentum=0.9)

    losses = []
    for step in range(steps):
        loss = loss_function(model(x, int(terms[step])), y)
        losses.append(loss.item())

        # Zeros, as when the tutorial was written: today's default drops the gradients,
        # and the optimizer then skips e, and its momentum, where a step did not use it.
        optimizer.zero_grad(set_to_none=False)
        loss.backward()
        optimizer.step()
    return np.array(losses), {name: array(value) for name, value in model.named_parameters()}
