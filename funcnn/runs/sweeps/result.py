"""What a sweep gives back."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import jax
import numpy as np
from jaxtyping import Bool, Float, Int

from funcnn.core import ArgumentError, DivergenceError, MissingExtraError, Model, Params, TrainState
from funcnn.core.keys import key_of
from funcnn.core.precision import numerics
from funcnn.plots import Axes
from funcnn.runs.divergence import NEVER
from funcnn.runs.history import History
from funcnn.runs.html import html
from funcnn.runs.preparation import Preparation
from funcnn.runs.result import TrainResult

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
        losses: the loss before an update, (members, kept), in the sweep's dtype; NaN
            from the step at which a member diverged.
        logged_steps: the steps whose losses are kept, (kept,): all of them, or every
            ``keep_every``-th and the last.
        diverged: the first step at which a member was not finite, (members,), as
            ``DivergenceError`` counts it; -1 for a member that did not diverge.
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
    losses: Float[np.ndarray, "members kept"]
    logged_steps: Int[np.ndarray, " kept"]
    diverged: Int[np.ndarray, " members"]
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

        They are those of the members ``kept``, which are all members unless ``keep`` says
        otherwise. Those of a member that diverged are its last finite ones.
        """
        return self.state.params

    @property
    def ranking(self) -> Int[np.ndarray, " finite"]:
        """The members that did not diverge, from the lowest last loss to the highest."""
        order = np.argsort(self.losses[:, -1], kind="stable")
        return order[self.diverged[order] == NEVER]

    def best(self) -> TrainResult:
        """The member with the lowest last loss, ``result(ranking[0])``.

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
        own = self._own_state(member)
        state = None
        if own is not None:
            with numerics(self.dtype):
                state = jax.device_put(own)
                state = state._replace(key=key_of(state.key))
        diverged = int(self.diverged[member])
        steps = self.logged_steps[-1] + 1 if diverged == NEVER else diverged
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
            params=jax.tree.map(np.array, own.params),
            state=state,
            preparation=self.preparation,
            recipe=self.recipe,
            losses=losses,
            history=self._history(member, kept),
            best=None,
            resumed_from=0,
            stopped_early=False,
            dtype=self.dtype,
            form=self.form,
            compile_seconds=self.compile_seconds,
            run_seconds=self.run_seconds / len(self.settings),
        )

    def _own_state(self, member: int) -> TrainState | None:
        """A member's state, in NumPy arrays; None where it was not kept."""
        places = np.flatnonzero(self.kept == member)
        if not len(places):
            return None
        return jax.tree.map(lambda leaf: leaf[places[0]], self.state)

    def _history(self, member: int, kept: Bool[np.ndarray, " kept"]) -> History:
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
        """
        return rows_of(self.settings, self.losses, self.diverged)

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
        """What a notebook shows: the members with the lowest last loss, and the losses."""
        names = [*self.settings[0], "first_loss", "last_loss"]
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
            facts.append(f"lowest last loss {self.losses[ranking[0], -1]:.6g}")
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
            "last_loss": float(own[-1]),
            "diverged": None if step == NEVER else int(step),
        }
        for one, own, step in zip(settings, losses, diverged, strict=True)
    ]
