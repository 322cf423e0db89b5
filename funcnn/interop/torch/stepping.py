"""A whole step of training in PyTorch, traced: forward, backward, and the optimizer's step."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import jax
import numpy as np
import torch

from funcnn.core import ArgumentError
from funcnn.interop.torch.meanings import Meanings
from funcnn.interop.torch.module import as_numpy, tensors_of
from funcnn.interop.torch.numbers import Place
from funcnn.interop.torch.program import Kind, Program, Value
from funcnn.interop.torch.sameness import is_same_from_zeros
from funcnn.interop.torch.sharing import representatives
from funcnn.interop.torch.stand_ins import done
from funcnn.interop.torch.step import Remembered, Step, examples, filled, layout, remembered_tensors
from funcnn.interop.torch.traced import Pair, Traced, TracedStep, interned
from funcnn.interop.torch.tracing import traced

__all__ = ["traced_step"]

SHAPES_ALONE = {
    *("empty_like", "full_like", "zeros_like", "ones_like", "new_empty", "new_empty_strided"),
    *("new_full", "new_ones", "new_zeros"),
}
"""Operations to which only the shape of their first argument counts."""


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
        known = bool(pairs)
        kinds = [_kind(one, size) for one in jax.tree.leaves((x, y))]
        tracing = _Tracing(step, tuple(held), places, zeros, kinds, isinstance(x, tuple))
        first, left, after, require_same = tracing(start, gradients, told=known)
        if layout(after) == layout(start) and left == gradients:
            pairs[size] = Pair(None, first)
        else:
            following, again, still, _ = tracing(after, left, told=True)
            if layout(still) != layout(after) or again != left:
                raise ArgumentError(
                    "the optimizer cannot be traced: what it remembers is of another kind after "
                    "two steps than after one"
                )
            zeros_before = _zeros(first, following, after, len(held), len(places))
            alike = is_same_from_zeros(first.program, following.program, zeros_before)
            pairs[size] = Pair(None if alike else first, following)
            known |= alike  # Then it was the same twice.
        if not known:
            require_same()
        memory = {
            (name, own): _start(start.get(name, {}).get(own), value)
            for name, own, value in remembered_tensors(after)
        }
    shared = representatives(memory, pairs.values(), len(held))
    return interned(TracedStep(tuple(held), tuple(places), memory, pairs, shared))


def _zeros(
    first: Traced, following: Traced, remembered: Remembered, held: int, numbers: int
) -> dict[int, Kind]:
    """The inputs of the steps that follow which the first has not: zeros before, by their places.

    Those are what the optimizer begins to remember, and gradients, of which only the shapes count.
    """
    kinds = {(name, own): Kind.of(value) for name, own, value in remembered_tensors(remembered)}
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

    def __call__(
        self, remembered: Remembered, gradients: frozenset[str], told: bool
    ) -> tuple[Traced, frozenset[str], Remembered, Callable[[], None]]:
        """The step, which parameters it leaves gradients to, and what is remembered then.

        The last tells whether it does the same each time: ``Trace.require_same``.

        Args:
            remembered: what the optimizer remembers before it; of tensors only the kinds count.
            gradients: which parameters have gradients before it.
            told: whether of the lines that are traced was told before.
        """
        own = tensors_of(self.step.net)
        live = [(name, part) for name, part, _ in remembered_tensors(remembered)]
        graded = [name for name in own if name in gradients]
        kinds = [
            *(Kind.of(own[name]) for name in self.held),
            *(Kind.of(value) for _, _, value in remembered_tensors(remembered)),
            *(Kind((), "float64") for _ in self.places),
            *(Kind.of(own[name]) for name in graded),
            *self.samples,
        ]
        outcome: list[tuple[frozenset[str], Remembered]] = []

        def flat(inputs: list[torch.Tensor]) -> list[torch.Tensor]:
            queue = iter(inputs)
            given = {name: next(queue).detach().clone() for name in self.held}
            for name, one in given.items():
                one.requires_grad_(own[name].requires_grad)
            memory = filled(remembered, {place: next(queue).clone() for place in live})
            numbers = {name: _number(next(queue)) for name in self.places}
            for name in graded:
                given[name].grad = next(queue).clone()
            x, y = _of_samples(list(queue), self.several)
            loss, left, after = done(
                self.step, own, given, memory, self.places, numbers, self.zeros, x, y
            )
            outcome[:] = [(left, after)]
            values = [value.detach() for _, _, value in remembered_tensors(after)]
            return [loss.detach(), *(given[name].detach() for name in self.held), *values]

        program, require_same = traced(self.step.net, flat, kinds, not told, self.step.name)
        first = len(self.held) + len(live) + len(self.places)
        _require_unused(program, range(first, first + len(graded)), graded)
        structs = (jax.ShapeDtypeStruct(*Kind.of(own[name])) for name in graded)
        ((left, after),) = outcome
        meanings = Meanings()(program, [("input", place) for place in range(program.inputs)])
        unchanged = [("value", place, False) for place in range(len(self.held))]
        if meanings[1 : 1 + len(unchanged)] == unchanged:
            raise ArgumentError(
                "the step changes nothing that the module holds: it must call loss.backward() and "
                "optimizer.step()"
            )
        return Traced(program, tuple(live), tuple(structs)), left, examples(after), require_same


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


def _start(value: Any, example: torch.Tensor) -> np.ndarray:
    """What the run's state holds at its start."""
    return as_numpy(value if isinstance(value, torch.Tensor) else example)


def _kind(struct: Any, size: int) -> Kind:
    """The kind of tensor that stands for so many samples: whole numbers have 64 bits there."""
    dtype = np.dtype(struct.dtype).name
    return Kind((size, *struct.shape[1:]), "int64" if dtype == "int32" else dtype)
