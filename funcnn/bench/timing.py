"""How a time is taken.

A run of ``steps`` steps costs something once (checks, placing arrays, starting the
loop) and something a step. The cost of one more step is what a longer run takes
more than a shorter one, divided by the difference in steps: what is paid once, the
compilation before all, is not in it.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

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
]

FIRST_STEPS = 10
"""The steps of a first call."""

LONGEST_SECONDS = 1.0
"""The longest run that is timed, unless a run of the task's steps takes less."""

SAMPLE_SECONDS = 0.2
"""What a sample takes at least: short runs are repeated until they fill it."""

TRIAL_SECONDS = 0.002
"""How long ``fastest`` tries each run, ten times over: a disturbed moment must not decide."""

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
    """The runs to time: of ``steps`` steps and a tenth of them, where that does not take too long.

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


def interleaved(runs: Mapping[str, tuple[Run, Lengths]], rounds: int) -> dict[str, list[Sample]]:
    """A sample of every peer in each round; another peer begins each round."""
    names = list(runs)
    samples: dict[str, list[Sample]] = {name: [] for name in names}
    for turn in range(rounds):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            time.sleep(PAUSE_SECONDS)
            samples[name].append(sample(*runs[name]))
    return samples


def fastest(runs: Iterable[Run]) -> Run:
    """The run whose steps cost least, each tried for a moment."""
    return min(runs, key=_least_step_seconds)


def _least_step_seconds(run: Run) -> float:
    run(1)
    steps = 1
    while (seconds := _seconds(run, steps)) < TRIAL_SECONDS and steps < 10**6:
        steps *= 4
    return min(seconds, *(_seconds(run, steps) for _ in range(9))) / steps


def _seconds(run: Run, steps: int) -> float:
    begin = time.perf_counter()
    run(steps)
    return time.perf_counter() - begin
