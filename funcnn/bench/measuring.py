"""One task: its peers prepared, called for the first time, checked, and timed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import jax
import numpy as np

from funcnn.bench import arrays, floors
from funcnn.bench.drawing import Task
from funcnn.bench.peers import OWN, NotServedError, Peer, Prepared
from funcnn.bench.results import TaskResult, Timing
from funcnn.bench.timing import (
    FIRST_STEPS,
    LONGEST_SECONDS,
    FirstCall,
    first_call,
    interleaved,
    lengths,
)
from funcnn.core import ArgumentError

__all__ = ["Ready", "first_called", "losses", "measure", "reason", "refusal", "timed"]


class Ready(NamedTuple):
    """A peer that has run for the first time."""

    prepared: Prepared
    first: FirstCall


def measure(task: Task, peers: Sequence[Peer], rounds: int, device: str) -> TaskResult:
    """Time every peer that ends where funcnn does.

    Args:
        task: what to do.
        peers: funcnn first.
        rounds: how many samples to take of each.
        device: ``"cpu"`` or ``"gpu"``.

    Raises:
        ArgumentError: for a task that diverges.
        Exception: whatever funcnn raises. What another raises is why it is left out.
    """
    ready: dict[str, Ready] = {}
    left_out: dict[str, str] = {}
    expected: dict[int, np.ndarray] = {}
    for peer in peers:
        try:
            called = first_called(peer, task, device)
            ends = losses(called.prepared, task)
        except Exception as error:
            if peer.name == OWN:
                raise
            left_out[peer.name] = reason(error)
            continue
        expected = expected or ends
        elsewhere = refusal(task, ends, expected)
        if elsewhere is None:
            ready[peer.name] = called
        elif peer.name == OWN:  # Only a loss that is not finite differs from itself.
            raise ArgumentError(f"task={task.name!r} diverges; a smaller rate may help")
        else:
            left_out[peer.name] = elsewhere
    trained = len(ready)
    for floor in floors.FLOORS:
        try:
            ready[floor.name] = first_called(floor, task, device)
        except NotServedError as error:
            left_out[floor.name] = reason(error)
    timings = timed(ready, task.steps, rounds)
    return TaskResult(
        task=task.name,
        title=task.title,
        checked=dict(task.checked),
        timings=timings[:trained],
        floors=timings[trained:],
        left_out=left_out,
    )


def first_called(peer: Peer, task: Task, device: str) -> Ready:
    """Prepare a peer and time its first call."""
    prepared = peer.prepare(task, device)
    jax.clear_caches()  # What one peer has compiled is not to be found by another.
    return Ready(prepared, first_call(prepared.run, min(FIRST_STEPS, task.steps)))


def losses(prepared: Prepared, task: Task) -> dict[int, np.ndarray]:
    """The loss after each number of steps that is checked."""
    return {
        steps: arrays.loss(task, prepared.params(prepared.run(steps))) for steps in task.checked
    }


def refusal(task: Task, ends: dict[int, np.ndarray], expected: dict[int, np.ndarray]) -> str | None:
    """Where a peer's losses are not funcnn's, in words; None where they are."""
    for steps, tolerance in task.checked.items():
        found, wanted = np.ravel(ends[steps]), np.ravel(expected[steps])
        difference = np.abs(found - wanted) / wanted
        worst = int(np.argmax(np.where(np.isnan(difference), np.inf, difference)))
        if not difference[worst] <= tolerance:
            whose = "" if task.members is None else f" of member {worst}"
            return (
                f"refused: after {steps} steps its loss{whose} is {found[worst]:.6g}, "
                f"funcnn's {wanted[worst]:.6g}"
            )
    return None


def reason(error: Exception) -> str:
    """Why there is no time: a peer's own words, or the first line of what it raised."""
    if isinstance(error, NotServedError):
        return str(error)
    first_line = (str(error).strip() or "no message").splitlines()[0]
    return f"failed: {type(error).__name__}: {first_line}"


def timed(
    ready: dict[str, Ready], steps: int, rounds: int, longest: float = LONGEST_SECONDS
) -> tuple[Timing, ...]:
    """Samples of every peer, interleaved, of runs that take ``longest`` seconds at most."""
    runs = {
        name: (peer.prepared.run, lengths(peer.prepared.run, steps, longest))
        for name, peer in ready.items()
    }
    samples = interleaved(runs, rounds)
    return tuple(
        Timing(
            peer=name,
            step_seconds=tuple(sample.step_seconds for sample in samples[name]),
            run_seconds=tuple(sample.run_seconds for sample in samples[name]),
            run_steps=runs[name][1].long,
            first_call_seconds=peer.first.seconds,
            compile_seconds=peer.first.compile_seconds,
        )
        for name, peer in ready.items()
    )
