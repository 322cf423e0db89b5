"""The stages of a comparison, one after the other, up to the first that differs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import optax
import torch
from torch import nn

from funcnn.core import ArgumentError
from funcnn.core.precision import jax_promotion, numerics
from funcnn.core.tracing import plain_errors
from funcnn.interop.torch.comparing.comparison import NOT_COMPARED, STAGES, Comparison, Stage
from funcnn.interop.torch.comparing.port import Port
from funcnn.interop.torch.comparing.recording import record
from funcnn.interop.torch.comparing.stages.forward import buffers as compare_buffers
from funcnn.interop.torch.comparing.stages.forward import forward as compare_predictions
from funcnn.interop.torch.comparing.stages.found import Found
from funcnn.interop.torch.comparing.stages.gradients import gradients as compare_gradients
from funcnn.interop.torch.comparing.stages.loss import loss as compare_losses
from funcnn.interop.torch.comparing.stages.optimizer import optimizer as compare_optimizers
from funcnn.interop.torch.comparing.stages.parameters import parameters
from funcnn.interop.torch.comparing.stages.trajectory import trajectory as compare_trajectories
from funcnn.interop.torch.comparing.truth import Truth, in_double, to_tensor

__all__ = ["compared"]

FIRST_STEPS = 10
"""How many steps of an optimizer are compared one by one: by then all its moments have moved."""

NO_LOSS = "without loss= and port_loss="
NO_OPTIMIZER = "without optimizer= and port_optimizer="


def compared(
    net: nn.Module,
    port: tuple[Any, Callable[..., Any]],
    data: tuple[Any, Any],
    losses: tuple[Callable[..., Any], Callable[..., Any]] | None,
    optimizers: tuple[torch.optim.Optimizer, optax.GradientTransformation] | None,
    steps: int,
) -> Comparison:
    """The comparison that ``funcnn.compare`` documents, of arguments that have been checked."""
    with (
        numerics("float64"),
        jax_promotion(),
        in_double(),
        torch.random.fork_rng(devices=[]),
    ):
        found = list(_until_it_parts(_stages(net, port, data, losses, optimizers, steps)))
    reached = [one.stage for one in found]
    parts = found[-1].parting is not None
    rest = [
        Stage(name, NOT_COMPARED, None, "the port has parted" if parts else _why_not(name, losses))
        for name in STAGES
        if name not in {stage.name for stage in reached}
    ]
    ordered = sorted([*reached, *rest], key=lambda stage: STAGES.index(stage.name))
    return Comparison(tuple(ordered), found[-1].parting, found[-1].trajectory)


def _until_it_parts(found: Iterator[Found]) -> Iterator[Found]:
    for one in found:
        yield one
        if one.parting is not None:
            return


def _stages(
    net: nn.Module,
    port: tuple[Any, Callable[..., Any]],
    data: tuple[Any, Any],
    losses: tuple[Callable[..., Any], Callable[..., Any]] | None,
    optimizers: tuple[torch.optim.Optimizer, optax.GradientTransformation] | None,
    steps: int,
) -> Iterator[Found]:
    """What is found at each stage, computed when it is asked for."""
    x, y = data
    several = isinstance(x, (tuple, list))
    inputs = tuple(to_tensor("x", one) for one in (x if several else (x,)))
    target = to_tensor("y", y)
    loss, port_loss = losses or (_any_loss, _any_loss)
    truth = Truth(net, optimizers[0] if optimizers else None, loss, inputs, target)
    after, _ = truth.fresh()
    with plain_errors("net, called on x in float64,"):
        forward = record(after, inputs)
        again = truth.fresh()[0](*inputs)
    if not torch.equal(again, forward.output):
        raise ArgumentError(
            "net draws random numbers, so that two calls differ: compare it in eval mode, "
            "net.eval(), or without dropout"
        )
    with plain_errors("loss, of net's prediction and y,"):
        gradient = truth.gradient()
    arrays = [one.numpy() for one in inputs]
    params, apply = port
    ported = Port(
        params,
        apply,
        port_loss,
        tuple(arrays) if several else arrays[0],
        target.numpy(),
        truth.tensors,
        truth.parameters,
        gradient,
    )

    yield parameters(ported, truth.tensors, truth.trained, gradient)
    yield from compare_predictions(ported, forward)
    if (moved := compare_buffers(ported, forward, after)) is not None:
        yield moved
    if losses is None:
        return
    yield compare_losses(ported, truth, forward)
    yield compare_gradients(ported, truth, forward, gradient)
    if optimizers is None:
        return
    with plain_errors("optimizer, in float64,"):
        first = list(truth.steps(min(steps, FIRST_STEPS)))
    yield compare_optimizers(ported, truth, optimizers[1], first)
    yield compare_trajectories(ported, truth, optimizers[1], steps)


def _any_loss(prediction: Any, target: Any) -> Any:
    """A loss that depends on all of a prediction, where none is given."""
    del target
    return (prediction**2).sum()


def _why_not(name: str, losses: Any) -> str:
    if name == "buffers":
        return "the port's apply gives no buffers"
    return NO_LOSS if losses is None else NO_OPTIMIZER
