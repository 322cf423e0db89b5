"""What came of all kinds of a sweep's members, as one result."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Int, Shaped

from funcnn.core.keys import run_words
from funcnn.runs.divergence import NEVER
from funcnn.runs.start import words_of
from funcnn.runs.sweeps.folds import ranked
from funcnn.runs.sweeps.gathering import Gathering
from funcnn.runs.sweeps.halving import DROPPED
from funcnn.runs.sweeps.kind_result import KindResult
from funcnn.runs.sweeps.kinds import Kind
from funcnn.runs.sweeps.result import SweepResult
from funcnn.runs.sweeps.tasks import RECORD, Keep

__all__ = ["joined"]


class _Given(NamedTuple):
    """Members of a kind of which something is given.

    Attributes:
        kind: the members, and what they do.
        found: what came of them.
        places: their places among all members that are given.
        measured: what was measured of them.
    """

    kind: Kind
    found: Gathering
    places: Int[np.ndarray, " members"]
    measured: dict[str, Shaped[np.ndarray, "members ..."]]

    @property
    def recorded(self) -> Int[np.ndarray, " rows"]:
        """After how many steps something was recorded."""
        evaluation = self.kind.plan.watched.evaluation
        column = self.measured.get(f"{RECORD}loss")
        if evaluation is None or column is None:
            return np.arange(0)
        rows = np.arange(1, column.shape[1] + 1)
        return np.minimum(evaluation.every * rows, self.found.steps)


def joined(
    kinds: Sequence[Kind],
    settings: list[dict[str, Any]],
    gathered: Sequence[Gathering],
    width: int,
    seconds: float,
    keep: Keep,
) -> SweepResult | None:
    """The result of a sweep; None where nothing came of it.

    Where no group is finished, it is that of the first which has made any steps.

    Args:
        kinds: the members, and what they do.
        settings: of all members.
        gathered: what came of each kind.
        width: how many members went side by side.
        seconds: what all of it took.
        keep: whose states are kept.
    """
    given, settings = _given(kinds, gathered, settings)
    if not given:
        return None
    plan = kinds[0].plan
    logged = _union([one.found.logged_steps for one in given])
    recorded = _union([one.recorded for one in given])
    diverged = _of_all(given, lambda one: one.found.diverged())
    scores = _of_all(given, lambda one: one.found.score())
    losses = _of_all(given, lambda one: _at(one.found.losses(), one.found.logged_steps, logged))
    measured = {
        name: _of_all(given, lambda one, name=name: _at(one.measured[name], one.recorded, recorded))
        for name in given[0].measured
    }
    ends = _of_all(given, lambda one: np.full(len(one.places), one.found.steps))
    steps = measured.get("steps", np.where(diverged == NEVER, ends, diverged))
    dropped = measured.get(DROPPED, np.zeros(len(settings), bool))
    best = None
    if keep != "all":
        lasted = np.where(dropped, steps, np.inf)
        order = ranked(settings, scores, diverged, plan.watched.higher_is_better, lasted)
        best = order[: keep if isinstance(keep, int) else 0]
    compile_seconds = max(one.found.compile_seconds for one in given)
    return SweepResult(
        kinds=tuple(_kind_result(one, settings, best) for one in given),
        settings=settings,
        losses=losses,
        logged_steps=logged,
        diverged=diverged,
        scores=scores,
        monitor=plan.watched.monitor,
        higher_is_better=plan.watched.higher_is_better,
        steps=steps,
        dropped=dropped,
        history=_history(given, measured, recorded),
        best_steps=measured.get("best_step"),
        dtype=plan.dtype,
        group=width,
        compile_seconds=compile_seconds,
        run_seconds=seconds - compile_seconds,
    )


def _given(
    kinds: Sequence[Kind], gathered: Sequence[Gathering], settings: list[dict[str, Any]]
) -> tuple[list[_Given], list[dict[str, Any]]]:
    """The kinds of which something is given, and the settings of their members."""
    pairs = list(zip(kinds, gathered, strict=True))
    chosen = [pair for pair in pairs if pair[1].has_finished]
    chosen = chosen or [pair for pair in pairs if not pair[1].is_empty][:1]
    members = [kind.members[found.members()] for kind, found in chosen]
    whole = np.sort(np.concatenate([np.arange(0), *members]))
    given = [
        _Given(kind, found, np.searchsorted(whole, own), found.measured())
        for (kind, found), own in zip(chosen, members, strict=True)
    ]
    return given, [settings[member] for member in whole]


def _kind_result(
    given: _Given, settings: list[dict[str, Any]], best: Int[np.ndarray, " best"] | None
) -> KindResult:
    """What the members of a kind share, and their states; of all members, those of the best."""
    plan, found = given.kind.plan, given.found
    kept = given.places[found.kept()]
    state, best_params = found.states()
    if best is not None:
        is_best = np.isin(kept, best)
        kept = kept[is_best]
        state, best_params = jax.tree.map(lambda leaf: leaf[is_best], (state, best_params))
    words = words_of(run_words, plan, [settings[member] for member in kept])
    return KindResult(
        members=given.places,
        model=plan.model,
        preparations=[
            plan.prepared_of(given.kind.own[place]).preparation for place in found.members()
        ],
        recipe=plan.recipe,
        form=plan.form.name,
        per_epoch=plan.per_epoch,
        logged_steps=found.logged_steps,
        recorded=given.recorded,
        kept=kept,
        state=state._replace(key=words),
        best_params=best_params,
    )


def _of_all(given: Sequence[_Given], column: Callable[[_Given], np.ndarray]) -> np.ndarray:
    """A column of each kind, all of them as one, in the order of the members."""
    if len(given) == 1:
        return column(given[0])
    whole = np.concatenate([column(one) for one in given])
    return whole[np.argsort(np.concatenate([one.places for one in given]))]


def _union(steps: Sequence[Int[np.ndarray, " steps"]]) -> Int[np.ndarray, " steps"]:
    return steps[0] if len(steps) == 1 else np.unique(np.concatenate(steps))


def _at(
    column: Shaped[np.ndarray, "members ..."],
    own: Int[np.ndarray, " own"],
    steps: Int[np.ndarray, " steps"],
) -> Shaped[np.ndarray, "members ..."]:
    """A column whose second axis is that of all steps, NaN at those that are not its own."""
    if column.ndim == 1 or len(own) == len(steps):
        return column
    whole = np.full((len(column), len(steps)), np.nan, column.dtype)
    whole[:, np.searchsorted(steps, own)] = column
    return whole


def _history(
    given: Sequence[_Given],
    measured: Mapping[str, Shaped[np.ndarray, "members ..."]],
    steps: Int[np.ndarray, " rows"],
) -> dict[str, Shaped[np.ndarray, "..."]]:
    """What was recorded, under the steps at which it was, and the epochs where all have these."""
    columns = {
        name.removeprefix(RECORD): column
        for name, column in measured.items()
        if name.startswith(RECORD)
    }
    if not columns:
        return {}
    per_epoch = {one.kind.plan.per_epoch for one in given}
    epochs = {"epoch": steps / per_epoch.pop()} if len(per_epoch) == 1 else {}
    return {"step": steps} | epochs | columns
