"""A task of a sweep: one group of members, from their settings to what came of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from funcnn.core import Params
from funcnn.core.keys import key_of, run_words
from funcnn.core.precision import numerics
from funcnn.runs.divergence import NEVER
from funcnn.runs.evaluation import Watched
from funcnn.runs.merging import merged
from funcnn.runs.observers import Evaluations, Losses, Observer
from funcnn.runs.observers.bests import Bests, MemberStopping
from funcnn.runs.plan import Plan
from funcnn.runs.run import Outcome, run
from funcnn.runs.start import words_of

__all__ = [
    "RECORD",
    "Keep",
    "Part",
    "Task",
    "best_of",
    "carry_out",
    "keeping",
    "order_of",
    "part_of",
]

Keep = str | int
"""Whose states are kept: ``"all"``, ``"losses"`` for nobody's, or of so many of the best."""

RECORD = "record."
"""What the names of recorded scores begin with, among what was measured of a group."""


class Task(NamedTuple):
    """What to do for a group, in plain values and arrays.

    Attributes:
        kind: the number of the kind that they are of.
        place: which of the groups of that kind it is.
        members: what each has in place of the plan's seed, params, numbers and samples.
        real: how many of them are meant: the others fill up the last group.
        keep_every: the steps between losses that are kept.
        keep: whose states are kept.
        until: how many steps they shall have made; as many as the plan has without it.
        before: what they have made already; None where they begin.
    """

    kind: int
    place: int
    members: list[dict[str, Any]]
    real: int
    keep_every: int
    keep: Keep
    until: int | None = None
    before: Part | None = None


class Part(NamedTuple):
    """What came of a group, in NumPy arrays: the device is free for the next.

    Attributes:
        losses: the losses that are kept, NaN from where a member diverged.
        diverged: each member's first step that is not finite, or ``NEVER``.
        score: what the members are ranked by.
        measured: where something is watched, what was found of each member, by name: how many
            steps it has made, and what was recorded; with the best record, its step.
        kept: the members whose states are kept, counted from the first of the group.
        state: the leaves of their states, without their keys, and of their best params.
        steps: how many steps the group has made: fewer than the plan has, where it was stopped.
        compile_seconds: what went by before its first step.
    """

    losses: Float[np.ndarray, "members losses"]
    diverged: Int[np.ndarray, " members"]
    score: Float[np.ndarray, " members"]
    measured: dict[str, Shaped[np.ndarray, "members ..."]]
    kept: Int[np.ndarray, " kept"]
    state: list[Shaped[np.ndarray, "kept ..."]]
    steps: int
    compile_seconds: float


def carry_out(plan: Plan, task: Task, observers: Sequence[Observer] = ()) -> Part:
    """Train a group of members, in the calling thread.

    Args:
        plan: what each member does.
        task: which members, and what to keep of them.
        observers: what looks on, and may stop the group.
    """
    recorded = Losses(task.keep_every)
    records, stopping = _watching(plan, task.members)
    if task.until is not None:
        plan = plan._replace(steps=task.until)
    if task.before is not None:
        plan = _gone_on(plan, task, task.before, recorded, records, stopping)
    watching = [one for one in (records, stopping) if one is not None]
    outcome = run(plan, task.members, [recorded, *watching, *observers])
    ends = np.broadcast_to(0 if stopping is None else stopping.ends, len(task.members))
    going = (outcome.diverged == NEVER) & (ends == 0)
    # Where every member has ended by itself, nothing is missing.
    cut = outcome.steps < plan.steps and going.any()
    steps = outcome.steps if cut else plan.steps
    losses, best = recorded.losses(steps), _best(plan, outcome, stopping)
    made = np.where(ends > 0, ends, outcome.steps)
    made = np.where(outcome.diverged == NEVER, made, outcome.diverged)
    measured = {}
    if records is not None and plan.watched.evaluation is not None:
        rows = len(records.rows) if cut else plan.watched.evaluation.rows(steps)
        measured = {"steps": made} | _columns(records, len(made), rows)
    if best is not None:
        measured["best_step"] = best.step
    score = _score(plan.watched, losses, measured, best)[: task.real]
    diverged = outcome.diverged[: task.real]
    kept = best_of(task.keep, score, diverged, plan.watched.higher_is_better)
    leaves = jax.tree.leaves((outcome.state._replace(key=None), best and best.params))
    return Part(
        losses=losses[: task.real],
        diverged=diverged,
        score=score,
        measured={name: column[: task.real] for name, column in measured.items()},
        kept=kept,
        state=[np.asarray(leaf)[kept] for leaf in leaves],
        steps=steps,
        compile_seconds=outcome.compile_seconds,
    )


def best_of(
    keep: Keep,
    score: Float[np.ndarray, " members"],
    diverged: Int[np.ndarray, " members"],
    higher_is_better: bool = False,
) -> Int[np.ndarray, " kept"]:
    """The members whose states are kept, in their order.

    >>> best_of(2, np.array([3.0, 1.0, 2.0]), np.array([-1, -1, -1]))
    array([1, 2])
    """
    if keep == "all":
        return np.arange(len(score))
    count = 0 if keep == "losses" else int(keep)
    return np.sort(order_of(score, diverged, higher_is_better)[:count])


