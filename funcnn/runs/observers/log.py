"""What a run shows while it runs: its log on stdout, a progress bar on stderr."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from funcnn import checks
from funcnn.core import ArgumentError

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Float

__all__ = ["Report", "logged_steps"]

BAR_DELAY = 0.5
"""Seconds before the bar appears: a short run needs none."""


def logged_steps(log_every: int | range | None, steps: int) -> range:
    """The steps of a run whose loss is printed.

    >>> logged_steps(50, 120), logged_steps(None, 120)
    (range(0, 120, 50), range(0, 0))
    """
    if log_every is None:
        return range(0)
    if isinstance(log_every, range):
        if log_every.step < 1 or log_every.start < 0:
            raise ArgumentError(f"log_every={log_every} must count upwards from a step")
        return range(log_every.start, min(steps, log_every.stop), log_every.step)
    return range(0, steps, checks.integer("log_every", log_every, at_least=1))


class Report:
    """The log and the bar of one run; both may be off.

    The log has the seeds' form: a step and its loss on a line. The bar appears
    once a run has taken half a second, and is gone at its end.
    """

    def __init__(self, steps: int, logged: range, progress: bool | None) -> None:
        self._logged = logged
        self._done = 0
        self._bar: Any = None
        if sys.stderr.isatty() if progress is None else progress:
            from tqdm import tqdm

            self._bar = tqdm(
                total=steps, unit="step", delay=BAR_DELAY, leave=False, file=sys.stderr
            )

    def add(self, losses: Float[np.ndarray, " steps"]) -> None:
        """Show the losses of the next steps."""
        end = self._done + len(losses)
        lines = []
        while self._logged and self._logged[0] < end:
            step, self._logged = self._logged[0], self._logged[1:]
            lines.append(f"{step} {float(losses[step - self._done])}")
        self._done = end
        if self._bar is None:
            if lines:
                print("\n".join(lines), flush=True)
            return
        if lines:
            self._bar.write("\n".join(lines), file=sys.stdout)
        if len(losses):
            self._bar.set_postfix_str(f"loss {losses[-1]:.4g}", refresh=False)
        self._bar.update(len(losses))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.close()
