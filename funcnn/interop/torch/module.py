"""A module of PyTorch as a model."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
import torch
from jaxtyping import Array, Float, Key
from torch import nn

from funcnn.core import ArgumentError, ArgumentTypeError, Model, Params
from funcnn.core.precision import DTYPES, refuse_wider
from funcnn.interop.torch.differentiable import Call, differentiable
from funcnn.interop.torch.guards import Frozen, Writes, changes, holding, python_state
from funcnn.interop.torch.initial import init_of
from funcnn.interop.torch.operations.dtypes import require_held

__all__ = [
    "as_numpy",
    "model_of",
    "parameters_of",
    "require_module",
    "state_of",
    "still_model",
    "tensors_of",
]

LAZY = (nn.parameter.UninitializedParameter, nn.parameter.UninitializedBuffer)


def model_of(net: nn.Module, stochastic: bool | None) -> Model:
    """The model that ``funcnn.interop.from_torch`` documents.

    Raises:
        ArgumentError, ArgumentTypeError: for what is no module, or one that cannot be a model.
    """
    parameters_of(net)
    modes = {name: part.training for name, part in net.named_modules()}
    draws = _draws(net) if stochastic is None else stochastic
    held, still = list(_trained(net)), dict.fromkeys(modes, False)
    return Model(
        init_of(net, parameters_of),
        Applied(net, modes, draws, held),
        stochastic=draws,
        predict=Applied(net, still, False, held) if any(modes.values()) else None,
        saved=functools.partial(state_of, net),
    )


def parameters_of(net: nn.Module) -> dict[str, np.ndarray]:
    """The values of the parameters that are trained, by their names in the ``state_dict``.

    Raises:
        ArgumentError, ArgumentTypeError: for what is no module, or has none that can be trained.
    """
    require_module(net)
    return {name: as_numpy(tensor) for name, tensor in _trained(net).items()}


def require_module(net: Any) -> None:
    """Refuse what is no module, or one that cannot be trained here.

    Raises:
        ArgumentError, ArgumentTypeError: saying why.
    """
    if not isinstance(net, nn.Module):
        raise ArgumentTypeError(f"net must be a torch.nn.Module, not {net!r:.60}")
    for name, part in net.named_modules():
        what = f"net's {name!r}" if name else "net"
        if isinstance(part, torch.jit.ScriptModule):
            raise ArgumentError(f"{what} is of torch.jit: pass the module it was made of")
        if type(part).__name__ == "OptimizedModule":
            raise ArgumentError(f"{what} is of torch.compile: pass the module it was made of")
        if isinstance(part, (nn.Embedding, nn.EmbeddingBag)) and part.sparse:
            raise ArgumentError(
                f"{what} has sparse gradients, which are not traced: make it with sparse=False"
            )
    named = _trained(net)
    if not named:
        raise ArgumentError("net has no parameters that require a gradient: nothing to train")
    for name, tensor in tensors_of(net).items():
        if isinstance(
            tensor, nn.parameter.UninitializedParameter | nn.parameter.UninitializedBuffer
        ):
            raise ArgumentError(
                f"net's {name!r} has no shape yet: call the module once, on a batch"
            )
        if tensor._backward_hooks or getattr(tensor, "_post_accumulate_grad_hooks", None):
            raise ArgumentError(
                f"net's {name!r} has a hook on its gradient, which a model would leave out: "
                f"remove it (register_hook)"
            )
        if tensor.device.type != "cpu":
            raise ArgumentError(f"net's {name!r} is on {tensor.device}: pass net.cpu()")
    dtypes = {str(tensor.dtype).removeprefix("torch."): name for name, tensor in named.items()}
    if len(dtypes) > 1 or not dtypes.keys() <= set(DTYPES):
        found = " and ".join(f"{name!r} is of {dtype}" for dtype, name in dtypes.items())
        raise ArgumentError(
            f"net's {found}; all that it trains must be of one dtype, {' or '.join(DTYPES)}"
        )


def still_model(net: nn.Module, held: Sequence[str]) -> Model:
    """The module in eval mode, as a model of params that hold tensors of these names."""
    apply = Applied(net, {name: False for name, _ in net.named_modules()}, False, held)
    return Model(None, apply, saved=functools.partial(state_of, net))


def state_of(net: nn.Module, params: Params) -> dict[str, np.ndarray]:
    """What a module's ``state_dict`` holds, with these params: tied ones under every name."""
    names = {id(one): name for name, one in tensors_of(net).items()}
    found = {}
    for name, tensor in net.state_dict(keep_vars=True).items():
        own = as_numpy(tensor)
        value = params.get(names.get(id(tensor), name), own)
        found[name] = np.asarray(value).astype(own.dtype)
    return found


