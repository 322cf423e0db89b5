"""Whole fits of real data: funcnn beside scikit-learn, a loop of PyTorch, and skorch."""

from __future__ import annotations

import dataclasses
import itertools
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import jax

from funcnn.bench import environment, real_tasks
from funcnn.bench.measuring import reason
from funcnn.bench.peers import OWN
from funcnn.bench.peers.fits import LIBRARIES, Fit, Prepare, find
from funcnn.bench.real_tasks import RealTask
from funcnn.bench.records import FitTiming
from funcnn.bench.results import Real, RealResult
from funcnn.bench.timing import interleaved
from funcnn.core import checks

__all__ = ["measure"]

METHOD = (
    "A whole fit, from NumPy arrays to a trained network: the same standardized data, network, "
    "Adam, batch size and epochs for all, no early stopping. first: the first fit of the task, "
    "compilation in it. fit: the median of the later ones ({rounds}), each with a seed of its "
    "own; the libraries take turns. PyTorch and skorch with one thread or with all, whichever is "
    "faster. score: the mean of all fits on samples set aside, and from the least to the greatest."
)


def measure(
    tasks: str | Sequence[str] | None = None,
    *,
    peers: str | Sequence[str] | None = None,
    rounds: int = 3,
    each: Callable[[Real], object] | None = None,
) -> Real:
    """Time whole fits on the CPU, and score them on samples that were set aside.

    Args:
        tasks: one or several of ``funcnn.bench.real_tasks.TASKS``; all of them without it.
        peers: one or several of ``funcnn.bench.peers.fits.LIBRARIES``; all of them without it.
            funcnn is always among them.
        rounds: how often each library fits after its first fit.
        each: called after each task with the result so far.

    Raises:
        ArgumentError, ArgumentTypeError: for arguments that cannot be used, before
            anything is measured.
        MissingExtraError: where scikit-learn, which has the data, is not installed.
    """
    names = [tasks] if isinstance(tasks, str) else tasks or list(real_tasks.TASKS)
    for name in names:
        checks.choice("task", name, real_tasks.TASKS)
    for peer in (peers := [peers] if isinstance(peers, str) else peers) or ():
        checks.choice("peer", peer, LIBRARIES)
    rounds = checks.integer("rounds", rounds, at_least=1)
    found, missing = find(peers)  # It may import for seconds.

    def results(method: str, facts: dict[str, Any], rounds: int, device: str) -> Iterator[Real]:
        del device  # The CPU: scikit-learn has no other.
        result = Real(method, facts, missing, tasks=())
        for name in names:
            measured = _measured(real_tasks.make(name), found, rounds)
            result = dataclasses.replace(result, tasks=(*result.tasks, measured))
            yield result

    return environment.last_of(results, METHOD, rounds, "cpu", each)


def _measured(task: RealTask, libraries: Mapping[str, Prepare], rounds: int) -> RealResult:
    """Every library's fits; one that raises is left out, with its reason."""
    samplers: dict[str, Callable[[], tuple[float, float]]] = {}
    first: dict[str, tuple[float, float]] = {}
    left_out: dict[str, str] = {}
    jax.clear_caches()  # So that the first fit compiles.
    for name, prepare in libraries.items():
        try:
            sampler = _sampler(prepare(task), task)
            first[name] = sampler()
            samplers[name] = sampler
        except Exception as error:
            if name == OWN:
                raise
            left_out[name] = reason(error)
    later = interleaved(samplers, rounds)
    timings = []
    for name, samples in later.items():
        seconds, scores = zip(first[name], *samples, strict=True)
        timings.append(FitTiming(name, seconds[0], seconds[1:], scores))
    return RealResult(
        task=task.name,
        title=task.title,
        steps=task.steps,
        measure=task.measure,
        noise=task.noise,
        timings=tuple(timings),
        left_out=left_out,
    )


def _sampler(fit: Fit, task: RealTask) -> Callable[[], tuple[float, float]]:
    """Fits with one seed after another: each gives its seconds and its score."""
    seeds = itertools.count()

    def sample() -> tuple[float, float]:
        begin = time.perf_counter()
        predict = fit(next(seeds))
        seconds = time.perf_counter() - begin
        return seconds, task.score(predict(task.x_test))

    return sample
