"""The states of a run, saved while it goes on."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol, runtime_checkable

import jax
import numpy as np

from funcnn.checkpoints import CheckpointFolder
from funcnn.core import CheckpointError, TrainState
from funcnn.runs.observers.observer import Observer, Segment

__all__ = ["Checkpoints", "Every", "Remembering"]


class Every(NamedTuple):
    """How often to save: every so many steps, or seconds.

    Attributes:
        steps: the steps between two checkpoints; None where seconds count.
        seconds: the seconds between them; None where steps count.
    """

    steps: int | None = None
    seconds: float | None = None


@runtime_checkable
class Remembering(Protocol):
    """An observer whose memory belongs to a checkpoint."""

    def memory(self) -> dict[str, Any]:
        """What must be known to go on."""
        ...

    def recall(self, memory: Mapping[str, Any]) -> None:
        """Go on from what was remembered."""
        ...


class Checkpoints(Observer):
    """Saves the state of a run and what the observers before it remember.

    Args:
        folder: where to.
        every: how often.
        remembering: the observers whose memory is saved, by name.
        first: the number of the run's first step, as a state counts them.
        clock: gives the time in seconds.
    """

    def __init__(
        self,
        folder: CheckpointFolder,
        every: Every,
        remembering: Mapping[str, Remembering],
        first: int = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder, self._every, self._remembering = folder, every, remembering
        self._first, self._clock = first, clock
        self._last_time, self._last_step = clock(), -1

    def next_step(self, step: int) -> int | None:
        """The next multiple of the steps between two checkpoints; None where seconds count."""
        every = self._every.steps
        return None if every is None else step + every - step % every

    def see(self, segment: Segment) -> bool:
        """Save, where it is time; never stop."""
        every = self._every
        if every.steps is not None:
            due = segment.end % every.steps == 0
        else:
            due = self._clock() - self._last_time >= (every.seconds or 0)
        if due:
            self.save(segment.end, segment.view())
        return False

    def save(self, step: int, state: TrainState) -> None:
        """Save a state, unless it is saved already or the run has diverged.

        A run that diverges is put back to its last finite state, which is of an earlier step;
        or its params are not finite, which the next loss will tell.

        Raises:
            CheckpointError: where it cannot be saved; it holds the state.
        """
        diverged = int(state.step) != self._first + step or not _is_finite(state)
        if step == self._last_step or diverged:
            return
        memory = {name: one.memory() for name, one in self._remembering.items()}
        try:
            self._folder.save(step, state, memory)
        except CheckpointError as error:
            error.state = state
            raise
        self._last_time, self._last_step = self._clock(), step


def _is_finite(state: TrainState) -> bool:
    return all(np.isfinite(np.asarray(leaf)).all() for leaf in jax.tree.leaves(state.params))
