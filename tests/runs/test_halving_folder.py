"""Successive halving in a folder, with some params kept, and where members diverge."""

from __future__ import annotations

import functools
import itertools
import json
import multiprocessing
import os
import pickle
import signal
from concurrent.futures import Future

import jax
import numpy as np
import pytest

import funcnn
from funcnn.runs.sweeps import workers

X = np.random.default_rng(0).standard_normal((12, 3))
Y = X @ np.array([[1.0, -2.0], [0.5, 3.0], [-1.0, 1.0]])


def swept(**arguments):
    shared = {"model": "mlp_linear", "data": (X, Y), "steps": 30, "keep_every": 7, "halving": 8}
    shared |= {"hidden": [4, 5], "mode": "product", "seed": range(6), "group": 2, "workers": 1}
    return funcnn.sweep(**shared | arguments)


@functools.cache
def whole():
    """What a halving without a folder gives."""
    return swept()


def assert_same_bits(found, expected):
    assert found.settings == expected.settings
    names = ("losses", "diverged", "kept", "scores", "steps", "dropped", "ranking")
    for name in names:
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
    for one, other in zip(found.kinds, expected.kinds, strict=True):
        jax.tree.map(np.testing.assert_array_equal, one.state, other.state)


def counted(monkeypatch, before=lambda _: None):
    """The groups that are trained from now on."""
    trained, carry_out, calls = [], workers.carry_out, itertools.count()

    def counting(plan, task, observers):
        before(next(calls))
        trained.append((task.until, task.kind, task.place))
        return carry_out(plan, task, observers)

    monkeypatch.setattr(workers, "carry_out", counting)
    return trained


@pytest.mark.slow
def test_a_halving_that_ends_anywhere_goes_on_with_the_same_bits(tmp_path, monkeypatch):
    expected = whole()
    trained = counted(monkeypatch)
    assert_same_bits(swept(folder=tmp_path / "all"), expected)
    total = len(trained)
    assert total > 9
    assert_same_bits(swept(folder=tmp_path / "all"), whole())
    assert len(trained) == total
    monkeypatch.undo()
    for number in range(total):

        def end(done, number=number):
            if done == number:
                raise KeyboardInterrupt

        folder = tmp_path / str(number)
        first = counted(monkeypatch, end)
        with pytest.raises(KeyboardInterrupt):
            swept(folder=folder)
        monkeypatch.undo()
        assert len(list(folder.glob("group-*.npz"))) == len(first) == number
        second = counted(monkeypatch)
        assert_same_bits(swept(folder=folder), whole())
        monkeypatch.undo()
        assert first + second == trained[:total]


def test_ctrl_c_gives_the_last_halving_and_the_folder_goes_on(tmp_path, monkeypatch):
    def end(done):
        if done == 8:
            signal.raise_signal(signal.SIGINT)

    counted(monkeypatch, end)
    with pytest.raises(funcnn.TrainingInterrupted) as caught:
        swept(folder=tmp_path)
    monkeypatch.undo()
    result, saved = caught.value.result, funcnn.load_sweep(tmp_path)
    assert set(result.steps) == {8}
    assert saved.settings == result.settings
    for name in ("losses", "scores", "diverged", "ranking", "logged_steps"):
        np.testing.assert_array_equal(getattr(saved, name), getattr(result, name))
    np.testing.assert_array_equal(saved.params(3)["w1"], result.result(3).params["w1"])
    assert_same_bits(swept(folder=tmp_path), whole())


def test_a_finished_halving_is_opened(tmp_path):
    result = swept(folder=tmp_path)
    saved = funcnn.load_sweep(tmp_path)
    assert repr(saved) == "SavedSweep(12 of 12 members, 30 steps)"
    assert saved.settings == result.settings
    for name in ("losses", "scores", "diverged", "ranking", "logged_steps"):
        np.testing.assert_array_equal(getattr(saved, name), getattr(result, name))
    for member in range(12):
        own = result.result(member).params
        jax.tree.map(np.testing.assert_array_equal, saved.params(member), own)
    np.testing.assert_array_equal(saved.best().predict(X), result.best().predict(X))


