"""Columns brought to mean 0 and spread 1, and back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Shaped

__all__ = ["CHUNK", "Scale", "scale_of"]

CHUNK = 2**24
"""Bytes that are looked at at once where an array is gone through."""


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


def scale_of(array: Any) -> Scale:
    """By what to standardize the columns of an array.

    The array is gone through a part at a time, so that one in a file gives the same bits as one
    in memory. A column whose values differ by no more than their roundings is constant.

    Args:
        array: (samples, ...), a NumPy array or what gives one for a slice.

    >>> scale_of(np.array([[1.0, 5.0], [3.0, 5.0]]))
    Scale(mean=array([2., 5.]), spread=array([1., 1.]))
    """
    count, at_once = len(array), max(1, CHUNK // max(1, array[:1].nbytes))

    def parts() -> Iterator[Float[np.ndarray, "rows ..."]]:
        for first in range(0, count, at_once):
            yield np.asarray(array[first : first + at_once], np.float64)

    found = [(part.sum(axis=0), np.abs(part).max(axis=0)) for part in parts()]
    sums, sizes = zip(*found, strict=True)
    mean, largest = np.sum(sums, axis=0) / count, np.max(sizes, axis=0)
    squares = np.sum([((part - mean) ** 2).sum(axis=0) for part in parts()], axis=0)
    spread = np.sqrt(squares / count)
    return Scale(mean, np.where(spread > 10 * np.finfo(np.float64).eps * largest, spread, 1.0))
