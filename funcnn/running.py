"""The run around ``fit``: chunk after chunk of the one compiled loop.

Python is reached between chunks only, some twenty times a second: often enough
for a log, a bar and Ctrl-C, seldom enough to cost nothing.
"""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from funcnn.core import DivergenceError, TrainingInterrupted, TrainState, remembered
from funcnn.fitting import fit, initial_state
from funcnn.interrupts import held_interrupts
from funcnn.precision import numerics
from funcnn.randomness import initial_key, run_key
from funcnn.reporting import Report
from funcnn.results import TrainResult

if TYPE_CHECKING:
    from jaxtyping import Float

    from funcnn.core import Data, Params
    from funcnn.plans import Plan

__all__ = ["initial_params", "run"]

CHUNK_SECONDS = 0.05
"""How long a chunk should take."""

FEW = 2**20
"""Below this many parameters, drawing them costs less than optimizing the program that does."""

LONGEST_CHUNK = 2**14
"""The most steps in a chunk: the length of the loop's array of losses."""


def run(plan: Plan, logged: range, progress: bool | None) -> TrainResult:
    """Carry out a plan.

    Raises:
        DivergenceError: where the loss or the final params are not finite.
        TrainingInterrupted: after Ctrl-C, with the chunks that were finished.
    """
    with numerics(plan.dtype):
        begin = time.perf_counter()
        first, data = _placed(plan)
        loop = functools.partial(fit, plan.update, capacity=LONGEST_CHUNK)
        jax.block_until_ready(loop(first, data, np.int32(0)))
        compile_seconds = time.perf_counter() - begin

        state, losses = first, [np.zeros(0, plan.dtype)]
        begin = time.perf_counter()
        with held_interrupts() as interrupted, Report(plan.steps, logged, progress) as report:
            try:
                for after, chunk in _chunks(loop, first, data, plan.steps):
                    state = after
                    losses.append(chunk)
                    report.add(chunk)
                    if interrupted():
                        break
            except DivergenceError as error:
                report.add(error.losses)
                finite = np.concatenate([*losses, error.losses])
                raise DivergenceError(error.step, error.state, finite) from None
        result = TrainResult(
            model=plan.model,
            state=state,
            sample=jax.ShapeDtypeStruct(plan.data[0].shape[1:], plan.data[0].dtype),
            target_axes=plan.target_axes,
            losses=np.concatenate(losses),
            dtype=plan.dtype,
            form=plan.form,
            compile_seconds=compile_seconds,
            run_seconds=time.perf_counter() - begin,
        )
    if interrupted():
        raise TrainingInterrupted(result)
    return result


def initial_params(plan: Plan) -> Params:
    """Where a plan's run starts: the params that were given, or the model's initial values."""
    if plan.params is not None:
        return plan.params
    with numerics(plan.dtype):
        return _drawing(plan.model.init, plan.parameter_count < FEW)(initial_key(plan.seed))


def _placed(plan: Plan) -> tuple[TrainState, Data]:
    """The first state and the data, on the device."""
    params = jax.device_put(initial_params(plan))
    return initial_state(params, plan.optimizer, run_key(plan.seed)), jax.device_put(plan.data)


@remembered
def _drawing(init: Callable[..., Any], few: bool) -> Callable[..., Any]:
    """``init``, compiled; in a hurry where it has little to do and optimizing it takes longer."""
    return jax.jit(init, compiler_options={"xla_backend_optimization_level": 0} if few else None)


def _chunks(
    loop: Callable[..., Any], state: TrainState, data: Data, steps: int
) -> Iterator[tuple[TrainState, Float[np.ndarray, " chunk"]]]:
    """The state after each chunk, and the chunk's losses."""
    before, length, done = None, 1, 0
    while done < steps:
        begin = time.perf_counter()
        after, losses = loop(state, data, np.int32(length))
        losses.block_until_ready()  # Unlike a copy to NumPy, it lets a second Ctrl-C through.
        seconds = time.perf_counter() - begin
        losses = np.asarray(losses)[:length].copy()
        done += length
        bad = _first_bad(losses, after if done == steps else None)
        if bad is not None:
            last = _last_finite(loop, data, state, bad, before)
            raise DivergenceError(done - length + bad, last, losses[:bad])
        yield after, losses
        before, state = (state, length), after
        length = min(_next_length(length, seconds), steps - done)


def _next_length(length: int, seconds: float) -> int:
    """The power of two that fills a chunk's time, at the pace of the last chunk."""
    fitting = max(1, int(length * CHUNK_SECONDS / seconds))
    return min(2 ** int(math.log2(fitting)), LONGEST_CHUNK)


def _first_bad(losses: np.ndarray, final: TrainState | None) -> int | None:
    """The first step of a chunk that is not finite; its length, where the final params are not."""
    finite = np.isfinite(losses)
    if not finite.all():
        return int(np.argmin(finite))
    if final is not None and not all(
        np.isfinite(np.asarray(leaf)).all() for leaf in jax.tree.leaves(final.params)
    ):
        return len(losses)
    return None


def _last_finite(
    loop: Callable[..., Any],
    data: Data,
    state: TrainState,
    bad: int,
    before: tuple[TrainState, int] | None,
) -> TrainState:
    """The state of the step before the bad one, made again from where its chunk began."""
    if bad > 0:
        return loop(state, data, np.int32(bad - 1))[0]
    if before is not None:
        state, length = before
        return loop(state, data, np.int32(length - 1))[0]
    return state
