"""Functions of PyTorch that are put together anew in a trace.

What their own kernels give has a shape that depends on values, or a meaning that depends on how a
tensor lies in memory. In their place stand operations of our own, whose gradients PyTorch knows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch._C._functorch import peek_interpreter_stack
from torch.nn import functional
from torch.overrides import TorchFunctionMode

__all__ = ["Substituted"]

REDUCTIONS = {"none": 0, "mean": 1, "sum": 2}
"""PyTorch's numbers of the reductions of a loss."""

OPERATIONS = {
    "ctc_loss": "(Tensor x, Tensor y, Tensor x_lengths, Tensor y_lengths, int blank) -> Tensor",
    "ctc_gradient": (
        "(Tensor gradient, Tensor loss, Tensor x, Tensor y, Tensor x_lengths, Tensor y_lengths, "
        "int blank) -> Tensor"
    ),
    "solve": "(Tensor a, Tensor b) -> Tensor",
    "slogdet": "(Tensor a) -> (Tensor, Tensor)",
}

# No value is ever computed by them in PyTorch: a trace knows shapes alone.
SHAPES: dict[str, Callable[..., Any]] = {
    "ctc_loss": lambda x, *_: x.new_empty(x.shape[1]),
    "ctc_gradient": lambda _gradient, _loss, x, *_: torch.empty_like(x),
    "solve": lambda _, b: torch.empty_like(b),
    "slogdet": lambda a: (a.new_empty(a.shape[:-2]), a.new_empty(a.shape[:-2])),
}

for _name, _schema in OPERATIONS.items():
    torch.library.define(f"funcnn::{_name}", _schema)
    torch.library.register_fake(f"funcnn::{_name}", SHAPES[_name])


class Connected(torch.autograd.Function):
    """The loss of each sequence of logarithms of probabilities ``(T, N, C)``."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, *others: Any) -> torch.Tensor:
        """The losses."""
        loss = torch.ops.funcnn.ctc_loss(x, *others)
        ctx.save_for_backward(loss, x, *others[:-1])
        ctx.blank = others[-1]
        return loss

    @staticmethod
    def backward(ctx: Any, *cotangents: torch.Tensor) -> Any:
        """The gradient by the logarithms."""
        of_x = ConnectedBack.apply(*cotangents, *ctx.saved_tensors, ctx.blank)
        return of_x, None, None, None, None


class ConnectedBack(torch.autograd.Function):
    """The gradient of ``Connected``, which has none of its own: PyTorch's has none either."""

    @staticmethod
    def forward(ctx: Any, *given: Any) -> torch.Tensor:
        """The gradient."""
        del ctx
        return torch.ops.funcnn.ctc_gradient(*given)


class Solved(torch.autograd.Function):
    """``x`` of ``a @ x = b``, for matrices of the same leading axes."""

    @staticmethod
    def forward(ctx: Any, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        """The solution."""
        x = torch.ops.funcnn.solve(a, b)
        ctx.save_for_backward(a, x)
        return x

    @staticmethod
    def backward(ctx: Any, *cotangents: torch.Tensor) -> Any:
        """Another system."""
        (gradient,) = cotangents
        a, x = ctx.saved_tensors
        of_b = Solved.apply(a.mH, gradient)
        return -of_b @ x.mH, of_b


class Determined(torch.autograd.Function):
    """The sign of a determinant, and the logarithm of its size; of real matrices."""

    @staticmethod
    def forward(ctx: Any, a: torch.Tensor) -> Any:
        """Both."""
        sign, size = torch.ops.funcnn.slogdet(a)
        ctx.save_for_backward(a)
        ctx.mark_non_differentiable(sign)
        return sign, size

    @staticmethod
    def backward(ctx: Any, *cotangents: torch.Tensor) -> Any:
        """The inverse, transposed."""
        _, of_size = cotangents
        (a,) = ctx.saved_tensors
        return of_size[..., None, None] * torch.linalg.inv(a).mT


def ctc_loss(
    x: torch.Tensor,
    y: torch.Tensor,
    x_lengths: Any,
    y_lengths: Any,
    blank: int = 0,
    reduction: int | str = "mean",
    zero_infinity: bool = False,
) -> torch.Tensor:
    """``torch.ctc_loss`` and ``functional.ctc_loss``."""
    reduction = REDUCTIONS[reduction] if isinstance(reduction, str) else reduction
    x_lengths, y_lengths = (
        torch.as_tensor(lengths, device=x.device).reshape(-1).long()
        for lengths in (x_lengths, y_lengths)
    )
    batch = x if x.dim() == 3 else x[:, None]
    losses = Connected.apply(batch, y, x_lengths, y_lengths, blank)
    if zero_infinity:
        losses = torch.where(losses == float("inf"), 0.0, losses)
    if reduction == REDUCTIONS["mean"]:
        return (losses / y_lengths.clamp_min(1).to(losses.dtype)).mean()
    if reduction == REDUCTIONS["sum"]:
        return losses.sum()
    return losses if x.dim() == 3 else losses[0]


def solve(a: torch.Tensor, b: torch.Tensor, *, left: bool = True) -> torch.Tensor:
    """``torch.linalg.solve``; b is a vector where PyTorch takes it for one."""
    is_vector = b.dim() == 1 or (a.dim() - 1 == b.dim() and b.shape == a.shape[:-1])
    b = b[..., None] if is_vector else b
    if not left and not is_vector:
        return solve(a.mT, b.mT).mT
    lead = torch.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    x = Solved.apply(a.expand(*lead, *a.shape[-2:]), b.expand(*lead, *b.shape[-2:]))
    return x[..., 0] if is_vector else x


class Sized(NamedTuple):
    """What ``slogdet`` gives, by PyTorch's names."""

    sign: torch.Tensor
    logabsdet: torch.Tensor


def slogdet(a: torch.Tensor) -> Any:
    """``torch.linalg.slogdet``."""
    return Sized(*Determined.apply(a))


SUBSTITUTES: dict[Any, Callable[..., Any]] = {
    functional.ctc_loss: ctc_loss,
    torch.ctc_loss: ctc_loss,
    torch.linalg.slogdet: slogdet,
    torch.linalg.solve: solve,
    torch.slogdet: slogdet,
    torch.Tensor.slogdet: slogdet,
}


class Substituted(TorchFunctionMode):
    """Calls what stands in for a function, where one does."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Call the function, or what does the same."""
        del types
        substitute = SUBSTITUTES.get(func)
        if substitute is None or "out" in (kwargs or {}) or peek_interpreter_stack() is not None:
            return func(*args, **(kwargs or {}))
        if substitute is slogdet and args[0].is_complex():
            return func(*args, **(kwargs or {}))
        return substitute(*args, **(kwargs or {}))
