"""The groups of a sweep, from its members to its result."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Int

from funcnn.core import SweepError, TrainingInterrupted
from funcnn.runs.observers import Bar, Interrupts
from funcnn.runs.sweeps.execution import trained
from funcnn.runs.sweeps.folder import SweepFolder
from funcnn.runs.sweeps.folds import has_folds
from funcnn.runs.sweeps.gathering import Gathering
from funcnn.runs.sweeps.groups import in_groups, width_of
from funcnn.runs.sweeps.halving import Rung, halved
from funcnn.runs.sweeps.joining import joined
from funcnn.runs.sweeps.kinds import Kind
from funcnn.runs.sweeps.result import SweepResult
from funcnn.runs.sweeps.tasks import Keep, Part, Task

__all__ = ["Ways", "carried_out"]


class Ways(NamedTuple):
    """How a sweep is carried out; what it gives does not depend on most of it.

    Attributes:
        group: the width of a group; None to choose it.
        workers: how many groups are worked on at a time.
        executor: who works on them; None for threads of this process.
        folder: where finished groups are kept; None for nowhere.
        keep_every: the steps between losses that are kept.
        keep: whose states are kept.
        progress: whether to draw a bar.
        halving: the steps after which the worse half stops; None where nobody does.
    """

    group: int | None
    workers: int
    executor: Any
    folder: SweepFolder | None
    keep_every: int
    keep: Keep
    progress: bool | None
    halving: int | None


def carried_out(kinds: Sequence[Kind], settings: list[dict[str, Any]], ways: Ways) -> SweepResult:
    """Train the members that are not there yet, and put together what came of all.

    Raises:
        TrainingInterrupted: after Ctrl-C or SIGTERM, with the members of the groups that were
            finished, or with all members as they were at the last halving; where no group was
            finished, with the steps that the first of them has made.
        SweepError: where groups could not be trained, with the members of all others.
    """
    begin = time.perf_counter()
    # Which folds are the best their mean tells, when all are done.
    is_late = has_folds(settings) and (ways.halving is not None or isinstance(ways.keep, int))
    with contextlib.ExitStack() as stack:
        folder = ways.folder and stack.enter_context(ways.folder)
        width = ways.group or (folder and folder.group) or width_of(kinds, ways.workers)
        width = min(width, max(len(kind.members) for kind in kinds))
        if folder:
            folder.begin(width)
        interrupts = stack.enter_context(Interrupts())
        groups = [math.ceil(len(kind.members) / kind.width(width)) for kind in kinds]
        steps = sum(kind.plan.steps * count for kind, count in zip(kinds, groups, strict=True))
        bar = stack.enter_context(Bar(steps, ways.progress))
        kept = ways._replace(keep="all") if is_late else ways
        work = _Work(kinds, kept, width, bar, interrupts)
        found = _by_halves(work, settings) if ways.halving else _at_once(work)
    result = joined(kinds, settings, found, width, time.perf_counter() - begin, ways.keep)
    if interrupts.came is not None:
        raise TrainingInterrupted(result, interrupts.came)
    if work.failed or result is None:
        raise _failure(work, settings, result)
    return result


class _Work:
    """Trains groups or finds them in the folder, for a plain sweep and for a halving alike.

    Args:
        kinds: the members, and what they do.
        ways: how they are trained.
        width: how many members go side by side.
        bar: moved on.
        interrupts: tells of a signal.

    Attributes:
        tasks: the groups that were last to be trained.
        members: of each kind the members in them, by their places in the sweep.
        failed: the errors of groups that could not be trained, by their numbers in ``tasks``.
    """

    def __init__(
        self, kinds: Sequence[Kind], ways: Ways, width: int, bar: Bar, interrupts: Interrupts
    ) -> None:
        self.kinds, self.ways, self.width = kinds, ways, width
        self._bar, self._interrupts = bar, interrupts
        self.tasks: Sequence[Task] = ()
        self.members: Sequence[Int[np.ndarray, " members"]] = ()
        self.failed = dict[int, Exception]()

    def train(
        self,
        tasks: Sequence[Task],
        members: Sequence[Int[np.ndarray, " members"]],
        take: Callable[[int, Part], Part],
        first: int = 0,
    ) -> None:
        """Train the groups that the folder does not hold.

        Args:
            tasks: the groups.
            members: of each kind the members in them, by their places in the sweep.
            take: is given each group's number and what came of it, and gives what is to be
                written of it.
            first: the number of the first group in the folder.
        """
        self.tasks, self.members = tasks, members
        ways, plans = self.ways, [kind.plan for kind in self.kinds]
        steps = [plans[task.kind].steps if task.until is None else task.until for task in tasks]
        missing = []
        for number, task in enumerate(tasks):
            part = ways.folder and ways.folder.finished(first + number, steps[number])
            if part is None:
                missing.append(number)
                continue
            before = 0 if task.before is None else task.before.steps
            self._bar.move(steps[number] - before, part.losses[:, -1])
            take(number, part)
        given = (ways.workers, ways.executor, missing, self._bar, self._interrupts)
        for number, part in trained(plans, tasks, *given):
            if isinstance(part, Exception):
                self.failed[number] = part
                continue
            kept = take(number, part)
            if ways.folder and part.steps == steps[number]:
                ways.folder.put(first + number, kept)


def _at_once(work: _Work) -> list[Gathering]:
    """What came of members that all make all of their steps."""
    kinds, keep_every, keep = work.kinds, work.ways.keep_every, work.ways.keep
    tasks = [
        task
        for number, kind in enumerate(kinds)
        for task in in_groups(kind.own, kind.width(work.width), keep_every, keep, number)
    ]
    found = [_gathering(kind, work.width, keep_every, keep) for kind in kinds]

    def take(number: int, part: Part) -> Part:
        task = tasks[number]
        found[task.kind].add(task.place, part)
        return found[task.kind].kept_of(task.place, part)

    work.train(tasks, [kind.members for kind in kinds], take)
    return found


def _by_halves(work: _Work, settings: list[dict[str, Any]]) -> list[Gathering]:
    """What came of members of which the better half goes on, again and again."""
    kinds, ways = work.kinds, work.ways
    assert ways.halving is not None
    made = dict[int, Part]()
    rungs: list[Rung] = []

    def take(number: int, part: Part) -> Part:
        made[number] = part
        return part

    def train(rung: Rung) -> list[Part] | None:
        first = sum(len(before.tasks) for before in rungs)
        rungs.append(rung)
        made.clear()
        if ways.folder:
            ways.folder.begin_rung(rung)
        work.train(rung.tasks, rung.members, take, first)
        parts = [made[number] for number in sorted(made)]
        is_whole = len(parts) == len(rung.tasks)
        return parts if is_whole and all(one.steps == rung.steps for one in parts) else None

    whole = halved(kinds, settings, work.width, ways.keep_every, ways.halving, ways.keep, train)
    if whole is None:
        steps, tasks = rungs[0].steps, rungs[0].tasks
        short = [kind._replace(plan=kind.plan._replace(steps=steps)) for kind in kinds]
        found = [_gathering(kind, work.width, ways.keep_every, ways.keep) for kind in short]
        for number, part in made.items():
            found[tasks[number].kind].add(tasks[number].place, part)
        return found
    # Where it was interrupted, or all diverged, they have made fewer steps than planned.
    done = [
        kind._replace(plan=kind.plan._replace(steps=part.steps))
        for kind, part in zip(kinds, whole, strict=True)
    ]
    found = [_gathering(kind, len(kind.members), ways.keep_every, "all") for kind in done]
    for one, part in zip(found, whole, strict=True):
        one.add(0, part)
    return found


def _gathering(kind: Kind, width: int, keep_every: int, keep: Keep) -> Gathering:
    return Gathering(kind.plan, len(kind.members), kind.width(width), keep_every, keep)


def _failure(work: _Work, settings: list[dict[str, Any]], result: SweepResult | None) -> Exception:
    """The error of groups that could not be trained; of a plain loop without a result, its own."""
    error = work.failed[max(work.failed)]
    if result is None and work.ways.executor is None:
        return error
    members = []
    for task in (work.tasks[number] for number in sorted(work.failed)):
        first = task.place * len(task.members)
        own = work.members[task.kind][first : first + task.real]
        members += [settings[member] for member in own]
    whole = SweepError(members, result, f"{type(error).__name__}: {error}")
    whole.__cause__ = error
    return whole
