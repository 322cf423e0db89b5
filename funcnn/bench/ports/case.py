"""A port and its original, and what a comparison of them should find."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
import optax
import torch
from torch import nn

from funcnn.interop import Comparison, compare

__all__ = ["Case", "Right", "batch", "classes", "cross_entropy", "mean_squared_error", "values"]


class Right(NamedTuple):
    """A port that is right.

    Attributes:
        name: which network, and in which library.
        arguments: the arguments of ``funcnn.compare``.
    """

    name: str
    arguments: Callable[[], dict[str, Any]]

    def compared(self) -> Comparison:
        """What the comparison finds."""
        return compare(**self.arguments())


class Case(NamedTuple):
    """A port with a mistake.

    Attributes:
        name: the mistake.
        arguments: the arguments of ``funcnn.compare``.
        stage: at which stage it shows.
        words: what the cause is to say.
        part: the submodule or parameter at which it shows; empty where it is none.
        listed: whether it is one of those that are known to be common.
    """

    name: str
    arguments: Callable[[], dict[str, Any]]
    stage: str
    words: str
    part: str = ""
    listed: bool = True

    def compared(self) -> Comparison:
        """What the comparison finds."""
        return compare(**self.arguments())

    def is_located(self, found: Comparison) -> bool:
        """Whether the stage and the part are right."""
        return found.stage == self.stage and (not self.part or found.part == self.part)

    def is_named(self, found: Comparison) -> bool:
        """Whether the cause is right, and where it is."""
        return self.is_located(found) and self.words in (found.cause or "")


def values(net: nn.Module) -> dict[str, np.ndarray]:
    """The state of a module as arrays."""
    return {name: value.numpy().copy() for name, value in net.state_dict().items()}


def batch(*shape: int, seed: int = 0) -> torch.Tensor:
    """Random inputs or targets."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def classes(samples: int, count: int) -> torch.Tensor:
    """Random classes."""
    return torch.randint(0, count, (samples,), generator=torch.Generator().manual_seed(1))


def mean_squared_error(prediction: Any, target: Any) -> Any:
    """The mean of the squared errors."""
    return jnp.mean((prediction - target) ** 2)


def cross_entropy(logits: Any, target: Any) -> Any:
    """The mean cross entropy of logits."""
    return optax.softmax_cross_entropy_with_integer_labels(logits, target).mean()
