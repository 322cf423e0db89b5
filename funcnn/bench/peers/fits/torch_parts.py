"""What the loop of PyTorch and skorch share: the network, the seed, the number of threads."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Iterator

import torch

from funcnn.bench.peers.fits import Fit, Predict, Prepare
from funcnn.bench.real_tasks import RealTask

__all__ = ["network", "with_the_best_threads"]

TRIAL_STEPS = 500
"""How many steps are timed to choose a number of threads."""


def network(task: RealTask) -> torch.nn.Sequential:
    """Linear–ReLU–Linear."""
    return torch.nn.Sequential(
        torch.nn.Linear(task.x.shape[1], task.hidden),
        torch.nn.ReLU(),
        torch.nn.Linear(task.hidden, task.outputs),
    )


def with_the_best_threads(prepare: Prepare, task: RealTask) -> Fit:
    """A fit with one thread or with all, whichever is faster; PyTorch is left as it was."""
    samples = TRIAL_STEPS * task.batch_size
    trial = prepare(dataclasses.replace(task, x=task.x[:samples], y=task.y[:samples], epochs=1))
    fit_it = prepare(task)
    threads = min({1, torch.get_num_threads()}, key=lambda count: _seconds(trial, count))

    def fit(seed: int) -> Predict:
        with _settings(seed, threads):
            return fit_it(seed)

    return fit


def _seconds(fit: Fit, threads: int) -> float:
    taken = []
    for _ in range(2):  # What is loaded at the first call is no matter of threads.
        with _settings(0, threads):
            begin = time.perf_counter()
            fit(0)
            taken.append(time.perf_counter() - begin)
    return min(taken)


@contextlib.contextmanager
def _settings(seed: int, threads: int) -> Iterator[None]:
    """A seed and a number of threads for a while."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            yield
    finally:
        torch.set_num_threads(before)
