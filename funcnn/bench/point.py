"""One peer in one task, in a process of its own: ``python -m funcnn.bench.point``.

It reads a request and writes its answer, in JSON. So a point's memory is its own, and
a point that takes too long can be ended.
"""

from __future__ import annotations

import dataclasses
import json
import math
import sys
from typing import Any

from funcnn.bench import environment, measuring, tasks
from funcnn.bench.drawing import Task
from funcnn.bench.memory import peak_from_here
from funcnn.bench.peers import find
from funcnn.bench.timing import LONGEST_SECONDS
from funcnn.core import ArgumentError

__all__ = ["answer"]

CHECKED_STEPS = 20
"""After how many steps, at most, losses are compared: before any has fallen to its rounding."""


def answer(
    task: str, sizes: dict[str, Any], peer: str, rounds: int, device: str | None, whole: bool
) -> dict[str, Any]:
    """Measure a point.

    Args:
        task: the name of the task.
        sizes: what ``tasks.make`` takes in place of the task's own.
        peer: the name of the peer.
        rounds: how many samples to take.
        device: ``"cpu"``, ``"gpu"``, or None for JAX's own choice.
        whole: whether to time all of the task's steps, however long they take.

    Returns:
        ``timing`` and ``peak_bytes``, or the reason why it is ``left_out``; and the
        ``environment``.
    """
    device = environment.check_device(device)
    made = tasks.make(task, **sizes)
    made = dataclasses.replace(made, checked={min(CHECKED_STEPS, made.steps): 1e-3})
    with environment.settings(device):
        try:
            measured = _measured(made, peer, rounds, device, whole)
        except Exception as error:
            measured = {"left_out": measuring.reason(error)}
        return measured | {"environment": environment.described(device)}


def _measured(task: Task, name: str, rounds: int, device: str, whole: bool) -> dict[str, Any]:
    found, missing = find([name])
    if missing:
        return {"left_out": missing[name]}
    peak = peak_from_here(device)
    ready = {name: measuring.first_called(found[-1], task, device)}
    longest = math.inf if whole else LONGEST_SECONDS
    (timing,) = measuring.timed(ready, task.steps, rounds, longest)
    peak_bytes = peak()
    # Not before: funcnn's own memory is not the peer's.
    own = measuring.first_called(found[0], task, device)
    expected = measuring.losses(own.prepared, task)
    elsewhere = measuring.refusal(task, measuring.losses(ready[name].prepared, task), expected)
    if elsewhere is not None:
        return {"left_out": elsewhere}
    return {"timing": dataclasses.asdict(timing), "peak_bytes": peak_bytes}


if __name__ == "__main__":
    try:
        print(json.dumps(answer(**json.load(sys.stdin))))
    except ArgumentError as error:
        print(json.dumps({"error": str(error)}))
