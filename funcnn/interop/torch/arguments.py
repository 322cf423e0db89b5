"""The arguments of ``train`` for a module of PyTorch, or a step of it, in funcnn's own words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np
import torch
from torch import nn
from torch.optim import Optimizer

from funcnn import losses
from funcnn.core import ArgumentError, ArgumentTypeError, Params
from funcnn.core.precision import DTYPES, check_dtype
from funcnn.data.several import is_several, load_several
from funcnn.interop.torch.losses import Measured, loss_of_tensors
from funcnn.interop.torch.maker import Maker
from funcnn.interop.torch.module import (
    as_numpy,
    model_of,
    parameters_of,
    require_module,
    still_model,
    tensors_of,
)
from funcnn.interop.torch.plain import plain_step
from funcnn.interop.torch.step import Step

__all__ = ["adapted"]

CLIPPING = ("clip_grad_norm", "clip_grad_value")


def adapted(arguments: dict[str, Any]) -> dict[str, Any]:
    """What ``funcnn.runs.foreign.adapted`` documents, for PyTorch.

    With an optimizer of PyTorch, and for a step that is given whole, the run is the traced step.
    With one of funcnn or of optax it is a run of the model that ``from_torch`` gives.
    """
    given = dict(arguments)
    data = given.get("data")
    if isinstance(data, (tuple, list)) and len(data) == 2 and is_several(data[0]):
        given["data"] = load_several(data)
    model, scheduler = given["model"], given.pop("scheduler", None)
    if isinstance(model, Step):
        for name in ("optimizer", *CLIPPING):
            if given.get(name) is not None:
                raise ArgumentError(f"{name}: the step is given whole, with its optimizer")
        if scheduler is not None:
            raise ArgumentError("scheduler: give it to torch_step, with the optimizer")
        return _of_step(given, model, given.get("loss"))
    require_module(model)
    optimizer = given.get("optimizer")
    if isinstance(optimizer, type) and issubclass(optimizer, Optimizer):
        raise ArgumentTypeError(
            f"optimizer is the class {optimizer.__name__}: pass one over the module's parameters, "
            f"{optimizer.__name__}(net.parameters(), ...)"
        )
    if isinstance(optimizer, Optimizer):
        loss = "mean_squared_error" if given.get("loss") is None else given["loss"]
        clipping = {name: given.pop(name, None) for name in CLIPPING}
        step = plain_step(model, optimizer, loss, scheduler, **clipping)
        return _of_step(given, step, loss)
    if scheduler is not None:
        raise ArgumentError("scheduler is for an optimizer of torch.optim: pass optimizer=")
    return _of_module(given, model)


def _of_step(given: dict[str, Any], step: Step, loss: Any) -> dict[str, Any]:
    """The arguments for a step that is given whole."""
    net = step.net
    dtype = _dtype(net, given.get("dtype"))
    held = {name: one for name, one in tensors_of(net).items() if _may_be_held(one, dtype)}
    measure = _no_loss if loss is None else Measured(loss_of_tensors(loss), held)
    return given | {
        "model": still_model(net, tuple(held)),
        "loss": measure,
        "optimizer": Maker.of(step, tuple(held)),
        "dtype": dtype,
        "params": _params(net, held, given, dtype),
    }


def _of_module(given: dict[str, Any], net: nn.Module) -> dict[str, Any]:
    """The arguments for a module that an optimizer of funcnn or of optax trains."""
    dtype = _dtype(net, given.get("dtype"))
    trained = parameters_of(net)
    loss = given.get("loss")
    named = tensors_of(net)
    if loss is not None and not isinstance(loss, str) and not _is_funcnn_s(loss):
        given["loss"] = Measured(loss_of_tensors(loss), named, or_of_arrays=True)
    held = {name: named[name] for name in trained}
    return given | {
        "model": model_of(net, None),
        "dtype": dtype,
        "params": _params(net, held, given, dtype),
    }


def _params(
    net: nn.Module, held: Mapping[str, torch.Tensor], given: Mapping[str, Any], dtype: str
) -> Params | None:
    """Where to start: the module's own values, or those that the call gives."""
    if given.get("state") is not None:
        return given.get("params")
    start = {name: _as_jax_has_it(as_numpy(one), dtype) for name, one in held.items()}
    if given.get("params") is None:
        return start
    return start | _known(net, held, given["params"], dtype)


