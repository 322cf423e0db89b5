"""A folder is written by one run at a time."""

from __future__ import annotations

import os
from pathlib import Path

from funcnn.core import CheckpointError

__all__ = ["LOCK", "Lock"]

LOCK = ".funcnn.lock"
"""The file that is locked. It stays: only the lock on it says that a run is there."""


class Lock:
    """The right to write to a folder, from its creation to :meth:`release`.

    The operating system frees it with the process that holds it, however that ends. A second
    lock is refused in the same process too.

    Raises:
        CheckpointError: where another holds it (with its process id), or the system has no
            such locks.
    """

    def __init__(self, folder: Path) -> None:
        try:
            import fcntl
        except ImportError:
            raise CheckpointError(
                "checkpoints need the file locks of Linux or macOS, which this system lacks", folder
            ) from None
        self._path = folder / LOCK
        # Python's open files are closed in the programs that a process starts.
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(self._file, 0)
            os.write(self._file, f"{os.getpid()}\n".encode())
        except BlockingIOError:
            holder = os.read(self._file, 32).decode("ascii", "replace").strip()
            os.close(self._file)
            raise CheckpointError(
                f"the process {holder or 'of another run'} writes its checkpoints here; wait for "
                "it to end, or use another folder",
                folder,
            ) from None
        except BaseException:
            os.close(self._file)
            raise

    def holds(self) -> bool:
        """Whether the folder still holds the file that is locked."""
        try:
            return os.path.samestat(os.fstat(self._file), self._path.lstat())
        except OSError:
            return False

    def release(self) -> None:
        """Let others write. The file is only closed: a forked child must not unlock it."""
        os.close(self._file)
