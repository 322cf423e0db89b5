"""Labels of any kind and the classes, counted from 0, that stand for them."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Int, Shaped

from funcnn.core import ArgumentError, ArgumentTypeError

__all__ = ["decode", "encode", "is_missing", "is_text", "text_labels"]


def encode(
    labels: Any,
) -> tuple[Int[np.ndarray, " samples"], Shaped[np.ndarray, " classes"]]:
    """Labels as classes.

    Args:
        labels: (samples,): text, whole numbers or truth values, an array or a list.

    Returns:
        The class of every sample, int32 from 0, and the label of every class, sorted.

    Raises:
        ArgumentError, ArgumentTypeError: for labels that are missing, of several kinds, or
            of another kind, such as 0.5.

    >>> encode(["red", "green", "red"])
    (array([1, 0, 1], dtype=int32), array(['green', 'red'], dtype='<U5'))
    """
    if isinstance(labels, np.ma.MaskedArray):
        raise ArgumentTypeError("labels are a masked array: drop the masked samples")
    # NumPy would make texts of the numbers, and of what is missing, in a list.
    array = np.asarray(labels, object if isinstance(labels, (list, tuple)) else None)
    if array.ndim != 1 or not array.size:
        raise ArgumentError(f"labels have shape {array.shape}; (samples,) is needed")
    if array.dtype == object:
        array = _of_one_kind("labels", array)
    if array.dtype.kind not in "Ubiu":
        raise ArgumentTypeError(
            f"labels must be text, whole numbers or truth values, not {array.dtype}"
        )
    classes, codes = np.unique(array, return_inverse=True)
    return codes.astype(np.int32), classes


def decode(codes: Any, classes: Shaped[np.ndarray, " classes"]) -> Shaped[np.ndarray, "..."]:
    """The labels of classes, as :func:`encode` counted them.

    Args:
        codes: whole numbers from 0, of any shape.
        classes: the label of every class.

    Raises:
        ArgumentError: for a class that there is no label of.

    >>> decode([1, 0], np.array(["green", "red"]))
    array(['red', 'green'], dtype='<U5')
    """
    array = np.asarray(codes)
    if array.dtype.kind not in "iu":
        raise ArgumentTypeError(f"classes are whole numbers, not {array.dtype}")
    outside = array[(array < 0) | (array >= len(classes))]
    if outside.size:
        raise ArgumentError(f"there is no class {outside[0]}; classes are 0 to {len(classes) - 1}")
    return np.asarray(classes)[array]


def is_text(array: np.ndarray) -> bool:
    """Whether an array holds text, as NumPy's own kind or as Python's objects."""
    if array.dtype == object:
        return any(isinstance(value, str) for value in array.flat)
    return array.dtype.kind == "U" and array.ndim > 0


def text_labels(name: str, values: Any) -> np.ndarray:
    """Labels of text as an array of NumPy's kind of text.

    Raises:
        ArgumentError, ArgumentTypeError: for one that is missing or no text.
    """
    array = np.asarray(values, object if isinstance(values, (list, tuple)) else None)
    array = _of_one_kind(name, array) if array.dtype == object else array
    if array.dtype.kind != "U":
        raise ArgumentTypeError(f"{name} must hold text or numbers, not {array.dtype}")
    return array


def _of_one_kind(name: str, array: np.ndarray) -> np.ndarray:
    """An array of objects as one of text, whole numbers or truth values."""
    values = list(array.flat)
    missing = [at for at, value in enumerate(values) if is_missing(value)]
    if missing:
        raise ArgumentError(
            f"{name}: {len(missing)} of {len(values)} are missing, the first at row {missing[0]}"
        )
    found = {bool if isinstance(value, np.bool_) else type(value) for value in values}
    for kind in (str, int, np.integer):
        if all(issubclass(one, kind) for one in found) and (bool not in found or len(found) == 1):
            return np.array(values).reshape(array.shape)
    names = ", ".join(sorted(one.__name__ for one in found))
    raise ArgumentTypeError(f"{name} must be all text or all whole numbers, not {names}")


def is_missing(value: Any) -> bool:
    """Whether a value stands for none: None, NaN, or pandas's own."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, (float, np.floating)) and bool(np.isnan(value))
