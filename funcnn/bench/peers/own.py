"""funcnn itself: a run in either form, and a whole call of ``train`` or ``sweep``."""

from __future__ import annotations

import concurrent.futures
import functools
import multiprocessing
from typing import Any

import numpy as np

from funcnn.bench.drawing import SEED, Task
from funcnn.bench.peers import NotServedError, Prepared
from funcnn.core import ArgumentError
from funcnn.runs import sweep, train
from funcnn.runs.divergence import NEVER
from funcnn.runs.plan import Plan
from funcnn.runs.planning import make_plan
from funcnn.runs.run import Outcome, run
from funcnn.runs.sweeps.execution import trained
from funcnn.runs.sweeps.gathering import Gathering
from funcnn.runs.sweeps.groups import in_groups, width_of
from funcnn.runs.sweeps.kinds import Kind
from funcnn.runs.sweeps.workers import default_workers

__all__ = ["direct_form", "finite_run", "gram_form", "in_processes", "plan_of", "whole_call"]


def direct_form(task: Task, device: str) -> Prepared:
    """The run of a plan: the arguments are checked before, and nothing is logged."""
    del device  # JAX's default device, which the measurement has set.
    return _prepared(task, "direct")


def gram_form(task: Task, device: str) -> Prepared:
    """The same run with ``form="gram"``."""
    del device
    try:
        return _prepared(task, "gram")
    except ArgumentError as error:
        if str(error).startswith("form='gram': "):
            raise NotServedError(str(error)) from error
        raise


def in_processes(task: Task, device: str) -> Prepared:
    """A sweep in the direct form whose groups go to as many processes as the task has workers."""
    del device
    if task.workers is None:
        raise NotServedError("it is for the axis workers of --scaling")
    context = multiprocessing.get_context("spawn")
    pool = concurrent.futures.ProcessPoolExecutor(task.workers, context)
    return _prepared_sweep(task, plan_of(task, "direct"), pool)


def whole_call(task: Task, device: str) -> Prepared:
    """A call of ``funcnn.train``, its checks and all; for a sweep, of ``funcnn.sweep``."""
    del device
    call = train if task.members is None else sweep
    rates = task.learning_rate.tolist()
    call = functools.partial(call, **_arguments(task), learning_rate=rates, progress=False)
    return Prepared(lambda steps: call(steps=steps), lambda result: _arrays(result.params))


def plan_of(task: Task, form: str) -> Plan:
    """What ``train`` or ``sweep`` makes of a task; the members of a sweep replace its rate."""
    rate = float(np.ravel(task.learning_rate)[0])
    return make_plan(**_arguments(task), learning_rate=rate, form=form)


def finite_run(task: Task, plan: Plan) -> Outcome:
    """Carry out a plan of a task.

    Raises:
        ArgumentError: where it diverges.
    """
    outcome = run(plan)
    _require_finite(task, outcome.diverged)
    return outcome


def _prepared(task: Task, form: str) -> Prepared:
    plan = plan_of(task, form)
    if task.members is not None:
        return _prepared_sweep(task, plan)

    def params_of(outcome: Outcome) -> dict[str, np.ndarray]:
        return _arrays(outcome.state.params)

    return Prepared(lambda steps: finite_run(task, plan._replace(steps=steps)), params_of)


def _prepared_sweep(task: Task, plan: Plan, executor: Any = None) -> Prepared:
    """The groups of a sweep, in as many threads and as wide as ``sweep`` chooses them."""
    settings = [{"learning_rate": rate} for rate in task.learning_rate.tolist()]
    count, workers = len(settings), task.workers or default_workers()
    width = width_of([Kind(plan, np.arange(count), settings)], workers)

    def train_all(steps: int) -> Gathering:
        of_length = plan._replace(steps=steps)
        found = Gathering(of_length, count, width, 1, "all")
        for number, part in trained([of_length], in_groups(settings, width), workers, executor):
            if isinstance(part, Exception):
                raise part
            found.add(number, part)
        _require_finite(task, found.diverged())
        return found

    return Prepared(train_all, lambda found: _arrays(found.states()[0].params))


def _require_finite(task: Task, diverged: np.ndarray) -> None:
    if np.any(diverged != NEVER):
        raise ArgumentError(f"task={task.name!r} diverges; a smaller rate may help")


def _arguments(task: Task) -> dict[str, Any]:
    """A task as arguments of ``train`` and ``sweep``, without its rate and form."""
    many = task.members is not None  # All members start from the same params.
    return {
        "model": task.model,
        "data": (task.x, task.y),
        "params": {name: value[0] if many else value for name, value in task.params.items()},
        "loss": "sum_squared_error",
        "optimizer": task.optimizer,
        "steps": task.steps,
        "dtype": task.dtype,
        "seed": SEED,
    }


def _arrays(params: Any) -> dict[str, np.ndarray]:
    return {name: np.asarray(value) for name, value in params.items()}
