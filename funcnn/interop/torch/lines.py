"""The lines of a user's own code, from which a trace is made."""

from __future__ import annotations

import collections
import contextlib
import functools
import linecache
import sys
import warnings
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import jax
import torch
from torch.overrides import TorchFunctionMode

__all__ = ["Lines", "is_own", "line_of"]

# Whose lines are none of the user's.
LIBRARIES = (
    *(str(Path(str(library.__file__)).parent) for library in (torch, jax)),
    str(Path(__file__).parents[2]),
    contextlib.__file__,
)

OFTEN, LARGE = 32, 1000
"""From how many repetitions of a line, and how many operations in all, a loop is told of."""


@functools.cache
def is_own(file: str) -> bool:
    """Whether a file is a user's own."""
    return not file.startswith((*LIBRARIES, "<"))


def line_of(file: str, number: int) -> str:
    """The text of a line, and where it stands."""
    return f"`{linecache.getline(file, number).strip()}` ({file}:{number})"


class Lines(TorchFunctionMode):
    """Counts how often a user's lines are gone through that call PyTorch."""

    def __init__(self) -> None:
        super().__init__()
        # By the call in a line: of a loop each round enters a function anew.
        self._times: collections.Counter[tuple[CodeType, int, int]] = collections.Counter()
        self._last: dict[tuple[CodeType, int, int], FrameType] = {}

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Call the function, and count the line that it is called from."""
        del types
        entered: FrameType = sys._getframe()
        frame = entered.f_back
        while frame is not None and not is_own(frame.f_code.co_filename):
            entered, frame = frame, frame.f_back
        if frame is not None:
            call = frame.f_code, frame.f_lineno, frame.f_lasti
            self._times[call] += self._last.get(call) is not entered
            self._last[call] = entered
        return func(*args, **(kwargs or {}))

    def warn_of_a_loop(self, operations: int) -> None:
        """Warn of a line that is compiled as often as a loop goes through it.

        Args:
            operations: how many the trace has.
        """
        for (code, number, _), times in self._times.most_common(1):
            if times >= OFTEN and operations >= LARGE:
                warnings.warn_explicit(
                    f"this line is gone through {times} times, and compiled as often, which takes "
                    f"long ({operations} operations in all): over a whole sequence nn.GRU, "
                    f"nn.LSTM and nn.RNN are compiled as a loop",
                    UserWarning,
                    code.co_filename,
                    number,
                    registry=_TOLD,
                )


_TOLD: dict[Any, Any] = {}
"""What was told: by the usual filter of warnings once is enough."""
