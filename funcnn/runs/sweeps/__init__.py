"""``sweep``: many runs at once, compiled once."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Mapping, Sequence
from inspect import signature
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Shaped

from funcnn.core import ArgumentError, SweepError, TrainingInterrupted, checks
from funcnn.core.keys import check_seed, run_words
from funcnn.core.memory import require_memory
from funcnn.core.precision import check_dtype
from funcnn.data.mapped import Mapped
from funcnn.runs.choices import choose_optimizer, require_representable, what_to_train
from funcnn.runs.divergence import NEVER
from funcnn.runs.foreign import adapted
from funcnn.runs.monitoring import watched_of
from funcnn.runs.observers import Bar, Interrupts
from funcnn.runs.plan import Plan
from funcnn.runs.planning import accepted_by, make_plan
from funcnn.runs.shapes import bytes_of
from funcnn.runs.start import words_of
from funcnn.runs.sweeps.execution import trained
from funcnn.runs.sweeps.executors import check_executor, workers_of
from funcnn.runs.sweeps.folder import SweepFolder, described
from funcnn.runs.sweeps.gathering import Gathering
from funcnn.runs.sweeps.groups import in_groups, width_of
from funcnn.runs.sweeps.halving import DROPPED, check_halving, halved
from funcnn.runs.sweeps.members import MODES, combined, swept_values
from funcnn.runs.sweeps.result import SweepResult
from funcnn.runs.sweeps.saved import SavedSweep, load_sweep
from funcnn.runs.sweeps.starts import several_trees, starts_of
from funcnn.runs.sweeps.tasks import RECORD, Keep, Part, Task
from funcnn.runs.sweeps.workers import default_workers

__all__ = ["SavedSweep", "SweepResult", "load_sweep", "sweep"]

NOT_SWEPT = ("state", "devices", "sharding")
"""What ``train`` takes, and members side by side do not."""

MOST_WORKERS = 2**16
"""More than any machine, or all of a cluster, has."""

KEEP = ("all", "losses")
"""Whose params are kept, unless it is a number."""

PLACEHOLDER = 0.5
"""For a number that is swept, in the plan that all members share: any value that every optimizer
takes but 0, which would leave the number's term out of the program."""


