"""Whether an optimizer's first step is one like all others, made of a memory of zeros.

PyTorch's optimizers make what they remember at their first step. Of most of them it is zeros, and
the step goes on as every other does: then one program serves all steps.
"""

from __future__ import annotations

from collections.abc import Mapping

from funcnn.interop.torch.meanings import Meanings
from funcnn.interop.torch.program import Kind, Program

__all__ = ["is_same_from_zeros"]


def is_same_from_zeros(first: Program, following: Program, zeros: Mapping[int, Kind]) -> bool:
    """Whether ``following`` computes what ``first`` does, where some of its inputs are zeros.

    What ``Meanings`` does not find to be the same is not: then the answer is no.

    Args:
        first: takes the inputs of ``following``, less those that are zeros.
        following: the other program.
        zeros: which of its inputs are zeros, and their kinds.
    """
    others = [number for number in range(following.inputs) if number not in zeros]
    if len(others) != first.inputs:
        return False
    inputs = {number: ("input", place) for place, number in enumerate(others)}
    inputs |= {number: ("zeros", kind) for number, kind in zeros.items()}
    meanings = Meanings()
    one = meanings(first, [("input", place) for place in range(first.inputs)])
    return one == meanings(following, [inputs[number] for number in range(following.inputs)])
