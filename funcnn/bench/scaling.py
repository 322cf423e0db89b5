"""How cost grows: with steps, width, batch, data points, and the members of a sweep."""

from __future__ import annotations

import dataclasses
import json
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from funcnn import checks
from funcnn.bench.axes import AXES
from funcnn.bench.environment import DEVICES
from funcnn.bench.peers import OWN, PEERS
from funcnn.bench.records import Record, decoded
from funcnn.bench.results import Timing
from funcnn.core import ArgumentError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["BEST", "Point", "Scaling", "scale"]

METHOD = (
    "Each point in a process of its own, its rounds ({rounds}) one after the other. µs a step: as "
    "without --scaling; for steps, a whole run. first call: of ten steps, compilation in it. "
    "memory: by how much the process grows, the library imported and the data drawn, until it is "
    "measured."
)

BEST = ("funcnn-gram", "numpy", "torch-autograd", "torch-compile", "torch-func", "jax-scan")
"""The peers that are drawn beside funcnn, unless others are asked for."""

TIMEOUT_SECONDS = 600
"""How long a point may take."""


@dataclasses.dataclass(frozen=True)
class Point:
    """A peer at a size.

    Attributes:
        axis: the name of what grows.
        size: how large it is.
        timing: what was measured.
        peak_bytes: by how much memory grew at most.
    """

    axis: str
    size: int
    timing: Timing
    peak_bytes: int

    @property
    def of_run(self) -> bool:
        """Whether the cost is that of a whole run."""
        return AXES[self.axis].whole

    @property
    def cost(self) -> float:
        """The median: microseconds a step, or milliseconds a run."""
        if self.of_run:
            return statistics.median(self.timing.run_seconds) * 1e3
        return self.timing.microseconds


@dataclasses.dataclass(frozen=True)
class Scaling(Record):
    """All the points; ``str`` is the table.

    Attributes:
        method: how they were measured.
        environment: on what.
        points: in the order of ``AXES``, their sizes and the peers.
        left_out: the peers without any, or without some, and why.
    """

    method: str
    environment: dict[str, Any]
    points: tuple[Point, ...]
    left_out: dict[str, str]

    def __str__(self) -> str:
        from funcnn.bench import tables

        return tables.scaling(self)

    def plot(self) -> Figure:
        """Draw cost, first call and memory over each axis; needs the extra ``plot``."""
        from funcnn.bench import pictures

        return pictures.scaling(self)


def scale(
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
        checks.choice("device", device, DEVICES)

    result = Scaling(METHOD.format(rounds=rounds), environment={}, points=(), left_out={})
    for name, size, peer in _places(chosen, names):
        if f"{peer}, {name}" in result.left_out:
            continue
        axis = AXES[name]
        request = {"task": axis.task, "sizes": axis.arguments(size), "peer": peer}
        request |= {"rounds": rounds, "device": device, "whole": axis.whole}
        answer = _in_a_process(request)
        environment = answer.get("environment", result.environment)
        result = dataclasses.replace(result, environment=environment)
        if "left_out" in answer:
            why = {f"{peer}, {name}": f"from {size} on: {answer['left_out']}"}
            result = dataclasses.replace(result, left_out=result.left_out | why)
            continue
        point = Point(name, size, decoded(Timing, answer["timing"]), answer["peak_bytes"])
        result = dataclasses.replace(result, points=(*result.points, point))
        if each is not None:
            each(result)
    return result


def _places(axes: list[str], peers: list[str]) -> Iterator[tuple[str, int, str]]:
    for name in axes:
        for size in AXES[name].sizes:
            yield from ((name, size, peer) for peer in peers)


def _in_a_process(request: dict[str, Any]) -> dict[str, Any]:
    """What ``funcnn.bench.point`` answers, or why it does not.

    Raises:
        ArgumentError: where the request cannot be met, on no account of the peer.
    """
    command = [sys.executable, "-m", "funcnn.bench.point"]
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
    answer = json.loads(done.stdout.splitlines()[-1])
    if "error" in answer:
        raise ArgumentError(answer["error"])
    return answer
