"""Every model in eager PyTorch, trained with any class of ``torch.optim``.

Arrays go in and come out as NumPy's, in the layout of funcnn's params trees.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch

Weights = dict[str, np.ndarray]
Tensors = dict[str, torch.Tensor]


def mlp(params: Tensors, x: torch.Tensor) -> torch.Tensor:
    """Explicit weights, no biases."""
    return x.mm(params["w1"]).clamp(min=0).mm(params["w2"])


def mlp_linear(params: Tensors, x: torch.Tensor) -> torch.Tensor:
    """Linear–ReLU–…–Linear; PyTorch keeps a weight as (out, in)."""
    layers = len(params) // 2
    for k in range(1, layers):
        x = torch.nn.functional.linear(x, params[f"w{k}"].t(), params[f"b{k}"])
        x = torch.nn.functional.relu(x)
    return torch.nn.functional.linear(x, params[f"w{layers}"].t(), params[f"b{layers}"])


def polynomial(params: Tensors, x: torch.Tensor) -> torch.Tensor:
    """The polynomial a + b x + c x² + …."""
    y = params["a"]
    for power, letter in enumerate(sorted(params)[1:], start=1):
        y = y + params[letter] * x**power
    return y


def polynomial_linear(params: Tensors, x: torch.Tensor) -> torch.Tensor:
    """``Linear(degree, 1)`` on the powers of x, flattened."""
    powers = torch.arange(1, len(params["w"]) + 1)
    xx = x.unsqueeze(-1).pow(powers)
    return torch.nn.functional.linear(xx, params["w"].t(), params["b"]).flatten(0, 1)


def legendre(params: Tensors, x: torch.Tensor) -> torch.Tensor:
    """The Legendre fit a + b P₃(c + d x)."""
    z = params["c"] + params["d"] * x
    return params["a"] + params["b"] * 0.5 * (5 * z**3 - 3 * z)


def dynamic(params: Tensors, x: torch.Tensor, terms: int) -> torch.Tensor:
    """The cubic, and e x⁴, e x⁵ as far as ``terms`` says."""
    y = params["a"] + params["b"] * x + params["c"] * x**2 + params["d"] * x**3
    for exp in range(4, 4 + terms):
        y = y + params["e"] * x**exp
    return y


FORWARDS: dict[str, Callable[..., torch.Tensor]] = {
    "mlp": mlp,
    "mlp_linear": mlp_linear,
    "polynomial": polynomial,
    "polynomial_linear": polynomial_linear,
    "legendre": legendre,
    "dynamic": dynamic,
}


def train(
    model: str,
    x: np.ndarray,
    y: np.ndarray,
    params: Weights,
    steps: int,
    optimizer: str,
    *,
    terms: Sequence[int] | None = None,
    **options: float | bool,
) -> tuple[np.ndarray, Weights]:
    """Train a model, one eager step after the other, on the sum of squared errors.

    Args:
        model: a name of ``FORWARDS``.
        x: the inputs.
        y: the targets.
        params: the initial values; left as they are.
        steps: the number of updates.
        optimizer: the name of a class of ``torch.optim``.
        terms: for ``dynamic``, the number of extra terms of each step.
        **options: what the optimizer takes: ``lr=…``, ``momentum=…``.

    Returns:
        The loss before each update, and the final params.
    """
    tensors = _tensors(params)
    x_tensor, y_tensor = torch.tensor(x), torch.tensor(y)
    torch_optimizer = getattr(torch.optim, optimizer)(list(tensors.values()), **options)
    losses = []
    for step in range(steps):
        loss = _loss(model, tensors, x_tensor, y_tensor, None if terms is None else terms[step])
        losses.append(loss.item())

        # The seeds' PyTorch filled gradients with zeros; today's default drops
        # them, and then skips a parameter that a step did not use.
        torch_optimizer.zero_grad(set_to_none=False)
        loss.backward()
        torch_optimizer.step()
    final = {name: tensor.detach().numpy() for name, tensor in tensors.items()}
    return np.array(losses), final


def loss_and_gradient(
    model: str, x: np.ndarray, y: np.ndarray, params: Weights, terms: int | None = None
) -> tuple[float, Weights]:
    """The sum of squared errors and its gradient by autograd."""
    tensors = _tensors(params)
    loss = _loss(model, tensors, torch.tensor(x), torch.tensor(y), terms)
    loss.backward()
    gradient = {name: np.asarray(tensor.grad) for name, tensor in tensors.items()}
    return loss.item(), gradient


def _tensors(params: Weights) -> Tensors:
    tensors = {name: torch.tensor(value, requires_grad=True) for name, value in params.items()}
    for tensor in tensors.values():
        tensor.grad = torch.zeros_like(tensor)
    return tensors


def _loss(
    model: str, params: Tensors, x: torch.Tensor, y: torch.Tensor, terms: int | None
) -> torch.Tensor:
    extra = () if terms is None else (terms,)
    y_pred = FORWARDS[model](params, x, *extra)
    return torch.nn.functional.mse_loss(y_pred, y, reduction="sum")
