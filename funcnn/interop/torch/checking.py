"""Where PyTorch's own functions look at values, and what a trace does in place of it."""

from __future__ import annotations

import builtins
import contextlib
from collections.abc import Iterator
from typing import Any
from unittest import mock

import torch
from torch.nn import functional
from torch.nn.modules import batchnorm, transformer
from torch.overrides import TorchFunctionMode

__all__ = ["without_looking"]


@contextlib.contextmanager
def without_looking() -> Iterator[None]:
    """PyTorch's functions such that they look at no values.

    A negative variance, which ``gaussian_nll_loss`` refuses, is NaN. The share of a batch in the
    running values of a batch norm, where it follows from a counter, is a number of the trace. A
    mask of a transformer is applied as it is, whether or not it happens to be the causal one.
    """
    with (
        mock.patch.object(batchnorm, "float", _number, create=True),
        mock.patch.object(transformer, "_detect_is_causal_mask", _is_causal),
        Functions(),
    ):
        yield


class Functions(TorchFunctionMode):
    """Calls what does the same without a look at values."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Call the function, or what does the same."""
        del types
        kwargs = kwargs or {}
        if func is functional.gaussian_nll_loss and isinstance(args[2], torch.Tensor):
            return _gaussian(*args, **kwargs)
        if func is functional.batch_norm and isinstance(kwargs.get("momentum"), torch.SymFloat):
            return _averaged(*args, **kwargs)
        return func(*args, **kwargs)


def _gaussian(
    prediction: torch.Tensor, target: torch.Tensor, variance: torch.Tensor, **options: Any
) -> torch.Tensor:
    known = variance.where(variance >= 0, torch.nan)
    with mock.patch.object(torch, "any", return_value=False):
        return functional.gaussian_nll_loss(prediction, target, known, **options)


def _averaged(
    x: torch.Tensor,
    running_mean: torch.Tensor,
    running_variance: torch.Tensor,
    *,
    momentum: Any,
    **options: Any,
) -> torch.Tensor:
    """A batch norm whose running values take a share of the batch that is no number yet."""
    own = running_mean.clone(), running_variance.clone()
    result = functional.batch_norm(x, *own, momentum=1.0, **options)
    for running, of_batch in zip((running_mean, running_variance), own, strict=True):
        running.copy_(momentum * of_batch + (1 - momentum) * running)
    return result


def _is_causal(mask: Any, is_causal: bool | None = None, size: int | None = None) -> bool:
    """Whether a mask is said to be the causal one."""
    del mask, size
    return is_causal is True


def _number(value: Any) -> Any:
    """``float``, also of a tensor that a trace does not know."""
    is_tensor = isinstance(value, torch.Tensor)
    return torch.sym_float(value.item()) if is_tensor else builtins.float(value)
