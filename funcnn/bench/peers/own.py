"""funcnn itself: the loop of ``train`` and ``sweep`` in either form, and a whole call of them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from funcnn import fitting, gram, losses, sweeps, training
from funcnn.bench.drawing import SEED, Task
from funcnn.bench.peers import NotServedError, Prepared
from funcnn.chunks import LONGEST_CHUNK
from funcnn.plans import Plan, make_plan
from funcnn.randomness import run_key
from funcnn.sweeps import groups

__all__ = ["direct_form", "gram_form", "whole_call"]


def direct_form(task: Task, device: str) -> Prepared:
    """The compiled loop: the arrays are placed, and nothing is checked or logged."""
    del device  # JAX's default device, which the measurement has set.
    return _loop(task, "direct")


def gram_form(task: Task, device: str) -> Prepared:
    """The same loop with ``form="gram"``."""
    del device
    plan = _plan(task, "direct")
    refusal = gram.refusal(plan.model, losses.sum_squared_error, plan.optimizer, "autodiff", None)
    if refusal is not None:
        raise NotServedError(f"form='gram': {refusal}")
    return _loop(task, "gram")


def whole_call(task: Task, device: str) -> Prepared:
    """A call of ``funcnn.train``, its checks and all; for a sweep, of ``funcnn.sweep``."""
    del device
    call = training.train if task.members is None else sweeps.sweep
    rates = task.learning_rate.tolist()
    call = functools.partial(call, **_arguments(task), learning_rate=rates, progress=False)
    return Prepared(lambda steps: call(steps=steps), lambda result: _arrays(result.params))


def _loop(task: Task, form: str) -> Prepared:
    plan = _plan(task, form)
    if task.members is None:
        longest = LONGEST_CHUNK
        loop = functools.partial(fitting.fit, plan.update, capacity=longest)
        params = jax.device_put(plan.params)
        starts = [fitting.initial_state(params, plan.optimizer, run_key(SEED))]
    else:
        settings = [{"learning_rate": rate} for rate in task.learning_rate.tolist()]
        in_groups = groups.in_groups(plan, settings, group=None)
        longest = groups.longest_chunk(len(in_groups[0]))
        loop = groups.loop_of(plan.update, longest)
        starts = [groups.first_states(plan, group) for group in in_groups]
    data = jax.device_put(plan.data)

    def run(steps: int) -> list[Any]:
        return jax.block_until_ready(
            [_in_chunks(loop, start, data, steps, longest) for start in starts]
        )

    def params_of(states: list[Any]) -> dict[str, np.ndarray]:
        if task.members is None:
            return _arrays(states[0].params)
        trees = [state.params for state in states]
        together = jax.tree.map(lambda *leaves: np.concatenate(leaves)[: task.members], *trees)
        return _arrays(together)  # less what filled up the last group

    return Prepared(run, params_of)


def _in_chunks(loop: Callable[..., Any], state: Any, data: Any, steps: int, longest: int) -> Any:
    for done in range(0, steps, longest):
        state, _losses = loop(state, data, np.int32(min(longest, steps - done)))
    return state


def _plan(task: Task, form: str) -> Plan:
    """What ``train`` and ``sweep`` make of a task; the rates of a sweep are its members'."""
    rate = float(np.ravel(task.learning_rate)[0])
    return make_plan(**_arguments(task), learning_rate=rate, form=form)


def _arguments(task: Task) -> dict[str, Any]:
    """A task in the words of ``train`` and ``sweep``, but for its rate."""
    many = task.members is not None  # They all start from one place.
    params = {name: value[0] if many else value for name, value in task.params.items()}
    return {
        "model": task.model,
        "data": (task.x, task.y),
        "params": params,
        "hidden": params["w1"].shape[1] if "w1" in params else None,
        "optimizer": task.optimizer,
        "dtype": task.dtype,
        "seed": SEED,
    }


def _arrays(params: Any) -> dict[str, np.ndarray]:
    return {name: np.asarray(value) for name, value in params.items()}
