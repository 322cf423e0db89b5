"""A whole step of training in PyTorch, traced: forward, backward, and the optimizer's step."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import jax
import numpy as np
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensor
from torch.optim import Optimizer
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes
from torch.utils._pytree import tree_map

from funcnn.core import ArgumentError
from funcnn.interop.torch.branching import both_ways
from funcnn.interop.torch.guards import Frozen, Writes, holding
from funcnn.interop.torch.meanings import Meanings
from funcnn.interop.torch.module import as_numpy, tensors_of
from funcnn.interop.torch.numbers import Place, set_numbers
from funcnn.interop.torch.program import Kind, Program, Value
from funcnn.interop.torch.sameness import is_same_from_zeros
from funcnn.interop.torch.sharing import representatives
from funcnn.interop.torch.tracing import traced
from funcnn.interop.torch.whole import Pair, Slot, Traced, TracedStep, interned

__all__ = ["Step", "traced_step"]

SHAPES_ALONE = {
    *("empty_like", "full_like", "zeros_like", "ones_like", "new_empty", "new_empty_strided"),
    *("new_full", "new_ones", "new_zeros"),
}
"""Operations to which only the shape of their first argument counts."""

LIFTING = (torch.ops.aten.lift_fresh, torch.ops.aten.lift_fresh_copy)
"""Operations that make a tensor of a trace of one that is known."""

Options = dict[str, Any]
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
    """

    net: nn.Module
    optimizer: Optimizer
    function: Callable[[Any, Any], Any]
    scheduler: Any = None

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


def traced_step(
    step: Step,
    held: Sequence[str],
    places: Mapping[str, Sequence[Place]],
    zeros: Sequence[Place],
    x: Any,
    y: Any,
    sizes: Sequence[int],
) -> TracedStep:
    """The step, traced for so many samples.

    Args:
        step: the step.
        held: the names of what the run's params hold: parameters and buffers.
        places: where the optimizer's numbers stand that the run holds.
        zeros: where numbers stand that are 0 in this run.
        x: the shapes and dtypes of all inputs, an array or a tuple of them.
        y: of the targets.
        sizes: of how many samples a step may be.

    Raises:
        ArgumentError: for what cannot be traced, by the line or the name.
    """
    start = step.remembered
    gradients = frozenset(name for name, one in step.net.named_parameters() if one.grad is not None)
    pairs, memory = {}, {}
    for size in sizes:
        twice = not pairs
        kinds = [_kind(one, size) for one in jax.tree.leaves((x, y))]
        tracing = _Tracing(step, tuple(held), places, zeros, kinds, isinstance(x, tuple))
        first, left, after = tracing(start, gradients, twice)
        if _layout(after) == _layout(start) and left == gradients:
            pairs[size] = Pair(None, first)
        else:
            following, again, still = tracing(after, left)
            if _layout(still) != _layout(after) or again != left:
                raise ArgumentError(
                    "the optimizer cannot be traced: what it remembers is of another kind after "
                    "two steps than after one"
                )
            zeros_before = _zeros(first, following, after, len(held), len(places))
            alike = is_same_from_zeros(first.program, following.program, zeros_before)
            pairs[size] = Pair(None if alike else first, following)
        memory = {
            (name, own): _start(start.get(name, {}).get(own), value)
            for name, own, value in _tensors(after)
        }
    shared = representatives(memory, pairs.values(), len(held))
    return interned(TracedStep(tuple(held), tuple(places), memory, pairs, shared))


def _zeros(
    first: Traced, following: Traced, remembered: Remembered, held: int, numbers: int
) -> dict[int, Kind]:
    """The inputs of the steps that follow which the first has not: zeros before, by their places.

    Those are what the optimizer begins to remember, and gradients, of which only the shapes count.
    """
    kinds = {(name, own): _kind_of(value) for name, own, value in _tensors(remembered)}
    zeros = {
        held + place: kinds[one]
        for place, one in enumerate(following.remembered)
        if one not in first.remembered
    }
    gradients = held + len(following.remembered) + numbers
    if not first.gradients:
        for place, one in enumerate(following.gradients):
            zeros[gradients + place] = Kind(tuple(one.shape), str(one.dtype))
    return zeros


