"""What all of the PyTorch peers share: tensors on the device, and the Python loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from funcnn.bench import arrays
from funcnn.bench.drawing import Task
from funcnn.bench.peers import NotServedError, Prepared

__all__ = ["Step", "Tensors", "looped", "place"]

Tensors = dict[str, torch.Tensor]
Step = Callable[[torch.Tensor], torch.Tensor]


def place(values: dict[str, Any], device: str) -> Tensors:
    """Tensors with copies of NumPy's values, on ``"cpu"`` or ``"gpu"``."""
    if device == "gpu" and not torch.cuda.is_available():
        raise NotServedError("this PyTorch finds no GPU")
    where = "cuda" if device == "gpu" else "cpu"
    return {name: torch.tensor(value, device=where) for name, value in values.items()}


def looped(task: Task, weights: Tensors, begin: Callable[[], Step]) -> Prepared:
    """Steps in a Python loop that change the weights in place.

    Args:
        task: what to do.
        weights: the tensors that are trained, at the values where each run starts.
        begin: gives the step of a new run, from a step's inputs to the loss before it.
    """
    start = {name: weight.detach().clone() for name, weight in weights.items()}
    device = next(iter(weights.values())).device
    inputs = torch.tensor(arrays.inputs(task), device=device)
    inputs = list(inputs) if task.terms is not None else [inputs]
    terms = [0] * task.steps if task.terms is None else task.terms.tolist()

    def run(steps: int) -> Tensors:
        with torch.no_grad():
            for name, weight in weights.items():
                weight.copy_(start[name])
        step = begin()
        for index in terms[:steps]:
            step(inputs[index])
        if device.type == "cuda":
            torch.cuda.synchronize()
        return weights

    def params(ended: Tensors) -> dict[str, np.ndarray]:
        copies = {name: weight.detach().cpu().numpy().copy() for name, weight in ended.items()}
        return arrays.named(task, copies)

    return Prepared(run, params)
