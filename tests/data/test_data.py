"""What may be passed as data; files that cannot be trusted."""

from __future__ import annotations

import io
import os
import pickle
import zipfile

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import funcnn
from funcnn.core import memory
from funcnn.data import numpy_files

FIT = {"model": "mlp_linear", "hidden": 4, "steps": 20, "learning_rate": 1e-3}
X = np.random.default_rng(0).standard_normal((30, 3))
Y = X[:, :1] - X[:, 1:2]


def losses(data, **arguments):
    return funcnn.train(data=data, **FIT | arguments).losses


def test_arrays_of_every_library_give_the_same_run():
    pandas = pytest.importorskip("pandas")
    expected = losses((X, Y))
    for wrap in (jnp.asarray, np.ndarray.tolist, pandas.DataFrame, np.asfortranarray):
        data = (wrap(X), wrap(Y))
        np.testing.assert_allclose(losses(data), expected, rtol=1e-5)
    frame = pandas.DataFrame(X, columns=["p", "q", "r"]).assign(y=Y)
    np.testing.assert_allclose(losses((frame[["p", "q", "r"]], frame["y"])), expected, rtol=1e-5)


def test_pytorch_tensors():
    torch = pytest.importorskip("torch")
    data = torch.tensor(X, requires_grad=True), torch.tensor(Y)
    np.testing.assert_array_equal(losses(data), losses((X, Y)))
    params = {name: torch.tensor(0.25, requires_grad=True) for name in "abcd"}
    from_tensors = funcnn.train("legendre", params=params, steps=3)
    from_floats = funcnn.train("legendre", params=dict.fromkeys("abcd", 0.25), steps=3)
    np.testing.assert_array_equal(from_tensors.losses, from_floats.losses)


def test_an_axis_that_is_missing_or_too_many():
    np.testing.assert_array_equal(losses((X, Y[:, 0])), losses((X, Y)))
    np.testing.assert_array_equal(losses((X[:, 0], Y)), losses((X[:, :1], Y)))
    curve = funcnn.train("polynomial", (X[:, 0], Y[:, 0]), steps=20)
    same = funcnn.train("polynomial", (X[:, :1], Y), steps=20)
    np.testing.assert_array_equal(curve.losses, same.losses)


def test_whole_numbers_as_inputs_are_not_wrapped_around():
    bytes_ = np.array([[250], [3]], np.uint8)
    y = np.array([[1.0], [2.0]])
    np.testing.assert_array_equal(losses((bytes_, y)), losses((bytes_.astype(float), y)))


def test_changing_the_data_later_changes_no_run():
    x, y = X.astype(np.float32), Y.astype(np.float32)
    expected = losses((x, y))
    loaded = funcnn.data.load((x, y))
    x[:] = 0
    assert np.array_equal(loaded.x, X.astype(np.float32))
    assert (losses((x, y)) != expected).any()


# Files


def test_npz_and_csv_give_the_arrays_run(tmp_path):
    np.savez(tmp_path / "data.npz", x=X, y=Y)
    table = np.column_stack([X, Y])
    np.savetxt(tmp_path / "data.csv", table, delimiter=",", header="p,q,r,y", comments="",
               fmt="%.17g")  # fmt: skip
    expected = losses((X, Y))
    np.testing.assert_array_equal(losses(tmp_path / "data.npz"), expected)
    np.testing.assert_array_equal(losses(str(tmp_path / "data.npz")), expected)
    np.testing.assert_array_equal(losses(tmp_path / "data.csv", target="y"), expected)
    # The target's place does not matter, and there may be several.
    x, y, *_ = funcnn.data.load(tmp_path / "data.csv", ["r", "p"])
    np.testing.assert_array_equal(x, table[:, [1, 3]])
    np.testing.assert_array_equal(y, table[:, [2, 0]])


@pytest.mark.slow
def test_real_data_from_files(tmp_path, diabetes, digits):
    x, y = diabetes
    names = ",".join([*(f"x{column}" for column in range(x.shape[1])), "progression"])
    table = np.column_stack([x, y])
    path = tmp_path / "diabetes.csv"
    np.savetxt(path, table, delimiter=",", header=names, comments="", fmt="%.17g")
    result = funcnn.train(
        "mlp_linear", path, target="progression", loss="mean_squared_error", hidden=(32,),
        optimizer="adam", learning_rate=1e-2, steps=1000,
    )  # fmt: skip
    assert result.losses[-1] < 3000 < y.var()  # Linear regression leaves 2860 of 5930.

    x, y = digits
    np.savez_compressed(tmp_path / "digits.npz", x=x, y=y)
    result = funcnn.train(
        "mlp_linear", tmp_path / "digits.npz", loss="cross_entropy", hidden=(32, 16),
        optimizer="adam", learning_rate=3e-3, epochs=60, batch_size=128,
    )  # fmt: skip
    assert (result.predict(x).argmax(axis=1) == y).mean() > 0.98


CSV_ERRORS = {
    "text": ("a,b,y\n1,2,3\n4,five,6\n", "line 3, column 'b': 'five' is no finite number"),
    "empty-cell": ("a,y\n1,2\n,4\n", "column 'a' has 1 missing value, the first at line 3"),
    "nan": ("a,y\nnan,2\n", "column 'a' has 1 missing value, the first at line 2"),
    "infinity": ("a,y\n1e999,2\n", "line 2, column 'a': '1e999' is no finite number"),
    "decimal-comma": ('a,y\n"1,5",2\n', "line 2, column 'a': '1,5' is no finite number"),
    "underscore": ("a,y\n1_0,2\n", "line 2, column 'a': '1_0' is no finite number"),
    "short-row": ("a,b,y\n1,2,3\n4,5\n", "line 3: 2 cells under 3 column names"),
    "no-rows": ("a,y\n", "has no rows below its header"),
    "nothing": ("", "is empty; a header of column names is needed"),
    "twice": ("a,a,y\n1,2,3\n", "has two columns named 'a'"),
    "unknown": ("a,z\n1,2\n", "target='y' is not known"),
    "no-inputs": ("y\n1\n", "leaves no column to predict from"),
    "quotes": ('a,y\n"1,2\n', "is not a sound .csv file"),
    "binary": (b"\xff\xfe\x00", "is not a sound .csv file"),
}


