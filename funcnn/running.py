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

from funcnn.core import DivergenceError, TrainingInterrupted, TrainState
from funcnn.fitting import fit, start
from funcnn.precision import numerics
from funcnn.randomness import initial_key, run_key
from funcnn.reporting import Report
from funcnn.results import TrainResult

if TYPE_CHECKING:
    from jaxtyping import Float

    from funcnn.core import Data, Update
    from funcnn.plans import Plan

__all__ = ["run"]

CHUNK_SECONDS = 0.05
"""How long a chunk should take."""

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
        state, data = _placed(plan)
        loop = _loop(plan.update)
        jax.block_until_ready(loop(state, data, np.int32(0)))
        compile_seconds = time.perf_counter() - begin

        finished: list[np.ndarray] = []
        begin = time.perf_counter()

        def result() -> TrainResult:
            losses = np.concatenate(finished) if finished else np.zeros(0, plan.dtype)
            seconds = time.perf_counter() - begin
            return TrainResult(
                model=plan.model,
                state=state,
                sample_shape=plan.data[0].shape[1:],
                losses=losses,
                dtype=plan.dtype,
                compile_seconds=compile_seconds,
                run_seconds=seconds,
            )

        try:
            with Report(plan.steps, logged, progress) as report:
                for after, losses in _chunks(loop, state, data, plan.steps):
                    state = after
                    finished.append(losses)
                    report.add(losses)
        except DivergenceError as error:
            error.losses = np.concatenate([*finished, error.losses])
            raise
        except KeyboardInterrupt:
            raise TrainingInterrupted(result()) from None
        return result()


def _placed(plan: Plan) -> tuple[TrainState, Data]:
    """The first state and the data, on the device."""
    if plan.params is None:
        params = _drawn(plan.model.init)(initial_key(plan.seed))
    else:
        params = jax.device_put(plan.params)
    return start(params, plan.optimizer, run_key(plan.seed)), jax.device_put(plan.data)


@functools.lru_cache(maxsize=256)
def _drawn(init: Callable[..., Any]) -> Callable[..., Any]:
    """``init``, compiled in a hurry: it runs once, and optimizing it takes far longer."""
    return jax.jit(init, compiler_options={"xla_backend_optimization_level": 0})


@functools.lru_cache(maxsize=256)
def _loop(update: Update) -> Callable[..., Any]:
    return jax.jit(functools.partial(fit, update, capacity=LONGEST_CHUNK))


def _chunks(
    loop: Callable[..., Any], state: TrainState, data: Data, steps: int
) -> Iterator[tuple[TrainState, Float[np.ndarray, " chunk"]]]:
    """The state after each chunk, and the chunk's losses."""
    before, length, done = None, 1, 0
    while done < steps:
        begin = time.perf_counter()
        after, losses = loop(state, data, np.int32(length))
        losses.block_until_ready()  # Unlike a copy to NumPy, this wait ends at once at Ctrl-C.
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
