"""Which members of a sweep go side by side."""

from __future__ import annotations

import math
from typing import Any

import jax

from funcnn.core.cores import usable_cores
from funcnn.runs.plan import Plan
from funcnn.runs.shapes import memory_of, structs
from funcnn.runs.sweeps.tasks import Keep, Task

__all__ = ["in_groups", "width_of"]

CACHE = 2**25
"""Bytes that the steps of all groups at work may touch on a CPU, what its cache holds: beyond
them every step waits for memory."""

MEMORY = 2**30
"""Bytes of a group on any other device, and of all groups at work on a CPU."""

WIDEST = 1024
"""Far more members side by side gain nothing, and make the pieces of work few."""


def width_of(plan: Plan, members: int, workers: int) -> int:
    """How many members go side by side.

    There are as many groups as workers, or two, three ... times as many, so that all have as much
    to do; and as few as fit the cache.

    Args:
        plan: what each member does.
        members: how many there are.
        workers: how many groups are worked on at a time.
    """
    memory = memory_of(plan.problem, plan.form, plan.shapes, structs(plan.data), plan.dtype)
    room = MEMORY // memory.whole
    if jax.default_backend() == "cpu":
        cores = usable_cores()
        room = min(room // cores, CACHE // (cores * memory.step))
    widest = min(max(1, room), WIDEST)
    groups = workers * math.ceil(members / (workers * widest))
    return math.ceil(members / groups)


def in_groups(
    settings: list[dict[str, Any]], width: int, keep_every: int = 1, keep: Keep = "all"
) -> list[Task]:
    """The tasks of a sweep: groups of one size, the last filled up with a member that is there.

    So no other size is compiled for, and the bits of a member do not depend on its place.

    >>> tasks = in_groups([{"seed": 0}, {"seed": 1}, {"seed": 2}], 2)
    >>> [(task.members, task.real) for task in tasks]
    [([{'seed': 0}, {'seed': 1}], 2), ([{'seed': 2}, {'seed': 2}], 1)]
    """
    filled = settings + settings[-1:] * (-len(settings) % width)
    return [
        Task(filled[first : first + width], min(width, len(settings) - first), keep_every, keep)
        for first in range(0, len(settings), width)
    ]
