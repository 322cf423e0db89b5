"""Members through one compiled loop, group after group: ``fit`` under ``vmap``."""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import jax
import numpy as np
import optax

from funcnn.chunks import LONGEST_CHUNK, chunks
from funcnn.core import TrainingInterrupted, TrainState, remembered
from funcnn.fitting import fit, initial_state
from funcnn.hyperparameters import numbers_of, with_numbers, without_numbers
from funcnn.interrupts import held_interrupts
from funcnn.precision import numerics
from funcnn.randomness import initial_words, key_of, run_words
from funcnn.reporting import Report
from funcnn.running import FEW, drawing
from funcnn.shapes import memory_of
from funcnn.sweeps.results import SweepResult
from funcnn.sweeps.tally import Part, Tally

if TYPE_CHECKING:
    from jaxtyping import Array, UInt32

    from funcnn.core import Params
    from funcnn.plans import Plan
    from funcnn.updates import Update

__all__ = ["first_states", "in_groups", "longest_chunk", "loop_of", "run"]

CACHE = 2**25
"""Bytes of a group on a CPU, what its cache holds: beyond it every step waits for memory."""

MEMORY = 2**30
"""Bytes of a group on any other device."""

LOSSES = 2**19
"""The most losses in a group's chunk: few enough that to clear them costs next to nothing."""


def run(
    plan: Plan,
    settings: list[dict[str, Any]],
    log_every: int,
    group: int | None,
    progress: bool | None,
) -> SweepResult:
    """Carry out a plan once for each of many settings.

    Raises:
        TrainingInterrupted: after Ctrl-C, with the members of the groups that were
            finished; of the first group, with the steps that were.
    """
    with numerics(plan.dtype):
        begin = time.perf_counter()
        groups = in_groups(plan, settings, group)
        longest = longest_chunk(len(groups[0]))
        loop, data = loop_of(plan.update, longest), jax.device_put(plan.data)
        jax.block_until_ready(loop(first_states(plan, groups[0]), data, np.int32(0)))
        compile_seconds = time.perf_counter() - begin

        begin, parts = time.perf_counter(), []
        bar = Report(plan.steps * len(groups), range(0), progress)
        with held_interrupts() as interrupted, bar as report:
            for members in groups:
                first = first_states(plan, members)
                tally = Tally(first, plan.steps, log_every)
                for chunk in chunks(loop, first, data, plan.steps, longest):
                    report.add(np.fmin.reduce(tally.add(chunk, loop, data)))
                    if tally.finished or interrupted():
                        break
                if tally.finished or not parts:
                    parts.append(tally.part())
                if interrupted():
                    break
        result = _result(plan, settings, parts, compile_seconds, time.perf_counter() - begin)
    if interrupted():
        raise TrainingInterrupted(result)
    return result


def in_groups(
    plan: Plan, settings: list[dict[str, Any]], group: int | None
) -> list[list[dict[str, Any]]]:
    """The settings in groups of one size, the last filled up with members that are there already.

    So no other size is compiled for.
    """
    members = len(settings)
    if group is None:
        budget = CACHE if jax.default_backend() == "cpu" else MEMORY
        x, y = (jax.ShapeDtypeStruct(array.shape, array.dtype) for array in plan.data)
        optimizer = without_numbers(plan.optimizer)
        memory = memory_of(plan.model, optimizer, plan.update, x, y, plan.dtype)
        at_once = max(1, budget // memory)
        group = math.ceil(members / math.ceil(members / at_once))
    group = min(group, members)
    filled = settings + settings[-1:] * (-members % group)
    return [filled[first : first + group] for first in range(0, members, group)]


def longest_chunk(members: int) -> int:
    """The most steps in a chunk of a group."""
    return min(LONGEST_CHUNK, max(1, LOSSES // members))


@remembered
def loop_of(update: Update, longest: int) -> Callable[..., Any]:
    """``fit`` for many states side by side, all on the same data."""
    fit_all = jax.vmap(functools.partial(fit, update, capacity=longest), in_axes=(0, None, None))
    return jax.jit(fit_all)


def first_states(plan: Plan, settings: Sequence[dict[str, Any]]) -> TrainState:
    """The states of members before their first step: each array with a leading axis (members,)."""
    seeds = [member.get("seed", plan.seed) for member in settings]
    if plan.params is None:
        few = plan.parameter_count * len(settings) < FEW
        params = drawing(_for_many(plan.model.init), few)(_words(initial_words, seeds))
    else:
        params = jax.tree.map(
            lambda leaf: np.broadcast_to(leaf, (len(settings), *leaf.shape)), plan.params
        )
    numbers = {
        name: np.array([member.get(name, number) for member in settings], plan.dtype)
        for name, number in numbers_of(plan.optimizer).items()
    }
    return _starting(without_numbers(plan.optimizer))(params, numbers, _words(run_words, seeds))


def _words(words_of: Callable[[int], np.ndarray], seeds: Sequence[int]) -> np.ndarray:
    """The words of each member's key, (members, 2)."""
    return np.stack([words_of(seed) for seed in seeds])


@remembered
def _for_many(init: Callable[..., Any]) -> Callable[..., Any]:
    """``init`` for many keys, given as their words."""
    return jax.vmap(lambda words: init(key_of(words)))


@remembered
def _starting(optimizer: optax.GradientTransformation) -> Callable[..., Any]:
    """``initial_state`` for many members, each with numbers of its own."""

    def start(params: Params, numbers: dict[str, Array], words: UInt32[Array, 2]) -> TrainState:
        return initial_state(params, with_numbers(optimizer, numbers), key_of(words))

    return jax.jit(jax.vmap(start))


def _result(
    plan: Plan,
    settings: list[dict[str, Any]],
    parts: Sequence[Part],
    compile_seconds: float,
    run_seconds: float,
) -> SweepResult:
    """The parts of the groups, put together, less what filled up the last group."""
    states, logged_steps, losses, diverged = zip(*parts, strict=True)
    count = min(len(settings), sum(map(len, diverged)))
    state = jax.tree.map(lambda *leaves: np.concatenate(leaves)[:count], *states)
    seeds = [member.get("seed", plan.seed) for member in settings[:count]]
    return SweepResult(
        model=plan.model,
        settings=settings[:count],
        losses=np.concatenate(losses)[:count],
        logged_steps=logged_steps[0],
        diverged=np.concatenate(diverged)[:count],
        state=state._replace(key=_words(run_words, seeds)),
        sample=jax.ShapeDtypeStruct(plan.data[0].shape[1:], plan.data[0].dtype),
        target_axes=plan.target_axes,
        dtype=plan.dtype,
        form=plan.form,
        compile_seconds=compile_seconds,
        run_seconds=run_seconds,
    )
