"""The run around ``fit``: its start, its log and bar, its end, whichever comes."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from funcnn.chunks import BEYOND, LONGEST_CHUNK, chunks, first_bad, last_finite
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

__all__ = ["FEW", "drawing", "initial_params", "result_of", "run"]

FEW = 2**20
"""Below this many parameters, drawing them costs less than optimizing the program that does."""


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

        state, losses, previous = first, [], None
        begin = time.perf_counter()
        with held_interrupts() as interrupted, Report(plan.steps, logged, progress) as report:
            for chunk in chunks(loop, first, data, plan.steps, LONGEST_CHUNK):
                bad = int(first_bad(chunk))
                losses.append(chunk.losses[:bad])
                report.add(losses[-1])
                if bad < BEYOND:
                    _, last = next(last_finite(loop, data, chunk, previous, [bad]))
                    raise DivergenceError(chunk.first + bad, last, np.concatenate(losses))
                state, previous = chunk.after, chunk
                if interrupted():
                    break
        run_seconds = time.perf_counter() - begin
        result = result_of(plan, state, np.concatenate(losses), compile_seconds, run_seconds)
    if interrupted():
        raise TrainingInterrupted(result)
    return result


def result_of(
    plan: Plan,
    state: TrainState,
    losses: Float[np.ndarray, " steps"],
    compile_seconds: float,
    run_seconds: float,
) -> TrainResult:
    """What a plan's run has come to."""
    return TrainResult(
        model=plan.model,
        state=state,
        sample=jax.ShapeDtypeStruct(plan.data[0].shape[1:], plan.data[0].dtype),
        target_axes=plan.target_axes,
        losses=losses,
        dtype=plan.dtype,
        form=plan.form,
        compile_seconds=compile_seconds,
        run_seconds=run_seconds,
    )


def initial_params(plan: Plan) -> Params:
    """Where a plan's run starts: the params that were given, or the model's initial values."""
    if plan.params is not None:
        return plan.params
    with numerics(plan.dtype):
        return drawing(plan.model.init, plan.parameter_count < FEW)(initial_key(plan.seed))


@remembered
def drawing(init: Callable[..., Any], few: bool) -> Callable[..., Any]:
    """``init``, compiled; in a hurry where it has little to do and optimizing it takes longer."""
    return jax.jit(init, compiler_options={"xla_backend_optimization_level": 0} if few else None)


def _placed(plan: Plan) -> tuple[TrainState, Data]:
    """The first state and the data, on the device."""
    params = jax.device_put(initial_params(plan))
    return initial_state(params, plan.optimizer, run_key(plan.seed)), jax.device_put(plan.data)
