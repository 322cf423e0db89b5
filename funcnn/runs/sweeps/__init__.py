"""``sweep``: many runs at once, compiled once."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from inspect import signature
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from funcnn.core import ArgumentError, checks
from funcnn.core.keys import check_seed
from funcnn.core.memory import require_memory
from funcnn.core.precision import check_dtype
from funcnn.data.mapped import Mapped
from funcnn.loop.batches import Drawn
from funcnn.loop.whole import WholeStep
from funcnn.runs.choices import choose_optimizer, require_representable, what_to_train
from funcnn.runs.foreign import adapted
from funcnn.runs.monitoring import watched_of
from funcnn.runs.plan import Plan
from funcnn.runs.planning import accepted_by, make_plan
from funcnn.runs.shapes import bytes_of
from funcnn.runs.sweeps.carrying import Ways, carried_out
from funcnn.runs.sweeps.executors import check_executor, workers_of
from funcnn.runs.sweeps.folder import SweepFolder, described
from funcnn.runs.sweeps.folds import FOLD
from funcnn.runs.sweeps.halving import check_halving
from funcnn.runs.sweeps.kinds import Kind, kinds_of, labelled, of_one, values_apart
from funcnn.runs.sweeps.members import MODES, combined, refuse_several, swept_values
from funcnn.runs.sweeps.result import SweepResult
from funcnn.runs.sweeps.saved import SavedSweep, load_sweep
from funcnn.runs.sweeps.starts import several_trees, starts_of
from funcnn.runs.sweeps.workers import default_workers

__all__ = ["SavedSweep", "SweepResult", "load_sweep", "sweep"]

NOT_SWEPT = ("state", "devices", "sharding", "fold")
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
    folds: int | None = None,
    resample: bool | None = None,
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
    ``learning_rate``, ``momentum``, ``weight_decay``, ``alpha``, ``eps``, ``beta1`` and
    ``beta2``, and of PyTorch's optimizers ``dampening``, ``lambd``, ``lr_decay``,
    ``momentum_decay`` and ``rho``. Any of them is swept if it is given as a list, a tuple, a
    range or an array of one axis; a number of which groups of parameters have their own is not.
    A module's ``scheduler`` begins at each member's learning rate, as if the optimizer had been
    made with it. ``params=[tree, tree]`` starts members from several
    trees of params; the settings then name a tree by its place in the list. Seeds from which
    nothing follows are refused: where all start from the same params, as from a module's own, and
    each step takes all samples and draws nothing.

    A list (not a tuple) of ``model``, ``hidden``, ``activation``, ``dropout``, ``degree``,
    ``optimizer`` or ``batch_size``, a list of pairs ``(x, y)`` as ``data``, and a list of
    schedules as ``learning_rate`` are swept too: ``hidden=[8, 16, (16, 16)]`` is three networks.
    Such members are of several kinds. Those of one kind go side by side, and each kind compiles
    its own loop, unless it has that of another. Members whose samples, optimizers or schedules
    differ in numbers alone are of one kind: a thousand pairs of as many samples are a thousand
    members side by side. With a list of optimizers of PyTorch, ``scheduler`` may be a list of
    theirs.

    Args:
        model: as for ``train``.
        data: as for ``train``; the same for all members, unless it is a list of pairs.
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
            ``submit`` and gives futures, as two lines make of Ray (``funcnn.runs.sweeps.executors``
            tells which). Workers of other processes need the extra ``processes``, and each a
            thread. A group whose worker is lost is trained again.
        folder: a folder to keep finished groups in: the same call goes on where it stopped,
            after whatever ended it, with the same bits. It fixes ``group``. See
            ``funcnn.load_sweep``.
        keep: whose params are kept: ``"all"``, a number for so many of the best,
            or ``"losses"`` for nobody's. Which folds are the best, and who goes on after a
            halving, is known later: a folder holds the params of all of them.
        metrics: as for ``train``, measured of every member. What ``validation_fraction`` sets
            aside is the same for all members: by the seed, or by 0 where seeds are swept.
        evaluate_every: the steps between two measurements; an epoch without it.
        monitor: the score that ranks the members, at the best record of each, whose params it
            has. Without it they are ranked by the last validation loss, where ``validation`` or
            ``validation_fraction`` is given, or by the last loss, which with ``batch_size`` is
            that of one batch and says little.
        higher_is_better: which of the monitored score is the best, for a metric of your own
            (``mode`` of ``train``).
        patience: a member stops after so many records in a row without a better score.
        min_delta: by how much a score must be better to count.
        halving: every so many steps the worse half of the members stops, by the score that
            ranks them: of 256 members that go for 8 times as many steps, a quarter of the steps
            are made. A member that is the best in the end may be dropped before. Those that go
            on have the bits of a sweep without it. Seeds are dropped each by itself, the folds of
            a setting together: by their mean, and where one of them has diverged in any case.
        folds: train every member so many times, each time validated on another part of the
            samples, of classes each in its share: those differ in the setting ``fold``, and are
            ranked by their mean score. ``train(fold=(0, 5))`` is the first of five. The parts
            follow from the seed, or from 0 where seeds are swept.
        resample: train each member on as many samples, drawn with replacement from those to be
            trained on by its own seed: a bootstrap.
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
    asked = {"model": model, "data": data} | arguments
    watching = {
        "metrics": metrics,
        "evaluate_every": evaluate_every,
        "monitor": monitor,
        "higher_is_better": higher_is_better,
        "patience": patience,
        "min_delta": min_delta,
    }
    refuse_several(asked | watching | {"halving": halving, "folds": folds, "resample": resample})
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
    if folds is not None:
        folds = checks.integer("folds", folds, at_least=2)
    settings, kinds = _members(asked, mode, folds)
    if resample is not None and checks.flag("resample", resample):
        kinds = [_resampled(kind) for kind in kinds]
    kinds = [kind._replace(plan=_watched(kind.plan, watching)) for kind in kinds]
    if halving is not None:
        halving = check_halving([kind.plan for kind in kinds], halving)
    for kind in kinds:
        _require_side_by_side(kind)
        _require_different(kind, settings)
    require_memory(f"the states of {len(settings)} members need", sum(map(_bytes_of, kinds)))
    if workers is None:
        workers = default_workers() if executor is None else workers_of(executor)
    kept = None
    if folder is not None:
        kept = SweepFolder(folder, described(kinds, settings, every, keep, halving), group)
    ways = Ways(group, workers, executor, kept, every, keep, progress, halving)
    return carried_out(kinds, settings, ways)


def _members(
    asked: dict[str, Any], mode: str, folds: int | None
) -> tuple[list[dict[str, Any]], list[Kind]]:
    """The settings of each member, and the kinds that they make."""
    apart = values_apart(asked)
    trees = several_trees(of_one(asked | {name: values[0] for name, values in apart.items()}))
    numbered = {name: range(len(values)) for name, values in apart.items()}
    if trees is not None:
        numbered["params"] = range(len(trees))
    swept = swept_values(asked | numbered, numbered, or_folds=folds is not None)
    places = combined(swept, mode, folds)
    if folds is not None:
        apart[FOLD] = [(number, folds) for number in range(folds)]
    numbers = {name: swept[name] for name in swept if name not in numbered}
    shared = asked | dict.fromkeys(numbers, PLACEHOLDER)
    if "seed" in swept:
        shared["seed"] = 0
    if trees is not None:
        shared["params"] = trees[0]
    checked: set[Any] = set()

    def planned(values: dict[str, Any]) -> Plan:
        given = of_one(shared | values)
        own = adapted(given)
        if (key := id(given.get("optimizer"))) not in checked:
            _check_values(numbers, own)
            checked.add(key)
        plan = make_plan(**own)
        starts = () if trees is None else starts_of(plan, trees, given)
        return plan._replace(starts=starts)

    kinds = kinds_of(places, apart, planned)
    shown = apart.keys() & numbered.keys()  # Folds are shown by their numbers.
    settings = [
        setting | {name: labelled(name, setting[name], apart[name]) for name in shown}
        for setting in places
    ]
    return settings, kinds


def _watched(plan: Plan, watching: Mapping[str, Any]) -> Plan:
    """The plan with what is measured of its members."""
    watched = watched_of(plan, **watching)
    evaluation = watched.evaluation
    if plan.resampled and evaluation is not None and evaluation.data is plan.data:
        raise ArgumentError("metrics: with resample= they need samples to validate on")
    return plan._replace(watched=watched)


def _resampled(kind: Kind) -> Kind:
    """The kind, each of its members on samples of its own, of which some count as in ``train``."""
    plan = kind.plan._replace(resampled=True)
    weight = plan.data.weight
    if weight is not None:
        for own in kind.own:
            if not np.any(plan.own_data(own).weight):
                seed = own.get("seed", plan.seed)
                raise ArgumentError(f"sample_weight is zero for all samples that seed={seed} draws")
    return kind._replace(plan=plan)


def _require_side_by_side(kind: Kind) -> None:
    """Refuse what many members cannot do at once."""
    plan = kind.plan  # Where samples of one member lie in a file, those of all do.
    for leaf in jax.tree.leaves(plan.shapes.state.optimizer_state):
        if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
            raise ArgumentError(
                "optimizer: it draws random numbers, which would be the same for all members"
            )
    for name, samples in {"data": plan.data, "validation": plan.validation}.items():
        if any(isinstance(array, Mapped) for array in jax.tree.leaves(samples)):
            raise ArgumentError(f"{name} in .npy files: a sweep holds its data; give it arrays")


def _require_different(kind: Kind, settings: Sequence[Mapping[str, Any]]) -> None:
    """Refuse members that would be one run under several seeds, from which nothing follows.

    Raises:
        ArgumentError: with what would make them differ.
    """
    plan = kind.plan
    if plan.params is None or plan.resampled or _draws(plan):
        return
    seeds: dict[Any, Any] = {}
    for member in kind.members:
        setting = dict(settings[member])
        seed = setting.pop("seed", None)
        if seeds.setdefault(tuple(setting.items()), seed) != seed:
            raise ArgumentError(
                "seed: nothing follows from it, and members that differ in it alone would be the "
                "same run: all start from the same params, and take the same samples at each step. "
                "Give params=[...], several trees, or none to draw them by the seed (a PyTorch "
                "module as the model funcnn.interop.from_torch(net)), or a batch_size below the "
                "number of samples, shuffled, or resample=True"
            )


def _draws(plan: Plan) -> bool:
    """Whether a step draws random numbers, or which samples it takes."""
    step, batches = plan.problem.optimizer, plan.problem.batches
    if isinstance(batches, Drawn) and batches.shuffle and batches.size < len(plan.data.y):
        return True
    return step.draws if isinstance(step, WholeStep) else plan.model.stochastic


def _bytes_of(kind: Kind) -> int:
    """What the states of its members need."""
    return len(kind.members) * sum(map(bytes_of, jax.tree.leaves(kind.plan.shapes.state)))


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
