"""Params as files: ``.npz``, or ``.safetensors`` for every other framework.

An array's name is its path in the tree, joined by dots: ``{"layer": {"w": …}}``
is saved as ``layer.w``.
"""

from __future__ import annotations

import os
import zipfile
from pathlib import Path
from types import ModuleType
from typing import IO, Any

import numpy as np

from funcnn.core import ArgumentError, ArgumentTypeError, MissingExtraError, Params, checks
from funcnn.data.arrays import to_numpy
from funcnn.data.files import read_npz, require_file, require_place, write_whole

__all__ = ["check_destination", "load_params", "save_params"]

SUFFIXES = (".npz", ".safetensors")


def save_params(params: Params, path: str | os.PathLike[str]) -> None:
    """Write params to a file, whole or not at all.

    Args:
        params: a (nested) dict of arrays.
        path: ends in ``.npz`` or ``.safetensors``; a file there is replaced.

    Raises:
        ArgumentError: for another ending, or a folder that is not there.
        ArgumentTypeError: for a tree that is no dict of dicts.
        MissingExtraError: for ``.safetensors``, where it is not installed.
    """
    path = check_destination(path)
    arrays = _flatten(params)
    if path.suffix == ".npz":
        write_whole(path, lambda stream: _write_npz(stream, arrays))
    else:
        content = _safetensors().numpy.save(arrays)
        write_whole(path, lambda stream: stream.write(content))


def load_params(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read params that :func:`save_params` wrote, as NumPy arrays.

    Raises:
        ArgumentError: where the file is absent, damaged, or of another ending.
        MissingExtraError: for ``.safetensors``, where it is not installed.
    """
    path = require_file(path)
    _check_suffix(path)
    if path.suffix == ".npz":
        return _unflatten(read_npz(path))
    safetensors = _safetensors()
    try:
        return _unflatten(safetensors.numpy.load(path.read_bytes()))
    except (safetensors.SafetensorError, ValueError, KeyError) as error:
        raise ArgumentError(f"{path} is not a sound .safetensors file: {error}") from error


def check_destination(path: str | os.PathLike[str]) -> Path:
    """The path, where params could be saved there; otherwise the errors of :func:`save_params`."""
    path = Path(path)
    _check_suffix(path)
    if path.suffix == ".safetensors":
        _safetensors()
    return require_place(path)


def _check_suffix(path: Path) -> None:
    checks.choice("the ending of the file of weights", path.suffix, SUFFIXES)


def _write_npz(stream: IO[bytes], arrays: dict[str, np.ndarray]) -> None:
    # np.savez takes its own arguments' names from those of the arrays.
    with zipfile.ZipFile(stream, "w") as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)


def _safetensors() -> ModuleType:
    try:
        import safetensors
        import safetensors.numpy
    except ImportError:
        raise MissingExtraError("safetensors", "safetensors") from None
    return safetensors


def _flatten(params: Params, prefix: str = "") -> dict[str, np.ndarray]:
    if not isinstance(params, dict):
        raise ArgumentTypeError(f"params are saved from (nested) dicts, not {type(params)}")
    arrays: dict[str, np.ndarray] = {}
    for name, value in params.items():
        if not isinstance(name, str) or not name or set(name) & set("./\\"):
            raise ArgumentError(f"params are saved under names without . / and \\, not {name!r}")
        if isinstance(value, dict):
            arrays |= _flatten(value, f"{prefix}{name}.")
        else:
            # safetensors writes the bytes as they lie, whatever the strides say.
            array = np.array(to_numpy(f"{prefix}{name}", value), order="C")
            if array.dtype.kind not in "fiub":  # bfloat16 among them: NumPy's files have none
                raise ArgumentTypeError(f"{prefix}{name} is of {array.dtype}: not a kind to save")
            arrays[prefix + name] = array
    return arrays


def _unflatten(arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    params: dict[str, Any] = {}
    for path, value in arrays.items():
        *branches, leaf = path.split(".")
        node = params
        for branch in branches:
            node = node.setdefault(branch, {})
            if not isinstance(node, dict):
                raise ArgumentError(f"{path!r} stands below an array")
        if leaf in node:
            raise ArgumentError(f"{path!r} stands above an array")
        node[leaf] = value
    return params
