"""What a run has come to, written back into PyTorch's own objects."""

from __future__ import annotations

import math
import warnings
import weakref
from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np
import torch
from torch import nn
from torch.optim import Optimizer

from funcnn.core import ArgumentError, ArgumentTypeError, Params, TrainState
from funcnn.interop.torch.module import tensors_of
from funcnn.interop.torch.numbers import epoch_of, everywhere, scheduled, set_numbers, values_at
from funcnn.optimizers.optimizer import NumbersState

__all__ = ["give_back"]

BROUGHT: weakref.WeakKeyDictionary[Any, tuple[int, int]] = weakref.WeakKeyDictionary()
"""Where schedulers were before the runs that brought them along, and where they are since."""


def give_back(
    params: Params,
    state: TrainState,
    net: Any,
    optimizer: Any = None,
    scheduler: Any = None,
) -> None:
    """What ``TrainResult.to_torch`` documents.

    Args:
        params: the weights and buffers to write.
        state: the run's state, for what the optimizer remembers.
        net: the module.
        optimizer: its optimizer; None to write no more than the weights.
        scheduler: the optimizer's scheduler, to be brought to where the run has come to.

    Raises:
        ArgumentError, ArgumentTypeError: for what is not the run's; nothing is written then.
    """
    if not isinstance(net, nn.Module):
        raise ArgumentTypeError(f"net must be a torch.nn.Module, not {net!r:.60}")
    own = tensors_of(net)
    if not isinstance(params, Mapping) or not params.keys() <= own.keys():
        raise ArgumentError("net: the run's params are not those of this module")
    for name, value in params.items():
        if own[name].is_meta:
            raise ArgumentError(f"net's {name!r} is on meta, and holds no numbers: net.to_empty")
        if tuple(value.shape) != tuple(own[name].shape):
            raise ArgumentError(
                f"net: its {name!r} has shape {tuple(own[name].shape)}, and in the run "
                f"{tuple(value.shape)}"
            )
    if optimizer is not None:
        _require_optimizer(optimizer, own, state)
    moved = None
    if scheduler is not None:
        if optimizer is None or getattr(scheduler, "optimizer", None) is not optimizer:
            raise ArgumentError("scheduler: it is not that of the optimizer")
        moved = _moved(optimizer, scheduler, state.optimizer_state)
    elif optimizer is not None and any("initial_lr" in one for one in optimizer.param_groups):
        warnings.warn(
            "the optimizer has a scheduler, which stays where it is: "
            "to_torch(net, optimizer, scheduler) brings it along",
            stacklevel=4,
        )
    if optimizer is not None:
        _write_optimizer(optimizer, own, state.optimizer_state)
    with torch.no_grad():
        for name, value in params.items():
            own[name].copy_(torch.from_numpy(np.array(value)))
    if moved is not None:
        _bring(scheduler, moved)


def _require_optimizer(optimizer: Any, own: Mapping[str, torch.Tensor], state: TrainState) -> None:
    if not isinstance(optimizer, Optimizer):
        raise ArgumentTypeError(f"optimizer must be one of torch.optim, not {optimizer!r:.60}")
    if not isinstance(state.optimizer_state, NumbersState) or not isinstance(
        state.optimizer_state.inner, dict
    ):
        raise ArgumentError(
            "optimizer: the run's was not one of torch.optim, so that none can go on from there"
        )
    for name in state.optimizer_state.numbers:
        if not everywhere(optimizer, name.partition(".")[0]):
            kind = type(optimizer).__name__
            raise ArgumentError(f"optimizer: {kind} has no {name!r}, which the run's had")
    known = {id(one) for group in optimizer.param_groups for one in group["params"]}
    for name in state.optimizer_state.inner:
        if name not in own or id(own[name]) not in known:
            raise ArgumentError(f"optimizer: it does not hold the module's {name!r}")


def _moved(optimizer: Optimizer, scheduler: Any, state: NumbersState) -> tuple[int, Any]:
    """Where the scheduler was before the run, and a copy of it where the run has come to.

    Raises:
        ArgumentError: where it gives other numbers there than those that the run ended with.
    """
    steps, epoch = int(state.step), epoch_of(scheduler)
    before, after = BROUGHT.get(scheduler, (epoch, epoch))
    before = before if epoch == after else epoch
    left = before + steps - epoch
    if left < 0:
        raise ArgumentError(
            f"scheduler: it has made {epoch - before} steps, and the run no more than {steps}"
        )
    _, own, following = scheduled(optimizer, scheduler, left)
    for name, value in state.numbers.items():
        shared, _, group = name.partition(".")
        for place in everywhere(optimizer, shared) if shared == "learning_rate" else ():
            found = values_at(own, {name: [place]})[name]
            here = not group or place.group == int(group)
            if here and not math.isclose(found, float(value), rel_tol=1e-5):
                raise ArgumentError(
                    f"scheduler: after {steps} steps it gives a rate of {found:.6g}, and the run "
                    f"ended with {float(value):.6g}: give that of the run, as it was before"
                )
    return before, following


def _bring(scheduler: Any, moved: tuple[int, Any]) -> None:
    """Put a scheduler where its copy is."""
    before, following = moved
    scheduler.load_state_dict(following.state_dict())
    BROUGHT[scheduler] = before, epoch_of(scheduler)


def _write_optimizer(
    optimizer: Optimizer, own: Mapping[str, torch.Tensor], state: NumbersState
) -> None:
    for name, parts in state.inner.items():
        optimizer.state[own[name]] |= {part: _tensor(value) for part, value in parts.items()}
    for name, value in state.numbers.items():
        shared, _, group = name.partition(".")
        places = [
            place
            for place in everywhere(optimizer, shared)
            if not group or place.group == int(group)
        ]
        set_numbers(optimizer.param_groups, {name: places}, {name: float(value)})


def _tensor(array: Any) -> torch.Tensor:
    """A tensor of PyTorch's dtype: whole numbers have 64 bits there."""
    value = np.array(array)
    is_whole = jnp.issubdtype(value.dtype, jnp.integer)
    return torch.from_numpy(value.astype(np.int64) if is_whole else value)
