"""Columns brought to mean 0 and spread 1, and back."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Shaped

__all__ = ["Scale", "scale_of"]


class Scale(NamedTuple):
    """By what columns are standardized: (value − mean) / spread, in float64.

    Attributes:
        mean: of each column.
        spread: of each column, its standard deviation; 1 where it is constant.
    """

    mean: Float[np.ndarray, "..."]
    spread: Float[np.ndarray, "..."]

    def standardized(
        self, array: Shaped[np.ndarray, "samples ..."]
    ) -> Float[np.ndarray, "samples ..."]:
        """The columns with mean 0 and spread 1."""
        return (array - self.mean) / self.spread

    def undone(self, array: Float[np.ndarray, "samples ..."]) -> Float[np.ndarray, "samples ..."]:
        """The columns as they were, in the dtype of the array."""
        return (array * self.spread + self.mean).astype(array.dtype)


def scale_of(array: Shaped[np.ndarray, "samples ..."]) -> Scale:
    """By what to standardize the columns of an array.

    A column whose values differ by no more than their roundings is constant.

    >>> scale_of(np.array([[1.0, 5.0], [3.0, 5.0]]))
    Scale(mean=array([2., 5.]), spread=array([1., 1.]))
    """
    precise = np.asarray(array, np.float64)
    mean, spread = precise.mean(axis=0), precise.std(axis=0)
    rounding = 10 * np.finfo(np.float64).eps * np.abs(precise).max(axis=0)
    return Scale(mean, np.where(spread > rounding, spread, 1.0))
