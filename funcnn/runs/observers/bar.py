"""The progress bar of a run: on stderr, or in the output of a notebook's cell."""

from __future__ import annotations

import sys
import threading
import time
import warnings
from types import TracebackType
from typing import Any

import numpy as np
from jaxtyping import Float

from funcnn.runs.observers.evaluations import Evaluations
from funcnn.runs.observers.observer import Observer, Segment

__all__ = ["Bar"]

DELAY = 0.5
"""Seconds before the bar appears: a short run needs none."""


class Bar(Observer):
    """A bar that appears once the steps of a run have taken half a second, and is gone at its end.

    Several threads may move it.

    Args:
        steps: how many steps there will be, of all groups.
        progress: whether to draw it; None where stderr is a terminal, and in a notebook.
        done: how many were made before.
        per_epoch: how many go once through all samples.
        evaluations: what records the scores, and stands before the bar; None without any.
    """

    def __init__(
        self,
        steps: int,
        progress: bool | None,
        done: int = 0,
        per_epoch: int = 1,
        evaluations: Evaluations | None = None,
    ) -> None:
        if progress is None:
            progress = _is_terminal(sys.stderr) or _in_notebook()
        self._is_wanted = progress and sys.stderr is not None
        self._steps, self._done = steps, done
        self._per_epoch, self._evaluations = per_epoch, evaluations
        self._begin: float | None = None
        self._bar: Any = None
        self._moving = threading.Lock()

    def see(self, segment: Segment) -> bool:
        """Move on; never stop."""
        self.move(segment.losses.shape[1], segment.losses[:, -1], segment.end)
        return False

    def move(self, steps: int, last: Float[np.ndarray, " members"], end: int = 0) -> None:
        """Move on by some steps.

        Args:
            steps: how many.
            last: the last loss of each member.
            end: how many steps of the run were made with them, where epochs are told.
        """
        if not self._is_wanted:
            return
        with self._moving:
            now = time.monotonic()
            self._done += steps
            self._begin = now if self._begin is None else self._begin
            if self._bar is not None:
                self._bar.set_postfix_str(self._newest(last, end), refresh=False)
                self._bar.update(steps)
            elif now - self._begin >= DELAY:
                self._bar = _drawn(self._steps, self._done, self._newest(last, end))

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
            if kind is None:  # In a notebook a bar that is not full would stay, in red.
                self._bar.total = self._bar.n
            self._bar.close()

    def _newest(self, last: Float[np.ndarray, " members"], end: int) -> str:
        """The epoch, the loss and the last of the scores: the validation loss, or a metric."""
        facts = []
        if self._per_epoch > 1:
            facts.append(f"epoch {end / self._per_epoch:.1f}")
        if np.isfinite(last).any():
            facts.append(f"loss {last[np.isfinite(last)].min():.4g}")
        if self._evaluations is not None and self._evaluations.names and self._evaluations.rows:
            name = self._evaluations.names[-1]
            facts.append(f"{name} {self._evaluations.rows[-1][name]:.4g}")
        return ", ".join(facts)


def _drawn(steps: int, done: int, newest: str) -> Any:
    """A bar of ``tqdm``'s, drawn now."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tqdm advises to install ipywidgets.
        from tqdm.auto import tqdm
    # In a notebook stderr is a box of its own, apart from the log's.
    file = sys.stdout if _in_notebook() else sys.stderr
    return tqdm(total=steps, initial=done, unit="step", leave=False, file=file, postfix=newest)


def _is_terminal(stream: Any) -> bool:
    """Whether a stream is a terminal: it may be None, closed, or no file at all."""
    try:
        return bool(stream.isatty())
    except (AttributeError, ValueError):
        return False


def _in_notebook() -> bool:
    """Whether this process is the kernel of a notebook."""
    return "ipykernel.zmqshell" in sys.modules
