"""``sweep``: many runs at once, compiled once."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from inspect import signature
from typing import Any

import jax
import jax.numpy as jnp

from funcnn.core import ArgumentError, Model, TrainingInterrupted, checks
from funcnn.core.keys import check_seed, run_words
from funcnn.core.memory import require_memory
from funcnn.core.precision import check_dtype, numerics
from funcnn.loop.batches import Blocks
from funcnn.runs.choices import choose_optimizer, require_representable, what_to_train
from funcnn.runs.foreign import adapted
from funcnn.runs.observers import Bar, Interrupts
from funcnn.runs.observers.losses import kept_steps
from funcnn.runs.plan import Plan
from funcnn.runs.planning import accepted_by, make_plan
from funcnn.runs.shapes import bytes_of
from funcnn.runs.start import refuse_traced, words_of
from funcnn.runs.sweeps.execution import trained
from funcnn.runs.sweeps.gathering import gathered
from funcnn.runs.sweeps.groups import in_groups, width_of
from funcnn.runs.sweeps.members import MODES, combined, swept_values
from funcnn.runs.sweeps.result import SweepResult
from funcnn.runs.sweeps.workers import default_workers

__all__ = ["SweepResult", "sweep"]

NOT_SWEPT = ("state", "validation", "validation_fraction", "devices", "sharding")
"""What ``train`` takes, and members side by side do not."""

MOST_WORKERS = 2**16
"""More than any machine, or all of a cluster, has."""

PLACEHOLDER = 0.5
"""For a number that is swept, in the plan that all members share: any value that every optimizer
takes but 0, which would leave the number's term out of the program."""


def sweep(
    model: str | Model | tuple[Callable[..., Any] | None, Callable[..., Any]] | None = None,
    data: Any = None,
    *,
    mode: str = "product",
    keep_every: int | None = None,
    group: int | None = None,
    workers: int | None = None,
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
    array of one axis.

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
        progress: whether to draw a bar; None where stderr is a terminal, and in a notebook.
        **arguments: the values to sweep, and whatever else ``train`` takes.

    Returns:
        The losses, params and settings of all members.

    Raises:
        ArgumentError, ArgumentTypeError: for arguments that cannot be used, before
            anything compiles.
        TrainingInterrupted: after Ctrl-C or SIGTERM, with the members whose groups are finished;
            where none is, with the steps that the first group has made.

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
    if group is not None:
        group = checks.integer("group", group, at_least=1)
    if progress is not None:
        checks.flag("progress", progress)
    swept = swept_values(arguments)
    settings = combined(swept, mode)
    shared = {"model": model, "data": data} | arguments | dict.fromkeys(swept, PLACEHOLDER)
    if "seed" in swept:
        shared["seed"] = 0
    shared = adapted(shared)
    _check_values(swept, shared)
    plan = make_plan(**shared)
    for leaf in jax.tree.leaves(plan.shapes.state.optimizer_state):
        if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
            raise ArgumentError(
                "optimizer: it draws random numbers, which would be the same for all members"
            )
    needed = len(settings) * sum(map(bytes_of, jax.tree.leaves(plan.shapes.state)))
    require_memory(f"the states of {len(settings)} members need", needed)
    if isinstance(plan.problem.batches, Blocks):
        raise ArgumentError("data in .npy files: a sweep holds its data; give it arrays")
    workers = default_workers() if workers is None else workers
    return _carry_out(plan, settings, every, group, workers, progress)


def _carry_out(
    plan: Plan,
    settings: list[dict[str, Any]],
    keep_every: int,
    group: int | None,
    workers: int,
    progress: bool | None,
) -> SweepResult:
    """Train all members, and put together what came of them.

    Raises:
        TrainingInterrupted: after Ctrl-C or SIGTERM, with the members of the groups that were
            finished; where none was, with the steps that the first of them has made.
    """
    begin = time.perf_counter()
    with numerics(plan.dtype):
        refuse_traced()
    width = width_of(plan, len(settings), workers) if group is None else min(group, len(settings))
    groups = in_groups(settings, width)
    with Interrupts() as interrupts, Bar(plan.steps * len(groups), progress) as bar:
        parts = dict(trained(plan, groups, workers, keep_every, [bar], interrupts))
    found = gathered(parts, plan.steps, len(settings))
    settings = [settings[member] for member in found.members]
    result = SweepResult(
        model=plan.model,
        settings=settings,
        losses=found.losses,
        logged_steps=kept_steps(found.steps, keep_every),
        diverged=found.diverged,
        state=found.state._replace(key=words_of(run_words, plan, settings)),
        preparation=plan.preparation,
        recipe=plan.recipe,
        per_epoch=plan.per_epoch,
        dtype=plan.dtype,
        form=plan.form.name,
        group=width,
        compile_seconds=found.compile_seconds,
        run_seconds=time.perf_counter() - begin - found.compile_seconds,
    )
    if interrupts.came is not None:
        raise TrainingInterrupted(result, interrupts.came)
    return result


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
