"""A step that is given whole: not made of a model, a loss and an optimizer."""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Array, Float, Int, Key

from funcnn.core import Params, Samples
from funcnn.optimizers.optimizer import NumbersState

__all__ = ["StepMaker", "WholeStep"]


class WholeStep(abc.ABC):
    """A step of training given whole, such as one that was traced from another library.

    It stands in ``Problem.optimizer``. Two that make the same step must be equal, or one object:
    a compiled program is found again by it.

    Attributes:
        digest: what tells it from other steps, the same in every process.
        draws: whether it draws random numbers.
    """

    digest: str
    draws: bool

    @abc.abstractmethod
    def init(self, params: Params, numbers: Mapping[str, Any]) -> NumbersState:
        """The optimizer's state before the first step, with these numbers in it."""

    @abc.abstractmethod
    def enter(self, optimizer_state: NumbersState) -> NumbersState:
        """What a loop holds of the optimizer's state, and ``step`` takes and gives."""

    @abc.abstractmethod
    def leave(self, optimizer_state: NumbersState) -> NumbersState:
        """The optimizer's state as users see it, of what a loop holds."""

    @abc.abstractmethod
    def step(
        self,
        params: Params,
        optimizer_state: NumbersState,
        samples: Samples,
        key: Key[Array, ""],
        number: Int[Array, ""],
    ) -> tuple[Params, NumbersState, Float[Array, ""]]:
        """The params and the optimizer's state after a step, and the loss before it.

        Args:
            params: what the step changes.
            optimizer_state: what the loop holds of the optimizer's state.
            samples: those that are its turn.
            key: what its random numbers follow from: that of the run and the step.
            number: how many steps the run has made.
        """


class StepMaker(abc.ABC):
    """What makes a whole step, once it is known of which samples.

    Attributes:
        numbers: the optimizer's numbers that the state holds, by name.
    """

    numbers: dict[str, Any]

    @abc.abstractmethod
    def given(self, numbers: Mapping[str, Any]) -> StepMaker:
        """The same with other numbers.

        Raises:
            ArgumentError: for a number that it has not.
        """

    @abc.abstractmethod
    def made(self, params: Params, samples: Samples, sizes: Sequence[int]) -> WholeStep:
        """The step.

        Args:
            params: what the run starts from.
            samples: the shapes and dtypes of all samples.
            sizes: of how many samples a step may be.

        Raises:
            ArgumentError: for a step that cannot be compiled.
        """

    @abc.abstractmethod
    def numbers_after(self, steps: int) -> dict[str, Float[np.ndarray, " steps"]] | None:
        """What a schedule makes of the numbers after each of so many steps; None without one."""
