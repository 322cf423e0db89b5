"""A step of training of one's own, and what its optimizer remembers."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from funcnn.core import ArgumentError, ArgumentTypeError
from funcnn.interop.torch.module import require_module
from funcnn.interop.torch.numbers import scheduled
from funcnn.interop.torch.program import Kind
from funcnn.interop.torch.traced import Slot

__all__ = [
    "Options",
    "Remembered",
    "Step",
    "examples",
    "filled",
    "layout",
    "remembered_tensors",
    "step_of",
]

UNLIKE = {
    "LBFGS": "calls the loss several times in a step",
    "SparseAdam": "takes sparse gradients",
    "Muon": "computes in bfloat16, in which sums are rounded in an order of PyTorch's own",
}
"""Optimizers that cannot be traced, and why."""

Options = dict[str, Any]
"""What an optimizer has of a group, or remembers of a parameter, by its own names."""

Remembered = dict[str, Options]
"""What an optimizer remembers of its parameters, by their names."""


@dataclasses.dataclass(frozen=True, eq=False)
class Step:
    """A step of training of one's own, as ``funcnn.interop.torch_step`` makes it.

    Attributes:
        net: the module.
        optimizer: what changes its parameters.
        function: ``function(x, y) -> loss``, what the body of a loop does.
        scheduler: what changes the optimizer's numbers after each step; None for nothing.
        name: what errors call it.
    """

    net: nn.Module
    optimizer: Optimizer
    function: Callable[[Any, Any], Any]
    scheduler: Any = None
    name: str = "step"

    @property
    def names(self) -> dict[int, str]:
        """The names of the module's parameters by their ids."""
        return {id(one): name for name, one in self.net.named_parameters()}

    @property
    def remembered(self) -> Remembered:
        """What the optimizer remembers now."""
        names, state = self.names, self.optimizer.state
        groups = [group["params"] for group in self.optimizer.param_groups]
        own = (one for group in groups for one in group)
        return {names[id(one)]: dict(state[one]) for one in own if state.get(one)}


def step_of(net: Any, optimizer: Any, function: Any, scheduler: Any = None) -> Step:
    """The step that ``funcnn.interop.torch_step`` documents.

    Raises:
        ArgumentError, ArgumentTypeError: for what makes none.
    """
    require_module(net)
    if not isinstance(optimizer, Optimizer):
        raise ArgumentTypeError(
            f"optimizer must be one of torch.optim, over the module's parameters, not "
            f"{optimizer!r:.60}"
        )
    if type(optimizer).__name__ in UNLIKE:
        kind = type(optimizer).__name__
        raise ArgumentError(
            f"optimizer is {kind}, which {UNLIKE[kind]}: take one that makes a step of a dense "
            f"gradient, in the dtype of the parameters"
        )
    if not callable(function):
        raise ArgumentTypeError(f"function must be function(x, y) -> loss, not {function!r:.60}")
    own = {id(one) for one in net.parameters()}
    for number, group in enumerate(optimizer.param_groups):
        for one in group["params"]:
            if id(one) not in own:
                raise ArgumentError(
                    f"optimizer: its group {number} holds a parameter, of shape "
                    f"{tuple(one.shape)}, that is none of the module"
                )
    if scheduler is not None:
        scheduled(optimizer, scheduler, 0)
    return Step(net, optimizer, function, scheduler)


def layout(remembered: Remembered) -> Any:
    """What tells whether an optimizer remembers things of the same kinds."""
    return {
        (name, own): Kind.of(value) if isinstance(value, torch.Tensor) else value
        for name, parts in remembered.items()
        for own, value in parts.items()
    }


def remembered_tensors(remembered: Remembered) -> list[tuple[str, str, torch.Tensor]]:
    """The tensors that an optimizer remembers, in an order that does not depend on how."""
    return [
        (name, own, value)
        for name, parts in sorted(remembered.items())
        for own, value in sorted(parts.items())
        if isinstance(value, torch.Tensor)
    ]


def filled(remembered: Remembered, tensors: Mapping[Slot, torch.Tensor]) -> Remembered:
    """What is remembered, with other tensors in it."""
    return {
        name: {own: tensors.get((name, own), value) for own, value in parts.items()}
        for name, parts in remembered.items()
    }


def examples(remembered: Remembered) -> Remembered:
    """What is remembered, with zeros in place of what a trace has left there."""
    zeros = {
        (name, own): torch.zeros(value.shape, dtype=value.dtype)
        for name, own, value in remembered_tensors(remembered)
    }
    return filled(remembered, zeros)
