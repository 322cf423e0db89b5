"""Small tasks, a run that sleeps, and a benchmark as it might come out."""

from __future__ import annotations

import functools
import time

from funcnn.bench import environment, tasks
from funcnn.bench.records import Timing
from funcnn.bench.results import Benchmark, TaskResult

NETWORK = {"samples": 8, "widths": (12, 6, 3), "rate": 1e-4, "steps": 20}
CURVE = {"samples": 50, "steps": 20}
SMALL = {
    "two-layer": NETWORK,
    "linear-adam": NETWORK,
    "cubic-sgd": CURVE,
    "cubic-rmsprop": CURVE,
    "legendre": CURVE,
    "dynamic": CURVE,
    "sweep-mlp": NETWORK | {"members": 3},
    "sweep-adam": NETWORK | {"members": 3},
    "sweep-cubic": CURVE | {"members": 3},
}


@functools.cache
def small(name):
    return tasks.make(name, **SMALL[name])


def sleeper(a_step, once=0.0, first=0.0):
    """A run that sleeps."""
    waiting = [first]

    def run(steps):
        time.sleep(once + steps * a_step + (waiting.pop() if waiting else 0))

    return run


def result_of(**costs):
    """A benchmark as it might have come out."""

    def row(name, cost):
        return Timing(
            name, (cost * 1e-6, 2e-6 * cost, 3e-6 * cost), (0.1, 0.2, 0.3), 1000, 0.5, 0.4
        )

    rows = tuple(row(name, cost) for name, cost in costs.items())
    floor = (row("floor: bytes", 0.5),)
    result = TaskResult("two-layer", "a title", {200: 0.001}, rows, floor, {"keras-loop": "why"})
    facts = environment.described("cpu")
    return Benchmark("a method", facts, {"nnx-loop": "flax is not installed"}, (result, result))
