"""Groups to an executor, and what comes of them back, whichever is done first."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

__all__ = ["as_they_finish"]

LONGEST_PAUSE = 0.02
"""Seconds between two looks at what is under way, at most: Ctrl-C is answered within them."""


def as_they_finish(
    submit: Callable[[int], Any],
    numbers: Iterable[int],
    at_once: int,
    stopped: Callable[[], bool],
) -> Iterator[tuple[int, Any]]:
    """Submit tasks, a bounded number at once, and give each with its future when it is done.

    What is under way is asked by ``done()``, which the futures of every engine have.

    Args:
        submit: gives the future of the task of a number.
        numbers: of the tasks.
        at_once: how many may be submitted and not done.
        stopped: whether no more shall be submitted, and what has not begun be given up.
    """
    waiting = iter(numbers)
    under_way: dict[int, Any] = {}
    pause = 0.0
    try:
        while True:
            while len(under_way) < at_once and not stopped():
                number = next(waiting, None)
                if number is None:
                    break
                under_way[number] = submit(number)
            if not under_way:
                return
            done = [number for number, future in under_way.items() if future.done()]
            for number in done:
                yield number, under_way.pop(number)
            if stopped():
                under_way = {number: one for number, one in under_way.items() if not one.cancel()}
            pause = 0.0 if done else min(LONGEST_PAUSE, 2 * pause + 1e-4)
            time.sleep(pause)
    finally:
        for future in under_way.values():
            future.cancel()
