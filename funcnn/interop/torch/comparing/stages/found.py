"""What a stage of a comparison gives, and how far two arrays are apart."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from funcnn.interop.torch.comparing.comparison import Parting, Stage, Trajectory

__all__ = ["Found", "apart", "differs", "same"]


class Found(NamedTuple):
    """What a stage gives.

    Attributes:
        stage: its verdict.
        parting: where and why the port parts; None where it does not.
        trajectory: the losses of both, where it compared these.
    """

    stage: Stage
    parting: Parting | None = None
    trajectory: Trajectory | None = None


def same(name: str, difference: float, compared: str) -> Found:
    """A stage at which both are the same."""
    return Found(Stage(name, "same", difference, compared))


def differs(name: str, difference: float | None, compared: str, parting: Parting) -> Found:
    """A stage at which the port parts."""
    return Found(Stage(name, "differs", difference, compared), parting)


def apart(found: np.ndarray, right: np.ndarray, size: float | None = None) -> float:
    """The largest difference of two arrays, as a share of the largest number of the second.

    Args:
        found: an array.
        right: one of the same shape.
        size: what to take the share of, in place of that number.

    Returns:
        0 for equal arrays, those with the same infinities and NaNs too; infinity where one has a
        number that is not finite and the other has not.
    """
    found, right = np.asarray(found, np.float64), np.asarray(right, np.float64)
    equal = (found == right) | (np.isnan(found) & np.isnan(right))
    if equal.all():
        return 0.0
    if not (np.isfinite(found) & np.isfinite(right))[~equal].all():
        return np.inf
    size = float(np.max(np.abs(right[np.isfinite(right)]), initial=0)) if size is None else size
    largest = float(np.max(np.abs(found - right)[~equal]))
    return largest / size if size else np.inf
