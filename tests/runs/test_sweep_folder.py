"""A sweep in a folder: finished groups are never done again, whatever ended the sweep."""

from __future__ import annotations

import functools
import json
import multiprocessing
import os
import signal

import jax
import numpy as np
import pytest

import funcnn
from funcnn.runs.sweeps import workers
from funcnn.runs.sweeps.folder import described, read_part
from funcnn.runs.sweeps.kinds import Kind
from funcnn.runs.sweeps.members import combined

X = np.random.default_rng(0).standard_normal((12, 3))
Y = X @ np.array([[1.0, -2.0], [0.5, 3.0], [-1.0, 1.0]])


def swept(**arguments):
    shared = {"model": "mlp_linear", "data": (X, Y), "hidden": 4, "steps": 30, "keep_every": 7}
    return funcnn.sweep(**shared | {"seed": range(7), "group": 2, "workers": 1} | arguments)


@pytest.fixture(scope="module")
def whole():
    """What a sweep without a folder gives."""
    return swept()


def assert_same_bits(found, expected):
    assert found.settings == expected.settings
    for one, other in zip(
        jax.tree.leaves((found.losses, found.diverged, found.kept, found.state)),
        jax.tree.leaves((expected.losses, expected.diverged, expected.kept, expected.state)),
        strict=True,
    ):
        np.testing.assert_array_equal(one, other)


def counted(monkeypatch):
    """The groups that are trained from now on, by their first seeds."""
    trained, carry_out = [], workers.carry_out

    def counting(plan, task, observers):
        trained.append(task.members[0]["seed"])
        return carry_out(plan, task, observers)

    monkeypatch.setattr(workers, "carry_out", counting)
    return trained


def test_finished_groups_are_kept_and_not_done_again(tmp_path, whole, monkeypatch):
    folder = tmp_path / "deep" / "sweep"
    trained = counted(monkeypatch)
    assert_same_bits(swept(folder=folder), whole)
    assert trained == [0, 2, 4, 6]
    names = {path.name for path in folder.iterdir()}
    assert names == {".funcnn.lock", "sweep.json", *(f"group-0000{n}.npz" for n in range(4))}
    assert_same_bits(swept(folder=folder), whole)
    assert trained == [0, 2, 4, 6]
    (folder / "group-00002.npz").unlink()
    (folder / ".0123.part").touch()  # As a killed process leaves it.
    assert_same_bits(swept(folder=folder, workers=2), whole)
    assert trained[4:] == [4]
    assert {path.name for path in folder.iterdir()} == names


def test_the_folder_fixes_the_width(tmp_path):
    first = swept(folder=tmp_path, group=3)
    again = swept(folder=tmp_path, group=None, workers=7)
    assert again.group == 3
    assert_same_bits(again, first)
    with pytest.raises(funcnn.ArgumentError, match=r"group: 3 in the folder, 2 here"):
        swept(folder=tmp_path)


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"learning_rate": 1e-2}, "kinds.0.numbers.learning_rate: 0.001 in the folder, 0.01 here"),
        ({"data": (X + 1, Y)}, "kinds.0.data.training.digest: "),
        ({"steps": 31}, "kinds.0.steps: 30 in the folder, 31 here"),
        ({"seed": range(8)}, "settings.seed: [0, 1, 2, 3, 4, 5, 6] in the folder"),
        ({"hidden": 5}, "kinds.0.params.w1: [3, 4] in the folder, [3, 5] here"),
        ({"hidden": (4, 4)}, "kinds.0.params.w3: nothing in the folder, [4, 2] here"),
        ({"keep": 2}, 'keep: "all" in the folder, 2 here'),
        ({"keep_every": 1}, "keep_every: 7 in the folder, 1 here"),
    ],
)
def test_another_sweep_s_folder_is_refused(other, words, tmp_path, whole, compiles):
    folder = tmp_path / "sweep"
    folder.mkdir()
    plan = funcnn.runs.sweeps.make_plan("mlp_linear", (X, Y), hidden=4, steps=30, seed=0)
    settings = combined({"seed": range(7)}, "product")
    words_ = described([Kind(plan, np.arange(7), settings)], settings, 7, "all") | {"group": 2}
    (folder / "sweep.json").write_text(json.dumps(words_))
    with compiles() as compiled, pytest.raises(funcnn.ArgumentError) as caught:
        swept(folder=folder, **other)
    assert "holds another sweep:\n" in str(caught.value)
    assert words in str(caught.value)
    assert compiled == []
    assert_same_bits(swept(folder=folder), whole)