class Applied:
    """``apply(params, x)`` of a module in given modes; with a key where it is stochastic.

    The params hold the tensors of the names in ``held``; all others keep the values that they have
    now. In another process it is made anew of the module.

    Args:
        net: the module.
        modes: of each part, by name, whether it trains.
        stochastic: whether it takes a key.
        held: the names of what the params hold.
    """

    def __init__(
        self, net: nn.Module, modes: dict[str, bool], stochastic: bool, held: Sequence[str]
    ) -> None:
        self._given = net, modes, stochastic, tuple(held)
        self._net, self._modes, self._stochastic = net, modes, stochastic
        tensors = tensors_of(net)
        self._held = {name: tensors[name] for name in held}
        self._trained = [name for name in held if tensors[name].requires_grad]
        self._still = [name for name in held if not tensors[name].requires_grad]
        fixed = {name: one for name, one in tensors.items() if name not in self._held}
        self._fixed = {name: as_numpy(tensor) for name, tensor in fixed.items()}
        self._state = python_state(net)
        self._calls: dict[tuple[bool, ...], Callable[..., list[Array]]] = {}
        # A checkpoint knows the model by its name.
        name = hashlib.sha256(repr(net).encode()).hexdigest()[:16]
        self.__qualname__ = f"{type(net).__module__}.{type(net).__qualname__}:{name}"

    def __reduce__(self) -> tuple[Any, ...]:
        return Applied, self._given

    def __call__(
        self, params: Params, x: Any, key: Key[Array, ""] | None = None
    ) -> Float[Array, "..."]:
        """The module's result for these params and inputs."""
        refuse_wider(params=params, x=x, **self._fixed)
        for value in self._fixed.values():
            require_held(value)
        if changed := changes(self._state, python_state(self._net)):
            raise ArgumentError(
                f"the module's {changed[0]!r} has changed since from_torch was called: call it "
                f"again"
            )
        _require_params(params, self._held)
        arrays = [jnp.asarray(one) for one in (x if isinstance(x, (tuple, list)) else (x,))]
        floats = tuple(bool(jnp.issubdtype(one.dtype, jnp.floating)) for one in arrays)
        weights, unchanged = (
            [params[name] for name in own] for own in (self._trained, self._still)
        )
        inputs = [one for one, is_float in zip(arrays, floats, strict=True) if is_float]
        others = [one for one, is_float in zip(arrays, floats, strict=True) if not is_float]
        if floats not in self._calls:
            self._calls[floats] = self._taking(floats)
        others = [*unchanged, *self._fixed.values(), *others]
        key = key if self._stochastic else None
        return self._calls[floats]([*weights, *inputs], others, key)[0]

    def _taking(self, floats: tuple[bool, ...]) -> Callable[..., list[Array]]:
        """The module for inputs that are floats, or not."""
        names, count = [*self._trained, *self._still, *self._fixed], len(self._trained)
        others_held = len(names) - count

        def forward(
            inputs: list[torch.Tensor], others: list[torch.Tensor], again: bool
        ) -> list[torch.Tensor]:
            del again
            held_now = (*inputs[:count], *others[:others_held])
            own = dict(zip(names, held_now, strict=True))
            queues = iter(others[others_held:]), iter(inputs[count:])
            x = [next(queues[is_float]) for is_float in floats]
            described = {f"the parameter or buffer {name!r}": one for name, one in own.items()}
            described |= {f"its input {number}": one for number, one in enumerate(x)}
            with Writes(described), holding(self._net, own, self._modes):
                result = self._net(*x)
            if not isinstance(result, torch.Tensor) or result.is_complex():
                raise Frozen(
                    f"it returns {type(result).__name__}, not one tensor of real numbers: wrap it "
                    f"in a module that does"
                )
            return [result]

        return differentiable(Call(self._net, forward))


def _require_params(params: Any, tensors: Mapping[str, torch.Tensor]) -> None:
    """Refuse params that are not those of a module.

    Raises:
        ArgumentError, ArgumentTypeError: with the names, or the shape.
    """
    if not isinstance(params, Mapping):
        raise ArgumentTypeError(f"params must be what params_of(net) gives, not {params!r:.60}")
    if params.keys() != tensors.keys():
        missing, unknown = (
            sorted(map(str, one)) for one in (tensors.keys() - params, params.keys() - tensors)
        )
        raise ArgumentError(
            f"params must be what params_of(net) gives; missing "
            f"{', '.join(map(repr, missing)) or 'none'}, unknown "
            f"{', '.join(map(repr, unknown)) or 'none'}"
        )
    for name, tensor in tensors.items():
        if np.shape(params[name]) != tuple(tensor.shape):
            raise ArgumentError(
                f"params[{name!r}] has shape {np.shape(params[name])}, and in the module "
                f"{tuple(tensor.shape)}"
            )


def _trained(net: nn.Module) -> dict[str, torch.Tensor]:
    return {name: one for name, one in net.named_parameters() if one.requires_grad}


def tensors_of(net: nn.Module) -> dict[str, torch.Tensor]:
    """All parameters and buffers of a module, each under one name."""
    return dict(net.named_parameters()) | dict(net.named_buffers())


def _draws(net: nn.Module) -> bool:
    """Whether a part of the module draws random numbers, as far as its kind tells."""
    for part in net.modules():
        share = part.p if isinstance(part, nn.modules.dropout._DropoutNd) else 0
        if isinstance(part, (nn.RNNBase, nn.MultiheadAttention)):
            share = part.dropout
        if part.training and (share or isinstance(part, nn.RReLU)):
            return True
    return False


def as_numpy(tensor: torch.Tensor) -> np.ndarray:
    """A copy of a tensor's values."""
    return tensor.detach().resolve_conj().resolve_neg().numpy().copy()
