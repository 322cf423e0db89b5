"""What may be passed as data, turned into a table of x and y."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from funcnn.core import ArgumentError, ArgumentTypeError
from funcnn.data.arrays import as_array, as_target
from funcnn.data.columns import (
    Categories,
    Columns,
    Table,
    declared_values,
    inputs,
    require_names,
    table,
    targets,
)
from funcnn.data.csv_files import read_csv
from funcnn.data.datasets import as_bunch, as_inputs, as_pair, is_dataset, refuse_iterables
from funcnn.data.files import is_path
from funcnn.data.frames import (
    is_frame,
    is_series,
    read_frame,
    read_parquet,
    require_same_rows,
)
from funcnn.data.numpy_files import map_npy, read_npz

__all__ = ["load", "load_inputs"]

ACCEPTED = (
    "a pair (x, y) of arrays, frames or paths of .npy files, a frame, a map-style dataset, a "
    "bunch of scikit-learn, or the path of a .npz, .csv or .parquet file"
)


def load(
    data: Any, target: str | Sequence[str] | None = None, categories: Categories = None
) -> Table:
    """x and y as arrays of the run's own: a later change to the data changes no run.

    Args:
        data: one of:

            - a pair ``(x, y)`` of arrays of NumPy, JAX or PyTorch, of lists, frames or
              series, or of paths of ``.npy`` files, which are mapped into memory and never
              read whole (and not looked through for values that are not finite);
            - a frame of pandas, polars, PyArrow or another library that narwhals knows, or
              the path of a ``.csv`` file with a header or of a ``.parquet`` file: tables;
            - the path of a ``.npz`` file that holds arrays ``x`` and ``y``;
            - a PyTorch ``TensorDataset``, or any dataset with ``__len__`` and
              ``__getitem__`` that gives pairs (x, y);
            - a bunch of scikit-learn.
        target: for a table, the name or names of the columns that make y; all others make x.
        categories: which columns of x hold categories, and become a column of 0 and 1 for
            each value. True: every column of text, with the values found, sorted. A list of
            names: those columns. A dict: those columns, with the values that each may have.

    Raises:
        ArgumentError, ArgumentTypeError: for data that are empty, of different lengths,
            missing, not numbers, or not finite, with the place.
        MissingExtraError: where what reads them is not installed.
    """
    columns = _columns(data, categories)
    if columns is not None:
        return table(columns, target, categories)
    x, y, features, names = _pair(data)
    if target is not None:
        raise ArgumentError(
            f"target={target!r} names columns of a table, such as a .csv; the data are arrays"
        )
    require_same_rows(x, y)
    made = _frame_inputs(x, categories) if is_frame(x) else _array_inputs(x, features, categories)
    if is_frame(y):
        columns = read_frame(y)
        values, names = targets(columns, columns.names), columns.names
        y = values[:, 0] if is_series(y) else values
    else:
        y = as_target(_mapped("y", y))
    if len(made.x) != len(y):
        raise ArgumentError(f"x holds {len(made.x)} samples and y {len(y)}")
    return made._replace(y=y, targets=names)


def load_inputs(
    data: Any,
    columns: Sequence[str] | None = None,
    categories: Mapping[str, Sequence[str]] | None = None,
) -> np.ndarray:
    """x alone, to predict from, as :func:`load` made it for training.

    Args:
        data: whatever :func:`load` takes, with a y or without one, which is ignored; or x
            alone: an array, or the path of an ``.npy`` file.
        columns: ``Table.columns`` of the training: a table's columns of these names are
            read, wherever they stand, and all others ignored. None: every one is read.
        categories: ``Table.categories`` of the training.

    Raises:
        ArgumentError, ArgumentTypeError: as for :func:`load`; for a table that lacks a
            column, and an array with more or fewer features than the training's.
    """
    categories = dict(categories or {})
    data = data if is_frame(data) or is_dataset(data) else getattr(as_bunch(data), "x", data)
    read = read_frame(data) if is_series(data) else _columns(data, categories)
    if read is not None:
        x, *_ = inputs(read, read.names if columns is None else columns, categories)
        return x[:, 0] if is_series(data) else x
    x = as_array("x", _bare_inputs(data))
    if columns is not None:
        wanted = sum(len(categories.get(name, (name,))) for name in columns)
        found = 1 if x.ndim == 1 else x.shape[-1]
        if found != wanted or x.ndim > 2:
            raise ArgumentError(
                f"x has shape {x.shape}; the model was trained on {wanted} features of the "
                f"columns {', '.join(columns)}"
            )
    return x


def _columns(data: Any, categories: Categories) -> Columns | None:
    """The columns of what is a table, or None."""
    declared = declared_values(categories)
    if is_frame(data):
        return None if is_series(data) else read_frame(data)
    if not is_path(data):
        return None
    suffix = Path(data).suffix.lower()
    if suffix == ".csv":
        return read_csv(data, declared)
    return read_parquet(data) if suffix == ".parquet" else None


def _pair(
    data: Any,
) -> tuple[Any, Any, tuple[str, ...] | None, tuple[str, ...] | None]:
    """x and y as they were given, and the names of their columns where these are known."""
    if is_path(data):
        _require_npz(data, 'or a pair of files ("x.npy", "y.npy")')
        arrays = read_npz(data, "x", "y")
        return arrays["x"], arrays["y"], None, None
    refuse_iterables(data)
    if is_dataset(data):
        return *as_pair(data), None, None
    if (bunch := as_bunch(data)) is not None:
        return bunch
    if isinstance(data, (tuple, list)) and len(data) == 2:
        return *data, None, None
    raise ArgumentTypeError(f"data must be {ACCEPTED}, not {data!r:.60}")


def _bare_inputs(data: Any) -> Any:
    """x of what is no table, as it was given."""
    if is_path(data):
        if Path(data).suffix.lower() == ".npy":
            return map_npy(data)
        _require_npz(data, "or .npy")
        return read_npz(data, "x")["x"]
    refuse_iterables(data)
    if is_dataset(data):
        return as_inputs(data)
    return data


def _require_npz(path: Any, others: str) -> None:
    if Path(path).suffix.lower() != ".npz":
        raise ArgumentError(f"data={str(path)!r} must end in .npz, .csv or .parquet, {others}")


def _frame_inputs(frame: Any, categories: Categories) -> Table:
    columns = read_frame(frame)
    x, features, found = inputs(columns, columns.names, categories)
    if is_series(frame) and not found:
        x = x[:, 0]
    return Table(x, x, features, columns.names, found)


def _array_inputs(value: Any, features: tuple[str, ...] | None, categories: Categories) -> Table:
    if categories is not None and categories is not False:
        raise ArgumentError("categories= is for the columns of a table; x is an array")
    x = as_array("x", _mapped("x", value))
    if features is not None and x.shape[1:] != (len(features),):
        raise ArgumentError(f"x has shape {x.shape}, and there are {len(features)} feature names")
    if features is not None:
        require_names("feature_names", features)
    return Table(x, x, features, features, {})


def _mapped(name: str, value: Any) -> Any:
    """The array of an ``.npy`` file where a path is given, or else the value."""
    if not is_path(value):
        return value
    if Path(value).suffix.lower() != ".npy":
        raise ArgumentError(f"{name}={str(value)!r}: the files of a pair must end in .npy")
    return map_npy(value)
