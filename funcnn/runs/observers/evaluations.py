"""The scores of a run, taken every so many steps; and its end where they get no better."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float

from funcnn.core import Params
from funcnn.runs.observers.observer import Observer, Segment

__all__ = ["Best", "EarlyStopping", "Evaluations", "Patience"]


class Evaluations(Observer):
    """Records the mean loss and the scores of a run every so many steps, and at its end.

    Args:
        every: how many steps.
        steps: how many the run will make.
        per_epoch: how many go once through all samples.
        scores: gives the scores for the params by name.
        names: the names of the scores.
        many: whether the run is of many members: what is recorded has an axis (members,).

    Attributes:
        every: how many steps.
        names: the names of the scores.
        rows: what was recorded, a dict for each time.
    """

    def __init__(
        self,
        every: int,
        steps: int,
        per_epoch: int,
        scores: Callable[[Params], dict[str, Any]],
        names: Sequence[str] = (),
        many: bool = False,
    ) -> None:
        self.every, self._steps, self._per_epoch = every, steps, per_epoch
        self._scores, self.names, self._many = scores, tuple(names), many
        # All of them, for one sum: sums of parts would depend on where the run was cut.
        self._losses: list[Float[np.ndarray, "*members steps"]] = []
        self.rows: list[dict[str, Any]] = []

    def next_step(self, step: int) -> int:
        """The next multiple of ``every``."""
        return step + self.every - step % self.every

    def see(self, segment: Segment) -> bool:
        """Record, where it is time; never stop."""
        self._losses.append(segment.losses if self._many else segment.losses[0])
        if segment.end % self.every and segment.end != self._steps:
            return False
        losses = np.concatenate(self._losses, axis=-1)
        self._record(segment.end, losses, self._scores(segment.view().params))
        self._losses = []
        return False

    def _record(
        self, step: int, losses: Float[np.ndarray, "*members steps"], scores: Mapping[str, Any]
    ) -> None:
        mean = losses.mean(axis=-1, dtype=np.float64)
        row = {"step": step, "epoch": step / self._per_epoch}
        self.rows.append(row | {"loss": mean if self._many else float(mean)} | dict(scores))

    def newest(self, step: int) -> dict[str, Any] | None:
        """What was recorded after that many steps; None where nothing was."""
        return self.rows[-1] if self.rows and self.rows[-1]["step"] == step else None

    def known(self, step: int) -> dict[str, Any] | None:
        """What was last recorded of a run that had made no more than that many steps."""
        return next((row for row in reversed(self.rows) if row["step"] <= step), None)

    def memory(self) -> dict[str, Any]:
        """What must be known to go on."""
        losses = np.concatenate(self._losses) if self._losses else np.zeros(0)
        return {"rows": self.rows, "losses": losses}

    def recall(self, memory: Mapping[str, Any]) -> None:
        """Go on from what was remembered.

        Or from the losses alone, where nothing was recorded and nothing else is to be.
        """
        self.rows, losses = list(memory["rows"]), memory["losses"]
        while len(losses) >= self.every:
            step = self.every * (1 + len(self.rows))
            self._record(step, losses[: self.every], {})
            losses = losses[self.every :]
        self._losses = [losses] if len(losses) else []

    @property
    def is_plain(self) -> bool:
        """Whether the records tell no more than the losses: the mean of each epoch."""
        return not self.names and self.every == self._per_epoch


class Patience(NamedTuple):
    """When a run is to stop since it gets no better.

    Attributes:
        monitor: the name of the score that tells.
        higher_is_better: whether a higher score is a better one.
        patience: after how many records in a row without a better one to stop; None for never.
        min_delta: by how much a score must be better to count.
    """

    monitor: str
    higher_is_better: bool = False
    patience: int | None = None
    min_delta: float = 0.0

    def is_better(
        self, values: Float[np.ndarray, " scores"], best: Float[np.ndarray, " scores"]
    ) -> Bool[np.ndarray, " scores"]:
        """Whether scores count as better than the best before, which are NaN where there is none.

        A score that is not finite is no better than any.
        """
        gain = values - best if self.higher_is_better else best - values
        return np.isfinite(values) & (np.isnan(best) | (gain > self.min_delta))


class Best(NamedTuple):
    """The best record of a run.

    Attributes:
        step: after how many steps it was taken.
        value: its score.
        params: the params then, JAX arrays.
    """

    step: int
    value: float
    params: Params


class EarlyStopping(Observer):
    """Keeps the best params of a run, and stops the run where no better one comes.

    It stands after the :class:`Evaluations` that it looks at.

    Args:
        evaluations: what records the scores.
        patience: which score to look at, and when to stop.
        tree: the structure of the params.

    Attributes:
        patience: which score it looks at, and when it stops.
        best: the best record so far; None before the first.
        stopped: whether it has stopped the run, or the one that this run goes on from.
    """

    def __init__(self, evaluations: Evaluations, patience: Patience, tree: Any) -> None:
        self._evaluations, self.patience, self._tree = evaluations, patience, tree
        self._since = 0
        self.best: Best | None = None
        self.stopped = False

    def see(self, segment: Segment) -> bool:
        """Compare, where there is a new record; stop, where patience is at its end."""
        row = self._evaluations.newest(segment.end)
        if row is None:
            return False
        value = row[self.patience.monitor]
        before = math.nan if self.best is None else self.best.value
        if self.patience.is_better(np.array([value]), np.array([before])).item():
            self.best, self._since = Best(segment.end, value, segment.view().params), 0
        else:
            self._since += 1
        self.stopped = self._is_over()
        return self.stopped

    def _is_over(self) -> bool:
        patience = self.patience.patience
        return patience is not None and self._since >= patience

    def memory(self) -> dict[str, Any]:
        """What must be known to go on."""
        best = None
        if self.best is not None:
            best = self.best._asdict() | {"params": jax.tree.leaves(self.best.params)}
        return {"best": best, "since": self._since}

    def recall(self, memory: Mapping[str, Any]) -> None:
        """Go on from what was remembered; to be called inside ``numerics``."""
        best = memory["best"]
        if best is not None:
            params = jax.tree.unflatten(self._tree, map(jnp.array, best["params"]))
            best = Best(best["step"], best["value"], params)
        self.best = best
        self._since = memory["since"]
        self.stopped = self._is_over()
