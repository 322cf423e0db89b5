"""Arrays of any library, checked and copied, and as models and losses take them."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from funcnn.core import ArgumentError, ArgumentTypeError, Loss
from funcnn.data.labels import is_text, text_labels
from funcnn.losses import LOSSES, binary_cross_entropy, cross_entropy, without_options

__all__ = [
    "as_array",
    "as_given",
    "as_target",
    "cast",
    "checked",
    "is_mapped",
    "is_whole",
    "prepare_inputs",
    "prepare_targets",
    "require_finite",
    "to_numpy",
    "with_axes",
]


LARGEST_CLASS = 2**16 - 1
"""A network has an output for every class up to the largest: beyond this it is no class."""


def prepare_inputs(x: np.ndarray, axes: int | None, dtype: str) -> np.ndarray:
    """x as a model takes it.

    Args:
        x: (samples,), (samples, features), or whatever a user's model takes.
        axes: ``Model.input_axes``. 2: a one-dimensional x is given a second axis
            of length 1. 1: a second axis of length 1 is taken away. None: x keeps
            its shape and kind, as for :func:`as_given`.
        dtype: the run's dtype.
    """
    if axes is None:
        return as_given("x", x, dtype)
    return cast("x", with_axes("x", x, axes), dtype)


def prepare_targets(y: np.ndarray, axes: int | None, loss: Loss, dtype: str) -> np.ndarray:
    """y as a loss takes it.

    Args:
        y: (samples,) or (samples, outputs); classes or their probabilities for
            ``cross_entropy``.
        axes: as for :func:`prepare_inputs`; ``cross_entropy`` takes classes with
            one axis, and probabilities with two, whatever the model.
        loss: the run's loss. funcnn's own take no whole numbers for y, but for
            ``cross_entropy``, whose classes are nothing else, and ``binary_cross_entropy``,
            for which 0 and 1 become floats. Whole numbers and truth values
            for a loss of one's own are left as they are: they may be classes.
        dtype: the run's dtype.
    """
    if y.dtype.kind == "U":
        raise ArgumentTypeError(f"y holds text, such as {str(y.flat[0])!r}, and no numbers")
    own = without_options(loss)
    probabilities = own is cross_entropy and y.ndim == 2 and y.shape[1] > 1 and _is_float(y)
    if own is binary_cross_entropy or probabilities:
        if y.min() < 0 or y.max() > 1:
            raise ArgumentError(
                f"y holds values from {y.min()} to {y.max()}; loss={own.__name__!r} takes "
                f"probabilities, from 0 to 1"
            )
        y = cast("y", y, dtype)
    if probabilities:
        return y
    if own is cross_entropy:
        classes = _whole("y", with_axes("y", y, 1))
        if classes.min() < 0:
            raise ArgumentError(f"y holds the class {classes.min()}; classes count from 0")
        if classes.max() > LARGEST_CLASS:
            raise ArgumentError(f"y holds the class {classes.max()}, above {LARGEST_CLASS}")
        return classes
    if own in LOSSES.values() and not _is_float(y):
        raise ArgumentTypeError(
            f"y is of {y.dtype}; {own.__name__} takes floats: pass np.asarray(y, '{dtype}'), or "
            f"whole numbers to loss='cross_entropy', or 0 and 1 to loss='binary_cross_entropy'"
        )
    if axes is not None and _is_float(y):
        y = with_axes("y", y, axes)
    return as_given("y", y, dtype)


def is_whole(array: np.ndarray) -> bool:
    """Whether an array holds whole numbers, and neither truth values nor durations."""
    return array.dtype.kind != "m" and bool(jnp.issubdtype(array.dtype, jnp.integer))


def as_given(name: str, array: np.ndarray, dtype: str) -> np.ndarray:
    """Floats in the run's dtype, whole numbers as int32, truth values as they are."""
    if array.dtype == bool:
        return array
    return cast(name, array, dtype) if _is_float(array) else _whole(name, array)


def with_axes(name: str, array: np.ndarray, axes: int | None) -> np.ndarray:
    """The array with that many axes, the last of length 1 where it is one more; None for any."""
    if axes is None:
        return array
    if axes == 2 and array.ndim == 1:
        return array[:, None]
    if axes == 1 and array.ndim == 2 and array.shape[1] == 1:
        return array[:, 0]
    if array.ndim != axes:
        wanted = "(samples,)" if axes == 1 else "(samples, columns)"
        raise ArgumentError(f"{name} has shape {array.shape}; {wanted} is needed")
    return array


