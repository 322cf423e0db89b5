"""Files of numbers, read without trust and written whole or not at all."""

from __future__ import annotations

import csv
import io
import math
import os
import secrets
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

import numpy as np

from funcnn.core import ArgumentError, ArgumentTypeError, checks

__all__ = [
    "LARGEST_ARRAY",
    "read_csv",
    "read_npz",
    "require_file",
    "require_place",
    "write_whole",
]

LARGEST_ARRAY = 2**33
"""The most bytes that an archive may unpack to: 8 GiB."""


def require_file(path: str | os.PathLike[str]) -> Path:
    """The path, where a regular file stands there (a pipe would block the reader)."""
    path = Path(path)
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise ArgumentError(f"{path}: there is no such file: {error.strerror}") from error
    if not stat.S_ISREG(mode):
        raise ArgumentError(f"{path} is not a regular file")
    return path


def require_place(path: str | os.PathLike[str]) -> Path:
    """The path, where a file could be written there."""
    path = Path(path)
    if not path.parent.is_dir():
        raise ArgumentError(f"{path}: there is no folder {path.parent}")
    if path.is_dir():
        raise ArgumentError(f"{path} is a folder")
    try:
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise ArgumentError(f"{path} cannot be written: {error}") from error
    return path


def read_npz(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """The arrays of an ``.npz`` archive. No pickle is ever read.

    What each member claims of its size is held against the archive before any
    memory is asked for.

    Raises:
        ArgumentError: where the file is damaged, holds Python objects, names an
            array twice or outside the archive, or would unpack to more than
            ``LARGEST_ARRAY`` bytes.
    """
    path = require_file(path)
    arrays: dict[str, np.ndarray] = {}
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            if sum(member.file_size for member in members) > LARGEST_ARRAY:
                raise ArgumentError(f"{path} unpacks to more than {LARGEST_ARRAY} bytes")
            for member in members:
                name = member.filename.removesuffix(".npy")
                if name == member.filename or "/" in name or "\\" in name:
                    raise ArgumentError(f"{path}: {member.filename!r} is not the name of an array")
                if name in arrays:
                    raise ArgumentError(f"{path} holds two arrays named {name!r}")
                with archive.open(member) as stream:
                    arrays[name] = _read_npy(stream, member.file_size)
    except ArgumentError:
        raise
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        OSError,
        RuntimeError,
        SyntaxError,
        ValueError,
    ) as error:
        raise ArgumentError(f"{path} is not a sound .npz file: {error}") from error
    return arrays


def read_csv(
    path: str | os.PathLike[str], target: str | Sequence[str] | None
) -> tuple[np.ndarray, np.ndarray]:
    """The columns of a ``.csv`` file with a header, as (x, y), float64.

    Args:
        path: a file of numbers, comma-separated, UTF-8.
        target: the name or names of the columns to predict; all others are x.

    Returns:
        x (rows, columns), and y (rows,) for one name or (rows, names) for several.

    Raises:
        ArgumentError: for a cell that is no finite number (with its line and
            column), a row of another length, or columns that cannot be told apart.
    """
    path = require_file(path)
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.reader(stream, strict=True)
            header = [name.strip() for name in next(reader, [])]
            rows = [_row(path, reader.line_num, header, cells) for cells in reader if cells]
    except (csv.Error, OSError, UnicodeDecodeError) as error:
        raise ArgumentError(f"{path} is not a sound .csv file: {error}") from error
    targets = _target_columns(path, header, target)
    if not rows:
        raise ArgumentError(f"{path} has no rows below its header")
    table = np.array(rows, np.float64)
    chosen = [header.index(name) for name in targets]
    y = table[:, chosen[0]] if isinstance(target, str) else table[:, chosen]
    return np.delete(table, chosen, axis=1), y


def write_whole(path: str | os.PathLike[str], write: Callable[[IO[bytes]], object]) -> None:
    """Write a file beside its place and move it there once it is on the disk.

    Whatever happens, the path holds the old content or the new, never a part.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    stream = temporary.open("xb")
    try:
        with stream:
            write(stream)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _read_npy(stream: IO[bytes] | io.BufferedIOBase, member_size: int) -> np.ndarray:
    version = np.lib.format.read_magic(stream)
    if version == (1, 0):
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(stream)
    elif version == (2, 0):
        shape, fortran, dtype = np.lib.format.read_array_header_2_0(stream)
    else:
        raise ValueError(f"version {version} of the .npy format is not read")
    if dtype.hasobject:
        raise ValueError("it holds Python objects (a pickle), which are never read")
    size = math.prod(shape) * dtype.itemsize
    if min(shape, default=0) < 0 or stream.tell() + size != member_size:
        raise ValueError(f"an array of shape {shape} does not fill its place in the archive")
    flat = np.frombuffer(stream.read(size), dtype)
    return flat.reshape(shape, order="F" if fortran else "C").copy()


def _row(path: Path, line: int, header: list[str], cells: list[str]) -> list[float]:
    if len(cells) != len(header):
        raise ArgumentError(
            f"{path}, line {line}: {len(cells)} cells under {len(header)} column names"
        )
    return [_cell(path, line, name, cell) for name, cell in zip(header, cells, strict=True)]


def _cell(path: Path, line: int, column: str, cell: str) -> float:
    try:
        value = math.nan if "_" in cell else float(cell)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ArgumentError(f"{path}, line {line}, column {column!r}: {cell!r} is no finite number")
    return value


def _target_columns(
    path: Path, header: list[str], target: str | Sequence[str] | None
) -> Sequence[str]:
    if not header:
        raise ArgumentError(f"{path} is empty; a header of column names is needed")
    if len(set(header)) != len(header):
        repeated = next(name for name in header if header.count(name) > 1)
        raise ArgumentError(f"{path} has two columns named {repeated!r}")
    if target is None:
        raise ArgumentError(
            f"{path}: target= must name the column to predict. Known: {', '.join(header)}"
        )
    if not isinstance(target, Sequence):
        raise ArgumentTypeError(f"target={target!r} must be the name of a column, or several")
    targets = [target] if isinstance(target, str) else list(target)
    if not targets or len(set(targets)) != len(targets):
        raise ArgumentError(f"target={target!r} must name columns, each once")
    for name in targets:
        checks.choice("target", name, header)
    if len(targets) == len(header):
        raise ArgumentTypeError(f"{path}: target={target!r} leaves no column to predict from")
    return targets
