"""funcnn itself: a whole call of ``train``, and the bare loop inside it."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np

from funcnn import fitting, losses, models, optimizers, training
from funcnn.bench.peers import NotServedError, Prepared
from funcnn.bench.tasks import SEED, Task
from funcnn.randomness import run_key
from funcnn.updates import make_update

__all__ = ["fit", "train"]


def train(task: Task, device: str) -> Prepared:
    """A whole call of ``funcnn.train``, its checks and all; for a sweep, ``jax.vmap(fit)``."""
    del device  # JAX's default device, which the measurement has set.
    if task.members is not None:
        return _fit(task)

    def run(steps: int) -> Any:
        return training.train(
            task.model,
            (task.x, task.y),
            params=task.params,
            hidden=_hidden(task),
            optimizer=task.optimizer,
            learning_rate=float(task.learning_rate),
            steps=steps,
            dtype=task.dtype,
            seed=SEED,
            progress=False,
        )

    return Prepared(run, lambda result: _arrays(result.params))


def fit(task: Task, device: str) -> Prepared:
    """``funcnn.fit`` alone: the arrays are placed, and nothing is logged or checked."""
    del device
    if task.members is not None:
        raise NotServedError("a sweep is jax.vmap(fit) already")
    return _fit(task)


def _fit(task: Task) -> Prepared:
    """The loop, compiled once for any number of steps, and under ``jax.vmap`` for a sweep."""
    make_optimizer = optimizers.OPTIMIZERS[task.optimizer]
    # One update whatever the rate: an optimizer's numbers live in its state.
    update = make_update(_model(task), losses.sum_squared_error, make_optimizer(1.0))

    def start(params: Any, rate: Any) -> Any:
        return fitting.initial_state(params, make_optimizer(rate), run_key(SEED))

    def loop(state: Any, data: Any, steps: Any) -> Any:
        return fitting.fit(update, state, data, steps, capacity=task.steps)

    if task.members is not None:
        start, loop = jax.vmap(start), jax.vmap(loop, in_axes=(0, None, None))
    state = jax.jit(start)(task.params, task.learning_rate)
    data = jax.device_put((task.x, task.y))
    compiled = jax.jit(loop)

    def run(steps: int) -> Any:
        return jax.block_until_ready(compiled(state, data, np.int32(steps)))

    return Prepared(run, lambda ended: _arrays(ended[0].params))


def _hidden(task: Task) -> int | None:
    return task.params["w1"].shape[-1] if "w1" in task.params else None


def _model(task: Task) -> Any:
    hidden = _hidden(task)
    if hidden is None:
        return models.make(task.model)
    return models.make(
        task.model,
        in_features=task.x.shape[1],
        hidden=hidden,
        out_features=task.y.shape[1],
    )


def _arrays(params: Any) -> dict[str, np.ndarray]:
    return {name: np.asarray(value) for name, value in params.items()}
