"""Steps of a run, with what the host hands to the loop for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Array, Float

from funcnn.core import TrainState
from funcnn.loop.batches import Blocks, Feed
from funcnn.loop.forms import Kept
from funcnn.loop.placement import put_everywhere
from funcnn.loop.programs import OfEach, programs
from funcnn.runs.plan import Plan
from funcnn.runs.reading import Reading

__all__ = ["Advance"]


class Advance:
    """Makes steps of a run: ``advance(kept, done, length) -> (state, losses)``.

    Args:
        plan: says what a step takes.
        capacity: the most steps at once.
        members: for many runs side by side, what each has of its own; None for one run.

    Attributes:
        programs: what it calls.
    """

    def __init__(
        self, plan: Plan, capacity: int, members: Sequence[Mapping[str, Any]] | None = None
    ) -> None:
        self._first, self._reading = plan.first, None
        if isinstance(plan.problem.batches, Blocks):
            self._reading = Reading(plan, capacity)
            capacity = self._reading.steps
        of_each = OfEach(
            data=members is not None and plan.has_own_data(members),
            schedule=bool(members) and "schedule" in members[0],
        )
        many = None if members is None else of_each
        self.programs = programs(plan.problem, plan.form, capacity, many)
        given = {"rows": plan.rows, "numbers": plan.schedule_of(members)}
        self._given = Feed(np.int32(self._first), **put_everywhere(plan.problem.placement, given))

    def most(self, done: int) -> int:
        """How many steps can be made at once after that many."""
        return self.programs.capacity if self._reading is None else self._reading.left(done)

    def __call__(
        self, kept: Kept, done: int, length: int
    ) -> tuple[TrainState, Float[Array, "..."]]:
        """The state after some steps, and the losses before each; nothing is waited for.

        Args:
            kept: what the loop holds.
            done: how many steps of the run were made.
            length: how many to make.
        """
        step = np.int32(self._first + done)
        return self.programs.segment(kept, step, np.int32(length), self.feed(done))

    def feed(self, done: int) -> Feed | None:
        """What the step after that many of the run's is handed."""
        given = self._given
        if self._reading is not None:
            given = self._reading.feed(done)._replace(numbers=given.numbers)
        return given if any(part is not None for part in given[1:]) else None
