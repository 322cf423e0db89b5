"""A folder of checkpoints: what is saved comes back to the bit, or an error says why not."""

from __future__ import annotations

import asyncio
import logging
import math
import os
import resource
import shutil
import signal
import subprocess
import sys
import threading
from collections import namedtuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from funcnn.checkpoints import INFORMATIVE, CheckpointFolder, files
from funcnn.checkpoints import step as steps
from funcnn.core import ArgumentError, ArgumentTypeError, CheckpointError, TrainState

pytest.importorskip("orbax.checkpoint")

Pair = namedtuple("Pair", ["first", "second"])
MANIFEST = {"problem": "mlp", "seed": 3, "params": {"w": [[2, 3], "float32"]}, "host": "here"}


def opened(folder, keep=None, manifest=MANIFEST, **options):
    return CheckpointFolder(folder, keep, manifest, **options)


def like(state):
    return jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), state)


def state_of(step, size=3):
    """A small state that follows from the step."""
    weights = np.random.default_rng(step).standard_normal(size).astype(np.float32)
    return {"w": weights, "step": np.int32(step), "key": jax.random.key(step)}


def assert_same(found, saved):
    assert jax.tree.structure(found) == jax.tree.structure(saved)
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(saved), strict=True):
        assert (one.shape, one.dtype) == (other.shape, other.dtype)
        assert bytes_of(one) == bytes_of(other)


def bytes_of(leaf):
    is_key = jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
    return np.asarray(jax.random.key_data(leaf) if is_key else leaf).tobytes()


def train_state(optimizer, dtype):
    params = {
        "w": np.arange(6, dtype=dtype).reshape(2, 3).T / 7,
        "a": np.array(np.pi, dtype),
        "nothing": {},
        "none": None,
        "pair": Pair(np.full(2, np.nan, dtype), (np.array([-0.0, np.inf], dtype),)),
        "a/b.c": np.zeros((0, 3), dtype),
    }
    memory = optimizer.init(params)
    return TrainState(params, memory, np.int32(7), jax.random.key(2), {"s": np.ones(2, dtype)})


