"""Modules of PyTorch, traced into JAX with PyTorch's own gradient."""

from __future__ import annotations

from typing import Any

from funcnn.atlas import Reproduction
from funcnn.core import MissingExtraError, Model, Params, TrainState, checks

__all__ = ["adapted", "from_torch", "give_back", "params_of", "reproduced", "torch_step"]


def adapted(arguments: dict[str, Any]) -> dict[str, Any]:
    """The arguments of ``train`` for a module of PyTorch, in funcnn's own words.

    See ``funcnn.runs.foreign.adapted``.
    """
    _require_torch()
    from funcnn.interop.torch import arguments as words

    return words.adapted(arguments)


def give_back(
    params: Params, state: TrainState, net: Any, optimizer: Any = None, scheduler: Any = None
) -> None:
    """What ``TrainResult.to_torch`` documents, of a run's params and its state."""
    _require_torch()
    from funcnn.interop.torch import returning

    returning.give_back(params, state, net, optimizer, scheduler)


def reproduced(model: Any, data: Any, **arguments: Any) -> Reproduction:
    """What ``funcnn.reproduce`` documents, of a module or of a step that is given whole."""
    _require_torch()
    from funcnn.interop.torch import reproducing

    return reproducing.reproduced(model, data, **arguments)


def torch_step(net: Any, optimizer: Any, function: Any, scheduler: Any = None) -> Any:
    """A step of training in PyTorch, as ``funcnn.train`` takes it in place of a module.

    The step is traced whole, the optimizer's own with it, for the shapes of the data when a run
    is planned. So ``function`` may do whatever the body of a loop does: several backwards,
    clipping, penalties, second derivatives.

    >>> import funcnn, torch
    >>> from torch import nn
    >>> net = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))
    >>> optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
    >>> def function(x, y):
    ...     optimizer.zero_grad()
    ...     loss = nn.functional.mse_loss(net(x), y)
    ...     penalty = sum(weight.abs().sum() for weight in net.parameters())
    ...     (loss + 1e-4 * penalty).backward()
    ...     nn.utils.clip_grad_norm_(net.parameters(), 1.0)
    ...     optimizer.step()
    ...     return loss
    >>> step = torch_step(net, optimizer, function)
    >>> result = funcnn.train(step, (torch.ones(8, 3), torch.ones(8, 1)), steps=60)
    >>> bool(result.losses[-1] < result.losses[0])
    True

    Args:
        net: the module.
        optimizer: one of ``torch.optim``, over its parameters or some of them.
        function: ``function(x, y) -> loss``, of tensors, with ``optimizer.zero_grad()`` and
            ``optimizer.step()`` in it.
        scheduler: one of ``torch.optim.lr_scheduler``, whose step is made after every step.

    Raises:
        ArgumentError, ArgumentTypeError: for what makes no step. What cannot be traced is refused
            by ``train``, before anything is compiled.
        MissingExtraError: without PyTorch.
    """
    _require_torch()
    from funcnn.interop.torch.step import step_of

    return step_of(net, optimizer, function, scheduler)


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
        The model. Its ``init`` draws as the module's parts do, by their ``reset_parameters``; it
        is None where one with parameters has none. ``predict`` is the module in eval mode. What
        is compiled is found by the model: keep it, in place of calling this again.

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
