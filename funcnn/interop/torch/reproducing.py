"""A module's own eager loop beside the compiled one."""

from __future__ import annotations

import contextlib
import copy
import inspect
import textwrap
import time
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch
from jaxtyping import Float
from torch import nn

from funcnn.atlas.references import Eager
from funcnn.atlas.reproduction import Reproduction, steps_together, to_the_end
from funcnn.core import ArgumentError, checks
from funcnn.core.keys import run_key, step_key
from funcnn.core.precision import numerics
from funcnn.experiments import Experiment, Tolerance
from funcnn.interop.torch.given_draws import given_draws
from funcnn.interop.torch.module import as_numpy, require_module, tensors_of
from funcnn.interop.torch.plain import plain_step
from funcnn.interop.torch.step import Step
from funcnn.interop.torch.traced import TracedStep
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
    batch_size: Any = None,
    batches: Any = None,
    seed: Any = None,
) -> Reproduction:
    """What ``funcnn.reproduce`` documents, of a module or of a step that is given whole.

    Raises:
        ArgumentError, ArgumentTypeError: for what ``train`` would refuse; where PyTorch's own loop
            draws random numbers in another order than the traced step.
    """
    if whole := isinstance(model, Step):
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
    plan = make_plan(model, data, steps=steps, batch_size=batch_size, batches=batches, seed=seed)
    checks.integer("steps", plan.steps, at_least=2)
    record = _record(step, plan)
    tolerance = record.tolerances[plan.dtype]
    eager = eager_loop(step, plan)
    result = to_the_end(plan)
    compared = plan.steps
    for gradients_too in (False, True):
        if steps_together(eager.losses, result.losses, tolerance) >= compared:
            break
        other = eager_loop(step, plan, one_rounding_away=True, gradients_too=gradients_too)
        compared = min(compared, steps_together(eager.losses, other.losses, tolerance))
    return Reproduction(
        experiment=record,
        data=_arrays(plan),
        seed=plan.seed,
        result=result,
        reference_losses=eager.losses,
        reference_params=eager.params,
        reference_seconds=eager.seconds,
        compared_steps=compared,
        codes=_codes(step, loss, whole, plan),
    )


def eager_loop(
    step: Step, plan: Plan, one_rounding_away: bool = False, gradients_too: bool = False
) -> Eager:
    """PyTorch's own loop over a plan's samples; afterwards all is as it was before.

    Args:
        step: the body of the loop.
        plan: says which samples, and how many steps.
        one_rounding_away: whether to start from the next larger number of each parameter.
        gradients_too: whether each gradient is rounded otherwise as well.
    """
    x, y = jax.tree.map(_tensor, _arrays(plan))
    batches = _batches(plan)
    losses: Float[np.ndarray, " steps"] = np.empty(plan.steps, plan.dtype)
    with (
        _put_back(step),
        torch.random.fork_rng(devices=[]),
        contextlib.ExitStack() as stack,
    ):
        if one_rounding_away:
            with torch.no_grad():
                for one in step.net.parameters():
                    if one.is_floating_point():
                        one.nextafter_(torch.full_like(one, torch.inf))
        if gradients_too:
            stack.enter_context(_gradients_rounded_otherwise(step.net))
        begin = time.perf_counter()
        for number in range(plan.steps):
            rows = slice(None) if batches is None else batches[number]
            samples = jax.tree.map(lambda tensor, own=rows: tensor[own], (x, y))
            with _draws(plan, number, len(samples[1])):
                loss = step.function(*samples)
            losses[number] = loss.item()
            if step.scheduler is not None:
                step.scheduler.step()
        seconds = time.perf_counter() - begin
        own = tensors_of(step.net)
        params = {name: as_numpy(own[name]) for name in plan.shapes.state.params}
    return Eager(losses, params, seconds)


