"""What came of the members of one kind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Int

from funcnn.core import Model, Params, TrainState
from funcnn.runs.preparation import Preparation

__all__ = ["KindResult"]


class KindResult(NamedTuple):
    """What members share whose networks, optimizers and shapes of samples are of one kind.

    Attributes:
        members: which of the sweep's members they are, (members,).
        model: the model that was trained.
        preparations: what was done to the data of each, as in ``TrainResult``.
        recipe: the model's name and options, as in ``TrainResult``.
        form: ``"direct"`` or ``"gram"``, as in ``TrainResult``.
        per_epoch: how many steps go once through all samples.
        logged_steps: the steps whose losses are kept, (losses,).
        recorded: after how many steps something was recorded, (rows,).
        kept: which of the sweep's members the states are of, (kept,).
        state: their states after the last update, NumPy arrays with a leading axis (kept,), the
            keys as their words; the last finite state of a member that diverged.
        best_params: the params of their best records; None where no score was monitored.
    """

    members: Int[np.ndarray, " members"]
    model: Model
    preparations: Sequence[Preparation]
    recipe: dict[str, Any] | None
    form: str
    per_epoch: int
    logged_steps: Int[np.ndarray, " losses"]
    recorded: Int[np.ndarray, " rows"]
    kept: Int[np.ndarray, " kept"]
    state: TrainState
    best_params: Params | None

    @property
    def params(self) -> Params:
        """The params of the best records, where there are any, or else those of the states."""
        return self.state.params if self.best_params is None else self.best_params

    def preparation(self, member: int) -> Preparation:
        """What was done to the data of a member."""
        return self.preparations[int(np.searchsorted(self.members, member))]

    def own(self, member: int, tree: Any) -> Any:
        """A member's part of a tree of arrays, (kept, ...); None where it was not kept."""
        places = np.flatnonzero(self.kept == member)
        return jax.tree.map(lambda leaf: leaf[places[0]], tree) if len(places) else None