def test_of_the_first_rung_the_finished_groups_are_there(tmp_path, monkeypatch):
    def end(done):
        if done == 2:
            raise KeyboardInterrupt

    counted(monkeypatch, end)
    with pytest.raises(KeyboardInterrupt):
        swept(folder=tmp_path)
    saved = funcnn.load_sweep(tmp_path)
    assert saved.members == [0, 1, 2, 3]
    assert saved.logged_steps.tolist() == [0, 7]
    assert np.isfinite(saved.losses).all()


@pytest.mark.parametrize("number", [0, 7])
def test_a_damaged_group_is_trained_again(number, tmp_path):
    swept(folder=tmp_path)
    place = tmp_path / f"group-{number:05d}.npz"
    place.write_bytes(place.read_bytes()[:-40])
    with pytest.warns(funcnn.CheckpointWarning, match="group is trained again"):
        assert_same_bits(swept(folder=tmp_path), whole())


def test_another_halving_is_another_sweep(tmp_path):
    swept(folder=tmp_path)
    for halving, words in ((10, "halving: 8 in the folder, 10 here"), (None, "nothing here")):
        with pytest.raises(funcnn.ArgumentError, match=words):
            swept(folder=tmp_path, halving=halving)
    rung = json.loads((tmp_path / "rung-001.json").read_text())
    assert rung["steps"] == 16
    assert sum(map(len, rung["members"])) == 6


@pytest.mark.parametrize("in_folder", [False, True])
@pytest.mark.parametrize("keep", [1, 5, 100, "losses"])
def test_of_the_best_the_params_are_kept(keep, in_folder, tmp_path):
    found = swept(keep=keep, **{"folder": tmp_path} if in_folder else {})
    wanted = np.sort(whole().ranking[: 0 if keep == "losses" else keep])
    np.testing.assert_array_equal(found.kept, wanted)
    np.testing.assert_array_equal(found.losses, whole().losses)
    np.testing.assert_array_equal(found.ranking, whole().ranking)
    for member in wanted:
        np.testing.assert_array_equal(
            found.result(member).params["w1"], whole().result(member).params["w1"]
        )
    if keep == 1:
        with pytest.raises(funcnn.ArgumentError, match="were not kept"):
            found.result(int(whole().ranking[-1]))


def test_a_member_that_was_dropped_is_none_of_the_best_whatever_its_score():
    # The loss at which a member was dropped is that of earlier steps, and may be the lowest.
    rising = {"optimizer": "sgd", "learning_rate": [1e-3, 1e-2, 1e-1, 1.0], "hidden": 4}
    shared = rising | {"seed": 0, "group": 4, "steps": 9, "halving": 4, "keep_every": 1}
    found = swept(**shared, keep=1)
    assert found.kept.tolist() == [found.ranking[0]]
    assert not found.dropped[found.kept[0]]


def test_folds_are_kept_by_their_mean():
    shared = {"hidden": 4, "seed": 0, "folds": 2, "learning_rate": [1e-1, 1e-2, 1e-3]}
    shared |= {"evaluate_every": 4}
    full, found = swept(**shared), swept(**shared, keep=2)
    np.testing.assert_array_equal(found.kept, np.sort(full.ranking[:2]))


