"""A task of a sweep: one group of members, from their settings to what came of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Float, Int, Shaped

from funcnn.runs.divergence import NEVER
from funcnn.runs.observers import Losses, Observer
from funcnn.runs.plan import Plan
from funcnn.runs.run import run

__all__ = ["Keep", "Part", "Task", "best_of", "carry_out"]

Keep = str | int
"""Whose states are kept: ``"all"``, ``"losses"`` for nobody's, or of so many of the best."""


class Task(NamedTuple):
    """What to do for a group, in plain values.

    Attributes:
        members: what each has in place of the plan's seed and numbers.
        real: how many of them are meant: the others fill up the last group.
        keep_every: the steps between losses that are kept.
        keep: whose states are kept.
    """

    members: list[dict[str, Any]]
    real: int
    keep_every: int
    keep: Keep


class Part(NamedTuple):
    """What came of a group, in NumPy arrays: the device is free for the next.

    Attributes:
        losses: the losses that are kept, NaN from where a member diverged.
        diverged: each member's first step that is not finite, or ``NEVER``.
        kept: the members whose states are kept, counted from the first of the group.
        state: the leaves of their states, without their keys.
        steps: how many steps the group has made: fewer than the plan has, where it was stopped.
        compile_seconds: what went by before its first step.
    """

    losses: Float[np.ndarray, "members losses"]
    diverged: Int[np.ndarray, " members"]
    kept: Int[np.ndarray, " kept"]
    state: list[Shaped[np.ndarray, "kept ..."]]
    steps: int
    compile_seconds: float


def carry_out(plan: Plan, task: Task, observers: Sequence[Observer] = ()) -> Part:
    """Train a group of members, in the calling thread.

    Args:
        plan: what each member does.
        task: which members, and what to keep of them.
        observers: what looks on, and may stop the group.
    """
    recorded = Losses(task.keep_every)
    outcome = run(plan, task.members, [recorded, *observers])
    # Where every member has diverged, it ends early, and nothing is missing.
    stopped = outcome.steps < plan.steps and (outcome.diverged == NEVER).any()
    losses = recorded.losses(None if stopped else plan.steps)[: task.real]
    diverged = outcome.diverged[: task.real]
    kept = best_of(task.keep, losses, diverged)
    leaves = jax.tree.leaves(outcome.state._replace(key=None))
    return Part(
        losses=losses,
        diverged=diverged,
        kept=kept,
        state=[np.asarray(leaf)[kept] for leaf in leaves],
        steps=outcome.steps if stopped else plan.steps,
        compile_seconds=outcome.compile_seconds,
    )


def best_of(
    keep: Keep, losses: Float[np.ndarray, "members losses"], diverged: Int[np.ndarray, " members"]
) -> Int[np.ndarray, " kept"]:
    """The members whose states are kept, in their order: the best have the lowest last loss.

    >>> best_of(2, np.array([[3.0], [1.0], [2.0]]), np.array([-1, -1, -1]))
    array([1, 2])
    """
    if keep == "all":
        return np.arange(len(losses))
    last = np.where(diverged == NEVER, losses[:, -1], np.inf)
    count = 0 if keep == "losses" else int(keep)
    return np.sort(np.argsort(last, kind="stable")[:count])
