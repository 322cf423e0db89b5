"""Which members of a sweep go side by side, and what their groups come to together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Float, Int

from funcnn.core import TrainState
from funcnn.runs.plan import Plan
from funcnn.runs.shapes import memory_of, structs

__all__ = ["Part", "in_groups", "together"]

CACHE = 2**25
"""Bytes of a group on a CPU, what its cache holds: beyond it every step waits for memory."""

MEMORY = 2**30
"""Bytes of a group on any other device."""


class Part(NamedTuple):
    """What came of a group, in NumPy arrays: the device is free for the next.

    Attributes:
        state: the members' states, without their keys.
        losses: the losses that are kept, NaN from where a member diverged.
        diverged: each member's first step that is not finite, or ``NEVER``.
        steps: how many steps the group has made.
    """

    state: TrainState
    losses: Float[np.ndarray, "members kept"]
    diverged: Int[np.ndarray, " members"]
    steps: int


def in_groups(
    plan: Plan, settings: list[dict[str, Any]], group: int | None = None
) -> list[list[dict[str, Any]]]:
    """The settings in groups of one size, the last filled up with members that are there already.

    So no other size is compiled for.
    """
    members = len(settings)
    if group is None:
        budget = CACHE if jax.default_backend() == "cpu" else MEMORY
        data = structs(plan.data)
        memory = memory_of(plan.problem, plan.form, plan.shapes, data, plan.dtype)
        at_once = max(1, budget // memory)
        group = math.ceil(members / math.ceil(members / at_once))
    group = min(group, members)
    filled = settings + settings[-1:] * (-members % group)
    return [filled[first : first + group] for first in range(0, members, group)]


def together(parts: Sequence[Part], count: int) -> Part:
    """The parts of the groups as one, less what filled up the last group."""
    states, losses, diverged, steps = zip(*parts, strict=True)
    return Part(
        state=jax.tree.map(lambda *leaves: np.concatenate(leaves)[:count], *states),
        losses=np.concatenate(losses)[:count],
        diverged=np.concatenate(diverged)[:count],
        steps=steps[0],
    )
