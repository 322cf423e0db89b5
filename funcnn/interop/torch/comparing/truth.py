"""PyTorch's side: copies in float64, and what eager PyTorch computes with them."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import nn

from funcnn.core import ArgumentError, ArgumentTypeError
from funcnn.interop.torch.comparing.matching import Tensors

__all__ = ["Step", "Truth", "in_double", "to_tensor"]

Function = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]

ROUNDING = float(np.finfo(np.float64).eps)


class Step(NamedTuple):
    """A step of PyTorch.

    Attributes:
        loss: before it.
        gradient: of all of the module's numbers; 0 for what has none.
        numbers: all of them after it.
    """

    loss: float
    gradient: Float[np.ndarray, " all"]
    numbers: Float[np.ndarray, " all"]


class Truth:
    """A module and its optimizer, copied and in float64.

    Args:
        net: the module; it is not changed.
        optimizer: over its parameters; not changed; None without one.
        loss: ``loss(prediction, target) -> scalar``.
        inputs: what the module is called with.
        target: what the loss is given.

    Attributes:
        tensors: the numbers of the module.
        trained: which of them are trained.
    """

    def __init__(
        self,
        net: nn.Module,
        optimizer: torch.optim.Optimizer | None,
        loss: Function,
        inputs: tuple[torch.Tensor, ...],
        target: torch.Tensor,
    ) -> None:
        self._net, self._optimizer = _copied(net, optimizer)
        self._net.double()
        self.loss, self.inputs, self.target = loss, inputs, target
        named = self._named(self._net)
        self.tensors = Tensors(
            tuple(named), tuple(tuple(one.shape) for one in named.values()), _flat(named.values())
        )
        stepped = {
            id(one)
            for group in (self._optimizer.param_groups if self._optimizer else ())
            for one in group["params"]
        }
        self.trained = np.concatenate(
            [
                np.full(one.numel(), one.requires_grad and (not stepped or id(one) in stepped))
                for one in named.values()
            ]
        )

    @property
    def parameters(self) -> np.ndarray:
        """Which of the numbers are of parameters, and not of buffers."""
        mine = set(dict(self._net.named_parameters()))
        sizes = zip(self.tensors.names, self.tensors.sizes, strict=True)
        return np.concatenate([np.full(size, name in mine) for name, size in sizes])

    def fresh(
        self, numbers: Float[np.ndarray, " all"] | None = None
    ) -> tuple[nn.Module, torch.optim.Optimizer | None]:
        """A copy, with other numbers if given."""
        net, optimizer = _copied(self._net, self._optimizer)
        if numbers is not None:
            start = 0
            with torch.no_grad():
                for one in self._named(net).values():
                    part = numbers[start : start + one.numel()].reshape(one.shape)
                    one.copy_(torch.from_numpy(part.copy()))
                    start += one.numel()
        return net, optimizer

    def gradient(self, numbers: Float[np.ndarray, " all"] | None = None) -> np.ndarray:
        """The gradient of the loss by all of the module's numbers."""
        net, _ = self.fresh(numbers)
        net.zero_grad()
        self.loss(net(*self.inputs), self.target).backward()
        return self._gradient(net)

    def steps(self, count: int, numbers: Float[np.ndarray, " all"] | None = None) -> Iterator[Step]:
        """So many steps of the optimizer, from other numbers if given."""
        net, optimizer = self.fresh(numbers)
        assert optimizer is not None
        for _ in range(count):
            optimizer.zero_grad()
            loss = self.loss(net(*self.inputs), self.target)
            loss.backward()
            gradient = self._gradient(net)
            optimizer.step()
            yield Step(loss.item(), gradient, _flat(self._named(net).values()))

    def optimizer(self) -> torch.optim.Optimizer:
        """A copy of the optimizer."""
        optimizer = self.fresh()[1]
        assert optimizer is not None
        return optimizer

    def one_rounding_away(self, seed: int) -> Float[np.ndarray, " all"]:
        """The numbers, each moved by one rounding up or down."""
        signs = np.random.default_rng(seed).choice([-1.0, 1.0], self.tensors.numbers.size)
        return self.tensors.numbers * (1 + signs * ROUNDING)

    def _named(self, net: nn.Module) -> dict[str, torch.Tensor]:
        buffers = {name: one for name, one in net.named_buffers() if one.is_floating_point()}
        return dict(net.named_parameters()) | buffers

    def _gradient(self, net: nn.Module) -> np.ndarray:
        return np.concatenate(
            [
                np.zeros(one.numel()) if one.grad is None else one.grad.numpy().ravel().copy()
                for one in self._named(net).values()
            ]
        )


@contextlib.contextmanager
def in_double() -> Iterator[None]:
    """Let what PyTorch makes inside be float64, as the copies are; afterwards as it was.

    On one thread: small networks wait for a second one more than they gain by it.
    """
    before, threads = torch.get_default_dtype(), torch.get_num_threads()
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)
    try:
        with torch.enable_grad():
            yield
    finally:
        torch.set_num_threads(threads)
        torch.set_default_dtype(before)


def to_tensor(argument: str, value: Any) -> torch.Tensor:
    """A tensor of its own, floats in float64.

    Raises:
        ArgumentTypeError: for what is no array.
    """
    try:
        tensor = value.detach().clone() if isinstance(value, torch.Tensor) else None
        if tensor is None:
            tensor = torch.from_numpy(np.array(value))
    except (TypeError, ValueError, RuntimeError):
        raise ArgumentTypeError(f"{argument} must be an array, not {value!r:.60}") from None
    return tensor.double() if tensor.is_floating_point() else tensor


def _copied(net: Any, optimizer: Any) -> tuple[Any, Any]:
    """A module and its optimizer, copied together so that they still share the parameters."""
    try:
        return copy.deepcopy((net, optimizer))
    except (RuntimeError, TypeError) as error:
        raise ArgumentError(f"net cannot be copied: {str(error).splitlines()[0]}") from error


def _flat(tensors: Any) -> Float[np.ndarray, " all"]:
    return np.concatenate([one.detach().double().numpy().ravel() for one in tensors])
