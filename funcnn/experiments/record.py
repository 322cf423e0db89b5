"""What an experiment is: a whole run, the name of its reference, and how close they are."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

__all__ = ["Experiment", "Tolerance", "tolerances"]


class Tolerance(NamedTuple):
    """How far a loss may be from the reference's, at every step compared.

    Attributes:
        relative: the share of the reference's loss at that step.
        reason: why not closer, and why not longer.
        of_first: the share of the reference's first loss, added to it,
        at_most: but no more than this share of the loss at that step.
        steps: how many steps are compared at most, from the first; None for all.
        chaotic: whether two runs whose starts differ by one rounding become different for
            good. Then steps are compared only as long as two such runs of the reference
            are within the tolerance of each other.
    """

    relative: float
    reason: str
    of_first: float = 0.0
    at_most: float = 0.0
    steps: int | None = None
    chaotic: bool = False

    def allowed(self, reference: Float[np.ndarray, " steps"]) -> Float[np.ndarray, " steps"]:
        """The largest difference from the reference at each step."""
        with np.errstate(invalid="ignore"):  # A loss may be infinite.
            size = np.abs(reference)
            of_first = np.minimum(self.of_first * size[:1], self.at_most * size)
        return self.relative * size + of_first


@dataclasses.dataclass(frozen=True, kw_only=True)
class Experiment:
    """A whole run, beside its reference.

    Attributes:
        name: ``family/way``.
        tutorial: the document that it comes from.
        section: its place there.
        model: the name of the model.
        data: gives the tutorial's x and y.
        loss: the name of the loss.
        gradient: ``"autodiff"`` or ``"manual"``.
        optimizer: the name of the optimizer, its further numbers at their defaults.
        learning_rate: its rate.
        steps: the number of updates.
        printed: the steps whose loss the tutorial prints.
        dtype: the tutorial's arithmetic.
        reference: an eager loop, as ``"module:function"``:
            ``function(x, y, params, steps, learning_rate) -> (losses, params)``; for
            a model that draws at random, with the numbers of extra terms as well.
        tolerances: how close the losses are, for each dtype.
    """

    name: str
    tutorial: str
    section: str
    model: str
    data: Callable[[], tuple[np.ndarray, np.ndarray]]
    loss: str = "sum_squared_error"
    gradient: str = "autodiff"
    optimizer: str = "sgd"
    learning_rate: int | float = 1e-6
    steps: int
    printed: range
    dtype: str = "float32"
    reference: str
    tolerances: Mapping[str, Tolerance]


def tolerances(float32: Tolerance, **others: Tolerance) -> Mapping[str, Tolerance]:
    """An experiment's tolerances: 1e-8 in float64, unless given, and the one for float32."""
    return MappingProxyType({"float64": CLOSE, "float32": float32} | others)


CLOSE = Tolerance(1e-8, "the same sums, rounded in another order")
