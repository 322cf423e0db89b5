"""Recurrent layers as one operation each in a trace, in place of one step after another.

PyTorch's ``gru``, ``lstm``, ``rnn_tanh`` and ``rnn_relu`` are put together here of products, of
dropout, and of an operation of our own for each layer and direction, ``funcnn::recurrence``, whose
meaning in JAX is a scan. PyTorch knows its gradient as one more operation, and the gradient of
that, so that second derivatives pass through it too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
import torch
from torch._C._functorch import peek_interpreter_stack
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from funcnn.interop.torch.operations.recurrence import CELLS, kept_of

__all__ = ["Recurrent"]

Tensors = Sequence[torch.Tensor]

torch.library.define("funcnn::recurrence", "(str cell, Tensor[] tensors) -> Tensor[]")
torch.library.define(
    "funcnn::recurrence_gradient",
    "(str cell, int order, int count, Tensor[] tensors, Tensor[] kept) -> Tensor[]",
)


def _like_the_results(cell: str, tensors: Tensors) -> list[torch.Tensor]:
    gates, *start, _, _ = tensors
    states = [gates.new_empty(len(gates), *one.shape) for one in start]
    structs = [jax.ShapeDtypeStruct(one.shape, np.float32) for one in (gates[0], *start)]
    kept = kept_of(cell, tuple(structs[1:]), structs[0])
    rest = [gates.new_empty(len(gates), *one.shape) for one in kept]
    return [*states, *rest]


def _like_the_first(
    cell: str, order: int, count: int, tensors: Tensors, kept: Tensors
) -> list[torch.Tensor]:
    del cell, order, kept
    return [torch.empty_like(one) for one in tensors[:count]]


# No value is ever computed by them in PyTorch: a trace knows shapes alone.
torch.library.register_fake("funcnn::recurrence", _like_the_results)
torch.library.register_fake("funcnn::recurrence_gradient", _like_the_first)


class Recurrence(torch.autograd.Function):
    """A layer: its states after each step, and what is kept of it for the gradient."""

    @staticmethod
    def forward(ctx: Any, cell: str, *tensors: torch.Tensor) -> Any:
        """The results."""
        results = torch.ops.funcnn.recurrence(cell, list(tensors))
        ctx.cell, ctx.counts = cell, (len(tensors), len(tensors) - 3)
        ctx.save_for_backward(*tensors, *results)
        ctx.mark_non_differentiable(*results[ctx.counts[1] :])
        return tuple(results)

    @staticmethod
    def backward(ctx: Any, *cotangents: torch.Tensor) -> Any:
        """The gradient; without what is kept where it is to be differentiated itself."""
        count, states = ctx.counts
        given = (*ctx.saved_tensors[: count + states], *cotangents[:states])
        if torch.is_grad_enabled():
            return None, *Gradient.apply(ctx.cell, 1, count, *given)
        kept = list(ctx.saved_tensors[count + states :])
        operation = torch.ops.funcnn.recurrence_gradient
        return None, *operation(ctx.cell, 1, count, list(given), kept)


class Gradient(torch.autograd.Function):
    """The gradient of a layer of some order, with that of the next as its own."""

    @staticmethod
    def forward(ctx: Any, cell: str, order: int, count: int, *tensors: torch.Tensor) -> Any:
        """Cotangents of the first so many tensors."""
        ctx.at = cell, order, len(tensors)
        ctx.save_for_backward(*tensors)
        operation = torch.ops.funcnn.recurrence_gradient
        return tuple(operation(cell, order, count, list(tensors), []))

    @staticmethod
    def backward(ctx: Any, *cotangents: torch.Tensor) -> Any:
        """The gradient of the next order."""
        cell, order, count = ctx.at
        given = (*ctx.saved_tensors, *cotangents)
        return None, None, None, *Gradient.apply(cell, order + 1, count, *given)


class Recurrent(TorchFunctionMode):
    """Puts recurrent layers together anew, where PyTorch's own functions are called."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Call the function, or what does the same."""
        del types
        name = getattr(func, "__name__", "")
        if name not in CELLS or kwargs or func != getattr(torch._VF, name):
            return func(*args, **(kwargs or {}))
        return func(*args) if _is_as_ever(args) else _layers(name, *args)


def _is_as_ever(args: Sequence[Any]) -> bool:
    """Whether a call is left to PyTorch, which traces it a step after another."""
    weights, biased, layers = args[2:5]
    if not isinstance(biased, bool):
        return True  # It takes a packed sequence.
    if len(weights) != layers * (1 + args[7]) * (4 if biased else 2):
        return True  # An LSTM projects its outputs.
    return peek_interpreter_stack() is not None


def _layers(
    cell: str,
    x: torch.Tensor,
    start: Any,
    weights: Tensors,
    biased: bool,
    layers: int,
    dropout: float,
    training: bool,
    bidirectional: bool,
    batch_first: bool,
) -> tuple[torch.Tensor, ...]:
    """What PyTorch's function of that name gives: all outputs, and the last states."""
    starts = start if isinstance(start, (tuple, list)) else [start]
    x = x.transpose(0, 1) if batch_first else x
    directions, each = 1 + bidirectional, 4 if biased else 2
    last: list[list[torch.Tensor]] = [[] for _ in starts]
    for layer in range(layers):
        outputs = []
        for direction in range(directions):
            place = directions * layer + direction
            own = [one[place] for one in starts]
            given = x.flip(0) if direction else x
            states = _layer(cell, given, own, weights[each * place : each * (place + 1)])
            for ends, state in zip(last, states, strict=True):
                ends.append(state[-1])
            outputs.append(states[0].flip(0) if direction else states[0])
        x = torch.cat(outputs, -1) if bidirectional else outputs[0]
        if dropout and training and layer < layers - 1:
            x = functional.dropout(x, dropout)
    output = x.transpose(0, 1) if batch_first else x
    return output, *(torch.stack(ends) for ends in last)


def _layer(cell: str, x: torch.Tensor, start: Tensors, weights: Tensors) -> Tensors:
    """The states of a layer in one direction after each step."""
    of_input, of_hidden, *biases = weights
    first, second = biases or (None, of_hidden.new_zeros(len(of_hidden)))
    gates = functional.linear(x, of_input, first)
    return Recurrence.apply(cell, gates, *start, of_hidden, second)[: len(start)]