def sweep(
    model: Any = None,
    data: Any = None,
    *,
    mode: str = "product",
    keep_every: int | None = None,
    group: int | None = None,
    workers: int | None = None,
    executor: Any = None,
    folder: str | os.PathLike[str] | None = None,
    keep: str | int = "all",
    metrics: Any = None,
    evaluate_every: int | None = None,
    monitor: str | None = None,
    higher_is_better: bool | None = None,
    patience: int | None = None,
    min_delta: float | None = None,
    halving: int | None = None,
    progress: bool | None = None,
    **arguments: Any,
) -> SweepResult:
    """Train many networks at once, side by side in one compiled loop, on every core.

    The run is that of ``train``, its loop under ``jax.vmap``: each member is what
    ``train`` would give it, up to the order of roundings. The members go side by side in
    groups, and the groups side by side in threads. However many values there are, the loop
    compiles once (a device), and not again for other values as many.

    Where a member diverges, the others go on, and it is marked in the result.

    What can be swept is the seed, and every number of the optimizer:
    ``learning_rate``, ``momentum``, ``weight_decay``, ``alpha``, ``eps``, ``beta1``
    and ``beta2``. Any of them is swept if it is given as a list, a tuple, a range or an
    array of one axis. ``params=[tree, tree]`` starts members from several trees of params; the
    settings then name a tree by its place in the list.

    Args:
        model: as for ``train``.
        data: as for ``train``; the same for all members.
        mode: ``"product"`` for all combinations of the values, in the order in which
            they are given, the last changing fastest; ``"zip"`` for the first values,
            then the second, and so on.
        keep_every: keep the loss of every so many steps, and of the last; of all
            steps without it.
        group: how many members go side by side; without it, as many as fit into the
            cache of a CPU, or 1 GiB on any other device, and as share the work evenly among
            the workers. A member's bits depend on this number (the result's ``group``), and on
            nothing else: not on the workers, nor on who is done first.
        workers: how many groups are worked on at a time, each in a thread, and on a device of
            its own where JAX has several; one a core of a CPU, or one a device, without it.
            With ``executor``, how many workers it has, where it does not tell.
        executor: who works on the groups, in place of threads of this process: a pool of
            ``concurrent.futures`` (of processes, one that spawns them), a Dask ``Client``,
            ``mpi4py.futures.MPIPoolExecutor``, ``submitit.AutoExecutor``, or whatever else has
            ``submit`` and gives futures. Workers of other processes need the extra
            ``processes``, and each a thread. A group whose worker is lost is trained again.
        folder: a folder to keep finished groups in: the same call goes on where it stopped,
            after whatever ended it, with the same bits. It fixes ``group``. See
            ``funcnn.load_sweep``.
        keep: whose params are kept: ``"all"``, a number for so many of the best,
            or ``"losses"`` for nobody's.
        metrics: as for ``train``, measured of every member. What ``validation_fraction`` sets
            aside is the same for all members: by the seed, or by 0 where seeds are swept.
        evaluate_every: the steps between two measurements; an epoch without it.
        monitor: the score that ranks the members, at the best record of each, whose params it
            has. Without it they are ranked by the last validation loss, where ``validation`` or
            ``validation_fraction`` is given, or by the last loss.
        higher_is_better: which of the monitored score is the best, for a metric of your own
            (``mode`` of ``train``).
        patience: a member stops after so many records in a row without a better score.
        min_delta: by how much a score must be better to count.
        halving: every so many steps the worse half of the members stops, by the score that
            ranks them: of 256 members that go for 8 times as many steps, a quarter of the steps
            are made. A member that is the best in the end may be dropped before. Those that go
            on have the bits of a sweep without it.
        progress: whether to draw a bar; None where stderr is a terminal, and in a notebook.
        **arguments: the values to sweep, and whatever else ``train`` takes.

    Returns:
        The losses, params and settings of all members.

    Raises:
        ArgumentError, ArgumentTypeError: for arguments that cannot be used, before
            anything compiles.
        TrainingInterrupted: after Ctrl-C or SIGTERM, with the members whose groups are finished;
            where none is, with the steps that the first group has made.
        SweepError: where groups cannot be trained, with all others.
        MissingExtraError: where workers of other processes need a package that is missing.
        CheckpointError: where another sweep writes to the folder.

    >>> result = sweep("polynomial", seed=range(4), learning_rate=[1e-6, 1e-7], steps=100)
    >>> result.losses.shape, result.params["a"].shape
    ((8, 100), (8,))
    >>> result.settings[:2]
    [{'seed': 0, 'learning_rate': 1e-06}, {'seed': 0, 'learning_rate': 1e-07}]
    >>> result.settings[result.ranking[0]]["learning_rate"]
    1e-06
    """
    accepted = [name for name in accepted_by(sweep, make_plan) if name not in NOT_SWEPT]
    checks.keywords(sweep, arguments, accepted)
    checks.choice("mode", mode, MODES)
    every = 1 if keep_every is None else checks.integer("keep_every", keep_every, at_least=1)
    if workers is not None:
        workers = checks.integer("workers", workers, at_least=1, below=MOST_WORKERS)
    if executor is not None:
        check_executor(executor)
    if not isinstance(keep, str):
        keep = checks.integer("keep", keep, at_least=1)
    else:
        checks.choice("keep", keep, KEEP)
    if group is not None:
        group = checks.integer("group", group, at_least=1)
    if progress is not None:
        checks.flag("progress", progress)
    trees = several_trees({"model": model, "data": data} | arguments)
    numbered = {} if trees is None else {"params": range(len(trees))}
    swept = swept_values(arguments | numbered, numbered)
    settings = combined(swept, mode)
    shared = {"model": model, "data": data} | arguments | dict.fromkeys(swept, PLACEHOLDER)
    if "seed" in swept:
        shared["seed"] = 0
    if trees is not None:
        shared["params"] = trees[0]
    given, shared = shared, adapted(shared)
    _check_values({name: swept[name] for name in swept if name != "params"}, shared)
    plan = make_plan(**shared)
    if trees is not None:
        plan = plan._replace(starts=starts_of(plan, trees, given))
    watched = watched_of(
        plan,
        metrics=metrics,
        evaluate_every=evaluate_every,
        monitor=monitor,
        higher_is_better=higher_is_better,
        patience=patience,
        min_delta=min_delta,
    )
    plan = plan._replace(watched=watched)
    if halving is not None:
        halving = check_halving(plan, halving, folder, keep)
    _require_side_by_side(plan, len(settings))
    if workers is None:
        workers = default_workers() if executor is None else workers_of(executor)
    kept = None
    if folder is not None:
        kept = SweepFolder(folder, described(plan, settings, every, keep), group)
    ways = Ways(group, workers, executor, kept, every, keep, progress, halving)
    return (_carry_out if halving is None else _halve)(plan, settings, ways)


