"""NumPy's files: ``.npz`` archives, and ``.npy`` files, mapped into memory."""

from __future__ import annotations

import math
import os
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np

from funcnn.core import ArgumentError
from funcnn.core.memory import require_memory
from funcnn.data.files import opened

__all__ = ["map_npy", "read_npz", "write_npz"]

# What NumPy writes, and nothing else: nothing of a file is evaluated.
HEADER = re.compile(
    r"\{\s*'descr':\s*'([^']{1,30})',\s*'fortran_order':\s*(True|False),"
    r"\s*'shape':\s*\(([\d, ]{0,300})\),?\s*\}\s*"
)
NUMBERS_OR_TEXT = re.compile(r"[<>|=]?[biufU]\d{1,9}")
LONGEST_HEADER = 2**16

CHUNK = 2**24
"""Bytes that are unpacked at once."""

LOCAL_HEADER = 30
"""Bytes before a member's name, extra field and data, each of them right after the last."""

DESCRIPTORS = (0, 12, 16, 20, 24)
"""The lengths of what may follow a member's data, where its sizes were not known before."""


class Header(NamedTuple):
    """What an ``.npy`` file says of its array; ``start`` is the byte where its data begin."""

    shape: tuple[int, ...]
    order: str
    dtype: np.dtype
    start: int

    @property
    def end(self) -> int:
        """The byte after the data."""
        return self.start + math.prod(self.shape) * self.dtype.itemsize


def map_npy(path: str | os.PathLike[str]) -> np.memmap:
    """The array of an ``.npy`` file, mapped into memory: nothing but its header is read.

    Raises:
        ArgumentError: where there is no such file, or its header is not sound, or tells of
            Python objects, or of another size than the file has.
    """
    with opened(path) as stream:
        header = _header(stream)
        size = os.fstat(stream.fileno()).st_size
        if header.end != size:
            raise ValueError(f"an array of shape {header.shape} does not fill its {size} bytes")
        if header.start == size:
            raise ArgumentError(f"{path} is empty: its shape is {header.shape}")
        shape, order, dtype, start = header
        return np.memmap(stream, dtype, "r", start, shape, "F" if order == "F" else "C")


def read_npz(path: str | os.PathLike[str], *names: str) -> dict[str, np.ndarray]:
    """The arrays of an ``.npz`` archive, or those of some names. No pickle is ever read.

    What every member says of its size is held against the archive, and against the
    machine's memory, before any data are unpacked; the checksums of those read are compared.

    Raises:
        ArgumentError: where the file is damaged, lacks a name, holds Python objects,
            names an array twice or outside the archive, or needs more memory than there is.
    """
    with opened(path) as stream, zipfile.ZipFile(stream) as archive:
        members = _members(Path(path), archive)
        _require_gapless(stream, archive)
        for name in names:
            if name not in members:
                raise ArgumentError(
                    f"{path} must hold arrays {' and '.join(names)}; it holds {', '.join(members)}"
                )
        headers = {name: _member_header(archive, member) for name, member in members.items()}
        wanted = names or tuple(members)
        require_memory(f"{path} unpacks to", sum(members[name].file_size for name in wanted))
        return {name: _unpacked(archive, members[name], headers[name]) for name in wanted}


def write_npz(stream: IO[bytes], arrays: Mapping[str, np.ndarray]) -> None:
    """Write an ``.npz`` archive of arrays of numbers, whatever their names."""
    # np.savez takes its own arguments' names from those of the arrays.
    with zipfile.ZipFile(stream, "w") as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)


def _members(path: Path, archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    members: dict[str, zipfile.ZipInfo] = {}
    for member in archive.infolist():
        name = member.filename.removesuffix(".npy")
        if name == member.filename or "/" in name or "\\" in name:
            raise ArgumentError(f"{path}: {member.filename!r} is not the name of an array")
        if name in members:
            raise ArgumentError(f"{path} holds two arrays named {name!r}")
        members[name] = member
    return members


def _require_gapless(stream: IO[bytes], archive: zipfile.ZipFile) -> None:
    """Refuse an archive whose list of members does not account for every byte before it.

    A damaged list may be readable, and shorter than it was.
    """
    place = 0
    for member in sorted(archive.infolist(), key=lambda member: member.header_offset):
        gap = member.header_offset - place
        if gap not in (DESCRIPTORS if place else (0,)):
            raise ValueError(f"{member.filename} does not begin where it should")
        stream.seek(member.header_offset + LOCAL_HEADER - 4)
        lengths = stream.read(4)
        name, extra = (int.from_bytes(lengths[at : at + 2], "little") for at in (0, 2))
        place = member.header_offset + LOCAL_HEADER + name + extra + member.compress_size
    if archive.start_dir - place not in (DESCRIPTORS if place else (0,)):
        raise ValueError("the list of its arrays is not whole")


def _member_header(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Header:
    with archive.open(member) as stream:
        header = _header(stream)
    if header.end != member.file_size:
        raise ValueError(f"an array of shape {header.shape} does not fill its place in the archive")
    return header


def _unpacked(archive: zipfile.ZipFile, member: zipfile.ZipInfo, header: Header) -> np.ndarray:
    flat = np.empty(math.prod(header.shape), header.dtype)
    content = flat.view(np.uint8)
    with archive.open(member) as stream:
        stream.read(header.start)
        place = 0
        while chunk := stream.read(CHUNK):
            content[place : place + len(chunk)] = np.frombuffer(chunk, np.uint8)
            place += len(chunk)
    if place != content.size:
        raise EOFError(f"{member.filename} ends too early")
    return flat.reshape(header.shape, order="F" if header.order == "F" else "C")


def _header(stream: IO[bytes] | zipfile.ZipExtFile) -> Header:
    magic = stream.read(8)
    if magic[:6] != b"\x93NUMPY" or magic[6:] not in (b"\1\0", b"\2\0", b"\3\0"):
        raise ValueError("it does not begin as an .npy file of version 1, 2 or 3 does")
    width = 2 if magic[6] == 1 else 4
    length = int.from_bytes(stream.read(width), "little")
    if length > LONGEST_HEADER:
        raise ValueError(f"a header of {length} bytes is not one that NumPy writes")
    text = stream.read(length).decode("utf-8" if magic[6] == 3 else "latin-1")
    found = HEADER.fullmatch(text) if len(text) == length else None
    if found is None:
        raise ValueError(f"the header of an .npy file is not one of a plain array: {text:.100}")
    descr, fortran, sizes = found.groups()
    if "O" in descr:
        raise ValueError("it holds Python objects (a pickle), which are never read")
    if not NUMBERS_OR_TEXT.fullmatch(descr):
        raise ValueError(f"an array of {descr!r} holds neither numbers nor text")
    shape = tuple(int(size) for size in sizes.replace(" ", "").split(",") if size)
    order = "F" if fortran == "True" else "C"
    return Header(shape, order, np.dtype(descr), len(magic) + width + length)
