"""What ``form="auto"`` takes, timed beside the two forms that it chooses from."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from funcnn.bench import environment, tasks
from funcnn.bench.peers.own import finite_run, plan_of
from funcnn.bench.records import FormTiming
from funcnn.bench.results import Forms
from funcnn.bench.timing import side_by_side

__all__ = ["GRIDS", "measure"]

METHOD = (
    "A whole run of a plan that is made before: its data placed, its start taken and the form "
    "entered in it, once it has run before; the median of the rounds ({rounds}), each of which "
    "times every form once, a short run as often as fills 0.2 s. auto to the better: the time of "
    "the plan of form='auto', over that of direct or gram, whichever takes less."
)

LONGEST_SECONDS = 20
"""A run is left out where direct would take longer, judged by a run of fewer steps."""

TOO_LONG = f"a run in direct form would take more than {LONGEST_SECONDS} s"

GRIDS: Mapping[str, tuple[Sequence[int], Sequence[int]]] = MappingProxyType(
    {
        "cubic-sgd": (
            (10, 100, 1_000, 10_000, 100_000, 1_000_000),
            (1, 10, 100, 1_000, 10_000, 100_000),
        ),
        "two-layer": ((16, 64, 256, 1024), (1, 10, 100, 1_000)),
    }
)
"""For each task its sizes (points or samples) and its steps, in increasing order."""


def _results(method: str, facts: dict[str, Any], rounds: int, device: str) -> Iterator[Forms]:
    del device  # JAX's default device by now.
    result = Forms(method, facts, timings=(), left_out={})
    for task, size, steps in _runs():
        if _too_long(result, task, size, steps):
            why = {f"{task} of {size} × {steps} steps": TOO_LONG}
            result = dataclasses.replace(result, left_out=result.left_out | why)
        else:
            timing = _timed(task, size, steps, rounds)
            result = dataclasses.replace(result, timings=(*result.timings, timing))
        yield result


def _runs() -> Iterator[tuple[str, int, int]]:
    for task, (sizes, every_steps) in GRIDS.items():
        yield from ((task, size, steps) for size in sizes for steps in every_steps)


def _too_long(result: Forms, task: str, size: int, steps: int) -> bool:
    """Whether a run would take too long, by the longest one of the same size so far."""
    shorter = [one for one in result.timings if (one.task, one.size) == (task, size)]
    if not shorter:
        return False
    return shorter[-1].median("direct") * steps / shorter[-1].steps > LONGEST_SECONDS


def _timed(name: str, size: int, steps: int, rounds: int) -> FormTiming:
    task = tasks.make(name, samples=size, steps=steps)
    plans = {form: plan_of(task, form) for form in ("direct", "gram", "auto")}
    calls = {form: functools.partial(finite_run, task, plan) for form, plan in plans.items()}
    seconds = side_by_side(calls, rounds)
    return FormTiming(name, size, steps, seconds, chosen=plans["auto"].form.name)


measure = environment.measurement(_results, METHOD, usual_rounds=3)
"""Time the runs of ``GRIDS`` in either form, and in the one that ``"auto"`` takes."""
