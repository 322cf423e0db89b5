"""A run that is known to make sense: what ``train`` and ``sweep`` carry out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
import optax
from jaxtyping import Float, Int

from funcnn.core import Loss, Model, Params, Samples, TrainState
from funcnn.core.precision import numerics
from funcnn.data.splits import resampled
from funcnn.loop.batches import Blocks
from funcnn.loop.forms import Form
from funcnn.loop.problem import Problem
from funcnn.loop.whole import StepMaker
from funcnn.runs.choices import numbers_of
from funcnn.runs.evaluation import Watched
from funcnn.runs.preparation import Preparation
from funcnn.runs.samples import Prepared
from funcnn.runs.shapes import RunShapes, structs

__all__ = ["Plan"]


class Plan(NamedTuple):
    """A run that is known to make sense.

    Attributes:
        problem: what is compiled for.
        form: how the arithmetic is arranged.
        model: the model, its sizes settled.
        loss: what is measured of its predictions.
        optimizer: the optimizer, its numbers settled.
        recipe: the model's name and options; None for a model of one's own.
        params: where to start; None to draw the model's initial values.
        state: the state to go on from, of many members with a leading axis; None to start anew.
        done: how many steps of this run the state has made already: of a run that goes on
            from a checkpoint.
        named: the optimizer's numbers that the call gives: they replace those of ``state``.
        data: the samples to train on, arrays of the run's own, or in a file.
        validation: the samples to validate on; None where there are none.
        preparation: what was done to them, and is undone on predictions.
        rows: the samples of each step by number, where the user has chosen them.
        schedule: the optimizer's numbers after each step, by name, from step 0 on; None where
            they stay or follow from the step by a function.
        shapes: what the run will hold.
        steps: how many updates to make.
        per_epoch: how many of them go once through all samples.
        dtype: the run's arithmetic.
        seed: what the random numbers follow from.
        watched: what is measured of each member of a sweep.
        starts: the params that members of a sweep start from, of which a member's ``params`` says
            which; none where all start from ``params``, or from the model's initial values.
        resampled: whether each member of a sweep trains on as many samples, drawn with
            replacement by its seed from those that it has.
    """

    problem: Problem
    form: Form
    model: Model
    loss: Loss
    optimizer: optax.GradientTransformation | StepMaker
    recipe: dict[str, Any] | None
    params: Params | None
    state: TrainState | None
    named: frozenset[str]
    data: Samples
    validation: Samples | None
    preparation: Preparation
    rows: Int[np.ndarray, "steps batch"] | None
    schedule: dict[str, Float[np.ndarray, " steps"]] | None
    shapes: RunShapes
    steps: int
    per_epoch: int
    dtype: str
    seed: int
    done: int = 0
    watched: Watched = Watched()
    starts: tuple[Params, ...] = ()
    resampled: bool = False

    @property
    def prepared(self) -> Prepared:
        """The samples, as a member of a sweep may have its own under ``data``."""
        return Prepared(self.data, self.validation, self.preparation)

    def prepared_of(self, member: Mapping[str, Any]) -> Prepared:
        """The samples of a member of a sweep, before any of them are drawn by its seed."""
        return member.get("data", self.prepared)

    def has_own_data(self, members: Sequence[Mapping[str, Any]]) -> bool:
        """Whether each member of a sweep trains on samples of its own."""
        return self.resampled or (bool(members) and "data" in members[0])

    def own_data(self, member: Mapping[str, Any]) -> Samples:
        """The samples that a member of a sweep trains on."""
        samples = self.prepared_of(member).training
        if not self.resampled:
            return samples
        rows = resampled(len(samples.y), member.get("seed", self.seed))
        return jax.tree.map(lambda array: array[rows], samples)

    def schedule_of(
        self, members: Sequence[Mapping[str, Any]] | None
    ) -> dict[str, Float[np.ndarray, "..."]] | None:
        """The numbers after each step; of members that each have their own, a leading axis."""
        if not members or "schedule" not in members[0]:
            return self.schedule
        return jax.tree.map(lambda *each: np.stack(each), *(one["schedule"] for one in members))

    @property
    def resident(self) -> Samples:
        """The samples that the loop holds from its start; of those in a file the first alone."""
        if not isinstance(self.problem.batches, Blocks):
            return self.data
        return jax.tree.map(lambda array: array[:1], self.data)

    @property
    def first(self) -> int:
        """The number of the run's first step: 0, but for a run that goes on from a state."""
        return 0 if self.state is None else int(np.max(np.asarray(self.state.step))) - self.done

    @property
    def state_shapes(self) -> TrainState:
        """The shapes of a state of the run, with what the loop keeps."""
        with numerics(self.dtype):
            return jax.eval_shape(
                lambda state, data: self.form.begin(self.problem, state, data),
                self.shapes.state,
                structs(self.resident),
            )

    @property
    def numbers(self) -> dict[str, Any]:
        """The optimizer's numbers, by name."""
        return numbers_of(self.optimizer)