def _require_side_by_side(plan: Plan, members: int) -> None:
    """Refuse what many members cannot do at once."""
    for leaf in jax.tree.leaves(plan.shapes.state.optimizer_state):
        if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
            raise ArgumentError(
                "optimizer: it draws random numbers, which would be the same for all members"
            )
    needed = members * sum(map(bytes_of, jax.tree.leaves(plan.shapes.state)))
    require_memory(f"the states of {members} members need", needed)
    for name, samples in {"data": plan.data, "validation": plan.validation}.items():
        if any(isinstance(array, Mapped) for array in jax.tree.leaves(samples)):
            raise ArgumentError(f"{name} in .npy files: a sweep holds its data; give it arrays")


class Ways(NamedTuple):
    """How a sweep is carried out; what it gives does not depend on most of it.

    Attributes:
        group: the width of a group; None to choose it.
        workers: how many groups are worked on at a time.
        executor: who works on them; None for threads of this process.
        folder: where finished groups are kept; None for nowhere.
        keep_every: the steps between losses that are kept.
        keep: whose states are kept.
        progress: whether to draw a bar.
        halving: the steps after which the worse half stops; None where nobody does.
    """

    group: int | None
    workers: int
    executor: Any
    folder: SweepFolder | None
    keep_every: int
    keep: Keep
    progress: bool | None
    halving: int | None


def _carry_out(plan: Plan, settings: list[dict[str, Any]], ways: Ways) -> SweepResult:
    """Train the members that are not there yet, and put together what came of all.

    Raises:
        TrainingInterrupted: after Ctrl-C or SIGTERM, with the members of the groups that were
            finished; where none was, with the steps that the first of them has made.
        SweepError: where groups could not be trained, with the members of all others.
    """
    begin = time.perf_counter()
    count, failed = len(settings), dict[int, Exception]()
    with contextlib.ExitStack() as stack:
        folder = ways.folder and stack.enter_context(ways.folder)
        width = ways.group or (folder and folder.group) or width_of(plan, count, ways.workers)
        width = min(width, count)
        tasks = in_groups(settings, width, ways.keep_every, ways.keep)
        found = Gathering(plan, count, width, ways.keep_every, ways.keep)
        missing = range(len(tasks))
        if folder:
            folder.begin(width)
            missing = _add_finished(folder, plan, found, len(tasks))
        interrupts = stack.enter_context(Interrupts())
        there = plan.steps * (len(tasks) - len(missing))
        bar = stack.enter_context(Bar(plan.steps * len(tasks), ways.progress, there))
        made = trained(plan, tasks, ways.workers, ways.executor, missing, bar, interrupts)
        for number, part in made:
            if isinstance(part, Exception):
                failed[number] = part
                continue
            if folder and part.steps == plan.steps:
                folder.put(number, part)
            found.add(number, part)
    seconds = time.perf_counter() - begin
    result = None if found.is_empty else _result(plan, settings, found, width, seconds)
    if interrupts.came is not None:
        raise TrainingInterrupted(result, interrupts.came)
    if failed or result is None:
        raise _failure(failed, tasks, result, ways)
    return result


def _halve(plan: Plan, settings: list[dict[str, Any]], ways: Ways) -> SweepResult:
    """Train all members, and of those that are the better half more, again and again.

    Raises:
        TrainingInterrupted: after Ctrl-C or SIGTERM, with all members as they were at the last
            halving; before the first, with the steps that the first group has made.
    """
    assert ways.halving is not None
    begin, count = time.perf_counter(), len(settings)
    width = min(ways.group or width_of(plan, count, ways.workers), count)
    made: dict[int, Any] = {}
    total = plan.steps * len(in_groups(settings, width))
    with Interrupts() as interrupts, Bar(total, ways.progress) as bar:

        def train(tasks: list[Task]) -> list[Part] | None:
            made.clear()
            made.update(trained(plan, tasks, ways.workers, ways.executor, None, bar, interrupts))
            for part in made.values():
                if isinstance(part, Exception):
                    raise part
            parts = [made[number] for number in sorted(made)]
            is_whole = len(parts) == len(tasks) and all(
                part.steps == task.until for part, task in zip(parts, tasks, strict=True)
            )
            return parts if is_whole else None

        whole = halved(plan, settings, width, ways.keep_every, ways.halving, train)
    found = Gathering(plan, count, count if whole else width, ways.keep_every, ways.keep)
    for number, part in ({0: whole} if whole else made).items():
        found.add(number, part)
    seconds = time.perf_counter() - begin
    result = None if found.is_empty else _result(plan, settings, found, width, seconds)
    if interrupts.came is not None:
        raise TrainingInterrupted(result, interrupts.came)
    assert result is not None
    return result


