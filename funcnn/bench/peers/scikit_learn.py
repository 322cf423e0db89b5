"""scikit-learn's ``MLPRegressor``, where it does the same mathematics.

Its layers always have biases, so ``mlp`` is not for it; nor are curves, or sweeps. Its
gradient is that of the mean over samples of half the squared error, 1/(2N) of ours:
Adam forgets such a factor, but for its ε, which is divided by it here.
"""

from __future__ import annotations

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPRegressor

from funcnn.bench.drawing import Task
from funcnn.bench.peers import NotServedError, Prepared

__all__ = ["regressor"]


def regressor(task: Task, device: str) -> Prepared:
    """``MLPRegressor.fit`` on the whole data at each step, started from the task's params."""
    if device != "cpu":
        raise NotServedError("scikit-learn computes on the CPU")
    if task.model != "mlp_linear" or task.members is not None:
        raise NotServedError("MLPRegressor is one network, with biases in all of its layers")
    if task.optimizer != "adam":
        raise NotServedError("its other rates would have to be divided by twice the samples")
    samples = len(task.x)
    model = MLPRegressor(
        hidden_layer_sizes=task.params["b1"].shape,
        alpha=0,
        batch_size=samples,  # pyright: ignore[reportArgumentType]
        learning_rate_init=float(task.learning_rate),
        shuffle=False,
        tol=0,
        n_iter_no_change=10**9,
        epsilon=1e-8 / (2 * samples),
        warm_start=True,
    )
    model.partial_fit(task.x, task.y)  # which makes the arrays that a warm start begins with

    def run(steps: int) -> MLPRegressor:
        model.coefs_ = [task.params["w1"].copy(), task.params["w2"].copy()]
        model.intercepts_ = [task.params["b1"].copy(), task.params["b2"].copy()]
        model.max_iter = steps
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # It is given steps, not a goal.
            return model.fit(task.x, task.y)

    def params(ended: MLPRegressor) -> dict[str, np.ndarray]:
        (w1, w2), (b1, b2) = ended.coefs_, ended.intercepts_
        return {"w1": w1, "b1": b1, "w2": w2, "b2": b2}

    return Prepared(run, params)