class _Tracing:
    """Traces a step for samples of given kinds."""

    def __init__(
        self,
        step: Step,
        held: tuple[str, ...],
        places: Mapping[str, Sequence[Place]],
        zeros: Sequence[Place],
        samples: list[Kind],
        several: bool,
    ) -> None:
        self.step, self.held, self.places, self.zeros = step, held, places, zeros
        self.samples, self.several = samples, several
        self.modes = {name: part.training for name, part in step.net.named_modules()}
        self.names = step.names

    def __call__(
        self, remembered: Remembered, gradients: frozenset[str], twice: bool = False
    ) -> tuple[Traced, frozenset[str], Remembered]:
        """The step, which parameters it leaves gradients to, and what is remembered then.

        Args:
            remembered: what the optimizer remembers before it; of tensors only the kinds count.
            gradients: which parameters have gradients before it.
            twice: whether to make sure that it does the same each time.
        """
        own = tensors_of(self.step.net)
        live = [(name, part) for name, part, _ in _tensors(remembered)]
        graded = [name for name in own if name in gradients]
        kinds = [
            *(_kind_of(own[name]) for name in self.held),
            *(_kind_of(value) for _, _, value in _tensors(remembered)),
            *(Kind((), "float64") for _ in self.places),
            *(_kind_of(own[name]) for name in graded),
            *self.samples,
        ]
        outcome: list[tuple[frozenset[str], Remembered]] = []

        def flat(inputs: list[torch.Tensor]) -> list[torch.Tensor]:
            queue = iter(inputs)
            given = {name: next(queue).detach().clone() for name in self.held}
            for name, one in given.items():
                one.requires_grad_(own[name].requires_grad)
            memory = _filled(remembered, {place: next(queue).clone() for place in live})
            numbers = {name: _number(next(queue)) for name in self.places}
            for name in graded:
                given[name].grad = next(queue).clone()
            x, y = _of_samples(list(queue), self.several)
            loss, left, after = self._made(own, given, memory, numbers, x, y)
            outcome[:] = [(left, after)]
            values = [value.detach() for _, _, value in _tensors(after)]
            return [loss.detach(), *(given[name].detach() for name in self.held), *values]

        program = traced(self.step.net, flat, kinds, twice)
        first = len(self.held) + len(live) + len(self.places)
        _require_unused(program, range(first, first + len(graded)), graded)
        structs = (jax.ShapeDtypeStruct(own[name].shape, _dtype(own[name])) for name in graded)
        ((left, after),) = outcome
        meanings = Meanings()(program, [("input", place) for place in range(program.inputs)])
        unchanged = [("value", place, False) for place in range(len(self.held))]
        if meanings[1 : 1 + len(unchanged)] == unchanged:
            raise ArgumentError(
                "the step changes nothing that the module holds: it must call loss.backward() and "
                "optimizer.step()"
            )
        return Traced(program, tuple(live), tuple(structs)), left, _examples(after)

    def _made(
        self,
        own: Mapping[str, torch.Tensor],
        given: dict[str, torch.Tensor],
        memory: Remembered,
        numbers: Mapping[str, Any],
        x: Any,
        y: Any,
    ) -> tuple[torch.Tensor, frozenset[str], Remembered]:
        """Do the step with other tensors in place of the module's; ``given`` is updated."""
        step, optimizer = self.step, self.step.optimizer
        replaced = {f"the parameter or buffer {name!r}": own[name] for name in self.held}
        inputs = x if isinstance(x, tuple) else (x,)
        described = {f"its input {number}": one for number, one in enumerate(inputs)}
        described |= {"its target": y}
        with (
            Writes(described, replaced),
            holding(step.net, dict(own) | given, self.modes, new_buffers=True),
            _optimizing(optimizer, self.names, given, memory) as remembered,
            Unknown(),
            both_ways(),
            Redirected({id(own[name]): one for name, one in given.items()}),
        ):
            set_numbers(optimizer.param_groups, self.places, numbers)
            set_numbers(optimizer.param_groups, {"zero": self.zeros}, {"zero": 0.0})
            groups = [dict(group) for group in optimizer.param_groups]
            loss = step.function(x, y)
            if not isinstance(loss, torch.Tensor) or loss.numel() != 1 or loss.is_complex():
                raise Frozen("it must return the loss, a tensor of one number")
            after = remembered()
            _require_same(groups, optimizer.param_groups, memory, after)
            now = tensors_of(step.net)
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
        args, kwargs = tree_map(lambda one: self.stand_ins.get(id(one), one), (args, kwargs or {}))
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


