"""One checkpoint: a folder that is written, sealed and moved to its place, and read back."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from funcnn.checkpoints import files, trees
from funcnn.checkpoints.arrays import read_arrays, write_arrays
from funcnn.core import ArgumentError

__all__ = ["INDEX", "Content", "read", "read_index", "write"]

ARRAYS, INDEX = "arrays", "checkpoint.json"

FORMAT = 1
"""The version of the words in the index."""


class Content:
    """A state and a memory as what is written: arrays, and an index of them in JSON.

    Raises:
        ArgumentTypeError: for a state or a memory that cannot be saved.
    """

    def __init__(self, manifest: dict[str, Any], state: Any, memory: Mapping[str, Any]) -> None:
        arrays, described = trees.from_tree(state, "state")
        placed, more_arrays, more_described = trees.from_memory(memory)
        self.arrays = [*arrays, *more_arrays]
        self.index: dict[str, Any] = {
            "format": FORMAT,
            "manifest": manifest,
            "state": described,
            "memory": placed,
            "memory_arrays": more_described,
        }


def write(content: Content, temporary: Path, place: Path) -> None:
    """Write a checkpoint to a temporary folder and move it to its place; both have one parent.

    On return it is on the disk; where anything goes wrong, nothing of it is left.
    """
    _require_space(place.parent, content)
    try:
        temporary.mkdir()
        # Orbax refuses arrays of size 0; the index says all that there is to say of them.
        full = {str(number): array for number, array in enumerate(content.arrays) if array.size}
        if full:
            write_arrays(temporary / ARRAYS, full)
        (temporary / INDEX).write_text(json.dumps(content.index), encoding="utf-8")
        files.seal(temporary)
        temporary.rename(place)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    files.sync(place.parent)


def read_index(place: Path) -> dict[str, Any]:
    """The index of a checkpoint whose files have been checked.

    Raises:
        ArgumentError: where another version of funcnn wrote it.
    """
    index = json.loads((place / INDEX).read_text(encoding="utf-8"))
    if index["format"] != FORMAT:
        raise ArgumentError(
            f"{place} is of format {index['format']}, which another version of funcnn wrote; this "
            f"one reads format {FORMAT}"
        )
    return index


def read(place: Path, index: dict[str, Any], like: Any) -> tuple[Any, dict[str, Any]]:
    """The state, in the structure of ``like``, and the memory.

    Raises:
        DamagedError: where an array is not what was saved.
    """
    described = [*index["state"], *index["memory_arrays"]]
    names = [str(number) for number, one in enumerate(described) if 0 not in one["shape"]]
    stored = read_arrays(place / ARRAYS, names) if names else {}
    arrays = []
    for number, one in enumerate(described):
        array = stored.get(str(number), np.zeros(0))
        if 0 in one["shape"]:
            array = np.zeros(one["shape"], one["dtype"])
        if trees.digest(array) != one["sha256"]:
            raise files.DamagedError(f"{one['name']} is not the array that was saved")
        arrays.append(array)
    many = len(index["state"])
    state = trees.to_tree(like, arrays[:many], described[:many])
    return state, trees.to_memory(index["memory"], arrays[many:], described[many:])


def _require_space(folder: Path, content: Content) -> None:
    """Refuse to begin what will not fit.

    Orbax would fail too, but its other writes then go on for a while, and complain on stderr.
    """
    needed, disk = sum(array.nbytes for array in content.arrays), shutil.disk_usage(folder)
    if disk.total and disk.free < needed:
        reason = f"{os.strerror(errno.ENOSPC)}: {needed} bytes are needed, {disk.free} are free"
        raise OSError(errno.ENOSPC, reason)
