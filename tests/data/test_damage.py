"""Damaged files of data and weights: a clear error, or the very same arrays."""

from __future__ import annotations

import io
import json
import struct
import zipfile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import funcnn
from funcnn.core import memory
from funcnn.data import load, load_params, save_params
from funcnn.data.numpy_files import read_npz

X, Y = np.arange(24.0).reshape(8, 3) / 7, np.arange(8.0) - 3
PARAMS = {"layer": {"w": X.astype(np.float32), "b": np.arange(3)}, "a": np.array(2.5)}
CSV = "a,b,y\n" + "".join(f"{row}.5,{row * row},{-row}\n" for row in range(9))


def data_bytes(kind: str) -> bytes:
    stream = io.BytesIO()
    if kind == "npz":
        np.savez(stream, x=X, y=Y)
    elif kind == "compressed npz":
        np.savez_compressed(stream, x=X, y=Y)
    elif kind == "npy":
        np.save(stream, X)
    elif kind == "csv":
        stream.write(CSV.encode())
    else:
        pyarrow = pytest.importorskip("pyarrow")
        from pyarrow import parquet

        parquet.write_table(pyarrow.table({"a": X[:, 0], "b": X[:, 1], "y": Y}), stream)
    return stream.getvalue()


def read(kind: str, path, tmp_path):
    """What stands in a file, as a flat dict of arrays."""
    if kind in ("weights npz", "safetensors"):
        tree = load_params(path)
        return {"w": tree["layer"]["w"], "b": tree["layer"]["b"], "a": tree["a"]} | {
            name: value for name, value in tree.items() if name not in ("layer", "a")
        }
    if kind == "npy":
        np.save(tmp_path / "other.npy", Y)
        table = load((path, tmp_path / "other.npy"))
    else:
        table = load(path, target=None if path.suffix == ".npz" else "y")
    return {"x": np.array(table.x), "y": np.array(table.y)}


def written(kind: str, tmp_path):
    """A sound file, and its content."""
    suffix = kind.rsplit(maxsplit=1)[-1]
    path = tmp_path / f"file.{suffix}"
    if kind in ("weights npz", "safetensors"):
        if suffix == "safetensors":
            pytest.importorskip("safetensors")
        save_params(PARAMS, path)
        return path, path.read_bytes()
    path.write_bytes(data_bytes(kind))
    return path, path.read_bytes()


def read_or_refused(kind: str, path, tmp_path):
    """What stands in a file, or None where it is refused by its name."""
    try:
        return read(kind, path, tmp_path)
    except funcnn.ArgumentError as error:
        if path.name not in str(error):
            raise
        return None


def same(found, expected) -> bool:
    return found.keys() == expected.keys() and all(
        found[name].dtype == array.dtype and np.array_equal(found[name], array)
        for name, array in expected.items()
    )