class Scaled:
    """A model of one's own, its functions bound methods."""

    def __init__(self, width=3, start=1.0, scale=1.0):
        self.width, self.start, self.scale = width, start, scale

    def init(self, key):
        return {"w": self.start * jax.random.normal(key, (3, 2)), "b": jax.numpy.zeros(self.width)}

    def apply(self, params, x):
        return self.scale * x @ params["w"] + params["b"].sum()


def mean_of(sign, prediction, target):
    return sign * (prediction - target).mean()


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"model": Scaled(width=4)}, "kinds.0.params.b: [3] in the folder, [4] here"),
        ({"model": Scaled(start=2.0)}, "kinds.0.init.code."),
        ({"model": Scaled(scale=2.0)}, "kinds.0.step.code."),
        ({"sign": -1}, "kinds.0.monitored.metrics.mean_of.with.0: 1 in the folder, -1 here"),
    ],
)
def test_what_one_s_own_functions_hold_is_told_apart(other, words, tmp_path):
    def own(model=Scaled(), sign=1):  # noqa: B008
        return swept(
            model=(model.init, model.apply), hidden=None, seed=[0, 1], folder=tmp_path,
            metrics={"mean_of": functools.partial(mean_of, sign)},
        )  # fmt: skip

    expected = own()
    assert_same_bits(own(), expected)
    with pytest.raises(funcnn.ArgumentError) as caught:
        own(**other)
    assert words in str(caught.value)


def test_another_machine_s_folder_is_refused(tmp_path):
    swept(folder=tmp_path)
    place = tmp_path / "sweep.json"
    words = json.loads(place.read_text())
    words["machine"]["jaxlib"] = "0.1.2"
    words["versions"]["funcnn"] = "0.0.1"  # It may differ.
    place.write_text(json.dumps(words))
    with pytest.raises(funcnn.ArgumentError) as caught:
        swept(folder=tmp_path)
    assert 'machine.jaxlib: "0.1.2" in the folder' in str(caught.value)
    assert "versions" not in str(caught.value)


@pytest.mark.parametrize("damage", ["flip", "cut"])
def test_a_damaged_group_is_seen_and_trained_again(damage, tmp_path, whole):
    swept(folder=tmp_path)
    place = tmp_path / "group-00001.npz"
    content = bytearray(place.read_bytes())
    if damage == "flip":
        content[content.index(whole.losses[2, 1].tobytes())] ^= 1
    place.write_bytes(content if damage == "flip" else content[:-40])
    with pytest.raises(funcnn.ArgumentError, match=r"group-00001\.npz"):
        _ = funcnn.load_sweep(tmp_path).losses
    with pytest.warns(funcnn.CheckpointWarning, match="group is trained again"):
        assert_same_bits(swept(folder=tmp_path), whole)


def test_one_sweep_at_a_time_has_the_folder(tmp_path):
    from funcnn.checkpoints.lock import Lock

    lock = Lock(tmp_path)
    with pytest.raises(funcnn.CheckpointError, match=f"the process {os.getpid()} writes"):
        swept(folder=tmp_path)
    lock.release()


def test_ctrl_c_keeps_what_is_finished(tmp_path, whole, monkeypatch):
    trained = counted(monkeypatch)
    carry_out = workers.carry_out

    def interrupted(plan, task, observers):
        if task.members[0]["seed"] == 4:
            signal.raise_signal(signal.SIGINT)
        return carry_out(plan, task, observers)

    monkeypatch.setattr(workers, "carry_out", interrupted)
    monkeypatch.setattr("funcnn.runs.run.ClockPace.length", lambda _: 3)
    with pytest.raises(funcnn.TrainingInterrupted) as caught:
        swept(folder=tmp_path)
    assert len(caught.value.result.settings) == 4
    monkeypatch.setattr(workers, "carry_out", carry_out)
    del trained[:]
    assert_same_bits(swept(folder=tmp_path), whole)
    assert trained == [4, 6]


