"""A step done with tensors that stand in for the module's own and for the optimizer's memory."""

from __future__ import annotations

import collections
import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensor
from torch.optim import Optimizer
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes
from torch.utils._pytree import tree_map

from funcnn.interop.torch.branching import both_ways
from funcnn.interop.torch.guards import Frozen, Writes, holding
from funcnn.interop.torch.module import tensors_of
from funcnn.interop.torch.numbers import Place, set_numbers
from funcnn.interop.torch.step import Options, Remembered, Step

__all__ = ["done"]

LIFTING = (torch.ops.aten.lift_fresh, torch.ops.aten.lift_fresh_copy)
"""Operations that make a tensor of a trace of one that is known."""


def done(
    step: Step,
    own: Mapping[str, torch.Tensor],
    given: dict[str, torch.Tensor],
    memory: Remembered,
    places: Mapping[str, Sequence[Place]],
    numbers: Mapping[str, Any],
    zeros: Sequence[Place],
    x: Any,
    y: Any,
) -> tuple[torch.Tensor, frozenset[str], Remembered]:
    """Do a step with stand-ins; the module and the optimizer are as they were afterwards.

    Args:
        step: the step.
        own: the module's own parameters and buffers, by name, as they were before the trace.
        given: what stands in for the module's parameters and buffers, by name; afterwards it
            holds what the step has made of them.
        memory: what the optimizer is to remember before it.
        places: where the optimizer's numbers stand that ``numbers`` gives.
        numbers: these, by name.
        zeros: where numbers stand that are 0.
        x: the inputs, a tensor or a tuple of them.
        y: the targets.

    Returns:
        The loss, the names of those to which the step leaves gradients, and what the optimizer
        remembers after it.

    Raises:
        Frozen: for what a trace of it would freeze.
    """
    net, optimizer = step.net, step.optimizer
    modes = {name: part.training for name, part in net.named_modules()}
    replaced = {f"the parameter or buffer {name!r}": own[name] for name in given}
    inputs = x if isinstance(x, tuple) else (x,)
    described = {f"its input {number}": one for number, one in enumerate(inputs)}
    described |= {"its target": y}
    with (
        Writes(described, replaced),
        holding(net, dict(own) | given, modes, new_buffers=True),
        _optimizing(
            optimizer, {id(one): name for name, one in own.items()}, given, memory
        ) as remembered,
        Unknown(),
        both_ways(),
        Redirected({id(own[name]): one for name, one in given.items()}),
    ):
        set_numbers(optimizer.param_groups, places, numbers)
        set_numbers(optimizer.param_groups, {"zero": zeros}, {"zero": 0.0})
        groups = [dict(group) for group in optimizer.param_groups]
        loss = step.function(x, y)
        if not isinstance(loss, torch.Tensor) or loss.numel() != 1 or loss.is_complex():
            raise Frozen("it must return the loss, a tensor of one number")
        after = remembered()
        _require_same(groups, optimizer.param_groups, memory, after)
        now = tensors_of(net)
        for name, one in given.items():
            if (now[name].shape, now[name].dtype) != (one.shape, one.dtype):
                raise Frozen(f"it makes {name!r} a tensor of another shape or dtype")
        left = frozenset(name for name, one in given.items() if one.grad is not None)
        given |= {name: now[name] for name in given}
    return loss.reshape(()), left, after


class Redirected(TorchFunctionMode):
    """Puts stand-ins in the place of tensors that a function has a hold of around the module.

    Args:
        stand_ins: what stands in, by the id of the tensor.
    """

    def __init__(self, stand_ins: Mapping[int, torch.Tensor]) -> None:
        super().__init__()
        self.stand_ins = stand_ins

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Call the function with the stand-ins."""
        del types
        given = args, kwargs or {}
        # A shape would become a tuple, which Tensor.new takes for numbers.
        args, kwargs = tree_map(
            lambda one: self.stand_ins.get(id(one), one),
            given,
            is_leaf=lambda one: isinstance(one, torch.Size),
        )
        return func(*args, **kwargs)


class Unknown(TorchDispatchMode):
    """Makes tensors of one number that PyTorch takes for known ones to such that it does not.

    An optimizer counts its steps in one. What PyTorch computes of known tensors while it traces
    is NaN where a number that is not known takes part.
    """

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Run an operation, or fill a tensor in place of taking a known one."""
        del types
        known = args[0] if func.overloadpacket in LIFTING else None
        if known is None or isinstance(known, FakeTensor) or known.numel() != 1:
            return func(*args, **(kwargs or {}))
        with _disable_current_modes():
            value = known.item()
        return torch.ops.aten.full.default(known.shape, value, dtype=known.dtype)


@contextlib.contextmanager
def _optimizing(
    optimizer: Optimizer,
    names: Mapping[int, str],
    given: Mapping[str, torch.Tensor],
    memory: Remembered,
) -> Iterator[Callable[[], Remembered]]:
    """An optimizer of other tensors, with its memory; afterwards as it was.

    Gives a function that tells what the optimizer remembers then.

    Args:
        optimizer: the optimizer.
        names: the names of its own parameters by their ids.
        given: the tensors that stand in for them, by name.
        memory: what it is to remember of them.

    Raises:
        Frozen: where something in Python was changed inside.
    """
    attributes = vars(optimizer).copy()
    groups = [dict(group) for group in optimizer.param_groups]
    try:
        for group in optimizer.param_groups:
            group["params"] = [given[names[id(one)]] for one in group["params"]]
            # The same steps, by operations on one tensor at a time.
            group |= {name: False for name in ("foreach", "fused") if name in group}
        optimizer.state = collections.defaultdict(dict)
        for name, own in memory.items():
            optimizer.state[given[name]] = dict(own)
        yield lambda: {
            name: dict(optimizer.state[one])
            for name, one in given.items()
            if optimizer.state.get(one)
        }
        for name, value in vars(optimizer).items():
            same = attributes.get(name, value) is value
            if not same and not name.startswith("_") and name != "state":
                raise Frozen(f"it changes the optimizer's {name!r}")
    finally:
        vars(optimizer).clear()
        vars(optimizer).update(attributes)
        for group, old in zip(optimizer.param_groups, groups, strict=True):
            group.clear()
            group.update(old)


def _require_same(
    groups: Sequence[Options], now: Sequence[Options], memory: Remembered, after: Remembered
) -> None:
    """Refuse a step that changes numbers of its optimizer in Python, which a trace would freeze.

    Raises:
        Frozen: with the name of what it changes.
    """
    for group, old in zip(now, groups, strict=True):
        for name, value in old.items():
            if group.get(name) is not value:
                raise Frozen(
                    f"it changes the optimizer's {name!r}; a scheduler's step is made after it: "
                    f"scheduler="
                )
    for name, parts in after.items():
        for own, value in parts.items():
            known = memory.get(name, {}).get(own, value)
            if not isinstance(value, torch.Tensor) and known != value:
                raise Frozen(f"its optimizer counts {own!r} in Python, and not in a tensor")