def _known(
    net: nn.Module, held: Mapping[str, torch.Tensor], params: Any, dtype: str
) -> dict[str, np.ndarray]:
    """What a ``state_dict`` gives for the names that the run holds.

    Raises:
        ArgumentError, ArgumentTypeError: for names, shapes or values that do not fit.
    """
    flat = _flat(params)
    own = net.state_dict(keep_vars=True)
    name_of = {id(one): name for name, one in tensors_of(net).items()}
    unknown = [name for name in flat if name not in own and name not in held]
    missing = [name for name in held if name not in flat and held[name].requires_grad]
    if unknown or missing:
        raise ArgumentError(
            f"params: they must be a state_dict of the module; missing "
            f"{', '.join(missing) or 'none'}, unknown {', '.join(unknown) or 'none'}"
        )
    found: dict[str, np.ndarray] = {}
    for name, value in flat.items():
        tensor = own[name] if name in own else held[name]
        array = as_numpy(value) if isinstance(value, torch.Tensor) else np.array(value)
        first = name_of.get(id(tensor), name)
        if array.shape != tuple(tensor.shape):
            raise ArgumentError(
                f"params: {name!r} has shape {array.shape}, and in the module {tuple(tensor.shape)}"
            )
        if first not in held and not np.array_equal(array, as_numpy(tensor), equal_nan=True):
            raise ArgumentError(
                f"params: {name!r} is a constant of this run, and differs from the module's"
            )
        if first in found and not np.array_equal(found[first], array):
            raise ArgumentError(f"params: {name!r} and {first!r} are one tensor in the module")
        if first in held:
            found[first] = _as_jax_has_it(array, dtype)
    return found


def _flat(params: Any, before: str = "") -> dict[str, Any]:
    """A (nested) dict as one of names joined by dots."""
    if not isinstance(params, Mapping):
        raise ArgumentTypeError(f"params must be a state_dict, not {params!r:.60}")
    flat: dict[str, Any] = {}
    for name, value in params.items():
        path = f"{before}{name}"
        flat |= _flat(value, f"{path}.") if isinstance(value, Mapping) else {path: value}
    return flat


def _dtype(net: nn.Module, asked: Any) -> str:
    """The run's dtype: that of the module."""
    own = {str(one.dtype).removeprefix("torch.") for one in net.parameters() if one.requires_grad}
    (dtype,) = own
    if asked is not None and check_dtype(asked) != dtype:
        to = "net.double()" if check_dtype(asked) == DTYPES[1] else "net.float()"
        raise ArgumentError(f"dtype={asked!r}: the module is of {dtype}; pass {to}")
    return dtype


def _may_be_held(tensor: torch.Tensor, dtype: str) -> bool:
    """Whether a run holds a tensor in its params; all others are constants of the step.

    A mask of −∞ is such a constant, since a run ends where its params are not finite.
    """
    if tensor.is_floating_point():
        return tensor.dtype == getattr(torch, dtype) and bool(torch.isfinite(tensor).all())
    return not tensor.is_complex()


def _as_jax_has_it(array: np.ndarray, dtype: str) -> np.ndarray:
    """Whole numbers of 32 bits where JAX computes in 32."""
    if dtype == "float64" or not np.issubdtype(array.dtype, np.integer):
        return array
    return array.astype(jnp.dtype(f"{array.dtype.kind}{min(array.dtype.itemsize, 4)}"))


def _is_funcnn_s(loss: Any) -> bool:
    """Whether it is the function behind one of funcnn's names, perhaps with its options."""
    return losses.without_options(loss) in losses.LOSSES.values()


def _no_loss(*_: Any) -> Any:
    raise ArgumentError(
        "validation: a step that is given whole does not say what to measure; give loss="
    )
