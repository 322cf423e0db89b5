"""Pairs of .npy files, datasets, bunches; what is no data, and no path; labels."""

from __future__ import annotations

import os
import types

import jax.numpy as jnp
import numpy as np
import pytest

import funcnn
from funcnn.data import decode, encode, load, load_inputs, load_params, save_params

X, Y = np.arange(12.0).reshape(4, 3), np.arange(4.0)


@pytest.fixture
def files(tmp_path):
    np.save(tmp_path / "x.npy", X)
    np.save(tmp_path / "y.npy", Y)
    return str(tmp_path / "x.npy"), tmp_path / "y.npy"


def test_npy_files_are_mapped(files):
    table = load(files)
    assert isinstance(table.x, np.memmap)
    assert isinstance(table.y, np.memmap)
    np.testing.assert_array_equal(table.x, X)
    assert load((table.x, Y)).x is table.x
    assert isinstance(load_inputs(files[0]), np.memmap)
    copied = table.x.copy()  # of the same class, and in memory
    assert not np.shares_memory(load((copied, Y)).x, copied)
    for data in (files[0], (files[0], "y.txt")):
        with pytest.raises(funcnn.ArgumentError, match=r"\.npy"):
            load(data)


def test_a_large_npy_file_is_not_read(tmp_path, files):
    path = tmp_path / "large.npy"
    np.lib.format.open_memmap(path, "w+", np.float64, (4, 2**32)).flush()  # 128 GiB of holes
    assert load((path, files[1])).x.shape == (4, 2**32)


def test_values_of_a_mapped_file_are_looked_at_when_they_are_used(tmp_path, files):
    np.save(tmp_path / "bad.npy", np.where(X == 7, np.nan, X))
    with pytest.raises(funcnn.ArgumentError, match="x is not finite at row 2, column 1"):
        funcnn.train("mlp_linear", (tmp_path / "bad.npy", files[1]), steps=1)


class Pairs:
    def __init__(self, *items):
        self.items = items

    def __len__(self):
        return len(self.items)

    def __getitem__(self, at):
        return self.items[at]


class Longer(Pairs):
    """It says that it has one more item than it has."""

    def __len__(self):
        return super().__len__() + 1


def test_datasets():
    table = load(Pairs(*zip(X, Y, strict=True)))
    np.testing.assert_array_equal(table.x, X)
    np.testing.assert_array_equal(table.y, Y)
    assert load(Pairs((X[0], "a"), (X[1], "b"))).y.tolist() == ["a", "b"]
    np.testing.assert_array_equal(load_inputs(Pairs(*X)), X)
    for dataset, message in (
        (Pairs(), "the Pairs is empty"),
        (Pairs((X[0], 1), X[0]), "item 1 of the Pairs must be a pair"),
        (Pairs((X[0], 1), (X[0, :2], 1)), r"x of item 1 of the Pairs has shape \(2,\)"),
        (Pairs({"x": 1}), "not a dict"),
        (Longer((X[0], 1)), "item 1 of the Longer, of 2, fails: IndexError: "),
    ):
        with pytest.raises(funcnn.ArgumentError, match=message):
            load(dataset)


def test_datasets_of_pytorch():
    torch = pytest.importorskip("torch")
    from torch.utils import data

    tensors = data.TensorDataset(torch.tensor(X, requires_grad=True), torch.tensor(Y))
    for dataset in (tensors, data.Subset(tensors, range(4)), data.ConcatDataset([tensors])):
        table = load(dataset)
        np.testing.assert_array_equal(table.x, X)
        np.testing.assert_array_equal(table.y, Y)
        np.testing.assert_array_equal(load_inputs(dataset), X)

    class Stream(data.IterableDataset):
        def __iter__(self):
            return iter(zip(X, Y, strict=True))

    for wrong, message in (
        (data.DataLoader(tensors), "data is a DataLoader: pass its dataset"),
        (Stream(), "data is a Stream, whose samples come one after another"),
        (data.TensorDataset(torch.tensor(X)), r"a TensorDataset of \(x, y\) is needed, not 1"),
    ):
        with pytest.raises(funcnn.ArgumentError, match=message):
            load(wrong)


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
def test_tensors_without_plain_data():
    torch = pytest.importorskip("torch")
    nested = torch.nested.nested_tensor([torch.ones(2), torch.ones(3)])
    for tensor in (torch.ones(4, device="meta"), nested):
        with pytest.raises(funcnn.ArgumentTypeError, match="x is no array but a Tensor"):
            load((tensor, Y))
    rows = [torch.tensor(row, requires_grad=True) for row in X]
    np.testing.assert_array_equal(load((rows, Y)).x, X)