def order_of(
    score: Float[np.ndarray, " members"],
    diverged: Int[np.ndarray, " members"],
    higher_is_better: bool = False,
) -> Int[np.ndarray, " members"]:
    """All members from the best to the worst, those that diverged at the end."""
    falling = -score if higher_is_better else score
    return np.argsort(np.where(diverged == NEVER, falling, np.nan), kind="stable")


def part_of(parts: Sequence[Part], rows: Int[np.ndarray, " rows"] | None = None) -> Part:
    """Parts that have made the same steps as one; some rows of it, or all."""

    def joined(arrays: Sequence[np.ndarray], chosen: np.ndarray | None = rows) -> np.ndarray:
        whole = arrays[0] if len(arrays) == 1 else np.concatenate(arrays)
        return whole if chosen is None else whole[chosen]

    first, ends = parts[0], np.cumsum([len(part.losses) for part in parts])
    kept = np.concatenate(
        [part.kept + end - len(part.losses) for part, end in zip(parts, ends, strict=True)]
    )
    own = None  # Where the states of the rows stand.
    if rows is not None:
        there = np.isin(rows, kept)
        own, kept = np.searchsorted(kept, rows[there]), np.flatnonzero(there)
    return Part(
        losses=joined([part.losses for part in parts]),
        diverged=joined([part.diverged for part in parts]),
        score=joined([part.score for part in parts]),
        measured={name: joined([part.measured[name] for part in parts]) for name in first.measured},
        kept=kept,
        state=[joined(leaves, own) for leaves in zip(*(part.state for part in parts), strict=True)],
        steps=first.steps,
        compile_seconds=max(part.compile_seconds for part in parts),
    )


def keeping(part: Part, rows: Bool[np.ndarray, " kept"]) -> Part:
    """The part with some of the states that it has."""
    if rows.all():
        return part
    return part._replace(kept=part.kept[rows], state=[leaf[rows] for leaf in part.state])


def _gone_on(
    plan: Plan,
    task: Task,
    before: Part,
    recorded: Losses,
    records: Evaluations | None,
    stopping: MemberStopping | None,
) -> Plan:
    """The plan of members that go on, whose observers know what came before."""
    done, shapes = before.steps, plan.state_shapes._replace(key=None)
    best = None if stopping is None else shapes.params
    tree = jax.tree.structure((shapes, best))
    state, best_params = jax.tree.unflatten(tree, before.state)
    with numerics(plan.dtype):
        key = key_of(words_of(run_words, plan, task.members))
    kept = before.losses[:, : -(-done // task.keep_every)]
    recorded.recall({"kept": kept, "last": before.losses[:, -1:], "steps": done})
    if records is not None:
        steps = range(records.every, done + 1, records.every)
        names = ("loss", *records.names)
        records.rows = [
            {"step": step, "epoch": step / plan.per_epoch}
            | {name: before.measured[RECORD + name][:, row] for name in names}
            for row, step in enumerate(steps)
        ]
    if stopping is not None:
        since = np.zeros(len(before.score), int)  # Nobody counts them: there is no patience.
        step = before.measured["best_step"]
        stopping.bests = Bests(step, before.score, since, best_params)
    # The numbers of the members stand in their states.
    return plan._replace(done=done, state=state._replace(key=key), named=frozenset())


def _watching(
    plan: Plan, members: Sequence[Mapping[str, Any]]
) -> tuple[Evaluations | None, MemberStopping | None]:
    """What looks at the scores of the members, as far as anybody asked for it."""
    evaluation, patience = plan.watched
    if evaluation is None:
        return None, None
    if evaluation.data is not None and "data" in members[0]:
        evaluation = evaluation.of_each([plan.prepared_of(member) for member in members])

    def scores(params: Params) -> dict[str, Any]:
        return evaluation.scores_of_members(plan.model, plan.loss, params)

    records = Evaluations(
        evaluation.every, plan.steps, plan.per_epoch, scores, evaluation.names, many=True
    )
    return records, None if patience is None else MemberStopping(records, patience)


def _best(plan: Plan, outcome: Outcome, stopping: MemberStopping | None) -> Bests | None:
    """The best records; of a member without one its last params."""
    if stopping is None:
        return None
    last = outcome.state.params
    found = stopping.bests or Bests.before(len(outcome.diverged), last)
    with numerics(plan.dtype):
        return found._replace(params=merged(found.params, last, found.step > 0))


def _columns(
    records: Evaluations, members: int, rows: int
) -> dict[str, Float[np.ndarray, "members records"]]:
    """The scores that were recorded, (members, rows); NaN where a group ended before."""
    columns = {}
    for name in ("loss", *records.names):
        column = columns[RECORD + name] = np.full((members, rows), np.nan)
        for number, row in enumerate(records.rows):
            column[:, number] = row[name]
    return columns


def _score(
    watched: Watched,
    losses: Float[np.ndarray, "members losses"],
    measured: dict[str, Any],
    best: Bests | None,
) -> Float[np.ndarray, " members"]:
    """What members are ranked by: the best of a monitored score, or the last."""
    if best is not None:
        return best.value
    column = measured.get(RECORD + watched.monitor, losses)
    return column[:, -1].astype(np.float64) if column.size else np.full(len(losses), np.nan)
