"""Whether the port's loss of PyTorch's prediction is PyTorch's loss."""

from __future__ import annotations

import math

import jax.numpy as jnp
import numpy as np

from funcnn.interop.torch.comparing.comparison import Parting
from funcnn.interop.torch.comparing.jaxprs import (
    CLOSE,
    Line,
    Opened,
    Values,
    lowered,
    operations,
)
from funcnn.interop.torch.comparing.mistakes import losses
from funcnn.interop.torch.comparing.port import Port
from funcnn.interop.torch.comparing.recording import Record, calls_of
from funcnn.interop.torch.comparing.stages.found import Found, apart, differs, same
from funcnn.interop.torch.comparing.truth import Truth

__all__ = ["loss"]


def loss(port: Port, truth: Truth, record: Record) -> Found:
    """Compare the losses of PyTorch's prediction, in the shape that the port gives it."""
    prediction = record.output.detach()
    value = float(truth.loss(prediction, truth.target))
    shape = port.prediction.shape
    opened = port.opened_loss(jnp.asarray(prediction.numpy().reshape(shape)))
    found = float(Values(opened).result)
    difference = apart(np.array(found), np.array(value))
    compared = f"{found:.8g} for PyTorch's {value:.8g}, of the same prediction"
    if difference <= CLOSE:
        return same("loss", difference, compared)
    where = f"of PyTorch's own prediction it is {found:.6g}, and PyTorch's is {value:.6g}"
    name, advice, line = _cause(opened, truth, record, shape, found, value)
    return differs("loss", difference, compared, Parting(where, "", name, advice, line))


def _cause(
    opened: Opened, truth: Truth, record: Record, shape: tuple[int, ...], found: float, value: float
) -> tuple[str | None, str, Line | None]:
    prediction, target = record.output.detach(), truth.target
    whole = list(operations(opened))
    last = next((one.line for one in reversed(whole) if not one.callers), None)
    pairs = target.numel() ** 2
    if shape != tuple(target.shape) and prediction.numel() == target.numel() > 1:
        for operation in whole:
            if operation.size == pairs:
                return (
                    f"a difference of every pair, from the shapes {shape} and "
                    f"{tuple(target.shape)}",
                    "reshape one of them: they broadcast to all pairs",
                    operation.line,
                )
    for mistake, other in losses.of_loss(calls_of(truth.loss, prediction, target), value):
        if math.isclose(found, other, rel_tol=CLOSE):
            return mistake.name, mistake.advice, last
    for name, (factor, advice) in losses.factors(prediction).items():
        if math.isclose(found, factor * value, rel_tol=CLOSE):
            return name, advice, last
    narrow = lowered(opened)
    if narrow is not None and math.isclose(found, value, rel_tol=3e-2):
        dtype = narrow.dtype
        return f"computed in {dtype}", "compute it in the prediction's dtype", narrow.line
    if value and math.isfinite(found):
        return None, f"it is {found / value:.6g} times PyTorch's", last
    return None, "", last
