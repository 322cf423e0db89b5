"""A user's own functions, called with what was recorded of a run."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import numpy as np

from funcnn.core import ArgumentTypeError, Params
from funcnn.runs.observers.evaluations import Evaluations
from funcnn.runs.observers.observer import Observer, Segment

__all__ = ["Callback", "Callbacks", "Event"]


@dataclasses.dataclass(frozen=True)
class Event:
    """What a callback is given.

    Attributes:
        step: how many steps were made.
        steps: how many the run will make.
        epoch: how often the samples were gone through.
        loss: the mean of the losses since the event before.
        scores: the metrics by name.
        seconds: how long the run has taken.
        resumed_from: after how many steps it went on from a checkpoint; 0 where it began.
        params: gives the params as they are now, JAX arrays.
    """

    step: int
    steps: int
    epoch: float
    loss: float
    scores: Mapping[str, float]
    seconds: float
    resumed_from: int
    params: Callable[[], Params] = dataclasses.field(repr=False)


Callback: TypeAlias = Callable[[Event], bool | None]
"""``callback(event)``: True stops the run."""


class Callbacks(Observer):
    """Calls each callback at every record of the :class:`Evaluations` before it."""

    def __init__(self, callbacks: Sequence[Callback], evaluations: Evaluations, steps: int) -> None:
        self._callbacks, self._evaluations, self._steps = callbacks, evaluations, steps
        self._begin = time.perf_counter()
        self._resumed_from: int | None = None

    def see(self, segment: Segment) -> bool:
        """Call them, where there is a new record.

        Raises:
            ArgumentTypeError: where one returns anything but True, False or None.
        """
        if self._resumed_from is None:
            self._resumed_from = segment.first
        row = self._evaluations.newest(segment.end)
        if row is None:
            return False
        known = ("step", "epoch", "loss")
        event = Event(
            **{name: row[name] for name in known},
            steps=self._steps,
            scores={name: value for name, value in row.items() if name not in known},
            seconds=time.perf_counter() - self._begin,
            resumed_from=self._resumed_from,
            params=lambda: segment.view().params,
        )
        stop = False
        for callback in self._callbacks:
            answer = callback(event)
            if answer is not None and not isinstance(answer, (bool, np.bool_)):
                raise ArgumentTypeError(
                    f"callback {callback!r:.60} returned {answer!r:.60}: it must return True to "
                    f"stop the run, or nothing"
                )
            stop = stop or bool(answer)
        return stop
