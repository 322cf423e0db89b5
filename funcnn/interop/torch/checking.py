"""What PyTorch checks by values, and what a trace does in place of it."""

from __future__ import annotations

from typing import Any
from unittest import mock

import torch
from torch.nn import functional
from torch.overrides import TorchFunctionMode

__all__ = ["Checks"]


class Checks(TorchFunctionMode):
    """Makes NaN of what PyTorch refuses for its value, since a trace knows none."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Call the function; a negative variance is NaN."""
        del types
        kwargs = kwargs or {}
        if func is not functional.gaussian_nll_loss or not isinstance(args[2], torch.Tensor):
            return func(*args, **kwargs)
        prediction, target, variance = args
        known = variance.where(variance >= 0, torch.nan)
        with mock.patch.object(torch, "any", return_value=False):
            return func(prediction, target, known, **kwargs)
