"""What has come of a group's members so far: their losses, and who diverged."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import numpy as np

from funcnn.chunks import BEYOND, Chunk, first_bad, last_finite
from funcnn.core import TrainState

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

    from funcnn.core import Data

__all__ = ["NEVER", "Part", "Tally", "kept_steps"]

NEVER = -1
"""In place of the step of divergence, for a member that did not diverge."""


def kept_steps(steps: int, log_every: int) -> Int[np.ndarray, " kept"]:
    """The steps whose loss is kept: every so many from the first, and the last.

    >>> kept_steps(8, 3), kept_steps(3, 1)
    (array([0, 3, 6, 7]), array([0, 1, 2]))
    """
    return np.append(np.arange(0, steps - 1, log_every), steps - 1)


class Part(NamedTuple):
    """What came of a group, in NumPy arrays: the device is free for the next.

    Attributes:
        state: the members' states, without their keys; the last finite one of a member
            that diverged.
        logged_steps: the steps whose losses are kept.
        losses: the losses before their updates, NaN from where a member diverged.
        diverged: each member's first step that is not finite, or ``NEVER``.
    """

    state: TrainState
    logged_steps: Int[np.ndarray, " kept"]
    losses: Float[np.ndarray, "members kept"]
    diverged: Int[np.ndarray, " members"]


class Tally:
    """What has come of a group's members so far.

    Attributes:
        steps: how many updates each member has made.
        diverged: each member's first step that is not finite, or ``NEVER``.
    """

    def __init__(self, first: TrainState, steps: int, log_every: int) -> None:
        self.steps = 0
        self.diverged: Int[np.ndarray, " members"] = np.full(len(first.step), NEVER)
        self._all_steps, self._log_every = steps, log_every
        self._kept: list[Float[np.ndarray, "members kept"]] = []
        self._last_finite: TrainState = jax.tree.map(np.array, first._replace(key=None))
        self._now = first
        self._chunk: Chunk | None = None

    def add(
        self, chunk: Chunk, loop: Callable[..., Any], data: Data
    ) -> Float[np.ndarray, "members steps"]:
        """Take in the next chunk, and give its losses; ``loop`` and ``data`` are what made it."""
        bad = first_bad(chunk)
        fresh = (bad < BEYOND) & (self.diverged == NEVER)
        steps = np.unique(bad[fresh]).tolist()
        for step, state in last_finite(loop, data, chunk, self._chunk, steps):
            self._take(state, fresh & (bad == step))
        self.diverged[fresh] = chunk.first + bad[fresh]

        self.steps = chunk.first + chunk.losses.shape[1]
        end = np.where(self.diverged == NEVER, BEYOND, self.diverged)
        made = np.arange(chunk.first, self.steps)
        losses = np.where(made < end[:, None], chunk.losses, np.nan)
        self._kept.append(losses[:, made % self._log_every == 0])
        self._last, self._now, self._chunk = losses[:, -1:], chunk.after, chunk
        return losses

    @property
    def finished(self) -> bool:
        """Whether nothing is left to do: all steps are made, or no member is finite any more."""
        return self.steps == self._all_steps or NEVER not in self.diverged

    def part(self) -> Part:
        """The group's part of the sweep; cut after the last step made, where it was stopped."""
        self._take(self._now, self.diverged == NEVER)
        kept = kept_steps(self._all_steps if self.finished else self.steps, self._log_every)
        last = [] if (self.steps - 1) % self._log_every == 0 else [self._last]
        losses = np.concatenate([*self._kept, *last], axis=1)
        missing = len(kept) - losses.shape[1]  # Where all diverged before the end.
        losses = np.pad(losses, ((0, 0), (0, missing)), constant_values=np.nan)
        return Part(self._last_finite, kept, losses, self.diverged)

    def _take(self, state: TrainState, members: Bool[np.ndarray, " members"]) -> None:
        """Remember the states of some members."""
        mine, theirs = self._last_finite, state._replace(key=None)
        for kept, leaf in zip(jax.tree.leaves(mine), jax.tree.leaves(theirs), strict=True):
            kept[members] = np.asarray(leaf)[members]
