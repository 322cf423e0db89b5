"""The groups of a sweep, trained."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from funcnn.core.precision import numerics
from funcnn.runs.observers import Bar, Interrupts, Observer, Segment
from funcnn.runs.plan import Plan
from funcnn.runs.start import refuse_traced
from funcnn.runs.sweeps.dispatch import as_they_finish
from funcnn.runs.sweeps.executors import elsewhere
from funcnn.runs.sweeps.tasks import Part, Task
from funcnn.runs.sweeps.workers import here

__all__ = ["trained"]


def trained(
    plans: Sequence[Plan],
    tasks: Sequence[Task],
    workers: int,
    executor: Any = None,
    numbers: Collection[int] | None = None,
    bar: Bar | None = None,
    interrupts: Interrupts | None = None,
) -> Iterator[tuple[int, Part | Exception]]:
    """Train groups, and give what came of each by its number, as they finish.

    Of a group that cannot be trained it is the error.

    Args:
        plans: what the members of each kind do.
        tasks: the groups.
        workers: how many are worked on at a time.
        executor: who works on them; threads of this process without it.
        numbers: which of them to train; all of them without it.
        bar: moved on, by several threads.
        interrupts: tells of a signal. After one, each group that is worked on in this process
            gives the steps that it has made, and no other is begun.
    """
    numbers = range(len(tasks)) if numbers is None else numbers
    stop = _Stop(interrupts)
    if executor is None or isinstance(executor, ThreadPoolExecutor):
        observers = [stop] if bar is None else [bar, stop]
        workers = max(1, min(workers, len(numbers)))
        _refuse_traced(plans[0])
        with here(workers, plans, tasks, observers, executor) as threads:
            try:
                yield from as_they_finish(threads, numbers, stop.is_due)
            finally:
                stop.now()  # Before the threads are waited for.
        return
    with elsewhere(executor, workers, plans, tasks) as others:
        _refuse_traced(plans[0])
        for number, part in as_they_finish(others, numbers, stop.is_due):
            if bar is not None and isinstance(part, Part):
                before = tasks[number].before
                bar.move(part.steps - (before.steps if before else 0), part.losses[:, -1])
            yield number, part


def _refuse_traced(plan: Plan) -> None:
    with numerics(plan.dtype):
        refuse_traced()


class _Stop(Observer):
    """Ends groups after their segments once a signal has come, or nobody waits for them."""

    def __init__(self, interrupts: Interrupts | None) -> None:
        self._interrupts, self._over = interrupts, False

    def is_due(self) -> bool:
        """Whether groups are to end."""
        return self._over or (self._interrupts is not None and self._interrupts.came is not None)

    def now(self) -> None:
        """End them."""
        self._over = True

    def see(self, segment: Segment) -> bool:
        """End the group, where it is due."""
        if self._interrupts is not None:
            self._interrupts.see(segment)
        return self.is_due()
