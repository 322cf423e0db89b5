"""How cost grows: with steps, width, batch, data points, and the members of a sweep.

Each point is measured by ``python -m funcnn.bench.scaling``, which reads a request and
writes its answer, both in JSON. So a point's memory is its own, and a point that takes
too long can be ended.
"""

from __future__ import annotations

import dataclasses
import json
import math
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from funcnn.bench import environment, measuring, tasks
from funcnn.bench.axes import AXES
from funcnn.bench.drawing import Task
from funcnn.bench.memory import peak_from_here
from funcnn.bench.peers import OWN, PEERS, find
from funcnn.bench.records import Point, Timing
from funcnn.bench.results import Scaling
from funcnn.bench.saving import decoded
from funcnn.bench.timing import LONGEST_SECONDS
from funcnn.core import ArgumentError, checks

__all__ = ["BEST", "answer", "measure"]

METHOD = (
    "Each point in a process of its own, its rounds ({rounds}) one after the other. µs a step: as "
    "without --scaling; for steps, a whole run. first call: of ten steps, compilation in it. "
    "memory: by how much the process grows, the library imported and the data drawn, until it is "
    "measured."
)

BEST = ("funcnn-gram", "numpy", "torch-autograd", "torch-compile", "torch-func", "jax-scan")
"""The peers that are measured beside funcnn, unless others are asked for."""

TIMEOUT_SECONDS = 600
"""How long a point may take."""

CHECKED_STEPS = 20
"""After how many steps, at most, losses are compared: before rounding errors dominate any."""


def measure(
    axes: str | Sequence[str] | None = None,
    *,
    peers: str | Sequence[str] | None = None,
    rounds: int = 3,
    device: str | None = None,
    each: Callable[[Scaling], object] | None = None,
) -> Scaling:
    """Measure funcnn and its best peers at several sizes, each point in its own process.

    Args:
        axes: one or several of ``AXES``; all of them without it.
        peers: one or several of ``PEERS``; ``BEST`` without it. funcnn is always among them.
        rounds: how often each point is timed.
        device: ``"cpu"`` or ``"gpu"``; JAX's own choice without it.
        each: called after each point with the result so far.

    Raises:
        ArgumentError, ArgumentTypeError: for arguments that cannot be used, before
            anything is measured.
    """
    axes = [axes] if isinstance(axes, str) else axes or list(AXES)
    chosen = [checks.choice("axis", name, AXES) for name in axes]
    peers = [peers] if isinstance(peers, str) else BEST if peers is None else peers
    names = list(dict.fromkeys([OWN, *(checks.choice("peer", name, PEERS) for name in peers)]))
    rounds = checks.integer("rounds", rounds, at_least=1)
    if device is not None:
        checks.choice("device", device, environment.DEVICES)

    result = Scaling(METHOD.format(rounds=rounds), environment={}, points=(), left_out={})
    for name, size, peer in _places(chosen, names):
        if f"{peer}, {name}" in result.left_out:
            continue
        axis = AXES[name]
        request = {"task": axis.task, "sizes": axis.arguments(size), "peer": peer}
        request |= {"rounds": rounds, "device": device, "whole": axis.whole}
        answered = _in_a_process(request)
        facts = answered.get("environment", result.environment)
        result = dataclasses.replace(result, environment=facts)
        if "left_out" in answered:
            why = {f"{peer}, {name}": f"from {size} on: {answered['left_out']}"}
            result = dataclasses.replace(result, left_out=result.left_out | why)
            continue
        point = Point(name, size, decoded(Timing, answered["timing"]), answered["peak_bytes"])
        result = dataclasses.replace(result, points=(*result.points, point))
        if each is not None:
            each(result)
    return result


def answer(
    task: str, sizes: dict[str, Any], peer: str, rounds: int, device: str | None, whole: bool
) -> dict[str, Any]:
    """Measure one point, in this process.

    Args:
        task: the name of the task.
        sizes: what ``tasks.make`` takes in place of the task's own.
        peer: the name of the peer.
        rounds: how many samples to take.
        device: ``"cpu"``, ``"gpu"``, or None for JAX's own choice.
        whole: whether to time all of the task's steps, however long they take.

    Returns:
        ``timing`` and ``peak_bytes``, or the reason why the point is ``left_out``; and
        the ``environment``.
    """
    device = environment.check_device(device)
    own = {name: size for name, size in sizes.items() if name != "workers"}
    made = dataclasses.replace(tasks.make(task, **own), workers=sizes.get("workers"))
    made = dataclasses.replace(made, checked={min(CHECKED_STEPS, made.steps): 1e-3})
    with environment.settings(device):
        try:
            measured = _measured(made, peer, rounds, device, whole)
        except Exception as error:
            measured = {"left_out": measuring.reason(error)}
        return measured | {"environment": environment.described(device)}


def _places(axes: list[str], peers: list[str]) -> Iterator[tuple[str, int, str]]:
    for name in axes:
        for size in AXES[name].sizes:
            yield from ((name, size, peer) for peer in AXES[name].peers or peers)


def _in_a_process(request: dict[str, Any]) -> dict[str, Any]:
    """What :func:`answer` returns in a process of its own, or why it returns nothing.

    Raises:
        ArgumentError: where no peer could meet the request.
    """
    command = [sys.executable, "-m", "funcnn.bench.scaling"]
    try:
        done = subprocess.run(
            command,
            input=json.dumps(request),
            capture_output=True,
            text=True,
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return {"left_out": f"it takes more than {TIMEOUT_SECONDS} s"}
    if done.returncode:
        return {"left_out": f"its process ended with exit code {done.returncode}"}
    answered = json.loads(done.stdout.splitlines()[-1])
    if "error" in answered:
        raise ArgumentError(answered["error"])
    return answered


def _measured(task: Task, name: str, rounds: int, device: str, whole: bool) -> dict[str, Any]:
    found, missing = find([name])
    if missing:
        return {"left_out": missing[name]}
    peak = peak_from_here(device)
    ready = {name: measuring.first_called(found[-1], task, device)}
    longest = math.inf if whole else LONGEST_SECONDS
    (timing,) = measuring.timed(ready, task.steps, rounds, longest)
    peak_bytes = peak()
    # Only now does funcnn run, so that its memory does not count as the peer's.
    own = measuring.first_called(found[0], task, device)
    expected = measuring.losses(own.prepared, task)
    refused = measuring.refusal(task, measuring.losses(ready[name].prepared, task), expected)
    if refused is not None:
        return {"left_out": refused}
    return {"timing": dataclasses.asdict(timing), "peak_bytes": peak_bytes}


if __name__ == "__main__":
    try:
        print(json.dumps(answer(**json.load(sys.stdin))))
    except ArgumentError as error:
        print(json.dumps({"error": str(error)}))
