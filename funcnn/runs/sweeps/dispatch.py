"""Tasks to workers, and what comes of them back, whichever is done first.

A task that fails is done again. Where a whole pool breaks, nobody knows which task broke it: so
a task is done alone the last time, and only what fails then has failed.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any, Protocol, runtime_checkable

from funcnn.core import ArgumentError

__all__ = ["Workers", "as_they_finish"]

LONGEST_PAUSE = 0.02
"""Seconds between two looks at what is under way, at most: Ctrl-C is answered within them."""


@runtime_checkable
class Workers(Protocol):
    """Whoever does the tasks.

    Attributes:
        at_once: how many tasks may be submitted and not done.
        attempts: how often a task may fail.
        drained: whether tasks that have begun are waited for when all shall stop: they end soon.
    """

    at_once: int
    attempts: int
    drained: bool

    def submit(self, number: int, attempt: int) -> Any:
        """The future of the task of a number; ``attempt`` says how often it has failed."""
        ...

    def mend(self, error: Exception) -> None:
        """After a task has failed: see to it that there are workers for others."""
        ...


def as_they_finish(
    workers: Workers, numbers: Iterable[int], stopped: Callable[[], bool]
) -> Iterator[tuple[int, Any]]:
    """Give what each task comes to, or the last exception of one that fails, by its number.

    What is under way is asked by ``done()``, which the futures of every engine have.

    Args:
        workers: who does the tasks.
        numbers: of the tasks.
        stopped: whether no more shall be submitted, and what has not begun be given up.

    Raises:
        ArgumentError: of a task; the others would fail likewise.
    """
    line = _Line(numbers, workers.attempts)
    under_way: dict[int, Any] = {}
    pause = 0.0
    try:
        while True:
            while not stopped() and line.has_one_beside(under_way, workers.at_once):
                number = line.next()
                under_way[number] = workers.submit(number, line.failures[number])
            if not under_way:
                return
            done = [number for number, future in under_way.items() if future.done()]
            for number in done:
                result = _result(under_way.pop(number))
                if not isinstance(result, Exception):
                    yield number, result
                elif not stopped():  # Otherwise it was given up, or lost a worker that ends too.
                    workers.mend(result)
                    if not line.again(number):
                        yield number, result
            if stopped():
                for future in under_way.values():
                    future.cancel()
                if not workers.drained:
                    return
            pause = 0.0 if done else min(LONGEST_PAUSE, 2 * pause + 1e-4)
            time.sleep(pause)
    finally:
        for future in under_way.values():
            future.cancel()


class _Line:
    """The tasks that wait: those to be done beside others, then those to be done alone."""

    def __init__(self, numbers: Iterable[int], attempts: int) -> None:
        self.failures = Counter[int]()
        self._attempts = attempts
        self._waiting, self._suspect = deque(numbers), deque[int]()

    def has_one_beside(self, under_way: Collection[int], at_once: int) -> bool:
        """Whether there is a task that may be done beside those that are under way."""
        if self._waiting:
            return len(under_way) < at_once
        return bool(self._suspect) and not under_way

    def next(self) -> int:
        """The next task."""
        return (self._waiting or self._suspect).popleft()

    def again(self, number: int) -> bool:
        """After a failure: put the task in the line once more, unless it has failed too often."""
        self.failures[number] += 1
        left = self._attempts - self.failures[number]
        if left > 0:
            (self._suspect if left == 1 else self._waiting).append(number)
        return left > 0


def _result(future: Any) -> Any:
    """What a task has come to, or its exception."""
    try:
        return future.result()
    except ArgumentError:
        raise
    except Exception as error:
        return error
