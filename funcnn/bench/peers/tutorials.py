"""The tutorials' own PyTorch, word for word: the loops of ``funcnn.atlas.reference``."""

from __future__ import annotations

from typing import Any

import torch  # noqa: F401  So that this peer counts as missing where PyTorch is.

from funcnn.atlas.references import find_reference
from funcnn.bench.drawing import Task
from funcnn.bench.peers import NotServedError, Prepared
from funcnn.experiments import EXPERIMENTS

__all__ = ["pytorch"]

EXPERIMENT_OF = {
    "two-layer": "two-layer/optim",
    "linear-adam": "random-data/adam",
    "cubic-sgd": "sine/module",
    "cubic-rmsprop": "sine/rmsprop",
    "legendre": "sine/legendre",
    "dynamic": "sine/dynamic",
}


def pytorch(task: Task, device: str) -> Prepared:
    """The eager loop of the tutorial that a task comes from; it stores each loss as a number."""
    if task.name not in EXPERIMENT_OF:
        raise NotServedError("no tutorial has this run")
    if device != "cpu":
        raise NotServedError("the tutorials' loops are kept for the CPU")
    loop = find_reference(EXPERIMENTS[EXPERIMENT_OF[task.name]])

    def run(steps: int) -> Any:
        terms = () if task.terms is None else (task.terms[:steps],)
        rate = float(task.learning_rate)
        return loop(task.x, task.y, task.params, steps, rate, *terms)

    return Prepared(run, lambda ended: ended[1])
