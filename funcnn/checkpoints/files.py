"""The files of one checkpoint: on the disk for certain, and told from damaged ones."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

__all__ = ["DamagedError", "check", "is_real_folder", "make_folder", "seal", "sync"]

SUMS = "SHA256SUMS"
"""The digest of every other file, as the program ``sha256sum`` writes and checks it."""


class DamagedError(Exception):
    """What stands on the disk is not what was saved."""


def make_folder(folder: Path) -> None:
    """Make a folder and its parents, each on the disk for certain."""
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        sync(folder.parent)


def sync(path: Path) -> None:
    """Return when a file's content, or a folder's list of names, is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def seal(folder: Path) -> None:
    """Write the digests of all files of a folder beside them, and get all onto the disk."""
    (folder / SUMS).write_text(_sums(_digests(folder)))
    for path, folders, names in os.walk(folder, topdown=False):
        for name in [*names, *folders]:
            sync(Path(path, name))
    sync(folder)


def check(folder: Path) -> None:
    """Check that a sealed folder holds what was sealed. Hidden files that were added may be there.

    Raises:
        DamagedError: with what is wrong.
        OSError: where that cannot be told, because a file may not be opened.
    """
    if not is_real_folder(folder):
        raise DamagedError("it is no folder")
    try:
        sealed = (folder / SUMS).read_bytes()
    except (FileNotFoundError, IsADirectoryError):
        raise DamagedError(f"it has no {SUMS}: it was never finished, or is not funcnn's") from None
    found = _digests(folder)
    if sealed == _sums(found).encode():
        return
    lines = sealed.decode("utf-8", "replace").splitlines()
    digests = {line[66:]: line[:64] for line in lines}
    for name in sorted(digests.keys() - found.keys()):
        raise DamagedError(f"{name} is missing")
    for name in sorted(found.keys() - digests.keys()):
        raise DamagedError(f"{name} was not saved with it")
    for name, digest in found.items():
        if digest != digests[name]:
            raise DamagedError(f"{name} is not what was saved: its SHA-256 differs")
    raise DamagedError(f"{SUMS} is damaged")


def is_real_folder(path: Path) -> bool:
    """Whether a path is a folder itself, and no link to one."""
    try:
        return stat.S_ISDIR(path.lstat().st_mode)
    except FileNotFoundError:
        return False


def _sums(digests: dict[str, str]) -> str:
    return "".join(f"{digest}  {name}\n" for name, digest in digests.items())


def _digests(folder: Path) -> dict[str, str]:
    """The digest of every file that is not hidden, by its path; links are refused."""
    found: dict[str, str] = {}
    for path in sorted(_visible(folder)):
        name = path.relative_to(folder).as_posix()
        if name == SUMS:
            continue
        if not stat.S_ISREG(path.lstat().st_mode):
            raise DamagedError(f"{name} is a link, or no regular file")
        with path.open("rb") as stream:
            found[name] = hashlib.file_digest(stream, "sha256").hexdigest()
    return found


def _visible(folder: Path) -> list[Path]:
    """All that is below a folder, but for folders themselves and hidden names."""
    paths: list[Path] = []
    for path in folder.iterdir():
        if not path.name.startswith("."):
            paths += _visible(path) if is_real_folder(path) else [path]
    return paths
