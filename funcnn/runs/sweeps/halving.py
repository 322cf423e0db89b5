"""Successive halving: the worse half of the members stops, again and again.

The members that go on are put together in groups of the same width, the last filled up, from
what their loops held: their bits are those of a sweep in which nobody stops.

Source: Jamieson and Talwalkar, "Non-stochastic best arm identification and hyperparameter
optimization" (2016).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Int

from funcnn.core import ArgumentError, checks
from funcnn.runs.divergence import NEVER
from funcnn.runs.observers.losses import kept_steps
from funcnn.runs.plan import Plan
from funcnn.runs.sweeps.folds import FOLD, alike, ranked
from funcnn.runs.sweeps.groups import in_groups
from funcnn.runs.sweeps.kinds import Kind
from funcnn.runs.sweeps.tasks import Keep, Part, Task, keeping, part_of

__all__ = ["DROPPED", "Rung", "check_halving", "halved"]

DROPPED = "dropped"
"""The name, among what is measured, of whether a member was dropped."""


class Rung(NamedTuple):
    """What is trained from one halving to the next.

    Attributes:
        number: which, from 0.
        steps: how many steps the members have made at its end.
        members: of each kind those that have come so far, by their places in the sweep.
        tasks: their groups.
    """

    number: int
    steps: int
    members: list[Int[np.ndarray, " members"]]
    tasks: list[Task]


def check_halving(plans: Sequence[Plan], halving: Any) -> int:
    """The steps between two halvings.

    Raises:
        ArgumentError, ArgumentTypeError: for what is no such number, or where there would be no
            score to drop by.
    """
    every = checks.integer("halving", halving, at_least=1)
    plan = plans[0]
    if any((one.steps, one.watched.words) != (plan.steps, plan.watched.words) for one in plans):
        raise ArgumentError(
            "halving: the members make different numbers of steps, or are measured at different "
            "steps; give steps= and evaluate_every= in place of epochs"
        )
    if every >= plan.steps:
        raise ArgumentError(f"halving={every} must be below the {plan.steps} steps")
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
    kinds: Sequence[Kind],
    settings: Sequence[dict[str, Any]],
    width: int,
    keep_every: int,
    every: int,
    keep: Keep,
    train: Callable[[Rung], Sequence[Part] | None],
) -> list[Part] | None:
    """Train all members for some steps, the better half for some more, and so on.

    Members that differ in their fold alone go on together; where one of them has diverged they
    have no mean to be ranked by, and none of them goes on.

    Args:
        kinds: the members, and what they do.
        settings: of all members.
        width: how many go side by side.
        keep_every: the steps between losses that are kept.
        every: the steps after which the worse half stops.
        keep: whose states are kept in the end.
        train: gives what came of the groups of a rung, with all of their states; None where it
            was interrupted.

    Returns:
        What came of all members, kind by kind, where training was interrupted up to the last
        halving; None where it was before the first.
    """
    going = [_Going(kind, keep) for kind in kinds]
    steps, higher = kinds[0].plan.steps, kinds[0].plan.watched.higher_is_better
    done = stages = 0
    while done < steps and any(len(one.alive) for one in going):
        alive = np.concatenate([one.members for one in going])
        units = alike([settings[member] for member in alive], FOLD)
        until = steps if units.max() == 0 else min(done + every, steps)
        tasks = [
            task._replace(until=until)
            for number, one in enumerate(going)
            for task in one.tasks(number, width, keep_every)
        ]
        parts = train(Rung(stages, until, [one.members for one in going], tasks))
        if parts is None:
            if not stages:
                return None
            break
        done = until
        found = [
            part_of([part for part, task in zip(parts, tasks, strict=True) if task.kind == number])
            for number in sorted({task.kind for task in tasks})
        ]
        chosen = np.ones(len(alive), bool)
        if done < steps:
            score = np.concatenate([part.score for part in found])
            diverged = np.concatenate([part.diverged for part in found])
            own = [settings[member] for member in alive]
            best = ranked(own, score, diverged, higher)
            kept = list(dict.fromkeys(units[best]))[: math.ceil((units.max() + 1) / 2)]
            chosen = np.isin(units, kept) & ~np.isin(units, units[diverged != NEVER])
        living = [one for one in going if len(one.alive)]
        ends = np.cumsum([len(one.alive) for one in living])
        for one, part, own in zip(living, found, np.split(chosen, ends[:-1]), strict=True):
            one.go_on(part, own, stages)
        stages += 1
    return [one.together(keep_every, done, stages) for one in going]


_Ended = tuple[int, Int[np.ndarray, " members"], Part]
"""The stage at which members of a kind have ended, their places in the kind, what came of them."""


class _Going:
    """The members of a kind, of which some go on.

    Args:
        kind: the members, and what they do.
        keep: whose states are kept in the end.

    Attributes:
        alive: those that go on, by their places in the kind.
    """

    def __init__(self, kind: Kind, keep: Keep) -> None:
        self._kind, self._keep = kind, keep
        self.alive = np.arange(len(kind.members))
        self._before: Part | None = None
        self._ended: list[_Ended] = []

    @property
    def members(self) -> Int[np.ndarray, " members"]:
        """Those that go on, by their places in the sweep."""
        return self._kind.members[self.alive]

    def tasks(self, number: int, width: int, keep_every: int) -> list[Task]:
        """Their groups, with what they have made before."""
        if not len(self.alive):
            return []
        width = self._kind.width(width)
        own = [self._kind.own[place] for place in self.alive]
        tasks = in_groups(own, width, keep_every, kind=number)
        if self._before is None:
            return tasks
        rows = [np.arange(width) + task.place * width for task in tasks]
        last = len(self.alive) - 1  # It fills up the last group.
        return [
            task._replace(before=part_of([self._before], np.minimum(these, last)))
            for task, these in zip(tasks, rows, strict=True)
        ]

    def go_on(self, found: Part, chosen: Bool[np.ndarray, " alive"], stage: int) -> None:
        """Take what came of them at a stage, of which the chosen go on."""
        stopped, going = np.flatnonzero(~chosen), np.flatnonzero(chosen)
        ended = (stage, self.alive[stopped], part_of([found], stopped))
        self._ended = self._with_the_best([*self._ended, ended])
        self.alive, self._before = self.alive[going], part_of([found], going)

    def together(self, keep_every: int, steps: int, stages: int) -> Part:
        """All members in their order, NaN in place of what those have not made that were dropped.

        Args:
            keep_every: the steps between losses that are kept.
            steps: how many steps the members have made that went on.
            stages: how many stages there were: who ended in one of them was dropped.
        """
        plan, before = self._kind.plan, self._before
        assert before is not None
        ended = self._with_the_best([*self._ended, (stages, self.alive, before)])
        losses = len(kept_steps(steps, keep_every))
        records = 0 if plan.watched.evaluation is None else plan.watched.evaluation.rows(steps)
        filled = []
        for stage, members, part in ended:
            # The last loss of a part that ended before is not one of every so many.
            made = part.losses[:, : -(-part.steps // keep_every)]
            made = part.losses if part.steps == steps else made
            measured = {
                name: _padded(column, records) if column.ndim == 2 else column
                for name, column in part.measured.items()
            }
            was_dropped = np.full(len(members), stage < stages) & (part.diverged == NEVER)
            measured |= {
                DROPPED: was_dropped,
                "steps": np.where(part.diverged == NEVER, part.steps, part.diverged),
            }
            whole = part._replace(losses=_padded(made, losses), measured=measured, steps=steps)
            filled.append(whole)
        return part_of(filled, np.argsort(np.concatenate([members for _, members, _ in ended])))

    def _with_the_best(self, ended: list[_Ended]) -> list[_Ended]:
        """Members that have ended, without the states of those that so many others surpass."""
        if self._keep == "all":
            return ended
        score = np.concatenate([part.score for _, _, part in ended])
        diverged = np.concatenate([part.diverged for _, _, part in ended])
        stages = np.concatenate([np.full(len(own), stage) for stage, own, _ in ended])
        higher = self._kind.plan.watched.higher_is_better
        best = np.zeros(len(score), bool)
        order = ranked([], score, diverged, higher, stages)
        best[order[: self._keep if isinstance(self._keep, int) else 0]] = True
        each = np.split(best, np.cumsum([len(own) for _, own, _ in ended])[:-1])
        return [
            (stage, own, keeping(part, chosen[part.kept]))
            for (stage, own, part), chosen in zip(ended, each, strict=True)
        ]


def _padded(column: np.ndarray, wanted: int) -> np.ndarray:
    missing = wanted - column.shape[1]
    return np.pad(column, ((0, 0), (0, missing)), constant_values=np.nan)