def test_a_group_that_fails_is_named_and_the_others_are_in_the_folder(tmp_path, whole, monkeypatch):
    carry_out = workers.carry_out

    def failing(plan, task, observers):
        if task.members[0]["seed"] == 2:
            raise MemoryError("no more")
        return carry_out(plan, task, observers)

    monkeypatch.setattr(workers, "carry_out", failing)
    with pytest.raises(funcnn.SweepError) as caught:
        swept(folder=tmp_path)
    assert caught.value.settings == [{"seed": 2}, {"seed": 3}]
    assert isinstance(caught.value.__cause__, MemoryError)
    assert funcnn.load_sweep(tmp_path).members == [0, 1, 4, 5, 6]
    monkeypatch.undo()
    assert_same_bits(swept(folder=tmp_path), whole)


# Whose params are kept.


@pytest.mark.parametrize("keep", [1, 3, 100, "losses"])
@pytest.mark.parametrize("in_folder", [False, True])
def test_of_the_best_the_params_are_kept(keep, in_folder, tmp_path, whole):
    more = {"folder": tmp_path} if in_folder else {}
    found = swept(keep=keep, **more)
    np.testing.assert_array_equal(found.losses, whole.losses)
    wanted = sorted(whole.ranking[: 0 if keep == "losses" else keep].tolist())
    assert found.kept.tolist() == wanted
    for one, other in zip(jax.tree.leaves(found.state), jax.tree.leaves(whole.state), strict=True):
        np.testing.assert_array_equal(one, other[wanted])
    for member in range(7):
        if member in wanted:
            np.testing.assert_array_equal(
                found.result(member).params["w1"], whole.result(member).params["w1"]
            )
        else:
            with pytest.raises(funcnn.ArgumentError, match=f"member {member} were not kept"):
                found.result(member)
    with pytest.raises(IndexError):
        found.result(7)
    if wanted:
        expected = whole.predict(X, members=wanted)
        np.testing.assert_array_equal(found.predict(X).members, expected.members)


def test_a_folder_holds_no_states_of_members_that_were_surpassed(tmp_path, whole):
    swept(folder=tmp_path, keep=1, workers=1)
    for number in range(4):
        first = 2 * number
        best = int(np.argmin(whole.scores[: first + 2]))
        kept = read_part(tmp_path, number, 30).kept
        assert (first + kept).tolist() == ([best] if best >= first else [])


# Opened again.


def test_a_folder_is_opened_lazily(tmp_path, whole):
    swept(folder=tmp_path)
    saved = funcnn.load_sweep(tmp_path)
    assert repr(saved) == "SavedSweep(7 of 7 members, 30 steps)"
    assert (saved.settings, saved.group) == (whole.settings, 2)
    np.testing.assert_array_equal(saved.logged_steps, whole.logged_steps)
    np.testing.assert_array_equal(saved.losses, whole.losses)
    np.testing.assert_array_equal(saved.diverged, whole.diverged)
    np.testing.assert_array_equal(saved.ranking, whole.ranking)
    assert saved.rows() == whole.rows()
    for number in (0, 1, 3):
        (tmp_path / f"group-0000{number}.npz").unlink()
    params = saved.params(5)
    assert sorted(params) == sorted(whole.params)
    np.testing.assert_array_equal(params["w1"], whole.params["w1"][5])
    np.testing.assert_array_equal(saved.predictor(5).predict(X), whole.result(5).predict(X))
    left = funcnn.load_sweep(tmp_path)
    assert left.members == [4, 5]
    np.testing.assert_array_equal(left.params(1)["w1"], params["w1"])


def killed(folder):
    workers.carry_out, before = dying, workers.carry_out
    dying.before = before
    swept(folder=folder)


def dying(plan, task, observers):
    if task.members[0]["seed"] == 4:
        os.kill(os.getpid(), signal.SIGKILL)
    return dying.before(plan, task, observers)


@pytest.mark.slow
def test_after_a_kill_the_same_call_goes_on(tmp_path, whole, monkeypatch):
    process = multiprocessing.get_context("spawn").Process(target=killed, args=(tmp_path,))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    trained = counted(monkeypatch)
    assert_same_bits(swept(folder=tmp_path), whole)
    assert trained == [4, 6]
