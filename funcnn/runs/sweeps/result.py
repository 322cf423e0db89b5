"""What a sweep gives back."""

from __future__ import annotations

import dataclasses
import operator
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import jax
import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from funcnn.core import ArgumentError, DivergenceError, MissingExtraError, Model, Params, TrainState
from funcnn.core.keys import key_of
from funcnn.core.precision import numerics
from funcnn.plots import Axes
from funcnn.runs.divergence import NEVER
from funcnn.runs.history import History
from funcnn.runs.html import html
from funcnn.runs.observers.evaluations import Best
from funcnn.runs.predictor import Predictor
from funcnn.runs.preparation import Preparation
from funcnn.runs.result import TrainResult
from funcnn.runs.sweeps.ensemble import Ensemble, ensemble
from funcnn.runs.sweeps.tasks import order_of

if TYPE_CHECKING:
    from pandas import DataFrame
else:
    DataFrame = Any  # pandas may be missing, and takes long to import.

__all__ = ["SweepResult", "rows_of"]

BEST = 5
"""How many members a notebook shows."""


@dataclasses.dataclass(frozen=True, repr=False, eq=False)
class SweepResult:
    """Many finished runs, the members of a sweep.

    Attributes:
        model: the model that was trained.
        settings: the values of what was swept, one dict a member.
        losses: the loss before an update, (members, losses), in the sweep's dtype; NaN
            from the step at which a member diverged or was stopped.
        logged_steps: the steps whose losses are kept, (losses,): all of them, or every
            ``keep_every``-th and the last.
        diverged: the first step at which a member was not finite, (members,), as
            ``DivergenceError`` counts it; -1 for a member that did not diverge.
        scores: what ranks the members, (members,): the last loss, or the last validation loss
            where there is one, or the best of the score that was monitored.
        monitor: the name of that score, ``"last_loss"``, ``"validation_loss"`` ...
        higher_is_better: whether a higher one is a better one.
        steps: how many steps each member has made, (members,).
        dropped: whether a member was dropped by ``halving``, (members,).
        history: what was recorded, by name: ``step`` and ``epoch``, (rows,), and of each member
            ``loss`` and the scores, (members, rows), NaN from where it was stopped; empty where
            nothing was asked for.
        best_steps: after how many steps the best record of each member was taken, (members,),
            0 where none was finite; None where no score was monitored.
        best_params: the params then, of the members ``kept``; None where no score was monitored.
        kept: the members whose states are there, (kept,): all, unless ``keep`` says otherwise.
        state: their states after the last update, NumPy arrays with a leading
            axis (kept,), the keys as their words; the last finite state of a member
            that diverged.
        preparation: what was done to the data, as in ``TrainResult``.
        recipe: the model's name and options, as in ``TrainResult``.
        per_epoch: how many steps go once through all samples.
        dtype: ``"float32"`` or ``"float64"``.
        form: ``"direct"`` or ``"gram"``, as in ``TrainResult``.
        group: how many members went side by side: the same call with this ``group`` gives the
            same bits.
        compile_seconds: what went by before the first step of the group that waited longest.
        run_seconds: what the rest took.
    """

    model: Model
    settings: list[dict[str, Any]]
    losses: Float[np.ndarray, "members losses"]
    logged_steps: Int[np.ndarray, " losses"]
    diverged: Int[np.ndarray, " members"]
    scores: Float[np.ndarray, " members"]
    monitor: str
    higher_is_better: bool
    steps: Int[np.ndarray, " members"]
    dropped: Bool[np.ndarray, " members"]
    history: dict[str, Shaped[np.ndarray, "..."]]
    best_steps: Int[np.ndarray, " members"] | None
    best_params: Params | None
    kept: Int[np.ndarray, " kept"]
    state: TrainState
    preparation: Preparation
    recipe: dict[str, Any] | None
    per_epoch: int
    dtype: str
    form: str
    group: int
    compile_seconds: float
    run_seconds: float

    @property
    def params(self) -> Params:
        """The parameters after the last update, each array with a leading axis (kept,).

        Where a score was monitored, they are those of each member's best record. They are
        those of the members ``kept``, which are all members unless ``keep`` says otherwise.
        Those of a member that diverged are its last finite ones.
        """
        return self.state.params if self.best_params is None else self.best_params

    @property
    def ranking(self) -> Int[np.ndarray, " finite"]:
        """The members that did not diverge, from the best of the ``scores`` to the worst.

        Those that were dropped come after all others, the first ones last.
        """
        order = order_of(self.scores, self.diverged, self.higher_is_better)
        stage = np.where(self.dropped, -self.steps, -np.inf)
        order = order[np.argsort(stage[order], kind="stable")]
        return order[self.diverged[order] == NEVER]

    def best(self) -> TrainResult:
        """The member with the best score, ``result(ranking[0])``.

        Raises:
            DivergenceError: where every member diverged, for the one that lasted longest.
        """
        ranking = self.ranking
        return self.result(int(ranking[0] if len(ranking) else self.diverged.argmax()))

    def result(self, member: int) -> TrainResult:
        """One member, as ``train`` gives it.

        Args:
            member: from 0; from the end where it is negative.

        Returns:
            The member's run. Its losses are NaN at the steps that ``keep_every`` left
            out, and its time is an equal share of the sweep's.

        Raises:
            ArgumentError: where its params were not kept.
            DivergenceError: where the member diverged, as from ``train``; its last state is
                None where it was not kept.
            IndexError: where there is no such member.
        """
        member = range(len(self.settings))[member]
        own, params = self._own(member, self.state), self._own(member, self.params)
        state = None
        if own is not None:
            with numerics(self.dtype):
                state = jax.device_put(own)
                state = state._replace(key=key_of(state.key))
        diverged = int(self.diverged[member])
        steps = int(self.steps[member])
        kept = self.logged_steps < steps
        losses = np.full(steps, np.nan, self.dtype)
        losses[self.logged_steps[kept]] = self.losses[member, kept]
        if diverged != NEVER:
            raise DivergenceError(diverged, state, losses)
        if own is None or state is None:
            raise ArgumentError(
                f"the params of member {member} were not kept: keep='all' keeps them"
            )
        return TrainResult(
            model=self.model,
            params=jax.tree.map(np.array, params),
            state=state,
            preparation=self.preparation,
            recipe=self.recipe,
            losses=losses,
            history=self._history(member, kept),
            best=self._best(member, params),
            resumed_from=0,
            stopped_early=bool(steps <= self.logged_steps[-1]),
            dtype=self.dtype,
            form=self.form,
            compile_seconds=self.compile_seconds,
            run_seconds=self.run_seconds / len(self.settings),
        )

    def predict(self, x: Any, members: Sequence[int] | None = None) -> Ensemble:
        """What the members predict, and how far they agree.

        Args:
            x: inputs, as ``train`` takes them.
            members: whose predictions; of all that did not diverge without it. Such as
                ``result.ranking[:5]`` for the five best.

        Returns:
            The predictions of each, their mean and their spread, as :class:`Ensemble` says.

        Raises:
            ArgumentError, ArgumentTypeError: as ``TrainResult.predict``; where the params of a
                member were not kept, or members are none.
            DivergenceError: where a member that is asked for has diverged, or every one has.
            IndexError: where there is no such member.
        """
        chosen = self._finite() if members is None else [operator.index(one) for one in members]
        if not chosen:
            raise ArgumentError(f"members={members!r} holds no members")
        return ensemble([self._predictor(member) for member in chosen], x)

    def _finite(self) -> list[int]:
        """The members that did not diverge; where every one did, the one that lasted longest."""
        return np.sort(self.ranking).tolist() or [int(self.diverged.argmax())]

    def _predictor(self, member: int) -> Predictor:
        member = range(len(self.settings))[member]
        params = self._own(member, self.params)
        if params is None or self.diverged[member] != NEVER:
            return self.result(member)  # It says why there is none.
        return Predictor(self.model, params, self.preparation, self.recipe)

    def _own(self, member: int, tree: Any) -> Any:
        """A member's part of a tree of arrays, (kept, ...); None where it was not kept."""
        places = np.flatnonzero(self.kept == member)
        if not len(places):
            return None
        return jax.tree.map(lambda leaf: leaf[places[0]], tree)

    def _best(self, member: int, params: Params) -> Best | None:
        if self.best_steps is None or not self.best_steps[member]:
            return None
        with numerics(self.dtype):
            own = jax.device_put(params)
        return Best(int(self.best_steps[member]), float(self.scores[member]), own)

    def _history(self, member: int, kept: Bool[np.ndarray, " kept"]) -> History:
        if self.history:
            made = self.history["step"] <= self.steps[member]
            return History.of_columns(
                {
                    name: column[made] if column.ndim == 1 else column[member, made]
                    for name, column in self.history.items()
                }
            )
        steps = self.logged_steps[kept] + 1
        return History.of_columns(
            {
                "step": steps,
                "epoch": steps / self.per_epoch,
                "loss": self.losses[member, kept].astype(np.float64),
            }
        )

    def rows(self) -> list[dict[str, Any]]:
        """A table with a row a member: its settings, first and last loss, step of divergence.

        The last loss of a member that diverged is NaN; the step of one that did not is None.
        With scores, those of its best record or its last, and how many steps it has made.
        """
        rows = rows_of(self.settings, self.losses, self.diverged)
        return [row | self._row(member) for member, row in enumerate(rows)]

    def _row(self, member: int) -> dict[str, float]:
        """How many steps a member has made, and the scores that belong to its params."""
        if not self.history:
            return {}
        step = (self.steps if self.best_steps is None else self.best_steps)[member]
        found = np.flatnonzero(self.history["step"] == step)
        is_there = len(found) and self.diverged[member] == NEVER
        return {"steps": int(self.steps[member])} | {
            name: float(column[member, found[0]]) if is_there else float("nan")
            for name, column in self.history.items()
            if name not in ("step", "epoch", "loss")
        }

    def to_pandas(self) -> DataFrame:
        """The table of :meth:`rows` as a ``pandas.DataFrame``; needs the extra ``pandas``.

        Raises:
            MissingExtraError: where pandas is not installed.
        """
        try:
            import pandas as pd
        except ImportError:
            raise MissingExtraError("pandas", "pandas") from None
        return pd.DataFrame(self.rows()).astype({"diverged": "Int64"})

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the losses over the steps; needs the extra ``plot``.

        Members that differ in their seed alone make one bundle: the median of their
        losses and the range from the lowest to the highest.

        Args:
            ax: where to draw; a new figure without it.

        Returns:
            The axes drawn on.

        Raises:
            MissingExtraError: where matplotlib is not installed.
        """
        from funcnn import plots

        bundles: dict[str, list[np.ndarray]] = {}
        for settings, losses in zip(self.settings, self.losses, strict=True):
            label = ", ".join(
                f"{name}={value:.4g}" for name, value in settings.items() if name != "seed"
            )
            bundles.setdefault(label, []).append(losses)
        curves = {label: np.stack(losses) for label, losses in bundles.items()}
        return plots.bands(curves, self.logged_steps, ax=ax)

    def _repr_html_(self) -> str:
        """What a notebook shows: the best members, and the losses."""
        names = [*self.settings[0], "first_loss", "last_loss", *self._row(0)]
        rows, ranking = self.rows(), self.ranking
        best = [[f"{rows[member][name]:.6g}" for name in names] for member in ranking[:BEST]]
        end = f"{len(rows)} members of {self.logged_steps[-1] + 1} steps"
        if len(ranking) < len(rows):
            end += f", {len(rows) - len(ranking)} diverged"
        return html(best, self.plot if len(ranking) else None, head=names, end=end)

    def __repr__(self) -> str:
        members, ranking = len(self.settings), self.ranking
        facts = [f"{members} members", f"{self.logged_steps[-1] + 1} steps"]
        if len(ranking):
            way, name = "highest" if self.higher_is_better else "lowest", self.monitor
            facts.append(f"{way} {name.replace('_', ' ')} {self.scores[ranking[0]]:.6g}")
        if len(ranking) < members:
            facts.append(f"{members - len(ranking)} diverged")
        return f"SweepResult({', '.join(facts)})"


def rows_of(
    settings: list[dict[str, Any]],
    losses: Float[np.ndarray, "members losses"],
    diverged: Int[np.ndarray, " members"],
) -> list[dict[str, Any]]:
    """A table of members, as :meth:`SweepResult.rows` gives it."""
    return [
        one
        | {
            "first_loss": float(own[0]),
            "last_loss": float(own[~np.isnan(own)][-1]) if step == NEVER else float("nan"),
            "diverged": None if step == NEVER else int(step),
        }
        for one, own, step in zip(settings, losses, diverged, strict=True)
    ]
