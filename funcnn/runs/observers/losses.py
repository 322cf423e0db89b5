"""The losses of a run, kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from funcnn.runs.observers.observer import Observer, Segment

__all__ = ["Losses", "kept_steps"]


def kept_steps(steps: int, keep_every: int) -> Int[np.ndarray, " kept"]:
    """The steps whose loss is kept: every so many from the first, and the last.

    >>> kept_steps(8, 3), kept_steps(3, 1)
    (array([0, 3, 6, 7]), array([0, 1, 2]))
    """
    return np.append(np.arange(0, steps - 1, keep_every), steps - 1)


class Losses(Observer):
    """Keeps the loss of every so many steps, and of the last.

    Args:
        keep_every: the steps between losses that are kept.
    """

    def __init__(self, keep_every: int = 1) -> None:
        self._keep_every = keep_every
        self._kept: list[Float[np.ndarray, "members kept"]] = []
        self._last: Float[np.ndarray, "members one"] | None = None
        self._steps = 0

    def see(self, segment: Segment) -> bool:
        """Keep the losses; never stop."""
        made = np.arange(segment.first, segment.end)
        thinned = self._keep_every > 1
        self._kept.append(
            segment.losses[:, made % self._keep_every == 0] if thinned else segment.losses
        )
        self._last, self._steps = segment.losses[:, -1:], segment.end
        return False

    def memory(self) -> dict[str, Any]:
        """What must be known to go on."""
        kept = np.concatenate(self._kept, axis=1) if self._kept else None
        return {"kept": kept, "last": self._last, "steps": self._steps}

    def recall(self, memory: Mapping[str, Any]) -> None:
        """Go on from what was remembered."""
        self._kept = [] if memory["kept"] is None else [memory["kept"]]
        self._last, self._steps = memory["last"], memory["steps"]

    def losses(self, steps: int | None = None) -> Float[np.ndarray, "members kept"]:
        """The kept losses; NaN for steps up to ``steps`` that were not made."""
        if self._last is None:
            raise ValueError("the run has made no step")
        wanted = self._steps if steps is None else steps
        # The last step of a run that ended before is not the last that is wanted.
        has_last = wanted > self._steps or (wanted - 1) % self._keep_every == 0
        parts = self._kept if has_last else [*self._kept, self._last]
        losses = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)
        missing = len(kept_steps(wanted, self._keep_every)) - losses.shape[1]
        if missing:
            losses = np.pad(losses, ((0, 0), (0, missing)), constant_values=np.nan)
        return losses
