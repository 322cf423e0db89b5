"""Files, opened without trust and written whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from funcnn import signals
from funcnn.core import ArgumentError, ArgumentTypeError

__all__ = ["is_path", "opened", "require_file", "require_place", "write_whole"]


def is_path(value: Any) -> bool:
    """Whether a value is the path of a file: text, or such as a ``pathlib.Path``."""
    return isinstance(value, (str, os.PathLike))


def require_file(path: str | os.PathLike[str]) -> Path:
    """The path, where a regular file stands there (a pipe would block the reader)."""
    path = _as_path(path)
    mode = _mode(path)
    if mode is None:
        raise ArgumentError(f"{path}: there is no such file")
    if not stat.S_ISREG(mode):
        raise ArgumentError(f"{path} is not a regular file")
    return path


def require_place(path: str | os.PathLike[str]) -> Path:
    """The path, where a file could be written there."""
    path = _as_path(path)
    if not path.parent.is_dir():
        raise ArgumentError(f"{path}: there is no folder {path.parent}")
    mode = _mode(path)
    if mode is not None and not stat.S_ISREG(mode):
        kind = "a folder" if stat.S_ISDIR(mode) else "not a regular file"
        raise ArgumentError(f"{path} is {kind}")
    try:
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise ArgumentError(f"{path} cannot be written: {error}") from error
    return path


@contextlib.contextmanager
def opened(path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """A regular file, open to be read.

    The readers of damaged files raise errors of many kinds: whatever is raised inside,
    and is no error of funcnn, becomes an ArgumentError that names the file.
    """
    path = require_file(path)
    try:
        stream = path.open("rb")
    except OSError as error:
        raise ArgumentError(f"{path} cannot be read: {error.strerror}") from error
    with stream:
        try:
            yield stream
        except ArgumentError:
            raise
        except Exception as error:
            said = str(error) or type(error).__name__
            raise ArgumentError(f"{path} is not a sound {path.suffix} file: {said}") from error


def write_whole(path: str | os.PathLike[str], write: Callable[[IO[bytes]], object]) -> None:
    """Write a file beside its place and move it there once it is on the disk.

    Whatever happens, the path holds the old content or the new, never a part.

    Raises:
        OSError: where it cannot be written, as on a full disk; it names the path.
    """
    path = _as_path(path)
    try:
        with signals.writing():
            _write_and_move(path, write)
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error


def _write_and_move(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    # Its own short name: that of the path may be as long as names may be.
    temporary = path.with_name(f".{secrets.token_hex(8)}.part")
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


def _as_path(path: Any) -> Path:
    if not is_path(path) or not isinstance(os.fspath(path), str):
        raise ArgumentTypeError(f"a path must be text or a pathlib.Path, not {path!r:.60}")
    return Path(path)


def _mode(path: Path) -> int | None:
    """The kind of what stands at a path, or None where nothing does."""
    try:
        return path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:  # a name that is too long, or holds a NUL
        said = getattr(error, "strerror", None) or error
        raise ArgumentError(f"{str(path)!r:.300} cannot be a file: {said}") from error
