"""What a module's forward calls, with all that goes in and comes out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.overrides import TorchFunctionMode
from torch.utils import _pytree as pytree

from funcnn.core import ArgumentError

__all__ = ["Call", "Record", "Swapped", "calls_of", "record"]

VIEWS = ("flatten", "reshape", "view")
"""What gives the same numbers in the same order another shape."""


class Call(NamedTuple):
    """A call of one of PyTorch's functions.

    Attributes:
        function: what was called.
        args: what it was given, copied then.
        kwargs: the same, by name.
        outputs: the floats that came out, copied.
        sources: the numbers of the calls that made what it was given.
        part: the submodule in whose forward it was called.
    """

    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    outputs: tuple[torch.Tensor, ...]
    sources: tuple[int, ...]
    part: str

    @property
    def name(self) -> str:
        """The function's name."""
        return getattr(self.function, "__name__", str(self.function))


class Record(NamedTuple):
    """A forward: its calls in order, and its result.

    Attributes:
        calls: those that make floats.
        output: what the module returned.
        kinds: of each submodule, its class.
    """

    calls: list[Call]
    output: torch.Tensor
    kinds: dict[str, str]

    def unfolded(self, call: Call) -> torch.Tensor | None:
        """What a call's first argument was before it was flattened, where it was."""
        numbers = list(call.sources[:1])
        while numbers:
            source = self.calls[numbers.pop()]
            if source.name not in VIEWS:
                return source.outputs[0] if source.outputs[0].ndim > 2 else None
            if isinstance(source.args[0], torch.Tensor) and source.args[0].ndim > 2:
                return source.args[0]
            numbers += source.sources[:1]
        return None

    def consumers(self) -> list[list[int]]:
        """Of each call, the calls that take what it made."""
        taking: list[list[int]] = [[] for _ in self.calls]
        for number, call in enumerate(self.calls):
            for source in call.sources:
                taking[source].append(number)
        return taking


def record(net: nn.Module, inputs: tuple[torch.Tensor, ...]) -> Record:
    """Call a module, and keep what its forward calls.

    Args:
        net: the module; it is changed as a call changes it.
        inputs: what it is called with.

    Raises:
        ArgumentError: where it does not return one tensor of floats.
    """
    recorder = _Recorder()
    handles = []
    for name, part in net.named_modules():
        handles += [
            part.register_forward_pre_hook(recorder.entering(name), prepend=True),
            part.register_forward_hook(recorder.leaving(), always_call=True),
        ]
    try:
        with recorder:
            output = net(*inputs)
    finally:
        for handle in handles:
            handle.remove()
    if not isinstance(output, torch.Tensor) or not output.is_floating_point():
        raise ArgumentError(
            f"net returns {type(output).__name__}, not one tensor of floats: wrap it in a module "
            f"that does"
        )
    kinds = {name: type(part).__name__ for name, part in net.named_modules()}
    return Record(recorder.calls, output, kinds)


def calls_of(function: Callable[..., torch.Tensor], *inputs: Any) -> list[Call]:
    """What a function of tensors calls."""
    recorder = _Recorder()
    with recorder:
        function(*inputs)
    return recorder.calls


class Swapped(TorchFunctionMode):
    """Computes something else in place of a function, and gradients everywhere if asked to.

    Args:
        others: what to call in place of a function, by its name.
        gradients: whether ``torch.no_grad`` is to have no effect.
    """

    def __init__(self, others: Mapping[str, Callable[..., Any]], gradients: bool = False) -> None:
        super().__init__()
        self.others, self.gradients = others, gradients

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Call the function, or what stands for it."""
        del types
        called = self.others.get(getattr(func, "__name__", ""), func)
        if self.gradients and called is not torch._C._set_grad_enabled:
            with torch.enable_grad():
                return called(*args, **(kwargs or {}))
        return called(*args, **(kwargs or {}))


class _Recorder(TorchFunctionMode):
    def __init__(self) -> None:
        super().__init__()
        self.calls: list[Call] = []
        self.parts: list[str] = []
        self.made: dict[int, int] = {}
        self.alive: list[Any] = []

    def entering(self, name: str) -> Callable[..., None]:
        return lambda *_: self.parts.append(name)

    def leaving(self) -> Callable[..., None]:
        def leave(*_: Any) -> None:
            self.parts.pop()

        return leave

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Call the function, and keep the call where it makes floats."""
        del types
        kwargs = kwargs or {}
        sources = tuple(
            self.made[id(one)]
            for one in pytree.tree_leaves((args, kwargs))
            if isinstance(one, torch.Tensor) and id(one) in self.made
        )
        own_args, own_kwargs = pytree.tree_map_only(torch.Tensor, _copied, (args, kwargs))
        result = func(*args, **kwargs)
        floats = [one for one in pytree.tree_leaves(result) if _is_float(one)]
        if floats:
            part = self.parts[-1] if self.parts else ""
            outputs = tuple(_copied(one) for one in floats)
            for one in floats:
                self.made[id(one)] = len(self.calls)
            self.alive.append(result)
            call = Call(func, own_args, own_kwargs, outputs, sources, part)
            self.calls.append(call)
        return result


def _copied(tensor: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return tensor.detach().clone()


def _is_float(value: Any) -> bool:
    return isinstance(value, torch.Tensor) and value.is_floating_point() and value.numel() > 0
