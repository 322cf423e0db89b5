"""Frames of pandas, polars, PyArrow and every other library that narwhals knows; ``.parquet``."""

from __future__ import annotations

import numbers
import os
import sys
from types import ModuleType
from typing import Any

import numpy as np

from funcnn.core import ArgumentError, ArgumentTypeError, MissingExtraError
from funcnn.core.memory import require_memory
from funcnn.data.columns import Columns, require_names
from funcnn.data.files import opened, require_file
from funcnn.data.labels import is_missing

__all__ = ["is_frame", "is_series", "read_frame", "read_parquet", "require_same_rows"]

LIBRARIES = frozenset(
    [
        "cudf",
        "dask",
        "duckdb",
        "ibis",
        "modin",
        "narwhals",
        "pandas",
        "polars",
        "pyarrow",
        "pyspark",
    ]
)


def is_frame(value: Any) -> bool:
    """Whether a value is a frame or a series of one of the libraries; none is imported."""
    return any(kind.__module__.split(".")[0] in LIBRARIES for kind in type(value).__mro__)


def is_series(value: Any) -> bool:
    """Whether a value is a single column of one of the libraries."""
    return is_frame(value) and not hasattr(type(value), "columns")


def read_frame(frame: Any, source: str | None = None) -> Columns:
    """The columns of a frame, or of a series as of a frame with one column.

    Args:
        frame: of any of the libraries.
        source: what errors call it; its class without it.

    Raises:
        ArgumentError, ArgumentTypeError: for a lazy frame, or names of columns that cannot
            be told apart. A column of another kind than numbers, truth values and text is
            refused when it is read.
        MissingExtraError: where narwhals is not installed.
    """
    narwhals = _narwhals()
    source = source or f"the {type(frame).__module__.split('.')[0]} {type(frame).__name__}"
    try:
        native = narwhals.to_native(frame, pass_through=True)
        pandas = sys.modules.get("pandas")
        if pandas and isinstance(native, (pandas.Index, pandas.api.extensions.ExtensionArray)):
            native = pandas.Series(native)
        table = narwhals.from_native(native, allow_series=True)
    except Exception as error:  # It passes on those of every library.
        said = " ".join(str(error).split())
        raise ArgumentTypeError(f"{source} cannot be read: {said}") from error
    if isinstance(table, narwhals.LazyFrame):
        raise ArgumentTypeError(f"{source} is lazy: pass what its collect() gives")
    if isinstance(table, narwhals.Series):
        series = [table]
        names = [str(table.name or 0)]  # as pandas calls the column of a series without a name
    else:
        series = list(table.iter_columns())
        names = [str(name) if isinstance(name, int) else name for name in table.columns]
        require_names(source, names)
        _refuse_an_index(source, native, names)
    found = dict(zip(names, series, strict=True))

    def read(name: str) -> np.ndarray:
        return _column(narwhals, source, name, found[name])

    return Columns(source, tuple(names), read, lambda row: f"row {row}")


def read_parquet(path: str | os.PathLike[str]) -> Columns:
    """The columns of a ``.parquet`` file; checksums, where its pages have them, are compared.

    Raises:
        ArgumentError: where the file is damaged, or needs more memory than there is.
        MissingExtraError: where PyArrow is not installed.
    """
    path = require_file(path)
    try:
        from pyarrow import parquet
    except ImportError:
        raise MissingExtraError("pyarrow", "parquet") from None
    _narwhals()
    with opened(path) as stream:
        file = parquet.ParquetFile(stream, page_checksum_verification=True)
        require_names(str(path), file.schema_arrow.names)
        rows, width = file.metadata.num_rows, len(file.schema_arrow.names)
        require_memory(f"{path} unpacks to", 8 * rows * width)
        return read_frame(file.read(), str(path))


def require_same_rows(x: Any, y: Any) -> None:
    """Refuse a pandas pair whose indices hold the same labels in another order."""
    first, second = getattr(x, "index", None), getattr(y, "index", None)
    if first is None or second is None or not (is_frame(x) and is_frame(y)):
        return
    same = len(first) == len(second) and first.isin(second).all() and second.isin(first).all()
    if same and not first.equals(second):
        raise ArgumentError(
            "x and y have the same index in another order, and rows are paired as they stand: "
            "pass y.loc[x.index], or both with reset_index(drop=True)"
        )


def _column(narwhals: ModuleType, source: str, name: str, series: Any) -> np.ndarray:
    kind = series.dtype
    if isinstance(kind, (narwhals.String, narwhals.Categorical, narwhals.Enum)):
        values = [None if is_missing(value) else value for value in series.to_list()]
        known = [value for value in values if value is not None]
        if known and all(isinstance(value, numbers.Real) for value in known):  # As pandas allows.
            return np.array([np.nan if value is None else value for value in values])
        texts = np.empty(len(series), object)
        texts[:] = [None if value is None else str(value) for value in values]
        return texts
    if isinstance(kind, narwhals.Boolean):
        missing = series.is_null().to_numpy()
        return np.where(missing, np.nan, 1.0) if missing.any() else series.to_numpy().astype(bool)
    wide = isinstance(kind, (narwhals.Int128, narwhals.UInt128))
    if (kind.is_integer() or kind.is_float()) and not wide:
        return np.asarray(series.to_numpy())
    raise ArgumentTypeError(
        f"{source}: column {name!r} is of {kind}; numbers, truth values and text are taken: "
        "make numbers of it, or drop it"
    )


def _refuse_an_index(source: str, table: Any, names: list[str]) -> None:
    """Refuse a table of PyArrow with a column that was the index of a pandas frame."""
    metadata = getattr(getattr(table, "schema", None), "pandas_metadata", None) or {}
    for name in metadata.get("index_columns", ()):
        if isinstance(name, str) and name in names:
            raise ArgumentError(
                f"{source}: column {name!r} was the index of a pandas frame: write it with "
                "index=False, or drop the column"
            )


def _narwhals() -> ModuleType:
    try:
        import narwhals.stable.v2 as narwhals
    except ImportError:
        raise MissingExtraError("narwhals", "frames") from None
    return narwhals
