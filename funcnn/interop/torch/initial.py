"""The initial values of a module of PyTorch, drawn anew as its layers draw them."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np
import torch
from jaxtyping import Array, Key
from torch import nn

from funcnn.core import Params
from funcnn.core.precision import refuse_wider
from funcnn.interop.torch.tracing import ONE_AT_A_TIME

__all__ = ["init_of"]

RESETS = ("reset_parameters", "_reset_parameters")
"""What PyTorch's layers call the method that draws their parameters; attention the second."""


def init_of(
    net: nn.Module, trained: Callable[[nn.Module], Mapping[str, np.ndarray]]
) -> Callable[[Key[Array, ""]], Params] | None:
    """``init(key)`` of a module, where each of its parts that has parameters can draw them anew.

    PyTorch's own generator draws, on the host, with the key as its seed.

    Args:
        net: the module; it is not changed.
        trained: gives the values of a module's params by name.
    """
    if not all(map(_reset_of, _owners(net))):
        return None
    shapes = {
        name: jax.ShapeDtypeStruct(one.shape, one.dtype) for name, one in trained(net).items()
    }

    def drawn(words: Any) -> dict[str, np.ndarray]:
        high, low = np.asarray(words).reshape(-1)[-2:].tolist()
        with ONE_AT_A_TIME, torch.random.fork_rng(devices=[]):
            torch.manual_seed(high << 32 | low)
            own = copy.deepcopy(net)
            for part in _owners(own):
                reset = _reset_of(part)
                assert reset is not None
                reset()
        return dict(trained(own))

    def init(key: Key[Array, ""]) -> Params:
        refuse_wider(net=shapes)
        return jax.pure_callback(drawn, shapes, jax.random.key_data(key), vmap_method="sequential")

    return init


def _owners(net: nn.Module) -> list[nn.Module]:
    """The parts that have parameters of their own."""
    return [part for part in net.modules() if list(part.parameters(recurse=False))]


def _reset_of(part: nn.Module) -> Callable[[], Any] | None:
    return next((getattr(part, name) for name in RESETS if hasattr(part, name)), None)