def _failure(
    failed: Mapping[int, Exception],
    tasks: Sequence[Task],
    result: SweepResult | None,
    ways: Ways,
) -> Exception:
    """The error of groups that could not be trained; of a plain loop without a result, its own."""
    error = failed[max(failed)]
    if result is None and ways.executor is None:
        return error
    members = [
        one for number in sorted(failed) for one in tasks[number].members[: tasks[number].real]
    ]
    whole = SweepError(members, result, f"{type(error).__name__}: {error}")
    whole.__cause__ = error
    return whole


def _add_finished(folder: SweepFolder, plan: Plan, found: Gathering, tasks: int) -> list[int]:
    """Add the groups that a folder holds; the numbers of the others."""
    missing = []
    for number in range(tasks):
        part = folder.finished(number, plan.steps)
        if part is None:
            missing.append(number)
        else:
            found.add(number, part)
    return missing


def _result(
    plan: Plan, settings: list[dict[str, Any]], found: Gathering, width: int, seconds: float
) -> SweepResult:
    settings = [settings[member] for member in found.members()]
    kept = found.kept()
    words = words_of(run_words, plan, [settings[member] for member in kept])
    measured, diverged = found.measured(), found.diverged()
    (state, best_params), steps = found.states(), np.full(len(settings), found.steps)
    return SweepResult(
        model=plan.model,
        settings=settings,
        losses=found.losses(),
        logged_steps=found.logged_steps,
        diverged=diverged,
        scores=found.score(),
        monitor=plan.watched.monitor,
        higher_is_better=plan.watched.higher_is_better,
        steps=measured.get("steps", np.where(diverged == NEVER, steps, diverged)),
        dropped=measured.get(DROPPED, np.zeros(len(settings), bool)),
        history=_history(plan, measured, found.steps),
        best_steps=measured.get("best_step"),
        best_params=best_params,
        kept=kept,
        state=state._replace(key=words),
        preparation=plan.preparation,
        recipe=plan.recipe,
        per_epoch=plan.per_epoch,
        dtype=plan.dtype,
        form=plan.form.name,
        group=width,
        compile_seconds=found.compile_seconds,
        run_seconds=seconds - found.compile_seconds,
    )


def _history(
    plan: Plan, measured: Mapping[str, Shaped[np.ndarray, "members ..."]], steps: int
) -> dict[str, Shaped[np.ndarray, "..."]]:
    """What was recorded, under the steps at which it was."""
    columns = {
        name.removeprefix(RECORD): column
        for name, column in measured.items()
        if name.startswith(RECORD)
    }
    if not columns or plan.watched.evaluation is None:
        return {}
    rows = columns["loss"].shape[1]
    made = np.minimum(plan.watched.evaluation.every * np.arange(1, rows + 1), steps)
    return {"step": made, "epoch": made / plan.per_epoch} | columns


def _check_values(swept: Mapping[str, Sequence[Any]], shared: Mapping[str, Any]) -> None:
    """Refuse every value that ``train`` would refuse, in its words."""
    _, _, defaults = what_to_train(shared["model"], shared["data"], shared.get("experiment"))
    dtype = check_dtype(shared.get("dtype") or defaults.dtype)
    numbers = {name: shared[name] for name in shared.keys() - signature(make_plan).parameters}
    for name, values in swept.items():
        for value in values:
            if name == "seed":
                check_seed(value)
            else:
                checks.number(name, value, positive=name == "learning_rate")
        if name != "seed":
            # What an optimizer takes has a lower and an upper end, and no gaps.
            for value in (min(values), max(values)):
                require_representable(dtype, **{name: value})
                given = {"learning_rate": shared.get("learning_rate"), **numbers, name: value}
                choose_optimizer(
                    shared.get("optimizer"), given.pop("learning_rate"), given, defaults
                )
