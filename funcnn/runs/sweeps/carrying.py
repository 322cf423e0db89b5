"""The groups of a sweep, from its members to its result."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Mapping, Sequence
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

__all__ = ["Ways", "carried_out", "carried_out_by_halves"]


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
            finished; where none was, with the steps that the first of them has made.
        SweepError: where groups could not be trained, with the members of all others.
    """
    begin = time.perf_counter()
    failed = dict[int, Exception]()
    plans = [kind.plan for kind in kinds]
    # Which folds are the best their mean tells, when all are done.
    keep = "all" if isinstance(ways.keep, int) and has_folds(settings) else ways.keep
    with contextlib.ExitStack() as stack:
        folder = ways.folder and stack.enter_context(ways.folder)
        width = _width(kinds, ways, folder and folder.group)
        tasks = [
            task
            for number, kind in enumerate(kinds)
            for task in in_groups(kind.own, kind.width(width), ways.keep_every, keep, number)
        ]
        found = [_gathering(kind, width, ways.keep_every, keep) for kind in kinds]
        missing = range(len(tasks))
        if folder:
            folder.begin(width)
            missing = _add_finished(folder, kinds, found, tasks)
        interrupts = stack.enter_context(Interrupts())
        steps = [kinds[task.kind].plan.steps for task in tasks]
        there = sum(steps) - sum(steps[number] for number in missing)
        bar = stack.enter_context(Bar(sum(steps), ways.progress, there))
        made = trained(plans, tasks, ways.workers, ways.executor, missing, bar, interrupts)
        for number, part in made:
            if isinstance(part, Exception):
                failed[number] = part
                continue
            task = tasks[number]
            found[task.kind].add(task.place, part)
            if folder and part.steps == kinds[task.kind].plan.steps:
                folder.put(number, found[task.kind].kept_of(task.place, part))
    result = joined(kinds, settings, found, width, time.perf_counter() - begin, ways.keep)
    if interrupts.came is not None:
        raise TrainingInterrupted(result, interrupts.came)
    if failed or result is None:
        of_kinds = [kind.members for kind in kinds]
        raise _failure(failed, tasks, of_kinds, settings, result, ways)
    return result


def carried_out_by_halves(
    kinds: Sequence[Kind], settings: list[dict[str, Any]], ways: Ways
) -> SweepResult:
    """Train all members, and of those that are the better half more, again and again.

    Raises:
        TrainingInterrupted: after Ctrl-C or SIGTERM, with all members as they were at the last
            halving; before the first, with those of the groups that have come so far, or with
            the steps that the first group has made.
        SweepError: where groups could not be trained, with the same.
    """
    assert ways.halving is not None
    begin = time.perf_counter()
    plans = [kind.plan for kind in kinds]
    keep = "all" if has_folds(settings) else ways.keep
    made, failed = dict[int, Part](), dict[int, Exception]()
    rungs: list[Rung] = []
    with contextlib.ExitStack() as stack:
        folder = ways.folder and stack.enter_context(ways.folder)
        width = _width(kinds, ways, folder and folder.group)
        if folder:
            folder.begin(width)
        interrupts = stack.enter_context(Interrupts())
        groups = sum(math.ceil(len(kind.members) / kind.width(width)) for kind in kinds)
        bar = stack.enter_context(Bar(plans[0].steps * groups, ways.progress))

        def train(rung: Rung) -> list[Part] | None:
            first = sum(len(before.tasks) for before in rungs)
            rungs.append(rung)
            made.clear()
            if folder:
                folder.begin_rung(rung)
                made.update(_finished(folder, rung, first, bar))
            missing = [number for number in range(len(rung.tasks)) if number not in made]
            of_rung = (plans, rung.tasks, ways.workers, ways.executor, missing, bar, interrupts)
            for number, part in trained(*of_rung):
                if isinstance(part, Exception):
                    failed[number] = part
                    continue
                made[number] = part
                if folder and part.steps == rung.steps:
                    folder.put(first + number, part)
            parts = [made[number] for number in sorted(made)]
            is_whole = len(parts) == len(rung.tasks)
            return parts if is_whole and all(one.steps == rung.steps for one in parts) else None

        whole = halved(kinds, settings, width, ways.keep_every, ways.halving, keep, train)
    if whole:
        # Where it was interrupted, or all diverged, they have made fewer steps than planned.
        done = [
            kind._replace(plan=kind.plan._replace(steps=part.steps))
            for kind, part in zip(kinds, whole, strict=True)
        ]
        found = [_gathering(kind, len(kind.members), ways.keep_every, "all") for kind in done]
        for one, part in zip(found, whole, strict=True):
            one.add(0, part)
    else:
        steps = rungs[0].steps
        short = [kind._replace(plan=kind.plan._replace(steps=steps)) for kind in kinds]
        found = [_gathering(kind, width, ways.keep_every, keep) for kind in short]
        for number, part in made.items():
            task = rungs[0].tasks[number]
            found[task.kind].add(task.place, part)
    result = joined(kinds, settings, found, width, time.perf_counter() - begin, ways.keep)
    if interrupts.came is not None:
        raise TrainingInterrupted(result, interrupts.came)
    if failed or result is None:
        raise _failure(failed, rungs[-1].tasks, rungs[-1].members, settings, result, ways)
    return result


def _finished(folder: SweepFolder, rung: Rung, first: int, bar: Bar) -> dict[int, Part]:
    """The groups of a rung that a folder holds, by their numbers in it."""
    found = {}
    for number, task in enumerate(rung.tasks):
        part = folder.finished(first + number, rung.steps)
        if part is not None:
            found[number] = part
            bar.move(rung.steps - (task.before.steps if task.before else 0), part.losses[:, -1])
    return found


def _width(kinds: Sequence[Kind], ways: Ways, of_folder: int | None = None) -> int:
    width = ways.group or of_folder or width_of(kinds, ways.workers)
    return min(width, max(len(kind.members) for kind in kinds))


def _gathering(kind: Kind, width: int, keep_every: int, keep: Keep) -> Gathering:
    return Gathering(kind.plan, len(kind.members), kind.width(width), keep_every, keep)


def _failure(
    failed: Mapping[int, Exception],
    tasks: Sequence[Task],
    of_kinds: Sequence[Int[np.ndarray, " members"]],
    settings: list[dict[str, Any]],
    result: SweepResult | None,
    ways: Ways,
) -> Exception:
    """The error of groups that could not be trained; of a plain loop without a result, its own."""
    error = failed[max(failed)]
    if result is None and ways.executor is None:
        return error
    members = []
    for task in (tasks[number] for number in sorted(failed)):
        first = task.place * len(task.members)
        own = of_kinds[task.kind][first : first + task.real]
        members += [settings[member] for member in own]
    whole = SweepError(members, result, f"{type(error).__name__}: {error}")
    whole.__cause__ = error
    return whole


def _add_finished(
    folder: SweepFolder, kinds: Sequence[Kind], found: Sequence[Gathering], tasks: Sequence[Task]
) -> list[int]:
    """Add the groups that a folder holds; the numbers of the others."""
    missing = []
    for number, task in enumerate(tasks):
        part = folder.finished(number, kinds[task.kind].plan.steps)
        if part is None:
            missing.append(number)
        else:
            found[task.kind].add(task.place, part)
    return missing
