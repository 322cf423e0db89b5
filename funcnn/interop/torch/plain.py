"""The step that every tutorial has."""

from __future__ import annotations

import dataclasses
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from funcnn.interop.torch.guards import Frozen
from funcnn.interop.torch.losses import loss_of_tensors
from funcnn.interop.torch.step import Step, step_of
from funcnn.loop.problem import clip_of

__all__ = ["plain_step"]


def plain_step(
    net: nn.Module,
    optimizer: Optimizer,
    loss: Any,
    scheduler: Any = None,
    *,
    clip_grad_norm: Any = None,
    clip_grad_value: Any = None,
) -> Step:
    """The step that every tutorial has: gradients anew, loss, backward, perhaps clipped, step."""
    measure = loss_of_tensors(loss)
    clip = clip_of(clip_grad_norm, clip_grad_value)

    def step(x: Any, y: torch.Tensor) -> torch.Tensor:
        optimizer.zero_grad()
        value = measure(net(*x) if isinstance(x, tuple) else net(x), y)
        _require_loss(value)
        value.backward()
        if clip.norm is not None:
            nn.utils.clip_grad_norm_(net.parameters(), clip.norm)
        if clip.value is not None:
            nn.utils.clip_grad_value_(net.parameters(), clip.value)
        optimizer.step()
        return value

    made = step_of(net, optimizer, step, scheduler)
    return dataclasses.replace(made, name="module")


def _require_loss(value: Any) -> None:
    """Refuse a loss that is no tensor of one real number, or that has no gradient.

    Raises:
        Frozen: saying what it is.
    """
    kind = type(value).__name__
    if not isinstance(value, torch.Tensor):
        what = "a Python number, as .item() gives" if "Sym" in kind or "float" in kind else kind
        raise Frozen(f"loss returns {what}; it must return a tensor of one number")
    if value.numel() != 1 or value.is_complex():
        raise Frozen(
            f"loss returns a tensor of shape {tuple(value.shape)} and {value.dtype}; it must be "
            f"one real number, as with reduction='mean'"
        )
    if not value.requires_grad:
        raise Frozen("loss has no gradient by the module's parameters (detach, no_grad?)")
