"""The errors of funcnn."""

from __future__ import annotations

import os
from signal import Signals
from typing import Any

import numpy as np
from jaxtyping import Shaped

from funcnn.core.words import TrainState

__all__ = [
    "ArgumentError",
    "ArgumentTypeError",
    "CheckpointError",
    "DivergenceError",
    "MissingExtraError",
    "SweepError",
    "TrainingInterrupted",
]


class ArgumentError(ValueError):
    """An argument has a value that cannot be used; nothing was compiled."""


class ArgumentTypeError(ArgumentError, TypeError):
    """An argument is not of a kind that can be used; nothing was compiled."""


class MissingExtraError(ImportError):
    """An optional package is not installed.

    >>> raise MissingExtraError("matplotlib", "plot")
    Traceback (most recent call last):
    ...
    funcnn.core.errors.MissingExtraError: matplotlib is not installed: pip install 'funcnn[plot]'
    """

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(package, extra)

    def __str__(self) -> str:
        package, extra = self.args
        return f"{package} is not installed: pip install 'funcnn[{extra}]'"


class CheckpointError(RuntimeError):
    """Checkpoints could not be written or read; those that were there before still are.

    Attributes:
        folder: the folder of the checkpoints.
        step: the step that was being written or read; None where it was none.
        state: the run's state, where a run could not save it; otherwise None.
    """

    def __init__(
        self, reason: str, folder: str | os.PathLike[str], step: int | None = None
    ) -> None:
        super().__init__(reason, folder, step)
        self.reason = reason
        self.folder = folder
        self.step = step
        self.state: TrainState | None = None

    def __str__(self) -> str:
        step = "" if self.step is None else f", step {self.step}"
        return f"{os.fspath(self.folder)}{step}: {self.reason}"


class DivergenceError(ArithmeticError):
    """A run stopped being finite.

    Attributes:
        step: the first step whose loss is not finite (the number of steps asked for, where
            only the final params are not).
        state: the last state whose loss and params are finite (the first state, where there
            is none): ``state.params`` can be used, or trained on at a smaller rate.
        losses: the finite losses, one for each step before ``step``.
        parameter: the first parameter whose gradient is not finite, such as ``"w2"``, a path in
            ``state.params``; None where this cannot be told.
    """

    def __init__(
        self,
        step: int,
        state: TrainState | None,
        losses: Shaped[np.ndarray, " steps"],
        parameter: str | None = None,
    ) -> None:
        super().__init__(step, state, losses, parameter)
        self.step = step
        self.state = state
        self.losses = losses
        self.parameter = parameter

    def __str__(self) -> str:
        kept = "" if self.state is None else f" (the state of step {int(self.state.step)} is kept)"
        if self.step == 0:
            return (
                f"the run diverged: its first loss is not finite; look at the data (labels that "
                f"there are not?), at the loss, and at where the params start{kept}"
            )
        first = "" if self.parameter is None else f", first in the gradient of {self.parameter}"
        return (
            f"the run diverged: after {self.step} {'step' if self.step == 1 else 'steps'} it is "
            f"not finite any more{first}; a smaller learning_rate may help{kept}"
        )


class SweepError(RuntimeError):
    """Groups of a sweep could not be trained; all others were.

    The error of the last of them is its ``__cause__``.

    Attributes:
        settings: the settings of the members that are missing.
        result: the members that are not; None where no group was trained.
    """

    def __init__(self, settings: list[dict[str, Any]], result: Any, reason: str) -> None:
        super().__init__(settings, result, reason)
        self.settings, self.result, self.reason = settings, result, reason

    def __str__(self) -> str:
        ends = dict.fromkeys(str(one) for one in (self.settings[0], self.settings[-1]))
        return (
            f"{len(self.settings)} members could not be trained, {' to '.join(ends)}: "
            f"{self.reason}; what was finished is attached: {self.result!r}"
        )


class TrainingInterrupted(KeyboardInterrupt):
    """Ctrl-C or SIGTERM stopped a run, or a sweep.

    Attributes:
        result: what was finished.
        signal: ``signal.SIGINT`` or ``signal.SIGTERM``.
    """

    def __init__(self, result: Any, signal: Signals) -> None:
        super().__init__(result, signal)
        self.result = result
        self.signal = signal

    def __str__(self) -> str:
        return f"interrupted; what was finished is attached: {self.result!r}"
