"""Data in .npy files: read while the run goes on, to the bits of the same arrays in memory."""

from __future__ import annotations

import jax
import numpy as np
import pytest

import funcnn
from funcnn.data import scaling
from funcnn.runs import reading

RNG = np.random.default_rng(0)
X = (1e3 + RNG.standard_normal((203, 4))).astype(np.float32)
Y = (X[:, :2] - 1e3 + 0.1 * RNG.standard_normal((203, 2))).astype(np.float64)
LINEAR = {"model": "mlp_linear", "hidden": (), "learning_rate": 0.02, "batch_size": 16}


@pytest.fixture
def files(tmp_path):
    def saved(*arrays):
        paths = []
        for name, array in zip("xy", arrays, strict=True):
            paths.append(tmp_path / f"{name}.npy")
            np.save(paths[-1], array)
        return tuple(paths)

    return saved


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    """Seven steps in a block of float32, and sums over 50 rows at a time."""
    monkeypatch.setattr(reading, "BLOCK", 7 * 16 * 6 * 4)
    monkeypatch.setattr(scaling, "CHUNK", 50 * 4 * 4)


def assert_same(one, other):
    np.testing.assert_array_equal(one.losses, other.losses)
    for name, column in one.history.items():
        np.testing.assert_array_equal(column, other.history[name])
    for leaf, same in zip(
        *(jax.tree.leaves(run.state._replace(key=None)) for run in (one, other)), strict=True
    ):
        np.testing.assert_array_equal(leaf, same)


RUNS = {
    "shuffled": {"standardize": True, "validation_fraction": 0.2, "metrics": "r2", "steps": 40},
    "in order": {"shuffle": False, "standardize": True, "steps": 30, "evaluate_every": 4},
    "drop_last": {"drop_last": True, "epochs": 2, "sample_weight": np.arange(203) % 3},
}


@pytest.mark.parametrize("name", RUNS)
def test_a_file_gives_the_bits_of_its_arrays(name, files):
    mapped, held = (
        funcnn.train(**LINEAR | RUNS[name], data=data, seed=5) for data in (files(X, Y), (X, Y))
    )
    assert_same(mapped, held)
    np.testing.assert_array_equal(mapped.predict(X), held.predict(X))


def test_a_run_goes_on_from_a_state(files):
    shared = LINEAR | {"standardize": True}
    runs = []
    for data in (files(X, Y), (X, Y)):
        half = funcnn.train(**shared, data=data, seed=5, steps=19)
        runs.append(funcnn.train(**shared, data=data, state=half.state, steps=21))
    assert_same(*runs)
    whole = funcnn.train(**shared, data=files(X, Y), seed=5, steps=40)
    np.testing.assert_array_equal(runs[0].losses, whole.losses[19:])


def test_classes_in_a_file(files):
    labels = np.array(["low", "high"])[(Y[:, 0] > 0).astype(int)]
    shared = LINEAR | {"loss": "cross_entropy", "standardize": True, "steps": 40}
    mapped, held = (
        funcnn.train(**shared, data=data, validation_fraction=0.2, metrics="accuracy", seed=1)
        for data in (files(X, labels), (X, labels))
    )
    assert_same(mapped, held)
    assert (mapped.predict_classes(X) == labels).mean() > 0.8


def test_a_run_that_diverges_is_read_again(files):
    shared = LINEAR | {"optimizer": "sgd", "learning_rate": 1e-6, "steps": 40}
    caught = []
    for data in (files(X, Y), (X, Y)):
        with pytest.raises(funcnn.DivergenceError) as error:
            funcnn.train(**shared, data=data)
        caught.append(error.value)
    assert caught[0].step == caught[1].step > 7  # Not in the first block.
    for leaf, same in zip(*(jax.tree.leaves(one.state.params) for one in caught), strict=True):
        np.testing.assert_array_equal(leaf, same)


def test_rows_are_read_once_however_the_run_is_cut(files, monkeypatch):
    reads = []
    read = reading.Reading._read

    def counted(self, number):
        reads.append(number)
        return read(self, number)

    monkeypatch.setattr(reading.Reading, "_read", counted)
    funcnn.train(**LINEAR, data=files(X, Y), steps=30, evaluate_every=2)
    assert reads == [0, 1, 2, 3, 4]


REFUSED = {
    "full": ({"batch_size": None}, "give batch_size"),
    "batches": ({"batch_size": None, "batches": [[0, 1]]}, "give batch_size"),
    "gram": ({"form": "gram", "optimizer": "sgd"}, "these lie in a file"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_needs_all_samples_is_refused(name, files, compiles):
    options, message = REFUSED[name]
    with compiles() as compiled, pytest.raises(funcnn.ArgumentError) as caught:
        funcnn.train(**LINEAR | options, data=files(X, Y), steps=1)
    assert message in str(caught.value)
    assert compiled == []


def test_auto_is_direct_and_a_sweep_needs_arrays(files):
    data = files(X, Y)
    shared = LINEAR | {"data": data, "optimizer": "sgd", "learning_rate": 1e-9, "steps": 2}
    assert funcnn.train(**shared, form="auto").form == "direct"
    with pytest.raises(funcnn.ArgumentError, match="a sweep holds its data"):
        funcnn.sweep(**shared, seed=[0, 1])


def test_a_value_that_is_not_finite_is_found_with_its_place(files, compiles):
    x = X.copy()
    x[150, 2] = np.nan
    place = "x is not finite at row 150, column 2"
    for standardize in (False, True):
        with compiles() as compiled, pytest.raises(funcnn.ArgumentError, match=place):
            funcnn.train(**LINEAR, data=files(x, Y), steps=2, standardize=standardize)
        assert compiled == []
    result = funcnn.train(**LINEAR, data=(X, Y), steps=2, standardize=True)
    with pytest.raises(funcnn.ArgumentError, match=place):
        result.predict(files(x, Y)[0])
