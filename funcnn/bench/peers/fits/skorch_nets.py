"""skorch: ``NeuralNetClassifier`` and ``NeuralNetRegressor``, all samples trained on."""

from __future__ import annotations

from typing import Any

import torch
from skorch import NeuralNetClassifier, NeuralNetRegressor

from funcnn.bench.peers.fits import Fit, Predict
from funcnn.bench.peers.fits.torch_parts import network, with_the_best_threads
from funcnn.bench.real_tasks import RealTask

__all__ = ["prepare"]


def prepare(task: RealTask) -> Fit:
    """``fit`` of the one that the task needs, its printing turned off."""
    return with_the_best_threads(_prepared, task)


def _prepared(task: RealTask) -> Fit:
    kind: Any = NeuralNetClassifier if task.classifies else NeuralNetRegressor
    criterion = torch.nn.CrossEntropyLoss if task.classifies else torch.nn.MSELoss
    y = task.y if task.classifies else task.y[:, None]

    def fit(seed: int) -> Predict:
        del seed  # The generator is PyTorch's own, which was given it.
        model = kind(
            network(task),
            criterion=criterion,
            optimizer=torch.optim.Adam,
            lr=task.learning_rate,
            batch_size=task.batch_size,
            max_epochs=task.epochs,
            iterator_train__shuffle=True,
            train_split=None,
            verbose=0,
        )
        model.fit(task.x, y)
        return lambda x: model.predict(x).ravel()

    return fit
