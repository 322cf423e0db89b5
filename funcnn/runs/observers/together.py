"""A run of several processes: all make the same segments, and stop after the same one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from funcnn.runs.observers.interrupts import Interrupts
from funcnn.runs.observers.observer import Observer, Segment
from funcnn.runs.pace import ClockPace
from funcnn.runs.processes import of_all

__all__ = ["Together"]

LONGEST = 2**30
"""More steps than a segment can have."""


class Together(Observer):
    """The observers of one process of the run, and the pace of all.

    Each process has a clock, signals and callbacks of its own; but where one of them made other
    segments, all would wait for one another for ever. So after each segment they tell one
    another how long the next may be, and whether to stop. The first segment is of one step.

    Args:
        observers: those of this process.
        interrupts: which of them hears the signals.
    """

    def __init__(self, observers: Sequence[Observer], interrupts: Interrupts) -> None:
        self._observers, self._interrupts = observers, interrupts
        self._pace, self._length = ClockPace({}, ()), 1

    def length(self) -> int:
        """The steps of the next segment, the same in every process."""
        return self._length

    def took(self, steps: int, seconds: float) -> None:
        """Learn what a segment took here."""
        self._pace.took(steps, seconds)

    def see(self, segment: Segment) -> bool:
        """Let the observers look; True where those of any process ask to stop."""
        stop = False
        for observer in self._observers:
            stop = observer.see(segment) or stop
        mine = stop, self._interrupts.came or 0, self._most(segment.end)
        stops, signals, lengths = of_all(np.array(mine, np.int32)).T
        if signals.any():
            self._interrupts.hear(signals.max())
        self._length = int(lengths.min())
        return bool(stops.any())

    def _most(self, step: int) -> int:
        """How many steps this process would make next: to where one of its observers looks."""
        asked = [observer.next_step(step) for observer in self._observers]
        return min(LONGEST, self._pace.length(), *(one - step for one in asked if one is not None))
