"""From NumPy's arrays to PyTorch's parameters and layers, and back."""

from __future__ import annotations

import numpy as np

try:
    import torch
except ImportError:
    raise ImportError(
        "PyTorch is not installed: pip install 'funcnn[torch]'", name="torch"
    ) from None

__all__ = ["array", "linear", "parameter"]


def parameter(value: np.ndarray) -> torch.nn.Parameter:
    """A tensor that asks for its gradient, with a copy of the array's values."""
    return torch.nn.Parameter(torch.tensor(value))


def linear(weight: np.ndarray, bias: np.ndarray | None = None) -> torch.nn.Linear:
    """A ``Linear`` layer from a weight (inputs, outputs), which PyTorch keeps the other way."""
    # On "meta" a layer has no values of its own, and draws none from PyTorch's generator.
    layer = torch.nn.Linear(*weight.shape, bias=bias is not None, device="meta")
    layer.weight = parameter(weight.T)
    if bias is not None:
        layer.bias = parameter(bias)
    return layer


def array(tensor: torch.Tensor) -> np.ndarray:
    """A tensor's values."""
    return tensor.detach().numpy()
