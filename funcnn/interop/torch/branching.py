"""Optimizers that decide by a number, as by that of the step: both ways are traced.

RAdam and ASGD ask ``if``, for each parameter; ASGD and Adafactor take the larger or smaller of two
numbers. In a trace such numbers are not known. So what is done for a parameter is done twice, as
if the answer were yes and as if it were no, and of what comes out the right one is selected.
"""

from __future__ import annotations

import builtins
import contextlib
import functools
import importlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from unittest import mock

import torch
from torch.overrides import TorchFunctionMode

from funcnn.interop.torch.guards import Frozen

__all__ = ["both_ways"]

ASKING = {"torch.optim.radam": "_single_tensor_radam", "torch.optim.asgd": "_single_tensor_asgd"}
"""PyTorch's modules of optimizers that ask by ``if``, and where: the names of their steps."""

COMPARING = ("torch.optim.asgd", "torch.optim._adafactor")
"""Those that call ``max`` and ``min``."""

NUMBERS = (torch.SymFloat, torch.SymInt)
"""Numbers that a trace does not know."""


@contextlib.contextmanager
def both_ways() -> Iterator[None]:
    """PyTorch's optimizers such that a trace of them does what they do whatever the numbers are."""
    with contextlib.ExitStack() as stack:
        for place, name in ASKING.items():
            module = importlib.import_module(place)
            own = getattr(module, name)
            stack.enter_context(mock.patch.object(module, name, functools.partial(_each, own)))
        for place in COMPARING:
            module = importlib.import_module(place)
            for name, known in (("max", torch.sym_max), ("min", torch.sym_min)):
                chosen = functools.partial(_extreme, getattr(builtins, name), known)
                stack.enter_context(mock.patch.object(module, name, chosen, create=True))
        stack.enter_context(Numbers())
        yield


class Numbers(TorchFunctionMode):
    """Makes tensors of numbers that a trace does not know."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Call the function, or another that takes such a number."""
        del types
        kwargs = kwargs or {}
        if func is torch.as_tensor and isinstance(args[0], NUMBERS):
            func, kwargs = torch.scalar_tensor, {"dtype": torch.get_default_dtype()} | kwargs
        return func(*args, **kwargs)


def _extreme(known: Callable[..., Any], unknown: Callable[..., Any], *numbers: Any) -> Any:
    """The largest or smallest of some numbers."""
    is_known = not any(isinstance(one, NUMBERS) for one in numbers)
    return known(*numbers) if is_known else functools.reduce(unknown, numbers)


def _each(step: Callable[..., None], *lists: list[torch.Tensor], **options: Any) -> None:
    """An optimizer's step, made for one parameter after another: both ways where it decides."""
    for tensors in zip(*lists, strict=True):
        _one(functools.partial(step, *([one] for one in tensors), **options), tensors)


def _one(step: Callable[[], None], tensors: Sequence[torch.Tensor]) -> None:
    """A step that writes into tensors: what it writes if the answer is yes, or if it is no."""
    before = [one.clone() for one in tensors]
    if not (asked := _answered(step, True)):
        return
    yes = [one.clone() for one in tensors]
    for one, value in zip(tensors, before, strict=True):
        one.copy_(value)
    _answered(step, False)
    condition = torch.full((), asked[0], dtype=torch.bool)
    for one, value in zip(tensors, yes, strict=True):
        one.copy_(torch.where(condition, value, one))


def _answered(step: Callable[[], None], answer: bool) -> list[Any]:
    """Make a step that asks something at most once, with this answer; what it asks.

    Raises:
        Frozen: where it asks more.
    """
    asked: list[Any] = []
    known = torch.SymBool.__bool__

    def decide(condition: torch.SymBool) -> bool:
        try:
            return known(condition)
        except RuntimeError:  # It is not known.
            if asked:
                raise Frozen("its optimizer decides more than once by the step's number") from None
            asked.append(condition)
            return answer

    with mock.patch.object(torch.SymBool, "__bool__", decide):
        step()
    return asked