@pytest.mark.parametrize("x64", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_state_there_and_back(dtype, x64, tmp_path):
    with jax.enable_x64(dtype == "float64"):
        state = train_state(optax.adam(1e-3), dtype)
    with jax.enable_x64(x64), opened(tmp_path) as folder:
        folder.save(7, state, {})
        found = folder.newest(like(state))
    assert found.step == 7
    assert_same(found.state, state)


@pytest.mark.parametrize(
    "state",
    [
        train_state(optax.chain(optax.clip(1.0), optax.sgd(1e-2, momentum=0.9)), "float32"),
        {"key": jax.random.split(jax.random.key(1, impl="rbg"), 3), "no keys": jnp.arange(3)},
        [jnp.ones((2, 2), jnp.bfloat16), np.array(True), np.int64(2**40), np.ones(2, np.complex64)],
        {"nothing but": np.zeros((0, 2), np.float64)},
        {"other order": np.asfortranarray(np.arange(6.0).reshape(2, 3))[:, ::2]},
    ],
)
def test_other_states_there_and_back(state, tmp_path):
    with opened(tmp_path) as folder:
        folder.save(0, state, {})
        assert_same(folder.newest(like(state)).state, state)


def test_big_endian_comes_back_in_the_machine_s_order(tmp_path):
    with opened(tmp_path) as folder:
        folder.save(0, [np.arange(3.0, dtype=">f8")], {})
        assert_same(folder.newest([np.zeros(3)]).state, [np.arange(3.0)])


def test_a_memory_there_and_back(tmp_path):
    memory = {
        "loss": [0.1, 1 / 3, 5e-324, -0.0, math.inf],
        "best": {"params": {"w": np.arange(3, dtype=np.float32)}, "step": 2**70},
        "array": {"array": 1, "words": "Ünï\ud800"},
        "rows": [np.float32(1 / 3), None, True, jnp.arange(2)],
        "": (1, 2),
    }
    with opened(tmp_path) as folder:
        folder.save(1, state_of(1), memory)
        found = folder.newest(like(state_of(1))).memory
    assert list(found) == list(memory)
    assert list(map(repr, found["loss"])) == list(map(repr, memory["loss"]))
    assert found["best"]["step"] == 2**70
    assert found["array"] == memory["array"]
    assert found["rows"][1:3] == [None, True]
    assert found[""] == [1, 2]
    assert_same(found["best"]["params"], memory["best"]["params"])
    assert_same([found["rows"][0], found["rows"][3]], [memory["rows"][0], memory["rows"][3]])


def test_what_cannot_be_saved(tmp_path):
    with opened(tmp_path) as folder:
        for state, memory, message in [
            ({"w": 1.0}, {}, r"state\['w'\] is no array: 1.0"),
            ({"w": np.array(["a"])}, {}, r"state\['w'\] is of <U1"),
            ({"w": np.array([None])}, {}, "is of object"),
            ({"w": np.ones(2, np.longdouble)}, {}, "not a kind to save"),
            ({}, {"a": object()}, r"memory\['a'\] is neither JSON nor an array"),
            ({}, {"a": [{1: 2}]}, r"memory\['a'\]\[0\] has keys that are no text"),
        ]:
            with pytest.raises(ArgumentTypeError, match=message):
                folder.save(1, state, memory)
        for step in (-1, 1.5, True):
            with pytest.raises(ArgumentError, match="step"):
                folder.save(step, state_of(0), {})
        assert folder.steps() == []
        assert folder.newest(like(state_of(0))) is None
    assert os.listdir(tmp_path) == [".funcnn.lock"]


def test_arguments(tmp_path):
    for arguments, message in [
        ((3, None, {}), "checkpoints=3 is not the path"),
        ((tmp_path, 0, {}), "keep=0 must be at least 1"),
        ((tmp_path, 1.5, {}), "keep=1.5 is not an integer"),
        ((tmp_path, None, {"a": object()}), "manifest is not JSON"),
    ]:
        with pytest.raises(ArgumentError, match=message):
            CheckpointFolder(*arguments)


def test_the_newest_n_stay(tmp_path):
    with opened(tmp_path, keep=2) as folder:
        for step in (1, 5, 20, 100):
            folder.save(step, state_of(step), {})
        assert folder.steps() == [20, 100]
        # A damaged one does not count.
        (tmp_path / "100" / "checkpoint.json").write_text("{}")
    with opened(tmp_path, keep=2) as folder:
        with pytest.warns(UserWarning, match="100 is damaged"):
            folder.save(101, state_of(101), {})
        assert folder.steps() == [20, 101]
        folder.save(102, state_of(102), {})
        assert folder.steps() == [101, 102]
    assert sorted(os.listdir(tmp_path)) == [".funcnn.lock", "100.damaged", "101", "102"]


def test_a_step_that_is_there(tmp_path):
    with opened(tmp_path) as folder:
        folder.save(10, state_of(10), {"time": 1})
        before = (tmp_path / "10").stat().st_ino
        folder.save(10, state_of(10), {"time": 2})
        assert (tmp_path / "10").stat().st_ino == before
        with pytest.raises(ArgumentError, match="holds another state of this step"):
            folder.save(10, state_of(11), {})
        with pytest.raises(ArgumentError, match="holds step 10, so step 9 is not saved"):
            folder.save(9, state_of(9), {})
        assert folder.newest(like(state_of(0))).memory == {"time": 1}


def test_another_run_s_checkpoint_says_what_differs(tmp_path):
    with opened(tmp_path) as folder:
        folder.save(10, state_of(10), {})
    other = {
        "problem": "mlp",
        "params": {"w": ((2, 4), "float32"), "b": 1},
        "seed": 3.0,
        "host": "there",
    }
    with opened(tmp_path, manifest=other) as folder:
        with pytest.raises(ArgumentError) as caught:
            folder.newest(like(state_of(10)))
        assert str(caught.value).splitlines()[1:] == [
            "  seed: 3 in the checkpoint, 3.0 here",
            '  params.w: [[2, 3], "float32"] in the checkpoint, [[2, 4], "float32"] here',
            "  params.b: nothing in the checkpoint, 1 here",
        ]
    allowed = INFORMATIVE | {"seed", "params"}
    with opened(tmp_path, manifest=other, informative=allowed) as folder:
        assert folder.newest(like(state_of(10))).step == 10


def test_another_state_s_checkpoint_says_what_differs(tmp_path):
    state = state_of(10)
    half = like(state) | {"w": jax.ShapeDtypeStruct((3,), jnp.float16)}
    other_key = like(state) | {"key": jax.ShapeDtypeStruct((), jax.random.key(0, impl="rbg").dtype)}
    with opened(tmp_path) as folder:
        folder.save(10, state, {})
        for structs, message in [
            (half, r"state\['w'\]: \"\(3,\) float32\" in the checkpoint, \"\(3,\) float16\" here"),
            (other_key, r"state\['key'\]: \"\(\) key<fry>\" in the checkpoint, \"\(\) key<rbg>\""),
            (like(state) | {"w": None}, r"state\['w'\]: .* here"),
            (like(state) | {"more": half["w"]}, r"state\['more'\]: nothing in the checkpoint"),
        ]:
            with pytest.raises(ArgumentError, match=message):
                folder.newest(structs)
        assert folder.steps() == [10]


def test_two_runs_in_one_folder(tmp_path):
    with opened(tmp_path):
        with (
            pytest.raises(CheckpointError, match=f"the process {os.getpid()} writes"),
            opened(tmp_path),
        ):
            pass
        code = (
            "import fcntl, sys; lock = open(sys.argv[1]);"
            "fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, tmp_path / ".funcnn.lock"],
            capture_output=True,
            check=False,
        )
        assert b"BlockingIOError" in done.stderr
    with opened(tmp_path) as folder:
        folder.save(1, state_of(1), {})
        with pytest.raises(CheckpointError, match="open already"), folder:
            pass
        assert folder.steps() == [1]


def test_a_child_does_not_keep_or_free_the_lock(tmp_path):
    with opened(tmp_path):
        child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    with child, opened(tmp_path) as folder:
        assert folder.steps() == []
        child.communicate(b"\n")


def test_only_inside_with(tmp_path):
    folder = opened(tmp_path)
    for use in (lambda: folder.save(1, state_of(1), {}), lambda: folder.newest(like(state_of(1)))):
        with pytest.raises(CheckpointError, match="only inside `with`"):
            use()


def test_folders(tmp_path):
    with opened(tmp_path / "a" / "b") as folder:
        folder.save(1, state_of(1), {})
    (tmp_path / "file").write_text("")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.tex").write_text("")
    (tmp_path / "other" / "7").mkdir()
    for name, message in [
        ("file", "is not a folder"),
        ("dangling", "is not a folder"),
        ("other", "holds something else, such as '(7|thesis.tex)'"),
    ]:
        with pytest.raises(ArgumentError, match=message), opened(tmp_path / name):
            pass
    assert sorted(os.listdir(tmp_path / "other")) == ["7", "thesis.tex"]
    with (
        pytest.raises(CheckpointError, match="FileExistsError"),
        opened(tmp_path / "file" / "below"),
    ):
        pass
    (tmp_path / "hidden").mkdir()
    (tmp_path / "hidden" / ".DS_Store").write_text("")
    with opened(tmp_path / "hidden") as folder:
        assert folder.steps() == []
    # Copied without its hidden files it is still one.
    shutil.copytree(tmp_path / "a" / "b" / "1", tmp_path / "copy" / "1")
    with opened(tmp_path / "copy") as folder:
        assert_same(folder.newest(like(state_of(1))).state, state_of(1))


def test_other_files_in_the_folder_are_left_alone(tmp_path):
    with opened(tmp_path, keep=1) as folder:
        folder.save(1, state_of(1), {})
        for name in ("007", "-1", "2.bak", "notes.txt", "９"):
            (tmp_path / name).write_text("mine")
        folder.save(2, state_of(2), {})
        assert folder.steps() == [2]
    assert {"007", "-1", "2.bak", "notes.txt", "９"} <= set(os.listdir(tmp_path))


def test_a_folder_that_vanished(tmp_path):
    with opened(tmp_path / "a") as folder:
        folder.save(1, state_of(1), {})
        shutil.rmtree(tmp_path / "a")
        with pytest.raises(CheckpointError, match="removed or replaced") as caught:
            folder.save(2, state_of(2), {})
        assert (caught.value.step, caught.value.folder) == (2, tmp_path / "a")
        assert caught.value.state is None
        with pytest.raises(CheckpointError, match="FileNotFoundError"):
            folder.steps()
        # Another run's, meanwhile.
        with opened(tmp_path / "a"), pytest.raises(CheckpointError, match="removed or replaced"):
            folder.save(2, state_of(2), {})
    assert os.listdir(tmp_path / "a") == [".funcnn.lock"]


def test_a_folder_that_cannot_be_written_to(tmp_path):
    tmp_path.chmod(0o500)
    try:
        if os.access(tmp_path, os.W_OK):
            pytest.skip("the user may write everywhere")
        with pytest.raises(CheckpointError, match="PermissionError"), opened(tmp_path):
            pass
    finally:
        tmp_path.chmod(0o700)


@pytest.mark.parametrize(("size", "memory"), [(100_000, {}), (3, {"text": "x" * 400_000})])
def test_files_that_the_disk_refuses(size, memory, tmp_path):
    with opened(tmp_path, keep=1) as folder:
        folder.save(1, [np.zeros(3)], {})
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
        try:
            with pytest.raises(CheckpointError) as caught:
                folder.save(2, [np.ones(size)], memory)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert caught.value.step == 2
        assert sorted(os.listdir(tmp_path)) == [".funcnn.lock", "1"]
        folder.save(2, [np.ones(3)], {})
        assert folder.newest([np.ones(3)]).step == 2


def test_a_full_disk(tmp_path, monkeypatch):
    with opened(tmp_path, keep=1) as folder:
        folder.save(1, [np.zeros(3)], {})
        usage = shutil.disk_usage(tmp_path)
        monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=23))
        with pytest.raises(CheckpointError, match="24 bytes are needed, 23 are free"):
            folder.save(2, [np.ones(3)], {})
        monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=24))
        folder.save(2, [np.ones(3)], {})
    assert sorted(os.listdir(tmp_path)) == [".funcnn.lock", "2"]