@contextlib.contextmanager
def _draws(plan: Plan, number: int, samples: int) -> Iterator[None]:
    """Let PyTorch draw in a step of so many samples what the compiled one draws."""
    traced = plan.problem.optimizer
    assert isinstance(traced, TracedStep)
    if not traced.draws:
        yield
        return
    first, following = traced.pairs[samples]
    of_step = following if first is None or number else first
    with numerics(plan.dtype), given_draws(of_step.program, step_key(run_key(plan.seed), number)):
        yield


@contextlib.contextmanager
def _gradients_rounded_otherwise(net: nn.Module) -> Iterator[None]:
    """A module whose gradients are a rounding away inside of this.

    What is 0 in PyTorch's order of a sum is a rounding of its terms in another order, and there are
    optimizers that divide by it.
    """

    def rounded(gradient: torch.Tensor) -> torch.Tensor:
        size = gradient.abs().max() if gradient.numel() else 0
        return gradient + torch.finfo(gradient.dtype).eps * size

    hooks = [one.register_hook(rounded) for one in net.parameters() if one.requires_grad]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


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
        data=lambda: _arrays(plan),
        loss=getattr(step.function, "__qualname__", "loss"),
        optimizer=type(step.optimizer).__name__,
        learning_rate=float(group.get("lr", 0.0)),
        steps=plan.steps,
        printed=range(0),
        dtype=plan.dtype,
        reference=f"{__name__}:eager_loop",
        tolerances=TOLERANCES,
    )


def _codes(step: Step, loss: Any, whole: bool, plan: Plan) -> dict[str, str]:
    """What a page shows of a module and its loop, by headings."""
    given = {"optimizer": "optimizer", "scheduler": "scheduler" if step.scheduler else None}
    if loss is not None:
        given = {"loss": getattr(loss, "__qualname__", repr(loss))} | given
    given = {} if whole else given
    if plan.problem.batches is not None:
        key, size = ("batch_size", plan.problem.batches.size)
        given |= {"batches": "batches"} if plan.rows is not None else {key: str(size)}
    given |= {"steps": str(plan.steps), "seed": str(plan.seed) if plan.seed else None}
    named = [f"    {name}={value}," for name, value in given.items() if value is not None]
    head = f"funcnn.train(\n    {'step' if whole else 'net'},\n    (x, y),"
    codes = {"The module": repr(step.net), "Its optimizer": repr(step.optimizer)}
    if step.scheduler is not None:
        codes["Its scheduler"] = type(step.scheduler).__name__
    if whole and (source := _source(step.function)):
        codes["Its step"] = source
    return codes | {"funcnn": "\n".join([head, *named, ")"])}


def _source(function: Any) -> str:
    """The source of a function; nothing where there is none."""
    try:
        return textwrap.dedent(inspect.getsource(function))
    except (OSError, TypeError):
        return ""


def _tensor(array: Any) -> torch.Tensor:
    value = np.array(array)
    is_whole = jnp.issubdtype(value.dtype, jnp.integer)
    return torch.from_numpy(value.astype(np.int64) if is_whole else value)


def _arrays(plan: Plan) -> Any:
    """x and y of a plan; x may be a tuple."""
    return jax.tree.map(np.asarray, (plan.data.x, plan.data.y))


def _batches(plan: Plan) -> list[torch.Tensor] | None:
    """The samples of each step by number; None where it takes all."""
    batches, samples = plan.problem.batches, len(plan.data.y)
    if batches is None:
        return None
    rows = plan.rows
    if rows is None:
        with numerics(plan.dtype):
            key, steps = run_key(plan.seed), jnp.arange(plan.steps, dtype=jnp.int32)
            drawn = jax.vmap(lambda step: batches.rows(key, step, samples, None))(steps)
            short = jax.vmap(lambda step: batches.is_short(step, samples, None))(steps)
        few = batches.short(samples)
        pairs = zip(np.asarray(drawn), np.asarray(short), strict=True)
        rows = [own[:few] if is_short and few else own for own, is_short in pairs]
    # A short batch of one's own is filled up.
    return [torch.from_numpy(own[own >= 0].astype(np.int64)) for own in rows]
