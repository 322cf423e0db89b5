"""Which members of a sweep go side by side."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import jax

from funcnn.core.cores import usable_cores
from funcnn.runs.shapes import bytes_of, memory_of, structs
from funcnn.runs.sweeps.kinds import Kind
from funcnn.runs.sweeps.tasks import Keep, Task

__all__ = ["in_groups", "width_of"]

CACHE = 2**25
"""Bytes that the steps of all groups at work may touch on a CPU, what its cache holds: beyond
them every step waits for memory."""

MEMORY = 2**30
"""Bytes of a group on any other device, and of all groups at work on a CPU."""

WIDEST = 1024
"""Far more members side by side gain nothing, and make the pieces of work few."""


def width_of(kinds: Sequence[Kind], workers: int) -> int:
    """How many members go side by side, of any kind.

    There are as many groups as workers, or two, three ... times as many, so that all have as much
    to do; and as few as fit the cache.

    Args:
        kinds: the members, and what they do.
        workers: how many groups are worked on at a time.
    """
    members = max(len(kind.members) for kind in kinds)
    widest = min(map(_widest, kinds))
    # The groups of one kind are all the workers have, or a part of it.
    workers = math.ceil(workers / len(kinds))
    groups = workers * math.ceil(members / (workers * widest))
    return math.ceil(members / groups)


def _widest(kind: Kind) -> int:
    """How many members of a kind may go side by side."""
    plan, own, given = kind.plan, 0, 0
    memory = memory_of(plan.problem, plan.form, plan.shapes, structs(plan.data), plan.dtype)
    if plan.has_own_data(kind.own):
        own, given = memory.data, _bytes_of((plan.data, plan.validation))
    room = MEMORY // (memory.whole + own + given)
    if jax.default_backend() == "cpu":
        cores = usable_cores()
        room = min(room // cores, CACHE // (cores * (memory.step + own)))
    return min(max(1, room), WIDEST)


def _bytes_of(tree: Any) -> int:
    return sum(map(bytes_of, jax.tree.leaves(tree)))


def in_groups(
    members: list[dict[str, Any]],
    width: int,
    keep_every: int = 1,
    keep: Keep = "all",
    kind: int = 0,
) -> list[Task]:
    """The tasks of a kind: groups of one size, the last filled up with a member that is there.

    So no other size is compiled for, and the bits of a member do not depend on its place.

    >>> tasks = in_groups([{"seed": 0}, {"seed": 1}, {"seed": 2}], 2)
    >>> [(task.members, task.real) for task in tasks]
    [([{'seed': 0}, {'seed': 1}], 2), ([{'seed': 2}, {'seed': 2}], 1)]
    """
    filled = members + members[-1:] * (-len(members) % width)
    return [
        Task(
            kind=kind,
            place=first // width,
            members=filled[first : first + width],
            real=min(width, len(members) - first),
            keep_every=keep_every,
            keep=keep,
        )
        for first in range(0, len(members), width)
    ]
