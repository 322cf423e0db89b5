"""A module's own eager loop beside the compiled one."""

from __future__ import annotations

import contextlib
import copy
import time
from collections.abc import Iterator
from typing import Any

import jax.numpy as jnp
import numpy as np
import torch
from jaxtyping import Float

from funcnn.atlas.references import Eager
from funcnn.atlas.reproduction import Reproduction, steps_together, to_the_end
from funcnn.core import ArgumentError, checks
from funcnn.experiments import Experiment, Tolerance
from funcnn.interop.torch.arguments import plain_step, require_module
from funcnn.interop.torch.module import as_numpy, tensors_of
from funcnn.interop.torch.stepping import Step
from funcnn.interop.torch.whole import TracedStep
from funcnn.runs.plan import Plan
from funcnn.runs.planning import make_plan

__all__ = ["eager_loop", "reproduced"]

TOLERANCES = {
    "float64": Tolerance(
        1e-8,
        "the same sums, rounded in another order; a loss that falls far is a difference of sums",
        of_first=1e-8,
        at_most=1.0,
    ),
    "float32": Tolerance(
        1e-3,
        "single precision: a ReLU that a rounding moves across 0 moves the loss",
        of_first=1e-3,
        at_most=1.0,
    ),
}


def reproduced(
    model: Any,
    data: Any,
    *,
    loss: Any = None,
    optimizer: Any = None,
    scheduler: Any = None,
    steps: Any = None,
    batches: Any = None,
) -> Reproduction:
    """What ``funcnn.reproduce`` documents, of a module or of a step that is given whole.

    Raises:
        ArgumentError, ArgumentTypeError: for what ``train`` would refuse; for a module that draws
            random numbers, which PyTorch would draw otherwise.
    """
    if isinstance(model, Step):
        given = {"loss": loss, "optimizer": optimizer, "scheduler": scheduler}
        for name, value in given.items():
            if value is not None:
                raise ArgumentError(f"{name}: the step is given whole")
        step = model
    else:
        require_module(model)
        if optimizer is None:
            raise ArgumentError("optimizer: one of torch.optim is needed, over the parameters")
        step = plain_step(model, optimizer, "mse" if loss is None else loss, scheduler)
    model = step
    plan = make_plan(model, data, steps=steps, batches=batches)
    checks.integer("steps", plan.steps, at_least=2)
    traced = plan.problem.optimizer
    assert isinstance(traced, TracedStep)
    if traced.draws:
        raise ArgumentError(
            "the step draws random numbers, and PyTorch draws others: put the parts that draw in "
            "eval mode, such as net[1].eval()"
        )
    record = _record(step, plan)
    tolerance = record.tolerances[plan.dtype]
    eager = eager_loop(step, plan)
    result = to_the_end(plan)
    compared = plan.steps
    if steps_together(eager.losses, result.losses, tolerance) < compared:
        other = eager_loop(step, plan, one_rounding_away=True)
        compared = steps_together(eager.losses, other.losses, tolerance)
    return Reproduction(
        experiment=record,
        data=(np.asarray(plan.data.x), np.asarray(plan.data.y)),
        seed=plan.seed,
        result=result,
        reference_losses=eager.losses,
        reference_params=eager.params,
        reference_seconds=eager.seconds,
        compared_steps=compared,
    )


def eager_loop(step: Step, plan: Plan, one_rounding_away: bool = False) -> Eager:
    """PyTorch's own loop over a plan's samples; afterwards all is as it was before.

    Args:
        step: the body of the loop.
        plan: says which samples, and how many steps.
        one_rounding_away: whether to start from the next larger number of each parameter.
    """
    x, y = _tensor(plan.data.x), _tensor(plan.data.y)
    losses: Float[np.ndarray, " steps"] = np.empty(plan.steps, plan.dtype)
    with _put_back(step):
        if one_rounding_away:
            with torch.no_grad():
                for one in step.net.parameters():
                    if one.is_floating_point():
                        one.nextafter_(torch.full_like(one, torch.inf))
        begin = time.perf_counter()
        for number in range(plan.steps):
            rows = slice(None) if plan.rows is None else _rows(plan.rows[number])
            loss = step.function(x[rows], y[rows])
            losses[number] = loss.item()
            if step.scheduler is not None:
                step.scheduler.step()
        seconds = time.perf_counter() - begin
        own = tensors_of(step.net)
        params = {name: as_numpy(own[name]) for name in plan.shapes.state.params}
    return Eager(losses, params, seconds)


@contextlib.contextmanager
def _put_back(step: Step) -> Iterator[None]:
    """The module, its optimizer and its scheduler, brought back to what they were."""
    net, optimizer, scheduler = step.net, step.optimizer, step.scheduler
    values = [(one, one.detach().clone(), one.grad) for one in tensors_of(net).values()]
    held = [(part, dict(part._buffers)) for part in net.modules()]
    attributes, remembered = vars(optimizer).copy(), dict(optimizer.state)
    groups = [dict(group) for group in optimizer.param_groups]
    scheduled = None if scheduler is None else copy.deepcopy(scheduler.state_dict())
    for one, parts in remembered.items():
        optimizer.state[one] = copy.deepcopy(parts)
    for one, _, gradient in values:
        one.grad = None if gradient is None else gradient.clone()
    try:
        yield
    finally:
        for part, buffers in held:
            part._buffers.update(buffers)
        for one, value, gradient in values:
            with torch.no_grad():
                one.copy_(value)
            one.grad = gradient
        vars(optimizer).clear()
        vars(optimizer).update(attributes)
        optimizer.state.clear()
        optimizer.state.update(remembered)
        for group, before in zip(optimizer.param_groups, groups, strict=True):
            group.clear()
            group.update(before)
        if scheduler is not None:
            scheduler.load_state_dict(scheduled)


def _record(step: Step, plan: Plan) -> Experiment:
    """The record of an experiment that stands for a module."""
    group = step.optimizer.param_groups[0]
    return Experiment(
        name=type(step.net).__name__,
        tutorial="a module of your own",
        section="",
        model=type(step.net).__name__,
        data=lambda: (np.asarray(plan.data.x), np.asarray(plan.data.y)),
        loss=getattr(step.function, "__qualname__", "loss"),
        optimizer=type(step.optimizer).__name__,
        learning_rate=float(group.get("lr", 0.0)),
        steps=plan.steps,
        printed=range(0),
        dtype=plan.dtype,
        reference=f"{__name__}:eager_loop",
        tolerances=TOLERANCES,
    )


def _tensor(array: Any) -> torch.Tensor:
    value = np.array(array)
    is_whole = jnp.issubdtype(value.dtype, jnp.integer)
    return torch.from_numpy(value.astype(np.int64) if is_whole else value)


def _rows(rows: np.ndarray) -> torch.Tensor:
    """The samples of a step by number, without what fills a short batch up."""
    return torch.from_numpy(rows[rows >= 0].astype(np.int64))
