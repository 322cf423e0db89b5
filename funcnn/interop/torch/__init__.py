"""Modules of PyTorch, traced into JAX with PyTorch's own gradient."""

from __future__ import annotations

from typing import Any

from funcnn.core import MissingExtraError, Model, Params, checks

__all__ = ["from_torch", "params_of"]


def from_torch(net: Any, *, stochastic: bool | None = None) -> Model:
    """A module of PyTorch as a model: pure functions, with PyTorch's own gradient.

    ``apply(params, x)`` is the module's forward, traced for the shape of ``x`` when it is first
    called, and compiled by JAX; ``x`` may be a tuple of inputs. ``jax.jit``, ``jax.grad`` and
    ``jax.vmap`` pass through it. Its gradient, and the gradient of that, are traced from
    PyTorch, so that ``detach``, custom functions and equal numbers (a ReLU at 0) give what
    they give there. The params are ``params_of(net)``; buffers and parameters that require no
    gradient keep the values that they have now, and the parts the modes, ``train`` or ``eval``.
    A parameter that forward does not use has gradient 0, where PyTorch has none. Where numbers
    are equal, ``torch.topk`` and ``torch.kthvalue`` take the first; PyTorch takes any.

    >>> import funcnn, torch
    >>> from torch import nn
    >>> net = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1))
    >>> data = torch.ones(8, 3), torch.ones(8, 1)
    >>> model, params = from_torch(net), params_of(net)
    >>> result = funcnn.train(model, data, params=params, steps=5)
    >>> sorted(result.params)
    ['0.bias', '0.weight', '2.bias', '2.weight']

    Args:
        net: the module; it is not changed.
        stochastic: whether it draws random numbers, so that ``apply`` takes a key; without it,
            whether a part in train mode is one that does, such as ``nn.Dropout``. The numbers
            are JAX's, not PyTorch's.

    Returns:
        The model. Its ``init`` is None, and ``predict`` is the module in eval mode. What is
        compiled is found by the model: keep it, in place of calling this again.

    Raises:
        ArgumentError, ArgumentTypeError: for what is no module of parameters in float32 or
            float64 on the CPU. What cannot be traced is refused when ``apply`` first meets
            the shape of ``x``, before anything is compiled: branches and shapes that depend on
            tensors' values, random numbers of Python and NumPy, what forward writes into
            buffers (BatchNorm in train mode) or changes on the module.
        MissingExtraError: without PyTorch.
    """
    _require_torch()
    from funcnn.interop.torch.module import model_of

    return model_of(net, None if stochastic is None else checks.flag("stochastic", stochastic))


def params_of(net: Any) -> Params:
    """The params of a module: a copy of what it trains, by names and layout of its ``state_dict``.

    Args:
        net: the module.

    Raises:
        ArgumentError, ArgumentTypeError: as of ``from_torch``.
        MissingExtraError: without PyTorch.
    """
    _require_torch()
    from funcnn.interop.torch.module import parameters_of

    return parameters_of(net)


def _require_torch() -> None:
    try:
        import torch  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("torch", "torch") from error