def test_bunches():
    pytest.importorskip("pandas")
    pytest.importorskip("narwhals")
    from sklearn.datasets import load_diabetes, load_iris, load_linnerud

    plain, framed = load(load_diabetes()), load(load_diabetes(as_frame=True))
    np.testing.assert_array_equal(plain.x, framed.x)
    assert plain.features == framed.features
    assert plain.features[:2] == ("age", "sex")
    assert (plain.targets, framed.targets) == (None, ("target",))
    assert load(load_iris()).targets is None  # target_names are those of the classes
    assert load(load_linnerud()).targets == ("Weight", "Waist", "Pulse")
    some = load_inputs(load_diabetes(as_frame=True), ("bmi", "age"))
    np.testing.assert_array_equal(some, plain.x[:, [2, 0]])
    own = types.SimpleNamespace(data=X, target=Y)
    assert load(own).features is None
    own.feature_names = ["a", "b"]
    with pytest.raises(funcnn.ArgumentError, match="there are 2 feature names"):
        load(own)


def test_what_is_no_data(tmp_path):
    deleted = jnp.ones(4)
    deleted.delete()
    masked = np.ma.array(Y, mask=[1, 0, 0, 0])
    with (tmp_path / "file.csv").open("w+") as stream:
        for data, message in (
            ((number for number in Y), "data is a generator"),
            (stream, "data is a TextIOWrapper"),
            ({1, 2}, "data must be a pair"),
            (range(4), "item 0 of the range must be a pair"),
            (((number for number in Y), Y), "but one object, a generator"),
            (({1, 2}, Y), "but one object, a set"),
            ((stream, Y), "but one object, a TextIOWrapper"),
            ((deleted, Y), "deleted"),
            ((masked, Y), "x is a masked array"),
            (([masked, masked], Y), "x is a masked array"),
            ((Y, masked), "y is a masked array"),
            ((Y.astype("m8[s]"), Y), "must hold real numbers, not timedelta64"),
            ((Y, ["a", None, "b", "c"]), "y: 1 of 4 are missing, the first at row 1"),
            ((Y, ["a", float("nan"), "b", "c"]), "y: 1 of 4 are missing"),
            ((Y, ["a", 1, "b", "c"]), "y must be all text"),
            ((list("abcd"), Y), "x must hold real numbers, not <U1"),
        ):
            with pytest.raises(funcnn.ArgumentError, match=message):
                load(data)


PATHS = {
    "nul": ("a\0.npz", "cannot be a file"),
    "too-long": ("n" * 300 + ".npz", "cannot be a file"),
    "absent": ("absent.npz", "there is no such file"),
    "below-a-file": ("file.npz/x.npz", "there is no such file"),
    "folder": ("folder.npz", "is not a regular file"),
    "pipe": ("pipe.npz", "is not a regular file"),
}


