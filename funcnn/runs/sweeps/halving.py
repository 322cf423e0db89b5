"""Successive halving: the worse half of the members stops, again and again.

The members that go on are put together in groups of the same width, the last filled up, from
what their loops held: their bits are those of a sweep in which nobody stops.

Source: Jamieson and Talwalkar, "Non-stochastic best arm identification and hyperparameter
optimization" (2016).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Int

from funcnn.core import ArgumentError, checks
from funcnn.runs.divergence import NEVER
from funcnn.runs.observers.losses import kept_steps
from funcnn.runs.plan import Plan
from funcnn.runs.sweeps.groups import in_groups
from funcnn.runs.sweeps.tasks import Part, Task, order_of, part_of

__all__ = ["DROPPED", "check_halving", "halved"]

DROPPED = "dropped"
"""The name, among what is measured, of whether a member was dropped."""


def check_halving(plan: Plan, halving: Any, folder: Any, keep: Any) -> int:
    """The steps between two halvings.

    Raises:
        ArgumentError, ArgumentTypeError: for what is no such number, or where there would be no
            score to drop by.
    """
    every = checks.integer("halving", halving, at_least=1)
    if every >= plan.steps:
        raise ArgumentError(f"halving={every} must be below the {plan.steps} steps")
    if folder is not None or keep != "all":
        raise ArgumentError("halving: all params stay in memory; leave folder= and keep= out")
    evaluation, patience = plan.watched
    if patience is not None and patience.patience is not None:
        raise ArgumentError("halving and patience: give one of the two")
    if evaluation is not None and every % evaluation.every:
        raise ArgumentError(
            f"halving={every}: there is a score to drop by every {evaluation.every} steps "
            f"(evaluate_every); give a multiple of these"
        )
    return every


def halved(
    plan: Plan,
    settings: list[dict[str, Any]],
    width: int,
    keep_every: int,
    every: int,
    train: Callable[[list[Task]], Sequence[Part] | None],
) -> Part | None:
    """Train all members for some steps, the better half for some more, and so on.

    Args:
        plan: what each member does.
        settings: of all members.
        width: how many go side by side.
        keep_every: the steps between losses that are kept.
        every: the steps after which the worse half stops.
        train: gives what came of groups; None where it was interrupted.

    Returns:
        What came of all members, where training was interrupted up to the last halving; None
        where it was before the first.
    """
    alive, done, before = np.arange(len(settings)), 0, None
    ended: list[tuple[Int[np.ndarray, " members"], Part]] = []
    while done < plan.steps and len(alive):
        until = plan.steps if len(alive) == 1 else min(done + every, plan.steps)
        tasks = in_groups([settings[member] for member in alive], width, keep_every)
        for number, task in enumerate(tasks):
            rows = np.minimum(np.arange(width) + number * width, len(alive) - 1)
            own = None if before is None else part_of([before], rows)
            tasks[number] = task._replace(until=until, before=own)
        parts = train(tasks)
        if parts is None:
            if before is None:
                return None
            break
        found, done = part_of(parts), until
        going = np.arange(len(alive))
        if done < plan.steps:
            order = order_of(found.score, found.diverged, plan.watched.higher_is_better)
            going = np.sort(order[: math.ceil(len(alive) / 2)])
            going = going[found.diverged[going] == NEVER]
        stopped = np.setdiff1d(np.arange(len(alive)), going)
        ended.append((alive[stopped], part_of([found], stopped)))
        alive, before = alive[going], part_of([found], going)
    assert before is not None
    return _together(plan, [*ended, (alive, before)], keep_every, len(ended))


def _together(
    plan: Plan,
    ended: Sequence[tuple[Int[np.ndarray, " members"], Part]],
    keep_every: int,
    last: int,
) -> Part:
    """All members in their order, NaN in place of what those that were dropped have not made."""
    steps = max(part.steps for _, part in ended)
    losses = len(kept_steps(steps, keep_every))
    records = 0 if plan.watched.evaluation is None else plan.watched.evaluation.rows(steps)
    filled = []
    for number, (members, part) in enumerate(ended):
        made = (
            part.losses if part.steps == steps else part.losses[:, : -(-part.steps // keep_every)]
        )
        measured = {
            name: _padded(column, records) if column.ndim == 2 else column
            for name, column in part.measured.items()
        }
        was_dropped = np.full(len(members), number < last) & (part.diverged == NEVER)
        measured |= {
            DROPPED: was_dropped,
            "steps": np.where(part.diverged == NEVER, part.steps, part.diverged),
        }
        filled.append(part._replace(losses=_padded(made, losses), measured=measured, steps=steps))
    order = np.argsort(np.concatenate([members for members, _ in ended]))
    return part_of(filled, order)


def _padded(column: np.ndarray, wanted: int) -> np.ndarray:
    missing = wanted - column.shape[1]
    return np.pad(column, ((0, 0), (0, missing)), constant_values=np.nan)
