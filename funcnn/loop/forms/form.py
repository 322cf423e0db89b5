"""What a form is."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol, runtime_checkable

import jax
from jaxtyping import Array, Float, Int

from funcnn.core import Samples, Structs, TrainState
from funcnn.loop.problem import Problem

__all__ = ["Cost", "Form", "Kept", "Shapes"]


class Kept(NamedTuple):
    """What a loop holds of a run.

    Attributes:
        state: what a step changes: the state, as the form arranges it.
        start: what the form has made of the state that the run started from; no step
            changes it.
        data: what the form has made of the data alone, the same for all members of a sweep;
            no step changes it.
    """

    state: TrainState
    start: Any
    data: Any


class Shapes(NamedTuple):
    """The sizes of a run, from which its cost can be estimated.

    Attributes:
        params: the model's tree, of shapes and dtypes.
        x: the shape and dtype of the inputs.
        y: the shape and dtype of the targets.
    """

    params: Structs
    x: jax.ShapeDtypeStruct
    y: jax.ShapeDtypeStruct


class Cost(NamedTuple):
    """What a run in a form takes, estimated, in microseconds.

    Attributes:
        enter: what is done once a run, at its start and its end, beside the steps.
        step: what is done at every step.
    """

    enter: float
    step: float


@runtime_checkable
class Form(Protocol):
    """A way to arrange the arithmetic of a loop.

    A run enters a form once, makes its steps on what is kept, and leaves it at the end.
    Entering again from a state that was left goes on with the very same bits: what the
    params alone do not determine is carried in ``TrainState.kept``.
    """

    name: str
    """What a user calls it."""

    def why_not(self, problem: Problem) -> str | None:
        """Why the form would not make the same steps; None where it does."""
        ...

    def cost(self, problem: Problem, shapes: Shapes) -> Cost:
        """What a run would take."""
        ...

    def begin(self, problem: Problem, state: TrainState, data: Samples) -> TrainState:
        """The state with ``kept`` as it is before the first step."""
        ...

    def enter(self, problem: Problem, state: TrainState, data: Samples) -> Kept:
        """What the loop holds, from a state that has begun."""
        ...

    def step(
        self, problem: Problem, kept: Kept, rows: Int[Array, " batch"] | None
    ) -> tuple[TrainState, Float[Array, ""]]:
        """What a step makes of ``kept.state``, and the loss before it.

        ``rows`` are the samples that it takes, by number; None for all of them.
        """
        ...

    def leave(self, problem: Problem, kept: Kept) -> TrainState:
        """The state as users see it."""
        ...
