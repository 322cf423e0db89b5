"""Successive halving: the worse half stops, and the others have the bits of a whole sweep."""

from __future__ import annotations

import functools

import jax
import numpy as np
import pytest
from helpers import Cut

import funcnn

RNG = np.random.default_rng(0)
X = RNG.standard_normal((24, 3))
Y = X @ np.array([[1.0, -2.0], [0.5, 3.0], [-1.0, 1.0]])
SHARED = {"model": "mlp_linear", "data": (X, Y), "hidden": 4, "steps": 40, "group": 3}
RATES = [1e-4, 3e-4, 1e-3, 1e-2, 0.1, 0.3, 1e30]

CASES = {
    "adam-batches": {"batch_size": 5, "keep_every": 7},
    "gram": {"form": "gram", "optimizer": "momentum", "learning_rate": [*RATES[:5], 0.02, 1e30]},
    "validation": {"validation": (X[:6], Y[:6]), "evaluate_every": 5, "monitor": "validation_loss"},
}


def swept(**arguments):
    return funcnn.sweep(**SHARED | {"learning_rate": RATES, "seed": 3} | arguments)


@functools.cache
def pair(name):
    return swept(**CASES[name]), swept(**CASES[name], halving=10)


@pytest.mark.parametrize("name", CASES)
def test_who_goes_on_has_the_bits_of_a_whole_sweep(name):
    whole, found = pair(name)
    assert found.group == whole.group == 3
    # Seven, one of which diverges; 4, 2 and 1 of them go on.
    assert np.bincount(found.steps[found.dropped], minlength=31)[[10, 20, 30]].tolist() == [2, 2, 1]
    assert (found.steps == 40).sum() == 1
    for member in range(7):
        made = found.logged_steps < found.steps[member]
        np.testing.assert_array_equal(found.losses[member, made], whole.losses[member, made])
        assert np.isnan(found.losses[member, ~made]).all()
    (last,) = np.flatnonzero(found.steps == 40)
    for one, other in zip(
        jax.tree.leaves((found.state, found.params)),
        jax.tree.leaves((whole.state, whole.params)),
        strict=True,
    ):
        np.testing.assert_array_equal(one[last], other[last])
    for column, other in zip(found.history.values(), whole.history.values(), strict=True):
        if column.ndim == 2:
            np.testing.assert_array_equal(column[last], other[last])
    assert found.scores[last] == whole.scores[last]


def test_those_that_were_dropped_rank_behind_the_later_ones():
    _, found = pair("adam-batches")
    assert found.steps[found.ranking].tolist() == [40, 30, 20, 20, 10, 10]
    assert len(found.best().losses) == 40
    early = found.result(int(found.ranking[-1]))
    assert (len(early.losses), early.stopped_early, int(early.state.step)) == (10, True, 10)


def test_neither_cuts_nor_workers_change_who_is_dropped(monkeypatch):
    _, found = pair("validation")
    monkeypatch.setattr("funcnn.runs.run.ClockPace", Cut(3))
    other = swept(**CASES["validation"], halving=10, workers=1)
    np.testing.assert_array_equal(other.losses, found.losses)
    np.testing.assert_array_equal(other.dropped, found.dropped)
    jax.tree.map(np.testing.assert_array_equal, other.params, found.params)


def test_nothing_compiles_again_for_fewer_members(compiles):
    pair("adam-batches")
    with compiles() as compiled:
        swept(**CASES["adam-batches"], halving=5)
    assert compiled == []


def test_ctrl_c_keeps_all_members_as_they_were_at_the_last_halving(monkeypatch):
    _, found = pair("adam-batches")
    # Three groups make a segment each; the next round has two groups.
    monkeypatch.setattr("funcnn.runs.run.ClockPace", Cut(10, interrupted=[4]))
    with pytest.raises(funcnn.TrainingInterrupted) as caught:
        swept(**CASES["adam-batches"], halving=10, workers=1)
    result = caught.value.result
    assert (result.steps[result.diverged < 0] == 10).all()
    assert len(result.settings) == 7
    early = result.logged_steps < 10
    np.testing.assert_array_equal(result.losses[:, early][:, :2], found.losses[:, :2])