def test_a_setting_of_which_a_fold_has_diverged_stops_at_the_next_halving():
    # One sample is so large that a step on it leads away; it is in the training part of a fold.
    x, y = X.copy(), Y.copy()
    x[5] *= 30
    shared = {"data": (x, y), "hidden": (), "seed": 0, "folds": 2, "evaluate_every": 4}
    shared |= {"optimizer": "sgd", "steps": 400, "halving": 40, "monitor": "loss"}
    result = swept(**shared, learning_rate=[1e-4, 1e-1, 5e-2])
    diverged, steps = result.diverged.reshape(3, 2), result.steps.reshape(3, 2)
    assert (diverged >= 0).tolist() == [[False, False], [True, False], [True, False]]
    # The folds that are finite do not go on alone, though theirs are the lowest losses.
    assert result.scores[[3, 5]].max() < result.scores[[0, 1]].mean()
    assert steps[:, 1].tolist() == [400, 40, 40]
    assert result.dropped.tolist() == [False, False, False, True, False, True]
    assert set(result.ranking[:2]) == {0, 1}
    assert result.by_setting()[0]["learning_rate"] == 1e-4


def test_seeds_are_dropped_each_by_itself():
    result = whole()
    assert len(set(result.steps[:6])) > 1
    shared = {"optimizer": "sgd", "hidden": 4, "group": 6, "mode": "zip", "seed": range(6)}
    rates = [1e-2, 1e30, 1e-3, 1e-2, 1e30, 1e-3]
    found = swept(**shared, learning_rate=rates)
    assert (found.diverged >= 0).tolist() == [False, True, False] * 2
    assert sorted(found.steps[found.diverged < 0].tolist()) == [8, 16, 24, 30]
    assert not found.dropped[[1, 4]].any()


def test_a_group_that_fails_is_named_and_the_others_are_in_the_folder(tmp_path, monkeypatch):
    def fail(done):
        if done == 7:
            raise MemoryError("no more")

    counted(monkeypatch, fail)
    with pytest.raises(funcnn.SweepError) as caught:
        swept(folder=tmp_path)
    rung = json.loads((tmp_path / "rung-001.json").read_text())
    first = next(own for own in rung["members"] if len(own) > 2)
    assert caught.value.settings == [whole().settings[member] for member in first[2:4]]
    assert isinstance(caught.value.__cause__, MemoryError)
    assert set(caught.value.result.steps) == {8}
    monkeypatch.undo()
    assert_same_bits(swept(folder=tmp_path), whole())


def test_other_processes_go_on_from_a_rung_and_the_best_params_are_in_the_folder(tmp_path):
    class Engine:
        def submit(self, function, parcel, task, attempt):
            parcel, task = pickle.loads(pickle.dumps((parcel, task)))
            future = Future()
            future.set_result(function(parcel._replace(sender=os.getpid()), task, attempt))
            return future

    shared = {"validation": (X[:5], Y[:5]), "monitor": "validation_loss", "evaluate_every": 4}
    expected = swept(**shared)
    for _ in range(2):
        result = swept(**shared, executor=Engine(), folder=tmp_path, workers=2)
        assert_same_bits(result, expected)
        for one in tmp_path.glob("group-0000[1369].npz"):
            one.unlink()
    saved = funcnn.load_sweep(tmp_path)
    assert 0 < len(saved.members) < 12  # The first rung is not whole.
    swept(**shared, folder=tmp_path)
    saved = funcnn.load_sweep(tmp_path)
    np.testing.assert_array_equal(saved.ranking, expected.ranking)
    for member in (expected.ranking[0], expected.ranking[-1]):
        own = expected.result(int(member)).params
        jax.tree.map(np.testing.assert_array_equal, saved.params(member), own)


def killed(folder):
    workers.carry_out, dying.before = dying, workers.carry_out
    swept(folder=folder)


def dying(plan, task, observers):
    if task.until == 16:
        os.kill(os.getpid(), signal.SIGKILL)
    return dying.before(plan, task, observers)


@pytest.mark.slow
def test_after_a_kill_the_same_call_goes_on(tmp_path, monkeypatch):
    process = multiprocessing.get_context("spawn").Process(target=killed, args=(tmp_path,))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    expected = whole()
    trained = counted(monkeypatch)
    assert_same_bits(swept(folder=tmp_path), expected)
    assert min(until for until, _, _ in trained) == 16
