"""Members of a run that stop being finite: found, marked, and held at their last finite state."""

from __future__ import annotations

from collections.abc import Callable

import jax
import numpy as np
from jaxtyping import Bool, Float, Int

from funcnn.core import TrainState
from funcnn.loop.forms import Kept
from funcnn.runs.advance import Advance
from funcnn.runs.merging import merged

__all__ = ["NEVER", "Divergence"]

NEVER = -1
"""In place of the step of divergence, for a member that did not diverge."""


class Divergence:
    """Watches a run for losses and final params that are not finite.

    A segment is made again, up to the step that is asked for, to find a state inside it: so
    a run need not hold more than a few states, and a finite run does nothing twice.

    Args:
        advance: makes steps.
        leave: gives the state as users see it.
        kept: what the loop holds before the first step.
        count: how many members there are.
        many: whether the arrays have an axis of members.
        done: how many steps of the run were made before.

    Attributes:
        steps: for each member the first step whose loss is not finite (the number of steps
            of the run, where only the final params are not); ``NEVER`` for a member that did
            not diverge.
    """

    def __init__(
        self,
        advance: Advance,
        leave: Callable[[Kept], TrainState],
        kept: Kept,
        count: int,
        many: bool,
        done: int = 0,
    ) -> None:
        self.steps: Int[np.ndarray, " members"] = np.full(count, NEVER)
        self._advance, self._leave, self._many = advance, leave, many
        # The states from which a step can be made again: the first, and those before the last
        # two segments.
        self._held = [(done, kept.state)]

    def check(
        self,
        first: int,
        before: Kept,
        after: Kept,
        losses: Float[np.ndarray, "members steps"],
        left: TrainState | None,
        ended: Bool[np.ndarray, " members"],
    ) -> tuple[Kept, Float[np.ndarray, "members steps"]]:
        """What a segment has come to.

        Args:
            first: how many steps of the run were made before it.
            before: what the loop held before it.
            after: what it holds after it.
            losses: the losses of the segment.
            left: the state after it as users see it, where the run ends with it: then no
                loss tells of the params any more.
            ended: which members make no more steps, since they diverged or were stopped.

        Returns:
            What the loop holds, each member that diverged at its last finite state, and each
            that has ended as it was; and the losses, NaN from where a member diverged or ended.
        """
        self._held = [self._held[0], *self._held[-1:], (first, before.state)]
        finite = np.isfinite(losses)
        if left is not None:
            finite = np.append(finite, self._finite(left)[:, None], axis=1)
        if finite.all() and not ended.any():
            return after, losses

        bad = np.where(finite.all(axis=1) | ended, NEVER, first + finite.argmin(axis=1))
        state = after.state
        if ended.any():
            state = self._take(before.state, state, ended)
        for step in np.unique(bad[bad != NEVER]).tolist():
            state = self._last_finite(after, state, step, bad == step)
        self.steps = np.where(ended, self.steps, bad)
        ends = np.where(self.steps == NEVER, np.inf, self.steps)
        made = np.arange(first, first + losses.shape[1])
        finite_steps = (made < ends[:, None]) & ~ended[:, None]
        losses = np.where(finite_steps, losses, np.nan).astype(losses.dtype)
        return after._replace(state=state), losses

    def _last_finite(
        self, kept: Kept, state: TrainState, bad: int, members: Bool[np.ndarray, " members"]
    ) -> TrainState:
        """The state with some members as they were before the step before a bad one.

        Where params had stopped being finite before the loss did, it is the last state of
        all whose params are finite.
        """
        last = max(self._held[0][0], bad - 1)
        found = self._at(kept, last)
        finite = self._finite(self._left(kept, found))
        state = self._take(found, state, members & finite)
        for member in np.flatnonzero(members & ~finite):
            low, high = self._held[0][0], last  # The first state is finite.
            while low + 1 < high:
                middle = (low + high) // 2
                if self._finite(self._left(kept, self._at(kept, middle)))[member]:
                    low = middle
                else:
                    high = middle
            only = np.arange(len(members)) == member
            state = self._take(self._at(kept, low), state, only)
        return state

    def _at(self, kept: Kept, step: int) -> TrainState:
        """The state before a step, made again from the latest that is held."""
        done, state = max((one for one in self._held if one[0] <= step), key=lambda one: one[0])
        while done < step:
            length = min(self._advance.most(done), step - done)
            state, _ = self._advance(kept._replace(state=state), done, length)
            done += length
        return state

    def _left(self, kept: Kept, state: TrainState) -> TrainState:
        return self._leave(kept._replace(state=state))

    def _finite(self, left: TrainState) -> Bool[np.ndarray, " members"]:
        """Whether a state's params are finite, for each member."""
        finite = [np.isfinite(np.asarray(leaf)) for leaf in jax.tree.leaves(left.params)]
        return np.all([leaf.reshape(len(self.steps), -1).all(axis=1) for leaf in finite], axis=0)

    def _take(
        self, taken: TrainState, state: TrainState, members: Bool[np.ndarray, " members"]
    ) -> TrainState:
        """The state with some members replaced."""
        if not members.any():
            return state
        return merged(taken, state, members) if self._many else taken
