"""What a run costs around its loop: ``run(plan)`` beside a bare ``fit`` of the same steps."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import io
import math
import tempfile
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
from funcnn.loop.whole import StepMaker
from funcnn.runs import train
from funcnn.runs.plan import Plan
from funcnn.runs.planning import make_plan
from funcnn.runs.run import run
from funcnn.runs.start import initial_params

__all__ = ["measure"]

LONG_SECONDS = 10
"""How long the bare loop takes beside which all observers at once are timed."""

LONG_ROUNDS = 3
"""How often, at most, these two are timed."""

LONG_SAMPLES = 100_000
"""The samples that they train on; a tenth as many are to validate on."""

METHOD = (
    "run: the run of train without observers, its data placed and its start drawn in it; fit: the "
    "compiled loop alone, its data and start placed before. Both have run once before they are "
    "timed, and are timed in each of the rounds ({rounds}), a short one as often as fills 0.2 s. A "
    'second call: train("polynomial", (x, y), degree=1, steps=40) on 40 points. all observers: a '
    "whole call of train with bar, log, history, validation each epoch and checkpoints every 5 s."
)


def _results(method: str, facts: dict[str, Any], rounds: int, device: str) -> Iterator[Overhead]:
    del device  # JAX's default device by now.
    result = Overhead(method, facts, runs=(), call_seconds=())
    for model in OF_MODEL:
        result = dataclasses.replace(result, runs=(*result.runs, _timed(model, rounds)))
        yield result
    seconds = side_by_side({"call": _short_call()}, rounds)["call"]
    result = dataclasses.replace(result, call_seconds=seconds)
    yield dataclasses.replace(result, runs=(*result.runs, _observed(min(rounds, LONG_ROUNDS))))


def _timed(model: str, rounds: int) -> RunTiming:
    plan = make_plan(model)
    calls = {"run": functools.partial(run, plan), "fit": _bare_fit(plan)}
    with numerics(plan.dtype):
        seconds = side_by_side(calls, rounds)
    return _record(OF_MODEL[model].name, model, plan, seconds)


def _observed(rounds: int) -> RunTiming:
    """A call of ``train`` with every observer, beside a bare ``fit`` of as many steps."""
    x = np.random.default_rng(0).standard_normal((LONG_SAMPLES * 11 // 10, 20), np.float32)
    y = np.sin(x[:, 0] * x[:, 1]) + x[:, 2] ** 2 + x[:, 3]
    data, validation = (x[:LONG_SAMPLES], y[:LONG_SAMPLES]), (x[LONG_SAMPLES:], y[LONG_SAMPLES:])
    model: dict[str, Any] = {"model": "mlp_linear", "hidden": 50, "batch_size": 64}
    epoch = make_plan(data=data, epochs=1, **model)
    (once,) = side_by_side({"epoch": _bare_fit(epoch)}, 1)["epoch"]
    epochs = math.ceil(LONG_SECONDS / once)

    def observed() -> None:
        with (
            tempfile.TemporaryDirectory() as folder,
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
        ):
            train(
                data=data,
                epochs=epochs,
                validation=validation,
                log_every=epoch.per_epoch,
                checkpoints=f"{folder}/run",
                checkpoint_every="5s",
                progress=True,
                **model,
            )

    plan = make_plan(data=data, epochs=epochs, **model)
    seconds = side_by_side({"run": observed, "fit": _bare_fit(plan)}, rounds)
    return _record("all observers", "mlp_linear", plan, seconds)


def _bare_fit(plan: Plan) -> Callable[[], Any]:
    """The plan's loop, from a start and data that are on the device."""
    update = Update(plan.problem, plan.form)
    assert not isinstance(plan.optimizer, StepMaker)
    with numerics(plan.dtype):
        data = jax.device_put(plan.data)
        params = jax.device_put(initial_params(plan))
        state = initial_state(params, plan.optimizer, run_key(plan.seed))
    return lambda: jax.block_until_ready(fit(update, state, data, plan.steps))


def _record(
    experiment: str, model: str, plan: Plan, seconds: dict[str, tuple[float, ...]]
) -> RunTiming:
    return RunTiming(experiment, model, plan.form.name, plan.steps, seconds["run"], seconds["fit"])


def _short_call() -> Callable[[], Any]:
    """A call of ``train`` whose steps cost next to nothing."""
    x = np.linspace(-1, 1, 40)
    data = (x, 2 * x + 1)
    return functools.partial(train, "polynomial", data, degree=1, steps=40, progress=False)


measure = environment.measurement(_results, METHOD, usual_rounds=9)
"""Time runs beside their loops alone; and a whole short call."""
