"""Operations at their ties: where numbers are equal, or 0, and PyTorch chooses a gradient.

``python -m funcnn.bench.modules.ties [NAME ...]`` prints for each operation how far the value and
the gradient of the traced one are from PyTorch's. Of ``topk`` and ``kthvalue`` PyTorch takes any of
equal numbers.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import torch
from torch import nn
from torch.nn import functional

from funcnn.interop import from_torch, params_of

__all__ = ["OPERATIONS", "SAME", "Tie", "print_ties", "ties"]

SAME = 1e-12
"""Up to which difference a gradient is the same: a choice between equal numbers is far from it."""

Operation = Callable[[torch.Tensor], torch.Tensor]

AT = [[0.0, 0.0, -0.0, 1.0, 1.0, -1.0, 0.5, 2.0], [0.0, 1.0, 1.0, 0.0, -1.0, -1.0, 3.0, 3.0]]
"""Where the gradients are taken."""

zeros, ones = torch.zeros_like, torch.ones_like

OPERATIONS: dict[str, Operation] = {
    "relu": functional.relu,
    "abs": torch.abs,
    "max with 0": lambda h: torch.max(h, zeros(h)),
    "maximum": lambda h: torch.maximum(h, h * 1.0),
    "minimum": lambda h: torch.minimum(h, zeros(h)),
    "fmax": lambda h: torch.fmax(h, zeros(h)),
    "fmin": lambda h: torch.fmin(h, zeros(h)),
    "clamp min": lambda h: h.clamp(min=0),
    "clamp": lambda h: h.clamp(0, 1),
    "clamp max": lambda h: h.clamp_max(0),
    "clamp by tensors": lambda h: torch.clamp(h, zeros(h), ones(h)),
    "relu6": functional.relu6,
    "hardtanh": lambda h: functional.hardtanh(h, 0, 1),
    "leaky relu": lambda h: functional.leaky_relu(h, 0.2),
    "elu": functional.elu,
    "selu": functional.selu,
    "celu": functional.celu,
    "hardswish": lambda h: functional.hardswish(h * 3),
    "softshrink": lambda h: functional.softshrink(h, 1.0),
    "hardshrink": lambda h: functional.hardshrink(h, 1.0),
    "threshold": lambda h: functional.threshold(h, 0, 0),
    "prelu": lambda h: functional.prelu(h, 0.25 * ones(h[0, :1])),
    "hardsigmoid": lambda h: functional.hardsigmoid(h * 3),
    "rrelu": lambda h: functional.rrelu(h, 0.2, 0.2),
    "softplus": lambda h: functional.softplus(h, 1, 1),
    "sign": lambda h: torch.sign(h) * h,
    "sqrt": lambda h: torch.sqrt(h.abs()),
    "norm": lambda h: (h * 0).norm(dim=1),
    "norm 1": lambda h: h.norm(p=1, dim=1),
    "norm inf": lambda h: h.norm(p=float("inf"), dim=1),
    "power 1.5": lambda h: h.abs() ** 1.5,
    "power 0": lambda h: h**0,
    "power 1": lambda h: h**1,
    "power of tensors": lambda h: h.abs() ** torch.full_like(h, 2.0),
    "xlogy": lambda h: torch.xlogy(h.abs(), h.abs() + 1e-300),
    "atan2": lambda h: torch.atan2(h, h),
    "max": lambda h: h.max(1)[0],
    "min": lambda h: h.min(1)[0],
    "amax": lambda h: h.amax(1),
    "amin": lambda h: h.amin(1),
    "max of all": lambda h: h.max(),
    "min of all": lambda h: h.min(),
    "median": lambda h: h.median(1)[0],
    "median of all": lambda h: h.median(),
    "sort": lambda h: h.sort(1)[0] * torch.arange(8),
    "topk": lambda h: h.topk(3, 1)[0] * torch.arange(3),
    "kthvalue": lambda h: h.kthvalue(3, 1)[0],
    "cummax": lambda h: h.cummax(1)[0],
    "cummin": lambda h: h.cummin(1)[0],
    "logsumexp": lambda h: h.logsumexp(1),
    "max pool 1-d": lambda h: functional.max_pool1d(h[:, None], 4),
    "max pool 2-d": lambda h: functional.max_pool2d(h.view(1, 1, 4, 4), 2),
    "adaptive max pool": lambda h: functional.adaptive_max_pool1d(h[:, None], 3),
    "prod": lambda h: h.prod(1),
    "cumprod": lambda h: h.cumprod(1),
    "std": lambda h: (h * 0).std(1),
    "var": lambda h: (h * 0).var(1),
    "where": lambda h: torch.where(h > 0, h, 2 * h),
    "smooth l1": lambda h: functional.smooth_l1_loss(h, zeros(h), reduction="none"),
    "huber": lambda h: functional.huber_loss(h, zeros(h), reduction="none"),
    "l1": lambda h: functional.l1_loss(h, zeros(h), reduction="none"),
    "cosine similarity": lambda h: functional.cosine_similarity(h * 0, h),
    "normalize": lambda h: functional.normalize(h * 0),
    "pairwise distance": lambda h: functional.pairwise_distance(h, h),
    "cdist": lambda h: torch.cdist(h, h.detach()),
    "bce": lambda h: functional.binary_cross_entropy(
        h.clamp(0, 1), h.detach().clamp(0, 1), reduction="none"
    ),
    "log sigmoid": functional.logsigmoid,
    "tanhshrink": functional.tanhshrink,
    "mish": functional.mish,
    "gelu": functional.gelu,
    "silu": functional.silu,
    "sinc": torch.sinc,
    "remainder": lambda h: torch.remainder(h, 1.0),
    "fmod": lambda h: torch.fmod(h, 1.0),
    "frac": torch.frac,
    "round": lambda h: h.round() * h,
    "hinge": lambda h: functional.hinge_embedding_loss(h, torch.sign(h + 0.1), reduction="none"),
    "nan_to_num": torch.nan_to_num,
    "hypot": lambda h: torch.hypot(h, h),
    "copysign": lambda h: torch.copysign(h, -ones(h)),
    "lerp": lambda h: torch.lerp(h, h * 2, 0.3),
    "unit rows": lambda h: h / h.norm(dim=1, keepdim=True),
    "matrix norm": torch.linalg.matrix_norm,
    "glu": lambda h: functional.glu(h, 1),
}


class Tie(NamedTuple):
    """How far a traced operation is from PyTorch's.

    Attributes:
        name: of ``OPERATIONS``.
        value: the largest difference of its values; NaN equals NaN.
        gradient: the largest difference of its gradient.
    """

    name: str
    value: float
    gradient: float

    @property
    def is_same(self) -> bool:
        """Whether both are the same but for roundings."""
        return max(self.value, self.gradient) < SAME


class At(nn.Module):
    """An operation of a parameter that stands at ties."""

    def __init__(self, operation: Operation) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(AT, dtype=torch.float64))
        self.operation = operation

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Of the parameter times the one number of ``x``."""
        return self.operation(self.weight * x)


