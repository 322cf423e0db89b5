"""The progress bar of a run, on stderr."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Any

import numpy as np

from funcnn.runs.observers.observer import Observer, Segment

__all__ = ["Bar"]

DELAY = 0.5
"""Seconds before the bar appears: a short run needs none."""


class Bar(Observer):
    """A bar that appears once a run has taken half a second, and is gone at its end.

    Args:
        steps: how many steps there will be, of all groups.
        progress: whether to draw it; None where stderr is a terminal.
        done: how many were made before.
    """

    def __init__(self, steps: int, progress: bool | None, done: int = 0) -> None:
        self._bar: Any = None
        if (_is_terminal(sys.stderr) if progress is None else progress) and sys.stderr is not None:
            from tqdm import tqdm

            self._bar = tqdm(
                total=steps, initial=done, unit="step", delay=DELAY, leave=False, file=sys.stderr
            )

    def see(self, segment: Segment) -> bool:
        """Move on; never stop."""
        if self._bar is not None:
            finite = segment.losses[:, -1][np.isfinite(segment.losses[:, -1])]
            if len(finite):
                self._bar.set_postfix_str(f"loss {finite.min():.4g}", refresh=False)
            self._bar.update(segment.losses.shape[1])
        return False

    def write(self, text: str) -> None:
        """Print text on stdout, above the bar where there is one."""
        if self._bar is None:
            print(text, flush=True)
        else:
            self._bar.write(text, file=sys.stdout)

    def __enter__(self) -> Bar:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.close()


def _is_terminal(stream: Any) -> bool:
    """Whether a stream is a terminal: it may be None, closed, or no file at all."""
    try:
        return bool(stream.isatty())
    except (AttributeError, ValueError):
        return False