def test_ctrl_c_in_a_save(tmp_path, monkeypatch):
    import orbax.checkpoint

    save = orbax.checkpoint.Checkpointer.save
    finished = []

    def interrupted(*args, **kwargs):
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
        save(*args, **kwargs)
        finished.append(True)

    with opened(tmp_path) as folder:
        folder.save(1, state_of(1), {})
        with monkeypatch.context() as patched:
            patched.setattr(orbax.checkpoint.Checkpointer, "save", interrupted)
            with pytest.raises(KeyboardInterrupt):
                folder.save(2, state_of(2), {})
        # Orbax was waited for, and what it wrote was removed.
        assert finished == [True]
        assert sorted(os.listdir(tmp_path)) == [".funcnn.lock", "1"]
        folder.save(2, state_of(2), {})
        assert folder.steps() == [1, 2]


def test_logging_and_the_event_loop_stay_as_they_were(tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(logging.root, "handlers", [])
    absl = logging.getLogger("absl")
    filters = absl.filters[:]

    async def in_a_notebook():
        loop = asyncio.get_running_loop()
        with opened(tmp_path) as folder:
            folder.save(1, state_of(1), {})
            assert folder.newest(like(state_of(1))).step == 1
        assert asyncio.get_running_loop() is loop

    asyncio.run(in_a_notebook())
    assert logging.root.handlers == []
    assert absl.filters == filters
    assert capfd.readouterr() == ("", "")


def test_another_version_s_checkpoint(tmp_path, monkeypatch):
    monkeypatch.setattr(steps, "FORMAT", 2)
    with opened(tmp_path) as folder:
        folder.save(1, state_of(1), {})
    monkeypatch.undo()
    with opened(tmp_path) as folder, pytest.raises(ArgumentError, match="is of format 2"):
        folder.newest(like(state_of(1)))


def test_the_sums_are_those_of_sha256sum(tmp_path):
    if not (program := shutil.which("sha256sum")):
        pytest.skip("no sha256sum")
    with opened(tmp_path) as folder:
        folder.save(1, state_of(1), {})
    subprocess.run([program, "--check", "--strict", files.SUMS], cwd=tmp_path / "1", check=True)
