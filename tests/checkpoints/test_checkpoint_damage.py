"""Damaged checkpoints: none is loaded, each is named, and the newest sound one is used."""

from __future__ import annotations

import errno
import os
import pickle
import re
import shutil

import jax
import numpy as np
import pytest

from funcnn.checkpoints import CheckpointFolder, CheckpointWarning, files
from funcnn.checkpoints.arrays import write_arrays
from funcnn.core import CheckpointError

pytest.importorskip("orbax.checkpoint")

STATE = {"w": np.arange(5, dtype=np.float32), "key": jax.random.key(1)}
OLDER = {"w": np.zeros(5, np.float32), "key": jax.random.key(0)}


@pytest.fixture(scope="module")
def pristine(tmp_path_factory):
    """A folder with the steps 1 and 2."""
    place = tmp_path_factory.mktemp("pristine")
    with CheckpointFolder(place, None, {"a": 1}) as folder:
        folder.save(1, OLDER, {"loss": [1.0]})
        folder.save(2, STATE, {"loss": [1.0, 0.5]})
    return place


@pytest.fixture
def place(pristine, tmp_path):
    return shutil.copytree(pristine, tmp_path / "folder")


def newest(place):
    with CheckpointFolder(place, None, {"a": 1}) as folder:
        return folder.newest(STATE)


def assert_passed_over(place, reason):
    with pytest.warns(CheckpointWarning) as warned:
        found = newest(place)
    assert len(warned) == 1
    assert re.search(f"2 is damaged and passed over: .*{reason}.* now 2.damaged", str(warned[0]))
    assert (found.step, found.memory) == (1, {"loss": [1.0]})
    np.testing.assert_array_equal(found.state["w"], OLDER["w"])
    # It is put aside, and blocks nothing.
    with CheckpointFolder(place, 1, {"a": 1}) as folder:
        assert folder.steps() == [1]
        folder.save(2, STATE, {})
        assert folder.steps() == [2]
    assert os.path.lexists(place / "2.damaged")


def flip(path, bit):
    content = bytearray(path.read_bytes())
    content[bit // 8] ^= 1 << bit % 8
    path.write_bytes(content)


def test_a_flipped_bit_or_a_lost_end_anywhere(place):
    step = place / "2"
    paths = [path for path in step.rglob("*") if path.is_file()]
    assert len(paths) > 8
    generator = np.random.default_rng(0)
    cases = 0
    for path in paths:
        sound = path.read_bytes()
        bits = [0, 8 * len(sound) - 1, *generator.integers(8 * len(sound), size=3)]
        damages = [lambda path, bit=int(bit): flip(path, bit) for bit in bits]
        damages += [lambda path, end=end: os.truncate(path, end) for end in (0, len(sound) - 1)]
        damages += [os.unlink]
        for damage in damages:
            damage(path)
            with pytest.warns(CheckpointWarning, match="/2 is damaged"):
                assert newest(place).step == 1
            (place / "2.damaged").rename(step)
            path.write_bytes(sound)
            cases += 1
    assert cases > 60
    assert newest(place).step == 2


def test_every_kind_of_byte_of_the_sums_counts(place):
    path = place / "2" / files.SUMS
    sound = path.read_bytes()
    for index in range(0, len(sound), 13):
        flip(path, 8 * index + index % 8)
        with pytest.raises(files.DamagedError):
            files.check(place / "2")
        path.write_bytes(sound)
    files.check(place / "2")


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda step: (step / "more").write_text(""), "more was not saved with it"),
        (lambda step: os.mkfifo(step / "pipe"), "pipe is a link, or no regular file"),
        (lambda step: (step / "arrays" / "x").symlink_to("/etc/passwd"), "arrays/x is a link"),
        (lambda step: (step / "y").symlink_to("/etc"), "y is a link"),
        (lambda step: (step / files.SUMS).unlink(), "has no SHA256SUMS"),
        (lambda step: (step / "checkpoint.json").unlink(), "checkpoint.json is missing"),
        (lambda step: shutil.rmtree(step / "arrays"), "is missing"),
        (lambda step: (shutil.rmtree(step), step.mkdir()), "has no SHA256SUMS"),
        (lambda step: (shutil.rmtree(step), step.write_text("2")), "is no folder"),
        (lambda step: step.rename(step.parent / ".x") and step.symlink_to(".x"), "is no folder"),
    ],
)
def test_what_was_added_or_taken(damage, reason, place):
    damage(place / "2")
    assert_passed_over(place, reason)


def test_no_pickle_is_read(place, monkeypatch):
    for name in ("load", "loads", "Unpickler"):
        monkeypatch.setattr(pickle, name, None)
    assert newest(place).step == 2


def test_hidden_files_are_no_damage(place):
    (place / "2" / ".DS_Store").write_text("")
    assert newest(place).step == 2


def test_an_array_that_was_written_wrongly(place):
    # The files are what was written, but the index knows another array.
    arrays = place / "2" / "arrays"
    shutil.rmtree(arrays)
    write_arrays(arrays, {"0": np.zeros(2, np.uint32), "1": STATE["w"].astype(np.float64)})
    (place / "2" / files.SUMS).unlink()
    files.seal(place / "2")
    assert_passed_over(place, "is not the array that was saved")


def test_an_empty_folder_with_a_step_s_name(place):
    (place / "99").mkdir()
    with pytest.warns(CheckpointWarning, match="/99 is damaged"):
        assert newest(place).step == 2


def test_damaged_again_and_all_damaged(place):
    for name in ("1", "2"):
        (place / name / files.SUMS).unlink()
    (place / "2.damaged").mkdir()
    with pytest.warns(CheckpointWarning) as warned:
        assert newest(place) is None
    assert len(warned) == 2
    assert sorted(os.listdir(place)) == [".funcnn.lock", "1.damaged", "2.damaged", "2.damaged-1"]


def test_a_bit_that_rots_during_a_run(place):
    with CheckpointFolder(place, None, {"a": 1}) as folder:
        assert folder.newest(STATE).step == 2
        flip(place / "2" / "checkpoint.json", 99)
        with pytest.warns(CheckpointWarning, match="checkpoint.json is not what was saved"):
            assert folder.newest(STATE).step == 1


@pytest.mark.parametrize("number", [errno.EACCES, errno.EMFILE])
def test_a_file_that_may_be_sound_is_not_passed_over(number, place, monkeypatch):
    def refuse(path):
        raise OSError(number, os.strerror(number), str(path))

    monkeypatch.setattr(files, "check", refuse)
    with pytest.raises(CheckpointError, match=os.strerror(number)):
        newest(place)
    assert (place / "2").is_dir()


def test_a_sector_that_cannot_be_read_is_damage(place, monkeypatch):
    check = files.check

    def refuse(path):
        if path.name == "2":
            raise OSError(errno.EIO, "Input/output error", str(path))
        check(path)

    monkeypatch.setattr(files, "check", refuse)
    with pytest.warns(CheckpointWarning, match="Input/output error"):
        assert newest(place).step == 1


def test_the_only_sound_one_stays(place, monkeypatch):
    (place / "2" / files.SUMS).unlink()
    with CheckpointFolder(place, 1, {"a": 1}) as folder:
        with pytest.warns(CheckpointWarning):
            assert folder.newest(STATE).step == 1
        monkeypatch.setattr(files, "seal", lambda _: (_ for _ in ()).throw(OSError("disk full")))
        with pytest.raises(CheckpointError, match="disk full"):
            folder.save(3, STATE, {})
    assert newest(place).step == 1
