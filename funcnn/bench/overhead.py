"""What a run costs around its loop: ``run(plan)`` beside a bare ``fit`` of the same steps."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np

from funcnn.bench import environment
from funcnn.bench.records import RunTiming
from funcnn.bench.results import Overhead
from funcnn.bench.timing import side_by_side
from funcnn.core.keys import run_key
from funcnn.core.precision import numerics
from funcnn.experiments import OF_MODEL
from funcnn.loop.fit import fit, initial_state
from funcnn.loop.update import Update
from funcnn.runs import train
from funcnn.runs.plan import Plan, make_plan
from funcnn.runs.run import run
from funcnn.runs.start import initial_params

__all__ = ["measure"]

METHOD = (
    "run: the run of train without observers, its data placed and its start drawn in it; fit: the "
    "compiled loop alone, its data and start placed before. Both have run once before they are "
    "timed, and are timed in each of the rounds ({rounds}), a short one as often as fills 0.2 s. A "
    'second call: train("polynomial", (x, y), degree=1, steps=40) on 40 points.'
)


def measure(
    *,
    rounds: int = 9,
    device: str | None = None,
    each: Callable[[Overhead], object] | None = None,
) -> Overhead:
    """Time each model's own experiment, as a run and as its loop alone; and a whole short call.

    Args:
        rounds: how often each is timed.
        device: ``"cpu"`` or ``"gpu"``; JAX's own choice without it.
        each: called after each experiment with the result so far.

    Raises:
        ArgumentError, ArgumentTypeError: for arguments that cannot be used, before
            anything is measured.
    """
    return environment.last_of(_results, METHOD, rounds, device, each)


def _results(method: str, facts: dict[str, Any], rounds: int, device: str) -> Iterator[Overhead]:
    del device  # JAX's default device by now.
    result = Overhead(method, facts, runs=(), call_seconds=())
    for model in OF_MODEL:
        result = dataclasses.replace(result, runs=(*result.runs, _timed(model, rounds)))
        yield result
    seconds = side_by_side({"call": _short_call()}, rounds)["call"]
    yield dataclasses.replace(result, call_seconds=seconds)


def _timed(model: str, rounds: int) -> RunTiming:
    plan = make_plan(model)
    calls = {"run": functools.partial(run, plan), "fit": _bare_fit(plan)}
    with numerics(plan.dtype):
        seconds = side_by_side(calls, rounds)
    return RunTiming(
        experiment=OF_MODEL[model].name,
        model=model,
        form=plan.form.name,
        steps=plan.steps,
        run_seconds=seconds["run"],
        fit_seconds=seconds["fit"],
    )


def _bare_fit(plan: Plan) -> Callable[[], Any]:
    """The plan's loop, from a start and data that are on the device."""
    update = Update(plan.problem, plan.form)
    with numerics(plan.dtype):
        data = jax.device_put(plan.data)
        params = jax.device_put(initial_params(plan))
        state = initial_state(params, plan.optimizer, run_key(plan.seed))
    return lambda: jax.block_until_ready(fit(update, state, data, plan.steps))


def _short_call() -> Callable[[], Any]:
    """A call of ``train`` whose steps cost next to nothing."""
    x = np.linspace(-1, 1, 40)
    data = (x, 2 * x + 1)
    return functools.partial(train, "polynomial", data, degree=1, steps=40, progress=False)
