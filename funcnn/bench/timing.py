"""How a time is taken.

A run of ``steps`` steps has a cost that is paid once (checks, placing arrays, starting
the loop) and a cost that is paid at each step. The cost of one more step is the time of
a longer run minus the time of a shorter one, divided by the difference in steps: what is
paid once, such as the compilation, is not in it.
"""

from __future__ import annotations

import functools
import math
import statistics
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, TypeVar

__all__ = [
    "FIRST_STEPS",
    "METHOD",
    "FirstCall",
    "Lengths",
    "Sample",
    "fastest",
    "first_call",
    "interleaved",
    "lengths",
    "sample",
    "side_by_side",
]

FIRST_STEPS = 10
"""The steps of a first call."""

LONGEST_SECONDS = 1.0
"""The longest run that is timed, unless a run of the task's steps takes less."""

SAMPLE_SECONDS = 0.2
"""The least time that a sample takes: short runs are repeated until they fill it."""

TRIAL_SECONDS = 0.002
"""How long ``fastest`` times each run, ten times over: one disturbance must not decide."""

PAUSE_SECONDS = 0.05
"""The pause before a sample, in which the threads of the peer before it come to rest."""

METHOD = (
    "µs a step: what one more step costs, (a long run − a short run) / the difference in steps; "
    "median and minimum over the rounds ({rounds}), each of which times every peer once, in an "
    "order that moves on from round to round, after a pause and a run that is not timed. A timed "
    "run ends when its device is done. first call: the first run of "
    f"{FIRST_STEPS} steps in a process that has imported the library and placed the data, "
    "compilation in it; compile: by how much it exceeds the second (whatever a library loads at "
    "its first call too). once: what a later run costs beside its steps."
)
"""What the output says of the method."""

Run = Callable[[int], Any]
T = TypeVar("T")


class FirstCall(NamedTuple):
    """The seconds of a peer's first run, and what of them the second did not take."""

    seconds: float
    compile_seconds: float


class Lengths(NamedTuple):
    """The steps of a short and of a long run, and how often a sample repeats the two."""

    short: int
    long: int
    repeats: int


class Sample(NamedTuple):
    """One measurement.

    Attributes:
        step_seconds: the cost of one more step.
        run_seconds: a run of the long length.
    """

    step_seconds: float
    run_seconds: float


def first_call(run: Run, steps: int) -> FirstCall:
    """Time a peer's first run, and its second.

    Args:
        run: has not run yet.
        steps: how many steps to run.
    """
    first, second = _seconds(run, steps), _seconds(run, steps)
    return FirstCall(first, max(0.0, first - second))


def lengths(run: Run, steps: int, longest: float = LONGEST_SECONDS) -> Lengths:
    """The two runs to time: of ``steps`` steps and of a tenth of them; fewer for a slow peer.

    Each length has run once when this returns, so that nothing compiles in a sample.

    Args:
        run: the peer.
        steps: the task's own number, 2 at least.
        longest: seconds; a peer that takes more for all steps runs as many as fit.
    """
    probe = min(FIRST_STEPS, steps)
    while True:
        run(probe)
        seconds = _seconds(run, probe)
        if probe == steps or seconds * min(10, steps / probe) > longest:
            break
        probe = min(10 * probe, steps)
    fits = seconds * steps / probe <= longest
    long = steps if fits else min(steps, max(2, int(probe * longest / seconds)))
    short = max(1, long // 10)
    run(short)
    if long != probe:
        run(long)
        seconds = _seconds(run, long)
    pair = seconds + _seconds(run, short)
    return Lengths(short, long, math.ceil(SAMPLE_SECONDS / max(pair, 1e-6)))


def sample(run: Run, lengths: Lengths) -> Sample:
    """Time a long and a short run, as often as ``lengths`` says, and take the median of each."""
    run(lengths.short)
    short, long = [], []
    for _ in range(lengths.repeats):
        short.append(_seconds(run, lengths.short))
        long.append(_seconds(run, lengths.long))
    run_seconds = statistics.median(long)
    more = run_seconds - statistics.median(short)
    return Sample(more / (lengths.long - lengths.short), run_seconds)


def interleaved(samplers: Mapping[str, Callable[[], T]], rounds: int) -> dict[str, tuple[T, ...]]:
    """One sample by each sampler in every round; each round begins with another sampler."""
    names = list(samplers)
    samples: dict[str, list[T]] = {name: [] for name in names}
    for turn in range(rounds):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            time.sleep(PAUSE_SECONDS)
            samples[name].append(samplers[name]())
    return {name: tuple(taken) for name, taken in samples.items()}


def side_by_side(
    calls: Mapping[str, Callable[[], Any]], rounds: int
) -> dict[str, tuple[float, ...]]:
    """The seconds of each call in every round, after a first call that is not counted.

    In a round, a short call is repeated until ``SAMPLE_SECONDS`` are over; its median counts.
    """
    for call in calls.values():
        call()
    samplers = {name: functools.partial(_median_seconds, call) for name, call in calls.items()}
    return interleaved(samplers, rounds)


def fastest(runs: Iterable[Run]) -> Run:
    """The run whose steps cost least, each timed for a moment."""
    return min(runs, key=_least_step_seconds)


def _least_step_seconds(run: Run) -> float:
    run(1)
    steps = 1
    while (seconds := _seconds(run, steps)) < TRIAL_SECONDS and steps < 10**6:
        steps *= 4
    return min(seconds, *(_seconds(run, steps) for _ in range(9))) / steps


def _median_seconds(call: Callable[[], Any]) -> float:
    taken = [_seconds(call)]
    while sum(taken) < SAMPLE_SECONDS:
        taken.append(_seconds(call))
    return statistics.median(taken)


def _seconds(call: Callable[..., Any], *arguments: Any) -> float:
    begin = time.perf_counter()
    call(*arguments)
    return time.perf_counter() - begin
