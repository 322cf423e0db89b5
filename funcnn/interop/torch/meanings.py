"""What the values of a program are: the same where they are computed alike.

Values are the same where the same operation makes them of the same values. What is equal in
another way is not found out, but for sums and products with zeros.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

from funcnn.interop.torch.program import Instruction, Program, Value

__all__ = ["Meaning", "Meanings"]

COPIES = ("clone", "detach", "alias", "lift_fresh")
"""Operations that give what they are given."""

BINARY = ("add", "copy", "mul")
"""Operations that may give what one of their arguments is."""

FILLING = {"zeros": None, "zeros_like": None, "full": 1, "full_like": 1}
"""Operations that make a tensor of one number, and where they are told which; None for 0."""

Meaning = int
"""The number of what a value is: the same for values that are computed alike."""


class Meanings:
    """Numbers what values are, by how they are made; one object for all programs to compare."""

    def __init__(self) -> None:
        self._known: dict[Hashable, Meaning] = {}

    def __call__(self, program: Program, inputs: Sequence[Hashable]) -> list[Any]:
        """What each output of a program is.

        Args:
            program: the program.
            inputs: a description of each of its inputs; equal ones are the same value, and
                ``("zeros", kind)`` is zeros.
        """
        constants = [
            ("constant", str(one.dtype), one.shape, one.tobytes()) for one in program.constants
        ]
        values = [self._number(description) for description in (*inputs, *constants)]
        kinds: list[Any] = [None] * len(values)
        for instruction in program.instructions:
            values.append(self._result(instruction, values, kinds))
            kinds.append(instruction.kind)
        return [_hashable(output, values) for output in program.outputs]

    def _result(
        self, instruction: Instruction, values: Sequence[Meaning], kinds: Sequence[Any]
    ) -> Meaning:
        operation, arguments, options, kind, draw = instruction
        nothing = self._number(("zeros", kind))
        if _is_zeros(operation, arguments):
            return nothing
        if operation in COPIES and isinstance(arguments[0], Value):
            return values[arguments[0].number]
        if operation in BINARY and not options and len(arguments) == 2:
            one, other = arguments
            is_of_kind = isinstance(other, Value) and kinds[other.number] == kind
            if operation == "copy" and is_of_kind:
                return values[other.number]
            if isinstance(one, Value) and values[one.number] == nothing:
                if operation == "mul" and _is_number(other):
                    return nothing
                if operation == "add" and is_of_kind:  # Of 0 and −0 the sum is 0.
                    return values[other.number]
        made_of = _hashable((arguments, options), values)
        return self._number((operation, made_of, kind, draw))

    def _number(self, description: Hashable) -> Meaning:
        return self._known.setdefault(description, len(self._known))


def _is_zeros(operation: str, arguments: Sequence[Any]) -> bool:
    """Whether an instruction makes a tensor of zeros."""
    if operation not in FILLING:
        return False
    place = FILLING[operation]
    # −0 is another number.
    return place is None or repr(arguments[place]) in ("0", "0.0", "False")


def _is_number(argument: Any) -> bool:
    """Whether an argument is a number in Python, an optimizer's own: those are finite."""
    return argument.scalar if isinstance(argument, Value) else isinstance(argument, float)


def _hashable(argument: Any, values: Sequence[Meaning]) -> Any:
    """An argument with what its values are in their places."""
    if isinstance(argument, Value):
        return "value", values[argument.number], argument.scalar
    if isinstance(argument, Mapping):
        return tuple((name, _hashable(one, values)) for name, one in sorted(argument.items()))
    if isinstance(argument, (list, tuple)):
        return type(argument).__name__, *(_hashable(one, values) for one in argument)
    return type(argument).__name__, repr(argument)