@pytest.mark.parametrize("name", CSV_ERRORS)
def test_csv_errors(name, tmp_path):
    content, message = CSV_ERRORS[name]
    path = tmp_path / "bad.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(funcnn.ArgumentError) as caught:
        funcnn.train("mlp", path, target="y")
    assert message in str(caught.value)


def test_csv_needs_its_target_named(tmp_path):
    (tmp_path / "data.csv").write_text("age,bmi\n1,2\n")
    with pytest.raises(funcnn.ArgumentError, match=r"target= must name the column.*age, bmi"):
        funcnn.train("mlp", tmp_path / "data.csv")
    with pytest.raises(funcnn.ArgumentError, match="did you mean 'age'"):
        funcnn.train("mlp", tmp_path / "data.csv", target="agee")


def test_target_of_another_kind(tmp_path):
    (tmp_path / "data.csv").write_text("age,bmi\n1,2\n")
    with pytest.raises(funcnn.ArgumentTypeError, match="target=5 must be the name"):
        funcnn.train("mlp", tmp_path / "data.csv", target=5)


def test_csv_as_spreadsheets_write_it(tmp_path):
    path = tmp_path / "data.csv"
    path.write_bytes(b'\xef\xbb\xbf"a", y\r\n1,2\r\n\r\n3,4\r\n')
    x, y, *_ = funcnn.data.load(path, "y")
    np.testing.assert_array_equal(x, [[1], [3]])
    np.testing.assert_array_equal(y, [2, 4])


class Bomb:
    def __reduce__(self):
        return os.mkdir, ("exploded",)


def npy(array_or_header, data=b""):
    stream = io.BytesIO()
    if isinstance(array_or_header, dict):
        np.lib.format.write_array_header_1_0(stream, array_or_header)
        stream.write(data)
    else:
        np.lib.format.write_array(stream, array_or_header, allow_pickle=True)
    return stream.getvalue()


def archive(path, *members):
    with zipfile.ZipFile(path, "w") as target:
        for name, content in members:
            target.writestr(name, content)


HUGE = {"descr": "<f8", "fortran_order": False, "shape": (3 * 10**12,)}
NEGATIVE = HUGE | {"shape": (-1, -1)}


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_npz_errors(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    y = ("y.npy", npy(np.ones(2)))
    objects = np.array([Bomb(), 1], dtype=object)
    bad = {
        "pickle": ([("x.npy", npy(objects)), y], "a pickle"),
        "huge": ([("x.npy", npy(HUGE)), y], "does not fill its place"),
        "negative": ([("x.npy", npy(NEGATIVE, bytes(8))), y], "not one of a plain array"),
        "twice": ([("x.npy", npy(np.ones(2))), ("x.npy", npy(np.ones(2))), y], "two arrays"),
        "path": ([("../x.npy", npy(np.ones(2))), y], "is not the name of an array"),
        "no-array": ([("x.txt", b"1 2"), y], "is not the name of an array"),
        "other-names": ([("inputs.npy", npy(np.ones(2))), y], "must hold arrays x and y"),
        "garbage": ([("x.npy", b"garbage"), y], "not a sound .npz file"),
        "header": ([("x.npy", npy(np.ones(2))[:20]), y], "not a sound .npz file"),
    }
    for name, (members, message) in bad.items():
        archive(tmp_path / "bad.npz", *members)
        with pytest.raises(funcnn.ArgumentError) as caught:
            funcnn.train("polynomial", tmp_path / "bad.npz")
        assert message in str(caught.value), name
    (tmp_path / "bad.npz").write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(funcnn.ArgumentError, match=r"not a sound \.npz file"):
        funcnn.train("polynomial", tmp_path / "bad.npz")
    assert not (tmp_path / "exploded").exists()


def test_an_archive_that_unpacks_beyond_the_limit(tmp_path, monkeypatch):
    np.savez_compressed(tmp_path / "zeros.npz", x=np.zeros(10**6), y=np.zeros(10**6))
    monkeypatch.setattr(memory, "installed_memory", lambda: 10**6)
    with pytest.raises(funcnn.ArgumentError, match=r"unpacks to 1\.6e\+07 bytes; the machine has"):
        numpy_files.read_npz(tmp_path / "zeros.npz")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_does_not_block(tmp_path):
    os.mkfifo(tmp_path / "pipe.npz")
    with pytest.raises(funcnn.ArgumentError, match="not a regular file"):
        funcnn.train("mlp", tmp_path / "pipe.npz")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(st.integers(0, 10**6), st.integers(0, 255))
def test_a_damaged_archive_is_refused_or_read(tmp_path, place, byte):
    path = tmp_path / "data.npz"
    np.savez_compressed(path, x=np.arange(20.0), y=np.arange(20.0))
    content = bytearray(path.read_bytes())
    content[place % len(content)] = byte
    path.write_bytes(content)
    try:
        arrays = numpy_files.read_npz(path)
    except funcnn.ArgumentError:
        return
    # What is read after all was not touched: its checksum says so.
    for array in arrays.values():
        np.testing.assert_array_equal(array, np.arange(20.0))
