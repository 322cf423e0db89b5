"""Whether an optimizer's first step is one like all others, made of a memory of zeros.

PyTorch's optimizers make what they remember at their first step. Of most of them it is zeros, and
the step goes on as every other does: then one program serves all steps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from funcnn.interop.torch.program import Instruction, Kind, Program, Value

__all__ = ["is_same_from_zeros"]

COPIES = ("clone", "detach", "alias", "lift_fresh")
"""Operations that give what they are given."""

FILLING = {"zeros": None, "zeros_like": None, "full": 1, "full_like": 1}
"""Operations that make a tensor of one number, and where they are told which; None for 0."""

Meaning = int
"""The number of what a value is: the same for values that are computed alike."""


def is_same_from_zeros(first: Program, following: Program, zeros: Mapping[int, Kind]) -> bool:
    """Whether ``following`` computes what ``first`` does, where some of its inputs are zeros.

    Values are the same where the same operation makes them of the same values. What is equal in
    another way is not found out: then the answer is no.

    Args:
        first: takes the inputs of ``following``, less those that are zeros.
        following: the other program.
        zeros: which of its inputs are zeros, and their kinds.
    """
    known: dict[Any, Meaning] = {}
    others = [number for number in range(following.inputs) if number not in zeros]
    if len(others) != first.inputs:
        return False
    inputs = {number: ("input", place) for place, number in enumerate(others)}
    inputs |= {number: ("zeros", kind) for number, kind in zeros.items()}
    one = _meanings(first, [("input", place) for place in range(first.inputs)], known)
    other = _meanings(following, [inputs[number] for number in range(following.inputs)], known)
    return one == other


def _meanings(
    program: Program, inputs: Sequence[Any], known: dict[Any, Meaning]
) -> list[Meaning | Any]:
    """What each output of a program is.

    Args:
        program: the program.
        inputs: what each of its inputs is.
        known: what was met before, by how it is made; it grows.
    """

    def number(description: Any) -> Meaning:
        return known.setdefault(description, len(known))

    constants = [
        ("constant", str(one.dtype), one.shape, one.tobytes()) for one in program.constants
    ]
    values = [number(description) for description in (*inputs, *constants)]
    for instruction in program.instructions:
        argument = instruction.arguments[:1]
        if instruction.operation in COPIES and isinstance(argument[0], Value):
            values.append(values[argument[0].number])
        elif _is_zeros(instruction):
            values.append(number(("zeros", instruction.kind)))
        else:
            made_of = _hashable((instruction.arguments, instruction.options), values)
            described = instruction.operation, made_of, instruction.kind, instruction.draw
            values.append(number(described))
    return [_hashable(output, values) for output in program.outputs]


def _is_zeros(instruction: Instruction) -> bool:
    """Whether an instruction makes a tensor of zeros of the values' own dtype."""
    if instruction.operation not in FILLING or not isinstance(instruction.kind, Kind):
        return False
    place = FILLING[instruction.operation]
    # −0 is another number.
    return place is None or repr(instruction.arguments[place]) in ("0", "0.0", "False")


def _hashable(argument: Any, values: Sequence[Meaning]) -> Any:
    """An argument with what its values are in their places."""
    if isinstance(argument, Value):
        return "value", values[argument.number], argument.scalar
    if isinstance(argument, Mapping):
        return tuple((name, _hashable(one, values)) for name, one in sorted(argument.items()))
    if isinstance(argument, (list, tuple)):
        return type(argument).__name__, *(_hashable(one, values) for one in argument)
    return type(argument).__name__, repr(argument)