@pytest.mark.parametrize("kind", ["npz", "compressed npz", "weights npz", "safetensors"])
def test_a_flipped_bit_is_noticed_or_changes_nothing(kind, tmp_path):
    # .csv, .npy and .parquet have no checksum: a bit that flips in their numbers is
    # another number.
    path, content = written(kind, tmp_path)
    expected = read(kind, path, tmp_path)
    rng = np.random.default_rng(0)
    refused = 0
    for place in rng.integers(8 * len(content), size=120):
        damaged = bytearray(content)
        damaged[place // 8] ^= 1 << (place % 8)
        path.write_bytes(damaged)
        found = read_or_refused(kind, path, tmp_path)
        refused += found is None
        assert found is None or same(found, expected), place
    assert refused > 60


KINDS = ["npz", "compressed npz", "weights npz", "safetensors", "npy", "csv", "parquet"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_ends_too_early(kind, tmp_path):
    path, content = written(kind, tmp_path)
    expected = read(kind, path, tmp_path)
    lengths = np.random.default_rng(1).integers(len(content), size=25)
    for length in [0, 1, *lengths, len(content) - 1]:
        path.write_bytes(content[:length])
        found = read_or_refused(kind, path, tmp_path)
        if found is not None:
            # A .csv does not say how long it is: the lines before are read.
            assert kind == "csv"
            assert np.array_equal(found["x"], expected["x"][: len(found["x"])])


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_of_another_kind(kind, tmp_path):
    path, _ = written(kind, tmp_path)
    others = {"npz", "npy", "csv", "parquet"} - {path.suffix[1:]}
    foreign = [b"", b"\0" * 100, b"\xff" * 100, b"\x89PNG\r\n\x1a\n" + bytes(64), b"PK\3\4"]
    for content in foreign + [data_bytes(other) for other in sorted(others)]:
        path.write_bytes(content)
        with pytest.raises(funcnn.ArgumentError, match=path.name):
            read(kind, path, tmp_path)


def npy(descr="<f8", shape="(2,)", data=bytes(16), header=None, version=1):
    text = header or f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}"
    length = struct.pack("<H" if version == 1 else "<I", len(text) + 1)
    return b"\x93NUMPY" + bytes([version, 0]) + length + text.encode() + b"\n" + data


HEADERS = {
    "unclosed": npy(header="{'descr': '<f8', 'fortran_order': False, 'shape': (2,"),
    "dashes": npy(header="-" * 9000),
    "brackets": npy(header="(" * 9000),
    "truth-value-in-shape": npy(shape="(True,)", data=bytes(8)),
    "negative": npy(shape="(-2,)"),
    "huge": npy(shape="(3000000000000,)"),
    "digits": npy(shape=f"({'9' * 5000},)"),
    "objects": npy(descr="|O"),
    "durations": npy(descr="<m8[s]"),
    "structured": npy(header="{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': (2,), }"),
    "no-such-kind": npy(descr="<f7"),
    "long-header": npy(header=" " * 70000, version=2),
    "version": npy(version=9),
    "more": npy(data=bytes(24)),
    "less": npy(data=bytes(8)),
    "nothing": npy(shape="(0,)", data=b""),
}


@pytest.mark.parametrize("name", HEADERS)
def test_headers_of_arrays(name, tmp_path):
    np.save(tmp_path / "y.npy", np.ones(2))
    (tmp_path / "x.npy").write_bytes(HEADERS[name])
    with pytest.raises(funcnn.ArgumentError, match=r"x\.npy"):
        load((tmp_path / "x.npy", tmp_path / "y.npy"))
    if name != "nothing":
        with zipfile.ZipFile(tmp_path / "w.npz", "w") as archive:
            archive.writestr("x.npy", HEADERS[name])
        with pytest.raises(funcnn.ArgumentError, match=r"w\.npz"):
            load_params(tmp_path / "w.npz")


def test_versions_and_orders_of_headers_that_are_sound(tmp_path):
    for version in (1, 2, 3):
        (tmp_path / "x.npy").write_bytes(npy(version=version))
        assert load((tmp_path / "x.npy", [1.0, 2.0])).x.shape == (2,)
    for dtype in ("<f4", ">f8", "|u1", "?", "<i8", "<f2"):
        np.save(tmp_path / "x.npy", np.asfortranarray(X.astype(dtype)))
        np.testing.assert_array_equal(load((tmp_path / "x.npy", Y)).x, X.astype(dtype))


def test_what_unpacks_to_more_than_the_memory_is_refused_at_once(tmp_path, monkeypatch):
    np.savez_compressed(tmp_path / "w.npz", x=np.zeros(10**6), y=np.zeros(10**6), z=np.ones(3))
    monkeypatch.setattr(memory, "installed_memory", lambda: 10**6)

    unpacked = []
    monkeypatch.setattr("funcnn.data.numpy_files._unpacked", lambda *given: unpacked.append(given))
    with pytest.raises(funcnn.ArgumentError, match=r"unpacks to 1\.6e\+07 bytes; the machine has"):
        load(tmp_path / "w.npz")
    assert not unpacked
    read_npz(tmp_path / "w.npz", "z")
    assert len(unpacked) == 1


def test_an_archive_that_hides_an_array(tmp_path):
    # The list at its end is shortened to one array, soundly: both members are still there.
    path = tmp_path / "w.npz"
    np.savez(path, x=X, y=Y)
    content = path.read_bytes()
    start = content.index(b"PK\1\2")
    second = content.index(b"PK\1\2", start + 4)
    end = bytearray(content[content.index(b"PK\5\6") :])
    for hidden in (content[start:second], content[second : content.index(b"PK\5\6")]):
        end[8:12] = struct.pack("<HH", 1, 1)
        end[12:16] = struct.pack("<I", len(hidden))
        path.write_bytes(content[:start] + hidden + bytes(end))
        with zipfile.ZipFile(path) as archive:
            assert len(archive.namelist()) == 1
        with pytest.raises(funcnn.ArgumentError, match="not a sound"):
            load_params(path)


def test_safetensors_say_what_they_hold_and_others_are_read_without(tmp_path):
    pytest.importorskip("safetensors")
    from safetensors.numpy import save_file

    path = tmp_path / "w.safetensors"
    save_params(PARAMS, path)
    content = bytearray(path.read_bytes())
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    assert len(header["__metadata__"]["funcnn.sha256"]) == 64
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(funcnn.ArgumentError, match="its digest is of other arrays"):
        load_params(path)
    for metadata in (None, {"format": "pt"}):
        save_file({"w": X}, path, metadata)
        np.testing.assert_array_equal(load_params(path)["w"], X)


DTYPES = st.sampled_from(
    ["?", "i1", "u1", "i8", "u8", "f2", "f4", "f8", ">f8", "c16", "m8[s]", "M8[s]", "U3", "S3", "O"]
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    DTYPES.flatmap(
        lambda kind: arrays.arrays(
            kind,
            arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
            elements=st.sampled_from([None, 1, "a", 2.5]) if kind == "O" else None,
        )
    ),
    st.sampled_from(["pair", "npy", "npz", "params"]),
)
def test_any_array_is_read_as_it_is_or_refused(tmp_path, x, form):
    try:
        if form == "params":
            save_params({"x": x}, tmp_path / "w.npz")
            found = load_params(tmp_path / "w.npz")["x"]
        else:
            y = np.zeros(len(x) if x.ndim else 1)
            data = (x, y)
            if form == "npy":
                np.save(tmp_path / "x.npy", x, allow_pickle=True)
                data = (tmp_path / "x.npy", y)
            if form == "npz":
                np.savez(tmp_path / "d.npz", x=x, y=y)
                data = tmp_path / "d.npz"
            found = load(data).x
    except funcnn.ArgumentError:
        return
    native = [one.dtype.newbyteorder("=") for one in (found, x)]  # A file may turn the bytes.
    assert native[0] == native[1]
    assert found.shape == x.shape
    assert np.array_equal(found, x, equal_nan=x.dtype.kind == "f")
    if form in ("pair", "npz"):
        assert np.isfinite(found).all()
    assert not np.shares_memory(found, x)
