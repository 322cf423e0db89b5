"""Where a port to JAX parts from its PyTorch original, and why."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import optax

from funcnn.core import ArgumentError, ArgumentTypeError, MissingExtraError, checks
from funcnn.interop.torch.comparing.comparison import Comparison

if TYPE_CHECKING:
    from torch.nn import Module
    from torch.optim import Optimizer
else:
    Module = Optimizer = Any  # PyTorch may be missing, and takes long to import.

__all__ = ["Comparison", "compare"]

UNLIKE = ("LBFGS", "SparseAdam")
"""Optimizers that want more than a gradient, or another kind of it."""


def compare(
    net: Module,
    port: tuple[Any, Callable[..., Any]],
    data: tuple[Any, Any],
    *,
    loss: Callable[..., Any] | None = None,
    port_loss: Callable[..., Any] | None = None,
    optimizer: Optimizer | None = None,
    port_optimizer: optax.GradientTransformation | None = None,
    steps: int = 200,
) -> Comparison:
    """Say where a port to JAX parts from its PyTorch original, and why.

    Eager PyTorch, in float64 and on copies, is what is right. Compared are in this order the
    parameters, the activations, the output, the buffers, the loss, the gradients, the optimizer's
    first steps and the losses of a whole run; it ends at the first that differs, since all that
    comes later follows from it. The port need not be changed: its params are matched to PyTorch's
    by their values, in whatever layout it has them, and what PyTorch computes on the way is looked
    for among all values that the port computes. Where one is missing, known mistakes are made on
    purpose, and the one whose result the port has is the cause.

    The port is any pure function in JAX. Of other libraries::

        # Flax linen
        port = variables, module.apply
        # Flax NNX
        graph, params, rest = nnx.split(model, nnx.Param, ...)
        port = params, lambda params, x: nnx.merge(graph, params, rest)(x)
        # Equinox
        params, static = equinox.partition(model, equinox.is_inexact_array)
        port = params, lambda params, x: jax.vmap(equinox.combine(params, static))(x)
        # Haiku
        port = params, lambda params, x: transformed.apply(params, None, x)

    >>> import funcnn, jax, torch
    >>> net = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.GELU(), torch.nn.Linear(4, 1))
    >>> params = {name: value.numpy() for name, value in net.state_dict().items()}
    >>> def apply(params, x):
    ...     h = jax.nn.gelu(x @ params["0.weight"].T + params["0.bias"])
    ...     return h @ params["2.weight"].T + params["2.bias"]
    >>> comparison = funcnn.compare(net, (params, apply), (torch.randn(8, 3), torch.randn(8, 1)))
    >>> comparison.stage, comparison.cause
    ('activations', 'gelu by tanh in place of gelu')

    Args:
        net: the module, in the mode, train or eval, in which it is to be compared. It is not
            changed.
        port: ``(params, apply)``: a tree of arrays that start from PyTorch's values, and
            ``apply(params, x) -> prediction``, or ``-> (prediction, buffers)`` with a tree of the
            running values after it.
        data: ``(x, y)``, the batch of every step; x may be a tuple, ``net(*x)`` and
            ``apply(params, x)``.
        loss: a loss of ``torch.nn``, or any ``loss(prediction, target)`` of tensors. Without it
            the predictions are compared.
        port_loss: the same of the port, ``port_loss(prediction, target) -> scalar``.
        optimizer: an optimizer of ``torch.optim`` over the module's parameters, that has made no
            step; it is not changed. Without it the gradients are compared, too.
        port_optimizer: the same of the port, of optax or of ``funcnn.optimizers``.
        steps: how many losses are compared. Where a run enlarges roundings, they may part as far
            as runs of PyTorch do that start one rounding away.

    Returns:
        What was found: a paragraph by ``print``, a line a stage by ``table()``, a page by
        ``report(directory)``; ``stage``, ``cause``, ``part``, ``line``, ``agrees``.

    Raises:
        ArgumentError, ArgumentTypeError: for arguments that cannot be used; a net that draws
            random numbers.
        MissingExtraError: without PyTorch.
    """
    try:
        import torch
    except ImportError as error:
        raise MissingExtraError("torch", "torch") from error
    from funcnn.interop.torch.comparing.flow import compared
    from funcnn.interop.torch.module import parameters_of

    parameters_of(net)
    steps = checks.integer("steps", steps, at_least=1)
    losses = _both("loss", loss, "port_loss", port_loss)
    optimizers = _both("optimizer", optimizer, "port_optimizer", port_optimizer)
    if losses is not None:
        if not callable(loss):
            raise ArgumentTypeError(f"loss must be a function of tensors, not {loss!r:.60}")
        checks.function("port_loss", port_loss)
    if optimizers is not None:
        if losses is None:
            raise ArgumentError("optimizer= needs loss= and port_loss=")
        _check_optimizers(net, optimizer, port_optimizer, torch)
    return compared(net, _check_port(port), _check_data(data), losses, optimizers, steps)


def _both(name: str, one: Any, other_name: str, other: Any) -> tuple[Any, Any] | None:
    if (one is None) != (other is None):
        given, missing = (name, other_name) if other is None else (other_name, name)
        raise ArgumentError(f"{given}= is given without {missing}=: both sides are needed")
    return None if one is None else (one, other)


def _check_port(port: Any) -> tuple[Any, Callable[..., Any]]:
    if not isinstance(port, (tuple, list)) or len(port) != 2:
        raise ArgumentTypeError(f"port must be a pair (params, apply), not {port!r:.60}")
    params, apply = port
    if callable(params) and not callable(apply):
        raise ArgumentTypeError("port must be (params, apply); it is given as (apply, params)")
    checks.function("port's apply", apply)
    return params, apply


def _check_data(data: Any) -> tuple[Any, Any]:
    if not isinstance(data, (tuple, list)) or len(data) != 2:
        raise ArgumentTypeError(f"data must be a pair (x, y), not {data!r:.60}")
    return data[0], data[1]


def _check_optimizers(net: Any, optimizer: Any, port_optimizer: Any, torch: Any) -> None:
    if not isinstance(optimizer, torch.optim.Optimizer):
        raise ArgumentTypeError(
            f"optimizer must be one of torch.optim over net's parameters, not {optimizer!r:.60}"
        )
    if type(optimizer).__name__ in UNLIKE:
        raise ArgumentError(
            f"optimizer is {type(optimizer).__name__}, which wants more than a gradient: compare "
            f"without it"
        )
    if not isinstance(port_optimizer, optax.GradientTransformation):
        raise ArgumentTypeError(
            f"port_optimizer must be an optax.GradientTransformation, not {port_optimizer!r:.60}"
        )
    mine = {id(one) for one in net.parameters()}
    if any(id(one) not in mine for group in optimizer.param_groups for one in group["params"]):
        raise ArgumentError("optimizer is over parameters that are not net's")
    if any(one.get("step", 1) > 0 for one in optimizer.state.values()):
        raise ArgumentError(
            "optimizer has made steps already, which the port's has not: give it a new one"
        )
