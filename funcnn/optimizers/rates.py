"""The learning rate at a step, for each of the schedules: pure functions of traced numbers.

The arguments are those of the schedule of the same name, which says what they mean.
"""

from __future__ import annotations

import itertools
import math
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from funcnn.core import AnyArray, Number

__all__ = [
    "LONGEST",
    "Step",
    "cosine_annealing_lr",
    "cosine_annealing_warm_restarts",
    "exponential_lr",
    "linear_lr",
    "multi_step_lr",
    "one_cycle_lr",
    "step_lr",
]

Step: TypeAlias = int | np.integer | Int[AnyArray, ""]

# Twice as many steps still fit the int32 in which a run counts them.
LONGEST = 2**30


def step_lr(
    step: Step, learning_rate: Number, gamma: Number, *, step_size: int
) -> Float[Array, ""]:
    """The first rate times γ, once for every ``step_size`` steps."""
    return _decayed(learning_rate, gamma, _whole(step) // step_size)


def multi_step_lr(
    step: Step, learning_rate: Number, gamma: Number, *, milestones: tuple[int, ...]
) -> Float[Array, ""]:
    """The first rate times γ, once for every milestone that is reached."""
    return _decayed(learning_rate, gamma, jnp.sum(_whole(milestones) <= _whole(step)))


def exponential_lr(step: Step, learning_rate: Number, gamma: Number) -> Float[Array, ""]:
    """The first rate times γ, once for every step."""
    return _decayed(learning_rate, gamma, _whole(step))


def linear_lr(
    step: Step, learning_rate: Number, start_factor: Number, end_factor: Number, *, total_iters: int
) -> Float[Array, ""]:
    """From one factor evenly to the other, and then that one."""
    left = _real(total_iters - jnp.minimum(_whole(step), total_iters)) / total_iters
    return _real(learning_rate) * _line(_real(start_factor), _real(end_factor), left)


def cosine_annealing_lr(
    step: Step, learning_rate: Number, minimum: Number, *, steps: int
) -> Float[Array, ""]:
    """Half a cosine down to the minimum, and up again."""
    left = _real(steps - _whole(step) % (2 * steps)) / steps
    return _half_cosine(_real(learning_rate), _real(minimum), left)


def cosine_annealing_warm_restarts(
    step: Step, learning_rate: Number, minimum: Number, *, first_period: int, factor: int
) -> Float[Array, ""]:
    """Half a cosine down to the minimum, then from the top again."""
    now = _whole(step)
    start = _last_restart(now, first_period, factor)
    period = _real(start) * (factor - 1) + first_period
    left = (period - _real(now - start)) / period
    return _half_cosine(_real(learning_rate), _real(minimum), left)


def one_cycle_lr(
    step: Step,
    learning_rate: Number,
    pct_start: Number,
    div_factor: Number,
    final_div_factor: Number,
    *,
    total_steps: int,
    anneal_strategy: str,
    three_phase: bool,
) -> Float[Array, ""]:
    """Up to the peak, and down below where it began."""
    peak = _real(learning_rate)
    first = peak / _real(div_factor)
    last = first / _real(final_div_factor)
    peak_step = _real(pct_start) * total_steps - 1
    rates = [first, peak, first, last] if three_phase else [first, peak, last]
    ends = [peak_step, 2 * peak_step] if three_phase else [peak_step]
    bounds = [_real(0), *ends, _real(total_steps - 1)]

    now = _real(jnp.minimum(_whole(step), total_steps - 1))
    way = {"cos": _half_cosine, "linear": _line}[anneal_strategy]
    phases = [
        (end, way(start_rate, end_rate, _left(now, start, end)))
        for (start, end), (start_rate, end_rate) in zip(
            itertools.pairwise(bounds), itertools.pairwise(rates), strict=True
        )
    ]
    rate = phases[-1][1]
    for end, earlier in reversed(phases[:-1]):
        rate = jnp.where(now <= end, earlier, rate)
    return rate


def _decayed(learning_rate: Number, gamma: Number, times: Int[Array, ""]) -> Float[Array, ""]:
    return _real(learning_rate) * _real(gamma) ** _real(times)


def _line(
    start: Float[Array, ""], end: Float[Array, ""], left: Float[Array, ""]
) -> Float[Array, ""]:
    """From ``start``, where all of the way is left (1), evenly to ``end`` (0)."""
    return end + (start - end) * left


def _half_cosine(
    start: Float[Array, ""], end: Float[Array, ""], left: Float[Array, ""]
) -> Float[Array, ""]:
    """From ``start`` (1 is left) to ``end`` (0) as 1 + cos falls; sin² is the same, and exact."""
    return end + (start - end) * jnp.sin(math.pi / 2 * left) ** 2


def _left(
    now: Float[Array, ""], start: Float[Array, ""], end: Float[Array, ""]
) -> Float[Array, ""]:
    """The share of a phase that is left; none of a phase without length."""
    length = end - start
    return (end - now) / jnp.where(length == 0, 1, length)


def _last_restart(now: Int[Array, ""], first_period: int, factor: int) -> Int[Array, ""]:
    """The step at which the period of ``now`` began."""
    if factor == 1:
        return now - now % first_period
    restarts = [0]
    while (following := factor * restarts[-1] + first_period) < 2 * LONGEST:
        restarts.append(following)
    return jnp.max(jnp.where(_whole(restarts) <= now, _whole(restarts), 0))


def _real(value: Any) -> Array:
    """In the precision in force."""
    return jnp.asarray(value, jax.dtypes.canonicalize_dtype(float))


def _whole(value: Any) -> Array:
    return jnp.asarray(value, jax.dtypes.canonicalize_dtype(int))