def to_numpy(name: str, value: Any) -> np.ndarray:
    """A private copy of an array of any library.

    Raises:
        ArgumentTypeError: for what is no array, or an array with a mask.
    """
    if isinstance(value, np.ma.MaskedArray):
        raise ArgumentTypeError(f"{name} is a masked array: fill it or drop its masked samples")
    if isinstance(value, Tracer):
        raise ArgumentTypeError(
            f"{name} is traced by jit, grad or vmap, so that its values are not known here"
        )
    given: Any = value
    try:
        if isinstance(value, (list, tuple)) and any(hasattr(item, "__array__") for item in value):
            given = [to_numpy(name, item) for item in value]
        elif hasattr(value, "detach") and hasattr(value, "numpy"):
            given = given.numpy(force=True)  # a PyTorch tensor, perhaps on a GPU or on the tape
        elif hasattr(value, "to_numpy"):  # pandas
            given = given.to_numpy()
        return np.array(given, copy=True)
    except ArgumentError:
        raise
    except Exception as error:  # Every library has its own errors for arrays without data.
        kind = type(value).__name__
        raise ArgumentTypeError(f"{name} is no array but a {kind}: {error}") from error


def as_array(name: str, value: Any) -> np.ndarray:
    """A private copy, checked to be real, finite and not empty.

    An array that is mapped from a file is neither copied nor looked through: it may be
    larger than the memory.
    """
    return checked(name, value if is_mapped(value) else to_numpy(name, value))


def as_target(value: Any) -> np.ndarray:
    """y as :func:`as_array` gives it, or an array of text where it holds labels of text."""
    y = value if is_mapped(value) else to_numpy("y", value)
    if not is_text(y):
        return checked("y", y)
    # NumPy has made texts of the numbers in a list, and of what is missing.
    return text_labels("y", value if isinstance(value, (list, tuple)) else y)


def checked(name: str, array: np.ndarray) -> np.ndarray:
    """The array itself, where it is real, finite and not empty."""
    if array.ndim == 0 and array.dtype == object:
        kind = type(array[()]).__name__
        raise ArgumentTypeError(f"{name} is no array of real numbers but one object, a {kind}")
    if not (array.dtype == bool or _is_float(array) or is_whole(array)):
        raise ArgumentTypeError(f"{name} must hold real numbers, not {array.dtype}")
    if array.ndim == 0:
        raise ArgumentTypeError(f"{name} is a single value; its first axis must be the samples")
    if array.size == 0:
        raise ArgumentError(f"{name} is empty: its shape is {array.shape}")
    if not is_mapped(array):
        require_finite(name, array)
    return array


def cast(name: str, array: np.ndarray, dtype: str, first: int = 0) -> np.ndarray:
    """The array in another dtype, where all of it is finite there.

    Args:
        name: what errors call it.
        array: (rows, ...).
        dtype: the other dtype.
        first: the number of its first row.
    """
    with np.errstate(over="ignore"):
        found = array.astype(dtype)
    if not np.isfinite(found).all():
        require_finite(name, array, first=first)
        require_finite(name, found, f"too large for {dtype}", first)
    return found


def _whole(name: str, array: np.ndarray) -> np.ndarray:
    """Whole numbers, however stored, as int32: what JAX counts with."""
    with np.errstate(invalid="ignore"):
        whole = array.astype(np.int32)
    if not np.array_equal(whole, array):
        raise ArgumentTypeError(f"{name} must hold whole numbers below 2**31; it is {array.dtype}")
    return whole


def require_finite(
    name: str, array: np.ndarray, problem: str = "not finite", first: int = 0
) -> None:
    """Refuse what is not finite, with its row, where the array begins with the row ``first``."""
    finite = np.isfinite(array)
    if not finite.all():
        row, *rest = (int(index) for index in np.argwhere(~finite)[0])
        place = f"row {first + row}" + "".join(f", column {column}" for column in rest)
        raise ArgumentError(f"{name} is {problem} at {place}")


def is_mapped(value: Any) -> bool:
    """Whether a value is an array in a file; a copy of one is of the same class."""
    return isinstance(value, np.memmap) and getattr(value, "_mmap", None) is not None


def _is_float(array: np.ndarray) -> bool:
    return bool(jnp.issubdtype(array.dtype, jnp.floating))
