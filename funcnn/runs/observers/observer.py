"""What an observer is: something that looks at a run between its segments."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from funcnn.core import TrainState

__all__ = ["Observer", "Segment"]


class Segment(NamedTuple):
    """Some steps of a run that were just made.

    Attributes:
        first: how many steps of the run were made before them.
        losses: the loss before each of them, (members, steps), one member where the run is
            of one; NaN from the step at which a member diverged or was stopped.
        view: gives the state after them as users see it; to look at it changes nothing.
    """

    first: int
    losses: Float[np.ndarray, "members steps"]
    view: Callable[[], TrainState]

    @property
    def end(self) -> int:
        """How many steps of the run were made with them."""
        return self.first + self.losses.shape[1]


class Observer:
    """Looks at a run between its segments; a subclass says at what.

    Where a run is cut for an observer never changes the run.
    """

    def next_step(self, step: int) -> int | None:
        """The next step after this one at which to look; None where any will do."""
        del step

    def see(self, segment: Segment) -> bool | Bool[np.ndarray, " members"]:
        """Look at a segment; True where the run should stop after it, or of each member."""
        raise NotImplementedError
