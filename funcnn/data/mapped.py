"""Arrays that stay in their file: rows are read when they are needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from jaxtyping import Int, Shaped

from funcnn.data.arrays import cast, is_mapped
from funcnn.data.scaling import CHUNK

__all__ = ["Mapped", "require_finite_file"]


class Mapped:
    """An array in a file: an index reads rows, and prepares them as the model takes them.

    Args:
        array: the memory-mapped array.
        prepare: makes of some of its rows what the model takes, in the dtype of the run.
        rows: which rows belong to it, in this order; None for all.
    """

    def __init__(
        self,
        array: np.ndarray,
        prepare: Callable[[np.ndarray], Shaped[np.ndarray, "rows ..."]],
        rows: Int[np.ndarray, " rows"] | None = None,
    ) -> None:
        self._array, self._prepare, self._rows = array, prepare, rows
        one = prepare(np.array(array[:1]))
        self.dtype, self.ndim = one.dtype, one.ndim
        self.shape = (len(array) if rows is None else len(rows), *one.shape[1:])

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: Any) -> Shaped[np.ndarray, "rows ..."]:
        rows = index if self._rows is None else self._rows[index]
        read = self._array[rows] if isinstance(rows, slice) else self._array.take(rows, axis=0)
        return self._prepare(np.asarray(read))

    def take(self, rows: Int[np.ndarray, " rows"]) -> Mapped:
        """Some of the rows alone."""
        return Mapped(self._array, self._prepare, rows if self._rows is None else self._rows[rows])

    def chunks(self) -> Iterator[Shaped[np.ndarray, "rows ..."]]:
        """All rows in order, some at a time."""
        at_once = max(1, CHUNK // max(1, self[:1].nbytes))
        for first in range(0, len(self), at_once):
            yield self[first : first + at_once]


def require_finite_file(name: str, array: np.ndarray, dtype: str) -> None:
    """Look through an array in a file, which nobody has read yet; others are left alone.

    Raises:
        ArgumentError: for a value that is not finite, or not in ``dtype``, with its place.
    """
    if is_mapped(array) and array.dtype.kind == "f":
        first = 0
        for part in Mapped(array, np.asarray).chunks():
            cast(name, part, dtype, first)
            first += len(part)
