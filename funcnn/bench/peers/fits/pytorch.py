"""PyTorch: the loop over a ``DataLoader`` that its tutorials write."""

from __future__ import annotations

import functools

import numpy as np
import torch
from torch.utils.data import DataLoader, TensorDataset

from funcnn.bench.peers.fits import Fit, Predict
from funcnn.bench.peers.fits.torch_parts import network, with_the_best_threads
from funcnn.bench.real_tasks import RealTask

__all__ = ["prepare"]


def prepare(task: RealTask) -> Fit:
    """``loss.backward()`` and ``torch.optim.Adam``."""
    return with_the_best_threads(_prepared, task)


def _prepared(task: RealTask) -> Fit:
    y = task.y if task.classifies else task.y[:, None]

    def fit(seed: int) -> Predict:
        del seed  # The generator is PyTorch's own, which was given it.
        data = TensorDataset(torch.from_numpy(task.x), torch.from_numpy(y))
        loader = DataLoader(data, batch_size=task.batch_size, shuffle=True)
        model = network(task)
        criterion = torch.nn.CrossEntropyLoss() if task.classifies else torch.nn.MSELoss()
        optimizer = torch.optim.Adam(model.parameters(), lr=task.learning_rate)
        for _ in range(task.epochs):
            for inputs, targets in loader:
                optimizer.zero_grad()
                loss = criterion(model(inputs), targets)
                loss.backward()
                optimizer.step()
        return functools.partial(_predict, model, task.classifies)

    return fit


def _predict(model: torch.nn.Module, classifies: bool, x: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        outputs = model(torch.from_numpy(x))
    return (outputs.argmax(dim=1) if classifies else outputs[:, 0]).numpy()
