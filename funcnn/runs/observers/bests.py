"""The best records of the members of a sweep, and the end of each that gets no better."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Bool, Float, Int

from funcnn.core import Params
from funcnn.runs.merging import merged
from funcnn.runs.observers.evaluations import Evaluations, Patience
from funcnn.runs.observers.observer import Observer, Segment

__all__ = ["Bests", "MemberStopping"]


class Bests(NamedTuple):
    """The best record of each member.

    Attributes:
        step: after how many steps it was taken; 0 where none was better than any.
        value: its score; NaN where there is none.
        since: how many records came after it.
        params: the params then.
    """

    step: Int[np.ndarray, " members"]
    value: Float[np.ndarray, " members"]
    since: Int[np.ndarray, " members"]
    params: Params

    @classmethod
    def before(cls, members: int, params: Params) -> Bests:
        """Those before the first record, with the params of the start."""
        return cls(np.zeros(members, int), np.full(members, np.nan), np.zeros(members, int), params)


class MemberStopping(Observer):
    """Keeps the best params of each member, and stops a member where no better ones come.

    For each member it does what :class:`EarlyStopping` does for a run. It stands after the
    :class:`Evaluations` that it looks at.

    Args:
        evaluations: what records the scores.
        patience: which score to look at, and when to stop.
        bests: the best records so far; None before the first.

    Attributes:
        bests: the best records so far; None before the first.
        ends: after how many steps each member was stopped; 0 where it was not.
    """

    def __init__(
        self, evaluations: Evaluations, patience: Patience, bests: Bests | None = None
    ) -> None:
        self._evaluations, self._patience = evaluations, patience
        self.bests = bests
        self.ends: Any = 0

    def see(self, segment: Segment) -> Bool[np.ndarray, " members"]:
        """Compare, where there is a new record; stop those whose patience is at its end."""
        members = len(segment.losses)
        stopped = np.broadcast_to(self.ends, members) > 0
        row = self._evaluations.newest(segment.end)
        if row is None:
            return stopped
        params, values = segment.view().params, row[self._patience.monitor]
        bests = Bests.before(members, params) if self.bests is None else self.bests
        better = self._patience.is_better(values, bests.value) & ~stopped
        self.bests = Bests(
            np.where(better, segment.end, bests.step),
            np.where(better, values, bests.value),
            np.where(better, 0, bests.since + 1),
            merged(params, bests.params, better) if better.any() else bests.params,
        )
        if self._patience.patience is not None:
            over = (self.bests.since >= self._patience.patience) & ~stopped
            self.ends = np.where(over, segment.end, self.ends)
            stopped = stopped | over
        return stopped

    def in_numpy(self) -> Bests | None:
        """The best records, their params as NumPy arrays."""
        return None if self.bests is None else jax.tree.map(np.array, self.bests)
