"""funcnn itself: whole calls of ``train`` and ``sweep`` in either form, and the bare loop."""

from __future__ import annotations

import functools
from typing import Any

import jax
import numpy as np

from funcnn import fitting, gram, losses, sweeps, training
from funcnn.bench.drawing import SEED, Task, member
from funcnn.bench.peers import NotServedError, Prepared
from funcnn.plans import make_plan
from funcnn.randomness import run_key

__all__ = ["direct_form", "fit", "gram_form"]


def direct_form(task: Task, device: str) -> Prepared:
    """A whole call of ``funcnn.train``, its checks and all; for a sweep, of ``funcnn.sweep``."""
    del device  # JAX's default device, which the measurement has set.
    return _whole_call(task, "direct")


def gram_form(task: Task, device: str) -> Prepared:
    """The same call with ``form="gram"``."""
    del device
    plan = make_plan(**_arguments(task if task.members is None else member(task, 0)))
    refusal = gram.refusal(plan.model, losses.sum_squared_error, plan.optimizer, "autodiff", None)
    if refusal is not None:
        raise NotServedError(f"form='gram': {refusal}")
    return _whole_call(task, "gram")


def fit(task: Task, device: str) -> Prepared:
    """``funcnn.fit`` alone, as ``train`` calls it: the arrays are placed, nothing is checked."""
    del device
    if task.members is not None:
        raise NotServedError("funcnn.fit is one run")
    plan = make_plan(**_arguments(task))
    state = fitting.initial_state(jax.device_put(plan.params), plan.optimizer, run_key(SEED))
    loop = functools.partial(fitting.fit, plan.update, state, jax.device_put(plan.data))

    def run(steps: int) -> Any:
        return jax.block_until_ready(loop(np.int32(steps), capacity=task.steps))

    return Prepared(run, lambda ended: _arrays(ended[0].params))


def _whole_call(task: Task, form: str) -> Prepared:
    call = training.train if task.members is None else sweeps.sweep
    call = functools.partial(call, **_arguments(task), form=form, progress=False)
    return Prepared(lambda steps: call(steps=steps), lambda result: _arrays(result.params))


def _arguments(task: Task) -> dict[str, Any]:
    """A task in the words of ``train``, or of ``sweep``: all members start from one place."""
    many = task.members is not None
    params = {name: value[0] if many else value for name, value in task.params.items()}
    return {
        "model": task.model,
        "data": (task.x, task.y),
        "params": params,
        "hidden": params["w1"].shape[1] if "w1" in params else None,
        "optimizer": task.optimizer,
        "learning_rate": task.learning_rate.tolist(),
        "dtype": task.dtype,
        "seed": SEED,
    }


def _arrays(params: Any) -> dict[str, np.ndarray]:
    return {name: np.asarray(value) for name, value in params.items()}
