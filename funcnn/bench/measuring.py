"""One task: its peers are prepared, called for the first time, checked, and timed."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import NamedTuple

import jax
import numpy as np

from funcnn.bench import arrays, floors
from funcnn.bench.drawing import Task
from funcnn.bench.peers import OWN, NotServedError, Peer, Prepared
from funcnn.bench.records import Timing
from funcnn.bench.results import TaskResult
from funcnn.bench.timing import (
    FIRST_STEPS,
    LONGEST_SECONDS,
    FirstCall,
    first_call,
    interleaved,
    lengths,
    sample,
)

__all__ = ["Ready", "first_called", "losses", "measure", "reason", "refusal", "timed"]


class Ready(NamedTuple):
    """A peer that has run for the first time."""

    prepared: Prepared
    first: FirstCall


def measure(task: Task, peers: Sequence[Peer], rounds: int, device: str) -> TaskResult:
    """Time every peer that ends at funcnn's loss.

    Args:
        task: what to do.
        peers: funcnn first.
        rounds: how many samples to take of each.
        device: ``"cpu"`` or ``"gpu"``.

    Raises:
        ArgumentError: for a task that diverges.
        Exception: whatever funcnn raises. A peer that raises is left out, with its reason.
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
        refused = refusal(task, ends, expected)
        if refused is None:
            ready[peer.name] = called
        else:
            left_out[peer.name] = refused
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
    jax.clear_caches()  # So that no peer finds what another has compiled.
    return Ready(prepared, first_call(prepared.run, min(FIRST_STEPS, task.steps)))


def losses(prepared: Prepared, task: Task) -> dict[int, np.ndarray]:
    """The loss after each number of steps that is checked."""
    return {
        steps: arrays.loss(task, prepared.params(prepared.run(steps))) for steps in task.checked
    }


def refusal(task: Task, ends: dict[int, np.ndarray], expected: dict[int, np.ndarray]) -> str | None:
    """How a peer's losses differ from funcnn's, in words; None where they agree."""
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
    """Why a peer has no time: its own words, or the first line of the error it raised."""
    if isinstance(error, NotServedError):
        return str(error)
    first_line = (str(error).strip() or "no message").splitlines()[0]
    return f"failed: {type(error).__name__}: {first_line}"


def timed(
    ready: dict[str, Ready], steps: int, rounds: int, longest: float = LONGEST_SECONDS
) -> tuple[Timing, ...]:
    """Samples of every peer, interleaved, of runs that take ``longest`` seconds at most."""
    chosen = {name: lengths(peer.prepared.run, steps, longest) for name, peer in ready.items()}
    samplers = {
        name: functools.partial(sample, peer.prepared.run, chosen[name])
        for name, peer in ready.items()
    }
    samples = interleaved(samplers, rounds)
    return tuple(
        Timing(
            peer=name,
            step_seconds=tuple(one.step_seconds for one in samples[name]),
            run_seconds=tuple(one.run_seconds for one in samples[name]),
            run_steps=chosen[name].long,
            first_call_seconds=peer.first.seconds,
            compile_seconds=peer.first.compile_seconds,
        )
        for name, peer in ready.items()
    )
