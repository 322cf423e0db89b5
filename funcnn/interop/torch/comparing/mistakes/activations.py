"""Mistakes in activations and softmax."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from funcnn.interop.torch.comparing.mistakes.mistake import Mistake

__all__ = ["KNOWN"]

OTHERS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": functional.relu,
    "gelu": functional.gelu,
    "gelu by tanh": lambda x: functional.gelu(x, approximate="tanh"),
    "gelu by a sigmoid, x·σ(1.702x)": lambda x: x * torch.sigmoid(1.702 * x),
    "silu (swish)": functional.silu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "elu": functional.elu,
    "selu": functional.selu,
    "leaky_relu with slope 0.01": functional.leaky_relu,
    "leaky_relu with slope 0.2": lambda x: functional.leaky_relu(x, 0.2),
    "leaky_relu with slope 0.3": lambda x: functional.leaky_relu(x, 0.3),
    "softplus": functional.softplus,
    "mish": functional.mish,
    "relu6": functional.relu6,
    "hardswish": functional.hardswish,
    "hardsigmoid": functional.hardsigmoid,
    "clip(0.2x + 0.5, 0, 1), Keras's hard sigmoid": lambda x: (0.2 * x + 0.5).clamp(0, 1),
    "hardtanh": functional.hardtanh,
    "softsign": functional.softsign,
    "abs": torch.abs,
}
"""Activations that a port may have in place of another."""


def activation(name: str) -> Callable[..., Iterator[Mistake]]:
    """Mistakes of one of PyTorch's activations: another in its place, or another number."""

    def others(input: Tensor, *options: Any, **more: Any) -> Iterator[Mistake]:
        given = [f"{value:g}" for value in options if type(value) in (int, float)]
        given += [f"{key}={one}" for key, one in more.items() if key != "inplace" and one != "none"]
        own = name + (f"({', '.join(given)})" if given else "")
        for other, function in OTHERS.items():
            yield Mistake(
                f"{other} in place of {own}",
                _advice(name, own, other),
                lambda function=function: function(input),
            )

    return others


def softmax(logarithm: bool) -> Callable[..., Iterator[Mistake]]:
    """Mistakes of softmax, or of its logarithm."""

    def others(input: Tensor, dim: int | None = None, *_: Any, **__: Any) -> Iterator[Mistake]:
        own, other = (
            (functional.log_softmax, functional.softmax)
            if logarithm
            else (functional.softmax, functional.log_softmax)
        )
        axis = -1 if dim is None else dim
        for wrong in range(input.ndim):
            if wrong != axis % input.ndim:
                yield Mistake(
                    f"softmax over axis {wrong} in place of {axis}",
                    f"axis={axis}, of PyTorch's layout",
                    lambda wrong=wrong: own(input, wrong),
                )
        yield Mistake(
            "softmax in place of its logarithm" if logarithm else "log_softmax in place of softmax",
            f"jax.nn.{'log_softmax' if logarithm else 'softmax'}",
            lambda: other(input, axis),
        )
        yield Mistake(
            "softmax over all numbers of a sample",
            f"axis={axis}",
            lambda: own(input.flatten(1), 1),
        )
        yield Mistake(
            "a sigmoid in place of softmax",
            f"jax.nn.softmax(..., axis={axis})",
            lambda: torch.sigmoid(input),
        )

    return others


def glu(input: Tensor, dim: int = -1) -> Iterator[Mistake]:
    """Mistakes of the gated linear unit."""
    first, second = input.chunk(2, dim)
    yield Mistake(
        "the gate taken from the first half",
        "GLU is a · σ(b), b being the second half",
        lambda: second * torch.sigmoid(first),
    )


def _advice(name: str, own: str, other: str) -> str:
    if name == "gelu" and other.startswith("gelu"):
        exact = own == "gelu"
        return (
            f"jax.nn.gelu(x, approximate={not exact}): JAX approximates by tanh unless told "
            f"otherwise, PyTorch does not"
        )
    return f"compute {own}"


KNOWN = {
    **{
        name: activation(name.rstrip("_"))
        for name in (
            *("relu", "relu_", "gelu", "silu", "tanh", "sigmoid", "elu", "elu_", "selu", "selu_"),
            *("leaky_relu", "leaky_relu_", "softplus", "mish", "relu6", "hardswish", "celu"),
            *("hardsigmoid", "hardtanh", "hardtanh_", "softsign", "logsigmoid", "prelu", "abs"),
            *("tanh_", "sigmoid_", "exp", "sin"),
        )
    },
    "softmax": softmax(False),
    "log_softmax": softmax(True),
    "glu": glu,
}
"""Of a function of PyTorch, by its name, the mistakes of its port, from the same arguments."""
