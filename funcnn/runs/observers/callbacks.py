"""A user's own functions, called with what was recorded of a run."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

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
        params: gives the params as they are now, JAX arrays.
    """

    step: int
    steps: int
    epoch: float
    loss: float
    scores: Mapping[str, float]
    seconds: float
    params: Callable[[], Params] = dataclasses.field(repr=False)


Callback: TypeAlias = Callable[[Event], bool | None]
"""``callback(event)``: True stops the run."""


class Callbacks(Observer):
    """Calls each callback at every record of the :class:`Evaluations` before it."""

    def __init__(self, callbacks: Sequence[Callback], evaluations: Evaluations, steps: int) -> None:
        self._callbacks, self._evaluations, self._steps = callbacks, evaluations, steps
        self._begin = time.perf_counter()

    def see(self, segment: Segment) -> bool:
        """Call them, where there is a new record.

        Raises:
            ArgumentTypeError: where one returns anything but True, False or None.
        """
        row = self._evaluations.newest(segment.end)
        if row is None:
            return False
        known = ("step", "epoch", "loss")
        event = Event(
            **{name: row[name] for name in known},
            steps=self._steps,
            scores={name: value for name, value in row.items() if name not in known},
            seconds=time.perf_counter() - self._begin,
            params=lambda: segment.view().params,
        )
        stop = False
        for callback in self._callbacks:
            answer = callback(event)
            if answer is not None and not isinstance(answer, bool):
                raise ArgumentTypeError(
                    f"callback {callback!r:.60} returned {answer!r:.60}: it must return True to "
                    f"stop the run, or nothing"
                )
            stop = stop or bool(answer)
        return stop
