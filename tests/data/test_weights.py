"""Params as files."""

from __future__ import annotations

import os

import jax.numpy as jnp
import numpy as np
import pytest

import funcnn
from funcnn.data.weights import load_weights, save_weights

NESTED = {"layer": {"w": np.arange(6.0).reshape(2, 3).T, "b": np.float32(2.5)}, "a": np.array(1.0)}


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
def test_there_and_back(suffix, tmp_path):
    if suffix == ".safetensors":
        pytest.importorskip("safetensors")
    path = tmp_path / f"weights{suffix}"
    funcnn.save_params(NESTED, path)
    loaded = funcnn.load_params(path)
    assert loaded.keys() == NESTED.keys()
    for found, saved in (
        (loaded["a"], NESTED["a"]),
        (loaded["layer"]["w"], NESTED["layer"]["w"]),
        (loaded["layer"]["b"], NESTED["layer"]["b"]),
    ):
        np.testing.assert_array_equal(found, saved)
        assert (found.shape, found.dtype) == (np.shape(saved), saved.dtype)
    assert os.listdir(tmp_path) == [path.name]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_saved_run_goes_on(dtype, tmp_path, line):
    # Params are all that plain gradient descent goes on from.
    options = {"optimizer": "sgd", "learning_rate": 1e-2, "dtype": dtype}
    whole = funcnn.train("polynomial", line, steps=20, **options)
    half = funcnn.train("polynomial", line, steps=10, **options)
    half.save(tmp_path / "half.npz")
    params = funcnn.load_params(tmp_path / "half.npz")
    rest = funcnn.train("polynomial", line, steps=10, params=params, **options)
    np.testing.assert_array_equal(rest.losses, whole.losses[10:])


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
def test_a_flat_dict_comes_back_as_one(suffix, tmp_path):
    if suffix == ".safetensors":
        pytest.importorskip("safetensors")
    arrays = {"layer.w": np.arange(3.0), "a": np.array(1.0)}
    save_weights(arrays, tmp_path / f"w{suffix}", {"more": 1}, flat=True)
    found, about = load_weights(tmp_path / f"w{suffix}")
    assert about == {"more": 1}
    assert found.keys() == arrays.keys()
    np.testing.assert_array_equal(found["layer.w"], arrays["layer.w"])
    with pytest.raises(funcnn.ArgumentError, match="names without"):
        save_weights({"a/b": np.ones(1)}, tmp_path / f"w{suffix}", flat=True)


def test_pytorch_reads_the_safetensors(tmp_path):
    pytest.importorskip("torch")
    from safetensors.torch import load_file

    funcnn.save_params({"w": jnp.arange(6.0).reshape(2, 3).T}, tmp_path / "w.safetensors")
    np.testing.assert_array_equal(
        load_file(tmp_path / "w.safetensors")["w"], [[0, 3], [1, 4], [2, 5]]
    )


def test_where_params_cannot_be_saved(tmp_path):
    for path, message in [
        (tmp_path / "weights.pt", "'.pt' is not known"),
        (tmp_path / "no" / "weights.npz", "there is no folder"),
    ]:
        with pytest.raises(funcnn.ArgumentError, match=message):
            funcnn.save_params(NESTED, path)
    with pytest.raises(funcnn.ArgumentTypeError, match="from \\(nested\\) dicts"):
        funcnn.save_params([np.ones(2)], tmp_path / "w.npz")
    with pytest.raises(funcnn.ArgumentError, match=r"names without \. /"):
        funcnn.save_params({"a.b": np.ones(2)}, tmp_path / "w.npz")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
def test_arrays_of_another_byte_order_come_back(suffix, tmp_path):
    saved = {"w": np.arange(3.0, dtype=">f8"), "n": np.arange(3, dtype="<i4")}
    funcnn.save_params(saved, tmp_path / f"w{suffix}")
    loaded = funcnn.load_params(tmp_path / f"w{suffix}")
    assert all(np.array_equal(loaded[name], saved[name]) for name in saved)
    with pytest.raises(funcnn.ArgumentTypeError, match=r"params\.w is of (float128|complex)"):
        funcnn.save_params({"w": np.ones(2, np.clongdouble)}, tmp_path / f"v{suffix}")


def test_names_that_numpy_s_own_function_takes_for_itself(tmp_path):
    params = {"file": np.ones(2), "allow_pickle": np.zeros(3)}
    funcnn.save_params(params, tmp_path / "w.npz")
    loaded = funcnn.load_params(tmp_path / "w.npz")
    assert sorted(loaded) == ["allow_pickle", "file"]
    with np.load(tmp_path / "w.npz", allow_pickle=False) as archive:
        np.testing.assert_array_equal(archive["file"], params["file"])


def test_kinds_that_files_do_not_have(tmp_path):
    with pytest.raises(funcnn.ArgumentTypeError, match="a is of bfloat16"):
        funcnn.save_params({"a": jnp.ones(2, jnp.bfloat16)}, tmp_path / "w.npz")


def test_an_interrupted_save_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "weights.npz"
    funcnn.save_params({"w": np.ones(3)}, path)
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        funcnn.save_params({"w": np.zeros(3)}, path)
    np.testing.assert_array_equal(funcnn.load_params(path)["w"], np.ones(3))
    assert os.listdir(tmp_path) == [path.name]


def test_files_that_hold_no_params(tmp_path):
    pytest.importorskip("safetensors")
    for name in ("w.npz", "w.safetensors"):
        (tmp_path / name).write_bytes(b"\x08\x00\x00\x00\x00\x00\x00\x00garbage!")
        with pytest.raises(funcnn.ArgumentError, match="is not a sound"):
            funcnn.load_params(tmp_path / name)
    with pytest.raises(funcnn.ArgumentError, match="no such file"):
        funcnn.load_params(tmp_path / "none.npz")
    np.savez(tmp_path / "clash.npz", **{"a": np.ones(1), "a.b": np.ones(1)})
    with pytest.raises(funcnn.ArgumentError, match="stands below an array"):
        funcnn.load_params(tmp_path / "clash.npz")
