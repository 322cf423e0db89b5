"""Losses of PyTorch: in a step that is traced, and as functions of JAX."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import jax.numpy as jnp
import torch
from jaxtyping import Array, Float
from torch import nn
from torch.nn import functional

from funcnn import losses
from funcnn.core import AnyArray, ArgumentError, ArgumentTypeError
from funcnn.interop.torch.differentiable import Call, differentiable
from funcnn.interop.torch.guards import Frozen, Writes

__all__ = ["Measured", "loss_of_tensors"]

OF_TENSORS: dict[Any, Callable[..., torch.Tensor]] = {
    losses.sum_squared_error: lambda p, y: functional.mse_loss(p, y, reduction="sum"),
    losses.mean_squared_error: functional.mse_loss,
    losses.mean_absolute_error: functional.l1_loss,
    losses.huber: functional.huber_loss,
    losses.smooth_l1: functional.smooth_l1_loss,
    losses.binary_cross_entropy: functional.binary_cross_entropy_with_logits,
    losses.cross_entropy: functional.cross_entropy,
}
"""PyTorch's function for each loss of funcnn, at its defaults."""


def loss_of_tensors(loss: Any) -> Callable[..., Any]:
    """A loss as a function of tensors: PyTorch's own, or that of one of funcnn's names.

    Raises:
        ArgumentError, ArgumentTypeError: for what is none.
    """
    if isinstance(loss, str):
        loss = losses.named(loss)
    if loss in OF_TENSORS:
        return OF_TENSORS[loss]
    if isinstance(loss, type):
        raise ArgumentTypeError(f"loss is the class {loss.__name__}: pass {loss.__name__}()")
    if isinstance(loss, nn.Module) and any(one.requires_grad for one in loss.parameters()):
        raise ArgumentError(
            "loss: it has parameters of its own; make it a part of the module, or give the step "
            "whole: funcnn.interop.torch_step"
        )
    if not callable(loss):
        raise ArgumentTypeError(
            f"loss must be a loss of torch.nn, a function of tensors or one of funcnn's names "
            f"({', '.join(losses.LOSSES)}), not {loss!r:.60}"
        )
    return loss


class Measured:
    """A loss of PyTorch as a function of arrays, with PyTorch's own gradient.

    Args:
        loss: ``loss(prediction, target)`` of tensors.
        tensors: the module's tensors by name: the loss is to be of predictions alone.

    Attributes:
        compares: that PyTorch says which shapes it compares.
    """

    compares = True

    def __init__(
        self,
        loss: Callable[..., Any],
        tensors: Mapping[str, torch.Tensor] = MappingProxyType({}),
    ) -> None:
        self.loss = loss
        net = loss if isinstance(loss, nn.Module) else nn.Identity()
        replaced = {f"the module's {name!r}": one for name, one in tensors.items()}

        def of(floats: bool) -> Callable[..., list[Array]]:
            def compute(
                inputs: list[torch.Tensor], others: list[torch.Tensor], again: bool
            ) -> list[torch.Tensor]:
                del again
                prediction, target = (*inputs, *others)
                described = {"the prediction": prediction, "the target": target}
                with Writes(described, replaced):
                    value = loss(prediction, target)
                if not isinstance(value, torch.Tensor) or value.numel() != 1:
                    raise Frozen("the loss must be a tensor of one number")
                return [value.reshape(())]

            del floats
            return differentiable(Call(net, compute))

        self._of = {floats: of(floats) for floats in (True, False)}
        self.__qualname__ = getattr(loss, "__qualname__", repr(loss))

    def __call__(self, prediction: Array, target: AnyArray) -> Float[Array, ""]:
        """The loss of a prediction."""
        target = jnp.asarray(target)
        is_float = bool(jnp.issubdtype(target.dtype, jnp.floating))
        inputs, others = ([prediction, target], []) if is_float else ([prediction], [target])
        return self._of[is_float](inputs, others, None)[0]