@pytest.mark.parametrize("name", PATHS)
def test_paths_that_are_no_files(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file.npz").touch()
    (tmp_path / "folder.npz").mkdir()
    if name == "pipe":
        os.mkfifo("pipe.npz")
    path, message = PATHS[name]
    for suffix in (".npz", ".csv", ".safetensors"):
        if name in ("folder", "pipe") and suffix != ".npz":
            continue
        call = load_params if suffix == ".safetensors" else load
        with pytest.raises(funcnn.ArgumentError, match=message):
            call(path.replace(".npz", suffix))


def test_a_file_that_may_not_be_read_is_not_called_damaged(tmp_path, monkeypatch):
    path = tmp_path / "data.npz"
    np.savez(path, x=X, y=Y)

    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(type(path), "open", refuse)
    with pytest.raises(funcnn.ArgumentError, match=r"data\.npz cannot be read: Permission denied"):
        load(path)


def test_where_params_are_saved(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    params = {"w": np.ones(2)}
    for path in (None, 5, b"w.npz", "a\0.npz", "n" * 252 + ".npz"):
        with pytest.raises(funcnn.ArgumentError):
            save_params(params, path)
        with pytest.raises(funcnn.ArgumentError):
            load_params(path)
    if hasattr(os, "mkfifo"):
        os.mkfifo("pipe.npz")
        with pytest.raises(funcnn.ArgumentError, match="not a regular file"):
            save_params(params, "pipe.npz")
        os.remove("pipe.npz")
    longest = "n" * 251 + ".npz"
    save_params(params, longest)
    np.testing.assert_array_equal(load_params(longest)["w"], params["w"])
    assert os.listdir() == [longest]


LEAVES = {
    "list": ([np.ones(2)], r"params\.layer\.a is a list"),
    "tuple": ((1.0, 2.0), r"params\.layer\.a is a tuple"),
    "empty": ({}, r"params\.layer\.a is an empty dict"),
    "none": (None, r"params\.layer\.a is of object.*NoneType"),
    "text": ("text", r"params\.layer\.a is of <U4"),
    "function": (len, r"params\.layer\.a is of object"),
    "mask": (np.ma.ones(2), r"params\.layer\.a is a masked array"),
    "name": ({"\0": 1.0}, "of printable letters"),
}


@pytest.mark.parametrize("name", LEAVES)
def test_leaves_that_no_file_can_hold_are_named(name, tmp_path):
    leaf, message = LEAVES[name]
    with pytest.raises(funcnn.ArgumentError, match=message):
        save_params({"layer": {"b": np.ones(2), "a": leaf}}, tmp_path / "w.npz")
    assert os.listdir(tmp_path) == []


def test_a_mask_among_the_params_of_a_run_is_refused(line):
    params = {"a": np.ma.array(1.0, mask=True), "b": np.ones(())}
    with pytest.raises(funcnn.ArgumentError, match="masked array"):
        funcnn.train("polynomial", line, degree=1, params=params, steps=1)


# Labels


def test_labels_there_and_back():
    for labels in (["red", "green", "red"], np.array([7, -1, 7]), [True, False, True]):
        codes, classes = encode(labels)
        assert codes.dtype == np.int32
        assert codes.tolist() == [1, 0, 1]
        assert sorted(classes) == classes.tolist()
        np.testing.assert_array_equal(decode(codes, classes), labels)
    assert decode([[1], [0]], np.array(["p", "q"])).tolist() == [["q"], ["p"]]


def test_labels_of_frames():
    pandas = pytest.importorskip("pandas")
    for kind in ("str", "object", "category"):
        codes, classes = encode(pandas.Series(["u", "v", "u"], dtype=kind))
        assert (codes.tolist(), classes.tolist()) == ([0, 1, 0], ["u", "v"])
        with pytest.raises(funcnn.ArgumentError, match="1 of 2 are missing"):
            encode(pandas.Series(["u", None], dtype=kind))
    with pytest.raises(funcnn.ArgumentError, match="not float64"):
        encode(pandas.Series([1, None], dtype="Int64"))


@pytest.mark.parametrize(
    "labels",
    [["a", None], ["a", 1], [True, 2], [1.5], [1, float("nan")], [], "abc", 5, [[1], [2]],
     np.ma.array([1, 2], mask=[0, 1]), [b"a"]],
)  # fmt: skip
def test_what_is_no_labels(labels):
    with pytest.raises(funcnn.ArgumentError):
        encode(labels)


def test_what_is_no_class():
    for codes in ([2], [-1], [0.0], [True]):
        with pytest.raises(funcnn.ArgumentError):
            decode(codes, np.array(["p", "q"]))
