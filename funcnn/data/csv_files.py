"""Text files of a table: ``.csv``, with a header."""

from __future__ import annotations

import csv
import io
import math
import os
from collections.abc import Container, Mapping

import numpy as np

from funcnn.core import ArgumentError
from funcnn.data.columns import Columns, require_names
from funcnn.data.files import opened

__all__ = ["read_csv"]

MISSING = frozenset(
    ["", "#N/A", "<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null", "-nan"]
)
"""How other programs write a value that is missing."""

TRUTH = {"true": True, "false": False}


def read_csv(
    path: str | os.PathLike[str], categories: Mapping[str, Container[str] | None]
) -> Columns:
    """The columns of a ``.csv`` file: comma-separated, UTF-8, numbers with a decimal point.

    Args:
        path: the file.
        categories: columns whose cells are taken as text whatever they look like, with the
            values that they may have.

    Raises:
        ArgumentError: for a row of another length than the header's, or names of columns
            that cannot be told apart. A cell that is no finite number, in a column of
            numbers, is refused when its column is read.
    """
    with opened(path) as stream:
        reader = csv.reader(io.TextIOWrapper(stream, "utf-8-sig", newline=""), strict=True)
        header = [name.strip() for name in next(reader, [])]
        if not header:
            raise ArgumentError(f"{path} is empty; a header of column names is needed")
        require_names(str(path), header)
        as_text = [name in categories for name in header]
        columns: list[list[float | str]] = [[] for _ in header]
        lines: list[int] = []
        for cells in filter(None, reader):
            if len(cells) != len(header):
                raise ArgumentError(
                    f"{path}, line {reader.line_num}: {len(cells)} cells under "
                    f"{len(header)} column names"
                )
            for column, text, cell in zip(columns, as_text, cells, strict=True):
                column.append(cell if text else _parsed(cell))
            lines.append(reader.line_num)
    if not lines:
        raise ArgumentError(f"{path} has no rows below its header")
    cells = dict(zip(header, columns, strict=True))

    def read(name: str) -> np.ndarray:
        if name in categories:
            return _texts(cells[name], categories[name] or ())
        try:
            return _column(cells[name])
        except _NoNumberError as error:
            row, cell = error.args
            raise ArgumentError(
                f"{path}, line {lines[row]}, column {name!r}: {cell!r} is no finite number"
            ) from None

    return Columns(str(path), tuple(header), read, lambda row: f"line {lines[row]}")


class _NoNumberError(Exception):
    """A cell, with its row, that is no finite number though its column holds numbers."""


def _parsed(cell: str) -> float | str:
    """A finite number, or the cell as it is."""
    try:
        value = math.nan if "_" in cell else float(cell)
    except ValueError:
        return cell
    return value if math.isfinite(value) else cell


def _column(cells: list[float | str]) -> np.ndarray:
    """The cells as numbers, truth values or text: all of one kind, but for missing ones."""
    there = [
        (row, cell)
        for row, cell in enumerate(cells)
        if not isinstance(cell, str) or cell.strip() not in MISSING
    ]
    texts = [(row, cell) for row, cell in there if isinstance(cell, str)]
    if not texts:
        return np.array([math.nan if isinstance(cell, str) else cell for cell in cells])
    if len(texts) == len(cells) and all(cell.strip().lower() in TRUTH for _, cell in texts):
        return np.array([TRUTH[cell.strip().lower()] for _, cell in texts])
    for row, cell in texts:
        if len(texts) < len(there) or _like_a_number(cell):
            raise _NoNumberError(row, cell)
    return _texts(cells, ())


def _texts(cells: list[float | str], known: Container[str]) -> np.ndarray:
    texts = np.empty(len(cells), object)
    for row, cell in enumerate(cells):
        missing = isinstance(cell, str) and cell.strip() in MISSING and cell not in known
        texts[row] = None if missing else cell
    return texts


def _like_a_number(cell: str) -> bool:
    """Whether a cell may be a number that is written in another way: 1,5 or 1 000 or 10 %."""
    if any(map(str.isdecimal, cell)) and not any(map(str.isalpha, cell)):
        return True
    try:
        float(cell.replace(",", ".").replace("_", ""))
    except ValueError:
        return False
    return True
