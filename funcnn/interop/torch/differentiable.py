"""A function of a module's tensors in JAX, with PyTorch's own gradient.

The gradient is not JAX's of the traced operations: these have lost where the module detaches,
and JAX chooses otherwise where two numbers are equal. It is traced from PyTorch, as a function
like any other, and so is the gradient of the gradient.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import torch
from jaxtyping import Array
from torch import nn

from funcnn.core import ArgumentError
from funcnn.interop.torch.any_number import is_any, run_any
from funcnn.interop.torch.program import Kind, Program, run
from funcnn.interop.torch.tracing import traced

__all__ = ["Call", "differentiable"]


class Call(NamedTuple):
    """What is called: a function of tensors, those to differentiate by and the others.

    Attributes:
        net: the module that it calls.
        function: ``function(inputs, others, again) -> results``; ``again`` says whether
            PyTorch will be asked for the results' gradient.
        first: whether it is no derivative of another: whether to make sure that it does the same
            each time.
        name: what errors call it.
    """

    net: nn.Module
    function: Callable[[list[torch.Tensor], list[torch.Tensor], bool], list[torch.Tensor]]
    first: bool = True
    name: str = "module"


def differentiable(call: Call) -> Callable[[list[Any], list[Any], Any], list[Array]]:
    """The function in JAX, ``(inputs, others, key) -> results``.

    It can be differentiated by ``inputs``, all of them floats, as often as PyTorch can.
    """
    programs: dict[Any, Program] = {}

    def ran(inputs: list[Any], others: list[Any], key: Any) -> list[Array]:
        def flat(tensors: list[torch.Tensor]) -> list[torch.Tensor]:
            live = [one.detach().requires_grad_() for one in tensors[: len(inputs)]]
            return [one.detach() for one in call.function(live, tensors[len(inputs) :], False)]

        def program_of(kinds: tuple[Kind, ...]) -> Program:
            if kinds not in programs:
                trace = traced(call.net, flat, kinds, call.first, call.name)
                if call.first:
                    trace.require_same()
                programs[kinds] = trace.program
            if programs[kinds].draws and key is None:
                raise ArgumentError(
                    "the module draws random numbers: from_torch(net, stochastic=True) makes a "
                    "model whose apply takes a key"
                )
            return programs[kinds]

        arrays = [*inputs, *others]
        kinds = tuple(map(_kind, arrays))
        if is_any(kinds):
            return run_any(program_of, kinds, arrays, key)
        return run(program_of(kinds), arrays, key)

    @functools.cache
    def pulled_back(count: int) -> Callable[..., list[Array]]:
        pullback = _pullback(call.function, count)
        return differentiable(call._replace(function=pullback, first=False))

    @jax.custom_vjp
    def compute(inputs: list[Any], others: list[Any], key: Any) -> list[Array]:
        return ran(inputs, others, key)

    def forward(inputs: list[Any], others: list[Any], key: Any) -> tuple[list[Array], Any]:
        return compute(inputs, others, key), (inputs, others, key)

    def backward(kept: Any, cotangents: list[Any]) -> tuple[Any, None, None]:
        inputs, others, key = kept
        floats = [one for one in cotangents if jnp.issubdtype(one.dtype, jnp.floating)]
        pulled = pulled_back(len(inputs))([*inputs, *floats], others, key)
        return pulled, None, None

    compute.defvjp(forward, backward)
    return compute


def _pullback(
    function: Callable[..., list[torch.Tensor]], count: int
) -> Callable[..., list[torch.Tensor]]:
    """From so many inputs, and cotangents of the float results, to cotangents of the inputs."""

    def pullback(
        tensors: list[torch.Tensor], others: list[torch.Tensor], again: bool
    ) -> list[torch.Tensor]:
        inputs, cotangents = tensors[:count], tensors[count:]
        results = [one for one in function(inputs, others, True) if one.is_floating_point()]
        pairs = zip(results, cotangents, strict=True)
        live = [(result, cotangent) for result, cotangent in pairs if result.requires_grad]
        if not live:
            return [torch.zeros_like(one) for one in inputs]
        gradients = torch.autograd.grad(
            *([one[0] for one in live], inputs, [one[1] for one in live]),
            create_graph=again,
            allow_unused=True,
            materialize_grads=True,
        )
        return list(gradients)

    return pullback


def _kind(array: Any) -> Kind:
    """The kind of tensor that stands for an array: whole numbers have 64 bits in PyTorch."""
    dtype = jnp.dtype(array.dtype).name
    return Kind(tuple(array.shape), "int64" if dtype == "int32" else dtype)
