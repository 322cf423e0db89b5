"""Params as files: ``.npz``, or ``.safetensors`` for every other framework.

An array's name is its path in the tree, joined by dots: ``{"layer": {"w": …}}``
is saved as ``layer.w``. The members of an ``.npz`` have checksums; a ``.safetensors`` gets a
digest of its arrays, which is compared where a file has it.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import jax
import numpy as np

from funcnn.core import ArgumentError, ArgumentTypeError, MissingExtraError, Params, checks
from funcnn.data.arrays import to_numpy
from funcnn.data.files import opened, require_file, require_place, write_whole
from funcnn.data.numpy_files import read_npz, write_npz

__all__ = ["check_destination", "load_params", "load_weights", "save_params", "save_weights"]

SUFFIXES = (".npz", ".safetensors")

DIGEST = "funcnn.sha256"
"""The name of the digest in the metadata of a ``.safetensors``."""

ABOUT = "__funcnn__"
"""The name under which a file says what its params are for."""

FLAT = "flat"
"""What a file says whose params are no tree, but one dict of names that have dots in them."""


def save_params(params: Params, path: str | os.PathLike[str]) -> None:
    """Write params to a file, whole or not at all.

    Args:
        params: a (nested) dict of arrays; no lists or tuples, which a file of named arrays
            could not give back as they were.
        path: ends in ``.npz`` or ``.safetensors``; a file there is replaced.

    Raises:
        ArgumentError: for another ending, or a folder that is not there.
        ArgumentTypeError: for a tree that is no dict of dicts, or a leaf that is no array
            of numbers, by its name.
        MissingExtraError: for ``.safetensors``, where it is not installed.
    """
    save_weights(params, path)


def load_params(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read params that :func:`save_params` wrote, as NumPy arrays.

    Those of a PyTorch module, which its result's ``save`` wrote, come by the names of its
    ``state_dict``, such as ``"0.weight"``: ``net.load_state_dict({name: torch.from_numpy(one) for
    name, one in load_params(path).items()})``, or ``safetensors.torch.load_file(path)``.

    Raises:
        ArgumentError: where the file is absent, damaged, or of another ending.
        MissingExtraError: for ``.safetensors``, where it is not installed.
    """
    params, _ = load_weights(path)
    return params


def save_weights(
    params: Params,
    path: str | os.PathLike[str],
    about: Mapping[str, Any] | None = None,
    *,
    flat: bool = False,
) -> None:
    """Write params, and what is to be known about them in JSON's words, as ``save_params``.

    Args:
        params: a tree; with ``flat`` one dict of arrays, of names in which dots join parts.
        path: of the file.
        about: what is to be known of them.
        flat: whether they are read as such a dict again.
    """
    path = check_destination(path)
    arrays = _flatten(_unflatten(params) if flat else params)
    about = {FLAT: True} | dict(about or {}) if flat else about
    text = None if about is None else json.dumps(about)
    if path.suffix == ".npz":
        if text is not None:
            arrays[ABOUT] = np.frombuffer(text.encode(), np.uint8)
        write_whole(path, lambda stream: write_npz(stream, arrays))
    else:
        metadata = {} if text is None else {ABOUT: text}
        metadata[DIGEST] = _digest(arrays, text)
        content = _safetensors().numpy.save(arrays, metadata)
        write_whole(path, lambda stream: stream.write(content))


def load_weights(path: str | os.PathLike[str]) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """What :func:`save_weights` wrote; None for what is known where the file says nothing."""
    arrays, about = _read(path)
    is_flat = about is not None and about.pop(FLAT, False)
    return arrays if is_flat else _unflatten(arrays), about or None


def _read(path: str | os.PathLike[str]) -> tuple[dict[str, np.ndarray], dict[str, Any] | None]:
    """The arrays of a file by their names, and what it says about them."""
    path = require_file(path)
    _check_suffix(path)
    if path.suffix == ".npz":
        arrays = read_npz(path)
        text = arrays.pop(ABOUT).tobytes().decode() if ABOUT in arrays else None
        return arrays, None if text is None else json.loads(text)
    safetensors = _safetensors()
    with opened(path) as stream:
        content = stream.read()
        arrays = safetensors.numpy.load(content)
        length = int.from_bytes(content[:8], "little")
        metadata = json.loads(content[8 : 8 + length]).get("__metadata__", {})
        text = metadata.get(ABOUT)
        if DIGEST in metadata and metadata[DIGEST] != _digest(arrays, text):
            raise ValueError("its digest is of other arrays: it has been changed or damaged")
        about = None if text is None else json.loads(text)
    return arrays, about


def check_destination(path: str | os.PathLike[str]) -> Path:
    """The path, where params could be saved there; otherwise the errors of :func:`save_params`."""
    path = require_place(path)
    _check_suffix(path)
    if path.suffix == ".safetensors":
        _safetensors()
    return path


def _check_suffix(path: Path) -> None:
    checks.choice("the ending of the file of weights", path.suffix, SUFFIXES)


def _safetensors() -> ModuleType:
    try:
        import safetensors
        import safetensors.numpy
    except ImportError:
        raise MissingExtraError("safetensors", "safetensors") from None
    return safetensors


def _digest(arrays: dict[str, np.ndarray], about: str | None) -> str:
    """SHA-256 of the names, kinds, shapes and data of arrays, and what is said about them."""
    digest = hashlib.sha256((about or "").encode())
    for name, array in sorted(arrays.items()):
        digest.update(f"{name}:{array.dtype.name}:{array.shape}\n".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _flatten(params: Params, branches: tuple[str, ...] = ()) -> dict[str, np.ndarray]:
    place = ".".join(("params", *branches))
    if not isinstance(params, dict):
        raise ArgumentTypeError(
            f"{place} is a {type(params).__name__}: params are saved from (nested) dicts of "
            "arrays; give the members of a list or class names of their own, {'0': ...}"
        )
    if not params:
        raise ArgumentError(f"{place} is an empty dict, which no file of arrays can hold")
    arrays: dict[str, np.ndarray] = {}
    for name, value in params.items():
        if not isinstance(name, str) or set(name) & set("./\\") or not _is_writable(name):
            raise ArgumentError(
                "params are saved under names without . / and \\, of printable letters, not "
                f"{name!r:.60}"
            )
        path = (*branches, name)
        if isinstance(value, dict) or not _is_leaf(value):
            arrays |= _flatten(value, path)
        else:
            # safetensors writes the bytes as they lie, whatever the strides say.
            array = np.array(to_numpy(f"{place}.{name}", value), order="C")
            array = array.astype(array.dtype.newbyteorder("="))
            # Neither NumPy's files have bfloat16, nor any but this machine its long double.
            if array.dtype.kind not in "fiub" or array.dtype.itemsize > 8:
                raise ArgumentTypeError(
                    f"{place}.{name} is of {array.dtype}: not a kind to save "
                    f"(it came as a {type(value).__name__})"
                )
            arrays[".".join(path)] = array
    return arrays


def _is_writable(name: str) -> bool:
    """Whether a name can stand in both kinds of file."""
    return 0 < len(name) < 1000 and name.isprintable() and name not in ("__metadata__", ABOUT)


def _is_leaf(value: Any) -> bool:
    """Whether a value may be an array or a number, and is no node of a tree."""
    return hasattr(value, "__array__") or jax.tree.structure(value).num_nodes == 1


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
