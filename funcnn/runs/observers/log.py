"""The log of a run: a step, its loss and the newest scores on a line."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from funcnn.core import ArgumentError, checks
from funcnn.runs.observers.evaluations import Evaluations
from funcnn.runs.observers.observer import Observer, Segment

__all__ = ["LINES", "Log", "logged_steps"]

LINES = 20
"""The most lines of a log for which nobody has said how many."""

WIDTH = 20
"""The letters of a loss with scores behind it."""

NARROWEST = 11
"""The letters of a score such as -1.2345e-05."""


def logged_steps(log_every: int | range | bool | None, steps: int) -> range:
    """The steps of a run whose loss is printed.

    >>> logged_steps(50, 120), logged_steps(True, 120), logged_steps(None, 120)
    (range(0, 120, 50), range(0, 120, 6), range(0, 0))
    """
    if log_every is None or log_every is False:
        return range(0)
    if log_every is True:
        return range(0, steps, max(1, math.ceil(steps / LINES)))
    if isinstance(log_every, range):
        if log_every.step < 1 or log_every.start < 0:
            raise ArgumentError(f"log_every={log_every} must count upwards from a step")
        return range(log_every.start, min(steps, log_every.stop), log_every.step)
    return range(0, steps, checks.integer("log_every", log_every, at_least=1))


class Log(Observer):
    """Prints the losses of some steps and the scores that were known then, under a heading.

    Args:
        steps: the steps whose loss is printed.
        write: prints a text.
        evaluations: what records the scores, and stands before the log; None without any.
    """

    def __init__(
        self, steps: range, write: Callable[[str], None], evaluations: Evaluations | None = None
    ) -> None:
        self._steps, self._write, self._begun = steps, write, False
        self._evaluations = evaluations
        self._names = () if evaluations is None else evaluations.names

    def see(self, segment: Segment) -> bool:
        """Print what there is to print; never stop."""
        lines = []
        while self._steps and self._steps[0] < segment.end:
            step, self._steps = self._steps[0], self._steps[1:]
            if step < segment.first:  # It was printed before the run's checkpoint.
                continue
            loss = segment.losses[0, step - segment.first]
            if np.isfinite(loss):
                lines.append(self._line(step, f"{loss:.8g}", self._scores(step)))
        if lines and not self._begun:
            lines.insert(0, self._line("step", "loss", self._names))
            self._begun = True
        if lines:
            self._write("\n".join(lines))
        return False

    def _scores(self, step: int) -> list[str]:
        row: dict[str, Any] = (self._evaluations and self._evaluations.known(step)) or {}
        return [f"{row[name]:.6g}" if row else "" for name in self._names]

    def _line(self, step: Any, loss: str, scores: Any) -> str:
        columns = (
            f"  {score:>{max(len(name), NARROWEST)}}"
            for name, score in zip(self._names, scores, strict=True)
        )
        return f"{step:>10}  {loss:<{WIDTH if self._names else 0}}{''.join(columns)}".rstrip()
