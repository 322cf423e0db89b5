"""Which of the values that an optimizer remembers are always equal, so that one stands for all.

PyTorch's optimizers count their steps for each parameter anew. In a compiled loop each of these
numbers, and what follows from it, would be computed again at every step.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping

import numpy as np

from funcnn.interop.torch.meanings import Meanings
from funcnn.interop.torch.traced import Pair, Slot, Traced

__all__ = ["representatives"]


def representatives(
    memory: Mapping[Slot, np.ndarray], pairs: Iterable[Pair], held: int
) -> dict[Slot, Slot]:
    """For each value that is remembered, the first of those that are equal to it at every step.

    They are equal where they start so, and where each step makes them alike, provided that they
    were equal before: the groups of those that start equal are divided until that holds.

    Args:
        memory: what is remembered before the first step.
        pairs: all steps that may be made.
        held: of how many values the params are, which come out of a step before the memory.
    """
    steps = [one for pair in pairs for one in pair if one is not None]
    groups: dict[Slot, Hashable] = {
        place: (str(one.dtype), one.shape, one.tobytes()) for place, one in memory.items()
    }
    while True:
        made = [_made(step, groups, held) for step in steps]
        divided = {
            place: (groups[place], *(results[number] for results in made))
            for number, place in enumerate(memory)
        }
        if len(set(divided.values())) == len(set(groups.values())):
            break
        groups = dict(zip(divided, _numbered(divided.values()), strict=True))
    first: dict[Hashable, Slot] = {}
    return {place: first.setdefault(group, place) for place, group in groups.items()}


def _made(step: Traced, groups: Mapping[Slot, Hashable], held: int) -> list[Hashable]:
    """What a step makes of each value that is remembered, where those of a group are equal."""
    inputs: list[Hashable] = [("input", number) for number in range(step.program.inputs)]
    for number, place in enumerate(step.remembered):
        inputs[held + number] = ("remembered", groups[place])
    return Meanings()(step.program, inputs)[1 + held :]


def _numbered(descriptions: Iterable[Hashable]) -> list[int]:
    """Small names for descriptions, equal ones the same."""
    known: dict[Hashable, int] = {}
    return [known.setdefault(one, len(known)) for one in descriptions]
