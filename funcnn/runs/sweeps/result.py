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
from funcnn.runs.history import History, of_losses
from funcnn.runs.html import html
from funcnn.runs.observers.evaluations import Best
from funcnn.runs.predictor import Predictor
from funcnn.runs.result import TrainResult
from funcnn.runs.sweeps.ensemble import Ensemble, ensemble
from funcnn.runs.sweeps.folds import FOLD, ranked
from funcnn.runs.sweeps.kind_result import KindResult
from funcnn.runs.sweeps.tables import by_setting, rows_of

if TYPE_CHECKING:
    from pandas import DataFrame
else:
    DataFrame = Any  # pandas may be missing, and takes long to import.

__all__ = ["SweepResult"]

BEST = 5
"""How many members a notebook shows."""


@dataclasses.dataclass(frozen=True, repr=False, eq=False)
class SweepResult:
    """Many finished runs, the members of a sweep.

    Attributes:
        kinds: the members by their kind: those of one share what is compiled. There is one,
            unless members differ in more than seeds, params, numbers and samples of one shape.
        settings: the values of what was swept, one dict a member; a value that is no number and
            no text is named by its place in the list that was given, ``2``, or ``"schedule 2"``.
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
            nothing was asked for. Where epochs are of different lengths there is no ``epoch``,
            and NaN at the steps of others.
        best_steps: after how many steps the best record of each member was taken, (members,),
            0 where none was finite; None where no score was monitored.
        dtype: ``"float32"`` or ``"float64"``.
        group: how many members went side by side: the same call with this ``group`` gives the
            same bits.
        compile_seconds: what went by before the first step of the group that waited longest.
        run_seconds: what the rest took.
    """

    kinds: tuple[KindResult, ...]
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
    dtype: str
    group: int
    compile_seconds: float
    run_seconds: float

    @property
    def params(self) -> Params:
        """The parameters after the last update, each array with a leading axis (kept,).

        Where a score was monitored, they are those of each member's best record. They are
        those of the members ``kept``, which are all members unless ``keep`` says otherwise.
        Those of a member that diverged are its last finite ones.

        Raises:
            ArgumentError: where they differ in their shapes: ``result(member)`` has a member's.
        """
        return self._stacked([kind.params for kind in self.kinds])

    @property
    def state(self) -> TrainState:
        """The states after the last update, as ``KindResult.state``, of the members ``kept``.

        Raises:
            ArgumentError: where they differ in their shapes: ``result(member)`` has a member's.
        """
        return self._stacked([kind.state for kind in self.kinds])

    @property
    def kept(self) -> Int[np.ndarray, " kept"]:
        """The members whose states are there: all, unless ``keep`` says otherwise."""
        return np.sort(np.concatenate([kind.kept for kind in self.kinds]))

    @property
    def model(self) -> Model:
        """The model that was trained.

        Raises:
            ArgumentError: where there are several: ``result(member)`` has a member's.
        """
        return self._only("model")

    @property
    def form(self) -> str:
        """``"direct"`` or ``"gram"``, as in ``TrainResult``.

        Raises:
            ArgumentError: where members differ in it.
        """
        return self._only("form")

    @property
    def ranking(self) -> Int[np.ndarray, " finite"]:
        """The members that did not diverge, from the best of the ``scores`` to the worst.

        Those with ``folds`` are ranked by the mean of all of their folds, and the folds of one
        setting among each other. Those that were dropped come after all others, the first ones
        last.
        """
        ends = np.where(self.dropped, self.steps, np.inf)
        order = ranked(self.settings, self.scores, self.diverged, self.higher_is_better, ends)
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
        kind = self._kind(member)
        own, params = kind.own(member, kind.state), kind.own(member, kind.params)
        state = None
        if own is not None:
            with numerics(self.dtype):
                state = jax.device_put(own)
                state = state._replace(key=key_of(state.key))
        steps = int(self.steps[member])
        losses = np.full(steps, np.nan, self.dtype)
        made = kind.logged_steps[kind.logged_steps < steps]
        losses[made] = self.losses[member, np.searchsorted(self.logged_steps, made)]
        if (diverged := int(self.diverged[member])) != NEVER:
            raise DivergenceError(diverged, state, losses)
        if own is None or state is None:
            raise ArgumentError(
                f"the params of member {member} were not kept: keep='all' keeps them"
            )
        return TrainResult(
            model=kind.model,
            params=jax.tree.map(np.array, params),
            state=state,
            preparation=kind.preparation(member),
            recipe=kind.recipe,
            losses=losses,
            history=self._history(member),
            best=self._best(member, params),
            resumed_from=0,
            stopped_early=bool(steps <= kind.logged_steps[-1]),
            dtype=self.dtype,
            form=kind.form,
            compile_seconds=self.compile_seconds,
            run_seconds=self.run_seconds / len(self.settings),
        )

    def predict(self, x: Any, members: Sequence[int] | None = None) -> Ensemble:
        """What the members predict, and how far they agree.

        Args:
            x: inputs, as ``train`` takes them.
            members: whose predictions, such as ``result.ranking[:5]`` for the five best; without
                it, of all that did not diverge and whose params were kept.

        Returns:
            The predictions of each, their mean and their spread, as :class:`Ensemble` says.

        Raises:
            ArgumentError, ArgumentTypeError: as ``TrainResult.predict``; where the params of a
                member were not kept, or members are none.
            DivergenceError: where a member that is asked for has diverged, or every one has.
            IndexError: where there is no such member.
        """
        chosen = self._there() if members is None else [operator.index(one) for one in members]
        if not chosen:
            raise ArgumentError(f"members={members!r} holds no members")
        return ensemble([self._predictor(member) for member in chosen], x)

    def _there(self) -> list[int]:
        """The members that can predict; where there are none, one whose error says why."""
        ranking = self.ranking
        there = np.intersect1d(ranking, self.kept).tolist()
        return there or [int(ranking[0] if len(ranking) else self.diverged.argmax())]

    def _predictor(self, member: int) -> Predictor:
        member = range(len(self.settings))[member]
        kind = self._kind(member)
        params = kind.own(member, kind.params)
        if params is None or self.diverged[member] != NEVER:
            return self.result(member)  # It says why there is none.
        return Predictor(kind.model, params, kind.preparation(member), kind.recipe)

    def _kind(self, member: int) -> KindResult:
        return next(kind for kind in self.kinds if member in kind.members)

    def _only(self, name: str) -> Any:
        """What the members share under a name of ``KindResult``."""
        first, *others = (getattr(kind, name) for kind in self.kinds)
        if any(other != first for other in others):
            raise ArgumentError(
                f"the members differ in their {name}: result(member).{name} is that of a member"
            )
        return first

    def _stacked(self, trees: Sequence[Any]) -> Any:
        """Trees of the kinds, (kept, ...), as one in the order of the members."""
        if len(trees) == 1:
            return trees[0]
        shapes = [jax.tree.map(lambda leaf: leaf.shape[1:], tree) for tree in trees]
        if any(one != shapes[0] for one in shapes):
            raise ArgumentError(
                "the members differ in the shapes of their params: result(member) has a member's"
            )
        order = np.argsort(np.concatenate([kind.kept for kind in self.kinds]))
        return jax.tree.map(lambda *leaves: np.concatenate(leaves)[order], *trees)

    def _best(self, member: int, params: Params) -> Best | None:
        if self.best_steps is None or not self.best_steps[member]:
            return None
        with numerics(self.dtype):
            own = jax.device_put(params)
        return Best(int(self.best_steps[member]), float(self.scores[member]), own)

    def _history(self, member: int) -> History:
        kind, steps = self._kind(member), self.steps[member]
        if self.history:
            made = kind.recorded[kind.recorded <= steps]
            rows = np.searchsorted(self.history["step"], made)
            scores = {
                name: column[member, rows]
                for name, column in self.history.items()
                if column.ndim == 2
            }
            return History.of_columns({"step": made, "epoch": made / kind.per_epoch} | scores)
        made = kind.logged_steps[kind.logged_steps < steps]
        losses = self.losses[member, np.searchsorted(self.logged_steps, made)]
        if len(made) == steps:
            return of_losses(losses, kind.per_epoch)
        made = made + 1
        return History.of_columns(
            {"step": made, "epoch": made / kind.per_epoch, "loss": losses.astype(np.float64)}
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

    def by_setting(self) -> list[dict[str, Any]]:
        """A table with a row for each setting, over its folds and seeds; the best first.

        A row holds the settings but ``fold`` and ``seed``, how many ``members`` have them, how
        many of these ``diverged``, and of all others the ``mean`` and the ``spread`` (standard
        deviation) of what ranks them. A seed of which a fold diverged does not count for the
        order; those that were dropped come after others, and where no seed counts last.
        """
        return by_setting(
            self.settings,
            self.scores,
            self.diverged,
            self.higher_is_better,
            self.dropped,
            self.steps,
        )

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

        Members that differ in their seed or fold alone make one bundle: the median of their
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
                f"{name}={_shown(value, 4)}"
                for name, value in settings.items()
                if name not in ("seed", FOLD)
            )
            bundles.setdefault(label, []).append(losses)
        curves = {label: np.stack(losses) for label, losses in bundles.items()}
        return plots.bands(curves, self.logged_steps, ax=ax)

    def _repr_html_(self) -> str:
        """What a notebook shows: the best members, and the losses."""
        names = [*self.settings[0], "first_loss", "last_loss", *self._row(0)]
        rows, ranking = self.rows(), self.ranking
        best = [[_shown(rows[member][name], 6) for name in names] for member in ranking[:BEST]]
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


def _shown(value: Any, digits: int) -> str:
    return f"{value:.{digits}g}" if isinstance(value, (int, float)) else str(value)
