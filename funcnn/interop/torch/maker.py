"""What makes a traced step of a run, with the optimizer's numbers that the call gives."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from funcnn.core import ArgumentError, Params, Samples
from funcnn.interop.torch.numbers import (
    Place,
    checked,
    places_of,
    require_accepted,
    require_one,
    scheduled,
    table,
    values_at,
)
from funcnn.interop.torch.step import Step
from funcnn.interop.torch.stepping import traced_step
from funcnn.interop.torch.traced import TracedStep
from funcnn.loop.whole import StepMaker
from funcnn.optimizers import Schedule

__all__ = ["Maker"]


@dataclasses.dataclass(frozen=True, eq=False)
class Maker(StepMaker):
    """What makes the traced step of a run.

    Attributes:
        own: the step as it was given.
        held: the names of what the run's params hold.
        places: where the optimizer's numbers stand that the state holds, by name.
        numbers: these numbers.
        zeros: where numbers stand that the call gives as 0.
        learning_rate: what the call gives in place of the rate that the scheduler begins at.
    """

    own: Step
    held: tuple[str, ...]
    places: dict[str, list[Place]]
    numbers: dict[str, float]
    zeros: tuple[Place, ...] = ()
    learning_rate: float | None = None

    @classmethod
    def of(cls, step: Step, held: Sequence[str]) -> Maker:
        """With the numbers that the optimizer has now."""
        places = places_of(step.optimizer, merged=step.scheduler is None)
        return cls(step, tuple(held), places, values_at(step.optimizer, places))

    def given(self, numbers: Mapping[str, Any]) -> Maker:
        """With other numbers, in all groups."""
        made = self
        for name, value in numbers.items():
            if isinstance(value, Schedule):
                raise ArgumentError(
                    f"{name}: a schedule of funcnn is for its own optimizers; one of torch.optim "
                    f"takes scheduler="
                )
            places, number = require_one(made.own.optimizer, name), checked(name, value)
            require_accepted(made.own.optimizer, name, places, number)
            if made.own.scheduler is not None and name == "learning_rate":
                made = made._begun_at(number)
                continue
            made._require_unscheduled(name, places)
            others = {
                own: at for own, at in made.places.items() if not set(at).intersection(places)
            }
            kept = {own: made.numbers[own] for own in others}
            if number:
                others, kept = others | {name: places}, kept | {name: number}
                zeros = made.zeros
            else:
                zeros = (*made.zeros, *places)
            made = dataclasses.replace(made, places=others, numbers=kept, zeros=zeros)
        return made

    def _require_unscheduled(self, name: str, places: Sequence[Place]) -> None:
        """Refuse a number that the scheduler sets."""
        if self.own.scheduler is None:
            return
        (before, after), _, _ = scheduled(self.own.optimizer, self.own.scheduler, 1)
        if any(before[place] != after[place] for place in places):
            raise ArgumentError(f"{name}: it follows the scheduler")

    def _begun_at(self, learning_rate: float) -> Maker:
        """With another rate, which the scheduler goes on from."""
        step = self.own
        (begin,), _, _ = scheduled(step.optimizer, step.scheduler, 0, learning_rate)
        rates = {name: at[0] for name, at in self.places.items() if at[0].option == "lr"}
        numbers = self.numbers | {name: begin[place] for name, place in rates.items()}
        return dataclasses.replace(self, numbers=numbers, learning_rate=learning_rate)

    def made(self, params: Params, samples: Samples, sizes: Sequence[int]) -> TracedStep:
        """The step, traced."""
        del params
        return traced_step(
            self.own, self.held, self.places, self.zeros, samples.x, samples.y, sizes
        )

    def numbers_after(self, steps: int) -> dict[str, Float[np.ndarray, " steps"]] | None:
        """The scheduler's table."""
        step = self.own
        if step.scheduler is None:
            return None
        rows, _, _ = scheduled(step.optimizer, step.scheduler, steps, self.learning_rate)
        return table(rows, self.places) or None