def _number(tensor: torch.Tensor) -> Any:
    """A number in Python that a trace keeps as one; an optimizer may ask whether it is above 0."""
    number = tensor.item()
    torch._check(number > 0)
    torch._check(number != 0)
    return number


def _require_unused(program: Program, numbers: range, names: Sequence[str]) -> None:
    """Refuse a step that reads the gradients that the step before has left.

    Raises:
        ArgumentError: where it reads one of these inputs.
    """

    def read(argument: Any) -> Iterator[int]:
        if isinstance(argument, Value):
            yield argument.number
        elif isinstance(argument, dict):
            yield from read(list(argument.values()))
        elif isinstance(argument, (list, tuple)):
            for one in argument:
                yield from read(one)

    passed_on = set(numbers)
    for place, instruction in enumerate(program.instructions):
        arguments = instruction.arguments
        if instruction.operation in SHAPES_ALONE:
            arguments = arguments[1:]
        if passed_on.intersection(read([arguments, instruction.options])):
            if instruction.operation not in ("clone", "detach", "alias"):
                found = names[0]
                raise ArgumentError(
                    f"the step cannot be traced: it adds to the gradients that the step before has "
                    f"left, as to that of {found!r}; call optimizer.zero_grad() in it"
                )
            passed_on.add(program.inputs + len(program.constants) + place)


def _of_samples(tensors: list[torch.Tensor], several: bool) -> tuple[Any, torch.Tensor]:
    *x, y = tensors
    return (tuple(x) if several else x[0]), y


def _layout(remembered: Remembered) -> Any:
    """What tells whether an optimizer remembers things of the same kinds."""
    return {
        (name, own): _kind_of(value) if isinstance(value, torch.Tensor) else value
        for name, parts in remembered.items()
        for own, value in parts.items()
    }


def _tensors(remembered: Remembered) -> list[tuple[str, str, torch.Tensor]]:
    """The tensors that an optimizer remembers, in an order that does not depend on how."""
    return [
        (name, own, value)
        for name, parts in sorted(remembered.items())
        for own, value in sorted(parts.items())
        if isinstance(value, torch.Tensor)
    ]


def _filled(remembered: Remembered, tensors: Mapping[Slot, torch.Tensor]) -> Remembered:
    """What is remembered, with other tensors in it."""
    return {
        name: {own: tensors.get((name, own), value) for own, value in parts.items()}
        for name, parts in remembered.items()
    }


def _examples(remembered: Remembered) -> Remembered:
    """What is remembered, with zeros in place of what a trace has left there."""
    zeros = {
        (name, own): torch.zeros(value.shape, dtype=value.dtype)
        for name, own, value in _tensors(remembered)
    }
    return _filled(remembered, zeros)


def _start(value: Any, example: torch.Tensor) -> np.ndarray:
    """What the run's state holds at its start."""
    return as_numpy(value if isinstance(value, torch.Tensor) else example)


def _dtype(tensor: torch.Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def _kind_of(tensor: torch.Tensor) -> Kind:
    return Kind(tuple(tensor.shape), _dtype(tensor))


def _kind(struct: Any, size: int) -> Kind:
    """The kind of tensor that stands for so many samples: whole numbers have 64 bits there."""
    dtype = np.dtype(struct.dtype).name
    return Kind((size, *struct.shape[1:]), "int64" if dtype == "int32" else dtype)
