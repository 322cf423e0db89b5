"""PyTorch with autograd: eager with ``torch.optim``, ``torch.compile``, and ``torch.func``.

The networks and curves are plain functions of tensors, which spares the eager loop the
calls of ``nn.Module``; the tutorials' own way of writing them is a peer of its own.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from funcnn.bench import arrays
from funcnn.bench.drawing import Task, member
from funcnn.bench.peers import NotServedError, Prepared
from funcnn.bench.peers.pytorch_by_hand import UPDATES, initial_state
from funcnn.bench.peers.pytorch_tensors import Step, Tensors, looped, place

__all__ = ["autograd", "compiled", "cuda_graphs", "vmapped"]


def autograd(task: Task, device: str) -> Prepared:
    """``loss.backward()`` and ``torch.optim``, fused where there is such; a sweep one by one."""
    if task.members is not None:
        return _one_after_another([autograd(member(task, k), device) for k in range(task.members)])
    weights = place(arrays.weights(task, task.params), device)
    for weight in weights.values():
        weight.requires_grad_()
    y = place({"y": task.y}, device)["y"]
    predict = PREDICTIONS[arrays.kind(task)]
    make_optimizer = TORCH_OPTIMIZERS[task.optimizer]

    def begin() -> Step:
        optimizer = make_optimizer(list(weights.values()), lr=float(task.learning_rate))

        def step(x: torch.Tensor) -> torch.Tensor:
            loss = (predict(weights, x) - y).square().sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            return loss.detach()

        return step

    return looped(task, weights, begin)


def vmapped(task: Task, device: str) -> Prepared:
    """``torch.func.vmap`` over ``torch.func.grad_and_value``, for sweeps."""
    if task.members is None:
        raise NotServedError("torch.func.vmap is for sweeps")
    return _functional(task, device, lambda step: step)


def compiled(task: Task, device: str) -> Prepared:
    """``torch.compile`` of a whole step: forward, backward and update in one graph."""
    torch.compiler.reset()
    return _functional(task, device, torch.compile(fullgraph=True))


def cuda_graphs(task: Task, device: str) -> Prepared:
    """The same, replayed as CUDA graphs (``mode="reduce-overhead"``)."""
    if device != "gpu":
        raise NotServedError("CUDA graphs are for GPUs")
    torch.compiler.reset()
    return _functional(task, device, torch.compile(fullgraph=True, mode="reduce-overhead"))


def mlp(w: Tensors, x: torch.Tensor) -> torch.Tensor:
    """max(0, x·w1)·w2."""
    return (x @ w["w1"]).clamp(min=0) @ w["w2"]


def mlp_linear(w: Tensors, x: torch.Tensor) -> torch.Tensor:
    """Linear–ReLU–Linear."""
    return torch.relu(x @ w["w1"] + w["b1"]) @ w["w2"] + w["b2"]


def polynomial(w: Tensors, powers: torch.Tensor) -> torch.Tensor:
    """A polynomial, its powers of x given."""
    return w["coefficients"] @ powers


def legendre(w: Tensors, x: torch.Tensor) -> torch.Tensor:
    """a + b P₃(c + d x)."""
    z = w["c"] + w["d"] * x
    return w["a"] + w["b"] * (0.5 * z * (5 * z * z - 3))


PREDICTIONS = {
    "mlp": mlp,
    "mlp_linear": mlp_linear,
    "polynomial": polynomial,
    "legendre": legendre,
}
TORCH_OPTIMIZERS = {
    "sgd": functools.partial(torch.optim.SGD, fused=True),
    "momentum": functools.partial(torch.optim.SGD, momentum=0.9, fused=True),
    "rmsprop": torch.optim.RMSprop,
    "adam": functools.partial(torch.optim.Adam, fused=True),
}


def _functional(
    task: Task, device: str, compiler: Callable[[Callable[..., Any]], Callable[..., Any]]
) -> Prepared:
    """A step that takes all it needs as arguments, and changes the weights in place."""
    weights = place(arrays.weights(task, task.params), device)
    rates = place(arrays.rates(task), device)
    y = place({"y": task.y}, device)["y"]
    state = initial_state(weights)
    state["count"] = torch.zeros((), device=y.device)  # A number would be compiled in.
    tensors = [*weights.values(), *state["first"].values(), *state["second"].values()]
    for tensor in (*tensors, state["count"]):
        torch._dynamo.mark_static_address(tensor)  # It never moves, so a CUDA graph may write it.
    predict, update = PREDICTIONS[arrays.kind(task)], UPDATES[task.optimizer]

    def loss_of(weights: Tensors, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return (predict(weights, x) - y).square().sum()

    gradient_and_loss = torch.func.grad_and_value(loss_of)
    if task.members is not None:
        gradient_and_loss = torch.func.vmap(gradient_and_loss, in_dims=(0, None, None))

    def step(
        weights: Tensors, state: dict[str, Any], x: torch.Tensor, y: torch.Tensor
    ) -> torch.Tensor:
        gradients, loss = gradient_and_loss(weights, x, y)
        update(weights, gradients, rates, state)
        return loss

    compiled_step = compiler(step)

    def begin() -> Step:
        for tensor in tensors[len(weights) :]:
            tensor.zero_()
        state["count"].zero_()
        return lambda x: compiled_step(weights, state, x, y)

    return looped(task, weights, begin)


def _one_after_another(runs: list[Prepared]) -> Prepared:
    """A sweep, as a Python loop over its members."""

    def run(steps: int) -> list[Any]:
        return [prepared.run(steps) for prepared in runs]

    def params(ended: list[Any]) -> dict[str, np.ndarray]:
        pairs = zip(runs, ended, strict=True)
        trees = [prepared.params(weights) for prepared, weights in pairs]
        return {name: np.stack([tree[name] for tree in trees]) for name in trees[0]}

    return Prepared(run, params)
