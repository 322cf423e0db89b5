"""Losses of PyTorch: in a step that is traced, and as functions of JAX."""

from __future__ import annotations

import contextlib
import inspect
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
from funcnn.loop.gradient import loss_of

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
        loss: ``loss(prediction, target)`` of tensors, perhaps with ``sample_weight``.
        tensors: the module's tensors by name: the loss is to be of predictions alone.
        or_of_arrays: whether it may be a function of JAX's arrays too: it is taken for one where
            it cannot be called with tensors.

    Attributes:
        compares: that PyTorch says which shapes it compares.
    """

    def __init__(
        self,
        loss: Callable[..., Any],
        tensors: Mapping[str, torch.Tensor] = MappingProxyType({}),
        or_of_arrays: bool = False,
    ) -> None:
        self.loss, self.or_of_arrays, self._tensors = loss, or_of_arrays, dict(tensors)
        self.compares = not or_of_arrays or _is_pytorch_s(loss)
        net = loss if isinstance(loss, nn.Module) else nn.Identity()
        replaced = {f"the module's {name!r}": one for name, one in tensors.items()}

        def of(floats: tuple[bool, ...]) -> Callable[..., list[Array]]:
            def compute(
                inputs: list[torch.Tensor], others: list[torch.Tensor], again: bool
            ) -> list[torch.Tensor]:
                del again
                queues = iter(others), iter(inputs)
                prediction, target, *weight = (next(queues[is_float]) for is_float in floats)
                described = {"the prediction": prediction, "the target": target}
                with Writes(described, replaced):
                    value = loss(prediction, target, **_named(weight))
                if not isinstance(value, torch.Tensor) or value.numel() != 1:
                    raise Frozen("it must be a tensor of one number")
                return [value.reshape(())]

            return differentiable(Call(net, compute, name="loss"))

        self._of, self._calls = of, dict[tuple[bool, ...], Callable[..., list[Array]]]()
        self.__qualname__ = getattr(loss, "__qualname__", repr(loss))
        with contextlib.suppress(TypeError, ValueError):  # It may not tell.
            self.__signature__ = inspect.signature(loss)

    def __reduce__(self) -> tuple[Any, ...]:
        return Measured, (self.loss, self._tensors, self.or_of_arrays)

    def __call__(
        self, prediction: Array, target: AnyArray, sample_weight: AnyArray | None = None
    ) -> Float[Array, ""]:
        """The loss of a prediction."""
        weight = [] if sample_weight is None else [jnp.asarray(sample_weight)]
        arrays = [prediction, jnp.asarray(target), *weight]
        floats = tuple(bool(jnp.issubdtype(one.dtype, jnp.floating)) for one in arrays)
        pairs = list(zip(arrays, floats, strict=True))
        inputs = [one for one, is_float in pairs if is_float]
        others = [one for one, is_float in pairs if not is_float]
        try:
            if floats not in self._calls:
                self._calls[floats] = self._of(floats)
            return self._calls[floats](inputs, others, None)[0]
        except ArgumentError as refusal:
            # Without a cause it is a function of tensors, and does what cannot be traced.
            if not self.or_of_arrays or refusal.__cause__ is None:
                raise
            of_tensors = refusal
        try:
            return loss_of(self.loss, prediction, target, sample_weight)
        except Exception as error:
            raise ArgumentError(
                f"{of_tensors}; as a function of JAX's arrays it fails, too: "
                f"{str(error).splitlines()[0] if str(error) else type(error).__name__}"
            ) from of_tensors


def _named(weight: list[Any]) -> dict[str, Any]:
    return {"sample_weight": weight[0]} if weight else {}


def _is_pytorch_s(loss: Any) -> bool:
    """Whether PyTorch itself makes a loss, and refuses shapes that it would broadcast."""
    made = (type(loss), *type(loss).__mro__, loss)
    return any((getattr(one, "__module__", None) or "").split(".")[0] == "torch" for one in made)
