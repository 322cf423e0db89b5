"""What came of the groups of one kind, put together as they finish."""

from __future__ import annotations

import jax
import numpy as np
from jaxtyping import Float, Int, Shaped

from funcnn.core import Params, TrainState
from funcnn.runs.observers.losses import kept_steps
from funcnn.runs.plan import Plan
from funcnn.runs.sweeps.tasks import Keep, Part, best_of, keeping

__all__ = ["Gathering"]


class Gathering:
    """Takes the parts of groups, in any order, and holds no more of them than is kept.

    Args:
        plan: what each member does.
        count: how many members there are.
        width: how many are in a group.
        keep_every: the steps between losses that are kept.
        keep: whose states are kept.
    """

    def __init__(self, plan: Plan, count: int, width: int, keep_every: int, keep: Keep) -> None:
        self._plan, self._count, self._width = plan, count, width
        self._keep_every, self._keep = keep_every, keep
        self._losses: Float[np.ndarray, "members losses"] | None = None
        self._diverged = np.zeros(count, np.int64)
        self._score = np.zeros(count)
        self._measured: dict[str, np.ndarray] = {}
        self._there = np.zeros(count, bool)
        self._empty: list[np.ndarray] = []
        self._states: dict[int, Part] = {}
        self._cut: dict[int, Part] = {}
        self.compile_seconds = 0.0

    def add(self, number: int, part: Part) -> None:
        """Take what came of a group; of those that were stopped, the first may be all there is."""
        self.compile_seconds = max(self.compile_seconds, part.compile_seconds)
        if part.steps < self._plan.steps:
            self._cut[number] = part
            return
        if self._losses is None:
            self._losses = np.empty((self._count, part.losses.shape[1]), part.losses.dtype)
        members = self._members(number, part)
        self._losses[members] = part.losses
        self._diverged[members], self._score[members] = part.diverged, part.score
        for name, column in part.measured.items():
            if name not in self._measured:
                self._measured[name] = np.empty((self._count, *column.shape[1:]), column.dtype)
            self._measured[name][members] = column
        self._there[members] = True
        self._empty = self._empty or [leaf[:0].copy() for leaf in part.state]
        if len(part.kept):
            self._states[number] = part._replace(losses=part.losses[:, :0].copy(), measured={})
        if isinstance(self._keep, int):
            self._drop(self._keep)

    def kept_of(self, number: int, part: Part) -> Part:
        """What came of a group that was added, with the states of it that are still kept.

        A member that so many others surpass is none of the best, whatever comes.
        """
        kept = self._states.get(number)
        if kept is None:
            return part._replace(kept=part.kept[:0], state=[leaf[:0] for leaf in part.state])
        return part._replace(kept=kept.kept, state=kept.state)

    @property
    def has_finished(self) -> bool:
        """Whether any group has made all of its steps."""
        return bool(self._there.any())

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to show."""
        return not self.has_finished and not self._cut

    @property
    def steps(self) -> int:
        """How many steps the members have made that are given."""
        return self._plan.steps if self.has_finished else self._cut[min(self._cut)].steps

    @property
    def logged_steps(self) -> Int[np.ndarray, " losses"]:
        """The steps whose losses are kept."""
        return kept_steps(self.steps, self._keep_every)

    def members(self) -> Int[np.ndarray, " members"]:
        """The members that are given, in their order."""
        if self.has_finished:
            return np.flatnonzero(self._there)
        first = min(self._cut)
        return np.arange(self._count)[self._members(first, self._cut[first])]

    def losses(self) -> Float[np.ndarray, "members losses"]:
        """Their losses."""
        if self._losses is None:
            return self._cut[min(self._cut)].losses
        return self._losses if self._there.all() else self._losses[self._there]

    def diverged(self) -> Int[np.ndarray, " members"]:
        """Their first steps that are not finite, or ``NEVER``."""
        if self._losses is None:
            return self._cut[min(self._cut)].diverged
        return self._diverged[self._there]

    def score(self) -> Float[np.ndarray, " members"]:
        """What they are ranked by."""
        if self._losses is None:
            return self._cut[min(self._cut)].score
        return self._score[self._there]

    def measured(self) -> dict[str, Shaped[np.ndarray, "members ..."]]:
        """What was measured of them, by name."""
        if self._losses is None:
            return self._cut[min(self._cut)].measured
        return {name: column[self._there] for name, column in self._measured.items()}

    def kept(self) -> Int[np.ndarray, " kept"]:
        """Those of the members whose states are there, by their place among the members."""
        parts = self._parts()
        kept = [number * self._width + part.kept for number, part in parts.items()]
        return np.searchsorted(self.members(), np.concatenate([np.arange(0), *kept]))

    def states(self) -> tuple[TrainState, Params | None]:
        """Their states, without their keys, and their best params, where something tells.

        To be asked once: the parts are let go.
        """
        parts = self._parts().values()
        empty = self._empty or [leaf[:0] for part in parts for leaf in part.state]
        # One leaf after the other, to need little memory.
        leaves = [np.concatenate([none, *(part.state.pop(0) for part in parts)]) for none in empty]
        state, watched = self._plan.state_shapes._replace(key=None), self._plan.watched
        best = None if watched.patience is None else state.params
        return jax.tree.unflatten(jax.tree.structure((state, best)), leaves)

    def _members(self, number: int, part: Part) -> slice:
        first = number * self._width
        return slice(first, first + len(part.diverged))

    def _parts(self) -> dict[int, Part]:
        """The parts that hold states of the members that are given, in order."""
        if not self.has_finished:
            return {min(self._cut): self._cut[min(self._cut)]}
        return {number: self._states[number] for number in sorted(self._states)}

    def _drop(self, count: int) -> None:
        """Let the states go that are not among so many of the best."""
        parts = self._parts()
        if not parts:
            return
        score = np.concatenate([part.score[part.kept] for part in parts.values()])
        diverged = np.concatenate([part.diverged[part.kept] for part in parts.values()])
        chosen = np.zeros(len(score), bool)
        higher = self._plan.watched.higher_is_better
        chosen[best_of(count, score, diverged, higher)] = True
        place = 0
        for number, part in parts.items():
            rows = chosen[place : place + len(part.kept)]
            place += len(part.kept)
            if rows.any():
                self._states[number] = keeping(part, rows)
            else:
                del self._states[number]