def ties(names: Sequence[str] = ()) -> Iterator[Tie]:
    """The operations of these names; all without any."""
    for name, operation in OPERATIONS.items():
        if names and name not in names:
            continue
        with warnings.catch_warnings(action="ignore"):
            yield _compared(name, At(operation))


def _compared(name: str, net: At) -> Tie:
    expected = net(torch.ones((), dtype=torch.float64))
    counted = torch.arange(1, expected.numel() + 1, dtype=torch.float64).view(expected.shape)
    (expected * counted).sum().backward()
    assert net.weight.grad is not None
    with jax.enable_x64(True):
        apply = from_torch(net).apply
        found, pull = jax.vjp(lambda own: apply(own, np.ones(())), params_of(net))
        (gradient,) = pull(jnp.asarray(counted.numpy()))
    return Tie(
        name,
        _away(found, expected.detach().numpy()),
        _away(gradient["weight"], net.weight.grad.numpy()),
    )


def print_ties(names: Sequence[str]) -> None:
    """Print the table, a line when it is there."""
    print(f"{'operation':<22}{'value':>10}{'gradient':>10}")
    count = same = 0
    for tie in ties(names):
        count, same = count + 1, same + tie.is_same
        word = "" if tie.is_same else "  another of equal numbers"
        print(f"{tie.name:<22}{tie.value:>10.1e}{tie.gradient:>10.1e}{word}", flush=True)
    print(f"{same} of {count} the same")


def _away(found: object, expected: np.ndarray) -> float:
    """The largest difference; infinite where only one is not finite, or is infinite otherwise."""
    own = np.asarray(found)
    is_equal = (own == expected) | (np.isnan(own) & np.isnan(expected))
    with np.errstate(invalid="ignore"):
        away = np.abs(own - expected)
    away = np.where(is_equal, 0, np.where(np.isnan(away), np.inf, away))
    return float(away.max())


if __name__ == "__main__":
    print_ties(sys.argv[1:])
