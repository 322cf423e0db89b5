"""Data whose x is several arrays: the inputs of a model that takes more than one."""

from __future__ import annotations

from typing import Any

import numpy as np

from funcnn.core import ArgumentError, ArgumentTypeError
from funcnn.data.arrays import as_target, checked, to_numpy
from funcnn.data.columns import Table

__all__ = ["is_several", "load_several", "several_inputs"]


def is_several(x: Any) -> bool:
    """Whether x is a tuple of arrays, and no array that is written as a tuple."""
    return type(x) is tuple and bool(x) and all(hasattr(one, "shape") for one in x)


def load_several(data: Any) -> Table:
    """``((x1, x2, ...), y)`` as a table whose x is a tuple of arrays of the run's own.

    Raises:
        ArgumentError, ArgumentTypeError: for what ``load`` refuses of an array; for arrays of
            other lengths.
    """
    if not isinstance(data, (tuple, list)) or len(data) != 2:
        raise ArgumentTypeError(f"data must be a pair ((x1, x2, ...), y), not {data!r:.60}")
    x, y = several_inputs(data[0]), as_target(data[1])
    for number, one in enumerate(x):
        if len(one) != len(y):
            raise ArgumentError(f"x[{number}] holds {len(one)} samples and y {len(y)}")
    return Table(x, y)


def several_inputs(x: Any) -> tuple[np.ndarray, ...]:
    """A tuple of inputs, as arrays of the run's own.

    Raises:
        ArgumentError, ArgumentTypeError: for what is no tuple of arrays, or not of one length.
    """
    if not is_several(x):
        raise ArgumentTypeError(f"x must be a tuple of arrays, one for each input, not {x!r:.60}")
    arrays = tuple(
        checked(f"x[{place}]", to_numpy(f"x[{place}]", one)) for place, one in enumerate(x)
    )
    for place, one in enumerate(arrays):
        if len(one) != len(arrays[0]):
            raise ArgumentError(f"x[{place}] holds {len(one)} samples and x[0] {len(arrays[0])}")
    return arrays
