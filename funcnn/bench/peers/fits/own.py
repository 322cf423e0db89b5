"""funcnn: a call of ``train``."""

from __future__ import annotations

import functools

import numpy as np

from funcnn.bench.peers.fits import Fit, Predict
from funcnn.bench.real_tasks import RealTask
from funcnn.runs import train

__all__ = ["prepare"]


def prepare(task: RealTask) -> Fit:
    """``funcnn.train`` with ``"mlp_linear"``."""
    call = functools.partial(
        train,
        "mlp_linear",
        (task.x, task.y),
        hidden=task.hidden,
        loss="cross_entropy" if task.classifies else "mean_squared_error",
        optimizer="adam",
        learning_rate=task.learning_rate,
        batch_size=task.batch_size,
        epochs=task.epochs,
        progress=False,
    )

    def fit(seed: int) -> Predict:
        result = call(seed=seed)

        def predict(x: np.ndarray) -> np.ndarray:
            outputs = result.predict(x)
            return outputs.argmax(axis=1) if task.classifies else outputs

        return predict

    return fit
