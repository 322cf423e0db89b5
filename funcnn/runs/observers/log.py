"""The log of a run: a step and its loss on a line."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from funcnn.core import ArgumentError, checks
from funcnn.runs.observers.observer import Observer, Segment

__all__ = ["Log", "logged_steps"]

HEADING = f"{'step':>10}  loss"


def logged_steps(log_every: int | range | None, steps: int) -> range:
    """The steps of a run whose loss is printed.

    >>> logged_steps(50, 120), logged_steps(None, 120)
    (range(0, 120, 50), range(0, 0))
    """
    if log_every is None:
        return range(0)
    if isinstance(log_every, range):
        if log_every.step < 1 or log_every.start < 0:
            raise ArgumentError(f"log_every={log_every} must count upwards from a step")
        return range(log_every.start, min(steps, log_every.stop), log_every.step)
    return range(0, steps, checks.integer("log_every", log_every, at_least=1))


class Log(Observer):
    """Prints the losses of some steps, under a heading.

    Args:
        steps: the steps whose loss is printed.
        write: prints a text.
    """

    def __init__(self, steps: range, write: Callable[[str], None]) -> None:
        self._steps, self._write, self._begun = steps, write, False

    def see(self, segment: Segment) -> bool:
        """Print what there is to print; never stop."""
        lines = []
        while self._steps and self._steps[0] < segment.end:
            step, self._steps = self._steps[0], self._steps[1:]
            if step < segment.first:  # It was printed before the run's checkpoint.
                continue
            loss = segment.losses[0, step - segment.first]
            if np.isfinite(loss):
                lines.append(f"{step:>10}  {float(loss)}")
        if lines and not self._begun:
            lines.insert(0, HEADING)
            self._begun = True
        if lines:
            self._write("\n".join(lines))
        return False
