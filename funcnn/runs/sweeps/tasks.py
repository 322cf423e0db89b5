"""A task of a sweep: one group of members, from their settings to what came of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Float, Int

from funcnn.core import TrainState
from funcnn.runs.divergence import NEVER
from funcnn.runs.observers import Losses, Observer
from funcnn.runs.plan import Plan
from funcnn.runs.run import run

__all__ = ["Part", "carry_out"]


class Part(NamedTuple):
    """What came of a group, in NumPy arrays: the device is free for the next.

    Attributes:
        state: the members' states, without their keys.
        losses: the losses that are kept, NaN from where a member diverged.
        diverged: each member's first step that is not finite, or ``NEVER``.
        steps: how many steps the group has made: fewer than the plan has, where it was stopped.
        compile_seconds: what went by before its first step.
    """

    state: TrainState
    losses: Float[np.ndarray, "members kept"]
    diverged: Int[np.ndarray, " members"]
    steps: int
    compile_seconds: float


def carry_out(
    plan: Plan,
    members: Sequence[Mapping[str, Any]],
    keep_every: int,
    observers: Sequence[Observer] = (),
) -> Part:
    """Train a group of members, in the calling thread.

    Args:
        plan: what each member does.
        members: what each has in place of the plan's seed and numbers.
        keep_every: the steps between losses that are kept.
        observers: what looks on, and may stop the group.
    """
    recorded = Losses(keep_every)
    outcome = run(plan, members, [recorded, *observers])
    # Where every member has diverged, it ends early, and nothing is missing.
    stopped = outcome.steps < plan.steps and (outcome.diverged == NEVER).any()
    return Part(
        state=jax.tree.map(np.array, outcome.state._replace(key=None)),
        losses=recorded.losses(None if stopped else plan.steps),
        diverged=outcome.diverged,
        steps=outcome.steps if stopped else plan.steps,
        compile_seconds=outcome.compile_seconds,
    )
