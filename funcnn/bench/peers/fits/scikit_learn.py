"""scikit-learn: ``MLPClassifier`` and ``MLPRegressor``.

Their penalty and their early stopping are turned off, which no other library here has; the
initial weights are drawn from another range than PyTorch's.
"""

from __future__ import annotations

import warnings
from typing import Any

from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier, MLPRegressor

from funcnn.bench.peers.fits import Fit, Predict
from funcnn.bench.real_tasks import RealTask

__all__ = ["prepare"]


def prepare(task: RealTask) -> Fit:
    """``fit`` of the one that the task needs."""
    kind: Any = MLPClassifier if task.classifies else MLPRegressor

    def fit(seed: int) -> Predict:
        model = kind(
            hidden_layer_sizes=(task.hidden,),
            alpha=0,
            batch_size=task.batch_size,
            learning_rate_init=task.learning_rate,
            max_iter=task.epochs,
            tol=0,
            n_iter_no_change=10**9,
            random_state=seed,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # It is given epochs, not a goal.
            model.fit(task.x, task.y)
        return model.predict

    return fit
