"""What is measured of the members of a sweep: scores, best records, ensembles."""

from __future__ import annotations

import functools

import jax
import numpy as np
import pytest
from helpers import Cut

import funcnn

RNG = np.random.default_rng(0)
X = RNG.standard_normal((40, 3))
Y = X @ np.array([1.0, -2.0, 0.5]) + 0.1 * RNG.standard_normal(40) + 5
CLASSES = (X[:, 0] > 0).astype(int)

REGRESSION = {
    "model": "mlp_linear", "data": (X, Y), "hidden": 4, "steps": 30, "batch_size": 8,
    "validation_fraction": 0.25, "standardize": True, "metrics": ["r2"], "evaluate_every": 4,
    "dtype": "float64",
}  # fmt: skip


@functools.cache
def plain():
    """Two seeds at two rates, with validation, and nothing that is monitored."""
    return funcnn.sweep(**REGRESSION, seed=[0, 3], learning_rate=[1e-2, 0.2], group=4)


@functools.cache
def stopping():
    """The same, and a member stops that gets no better."""
    arguments = {"seed": [0, 3], "learning_rate": [1e-2, 1.0], "group": 4, "patience": 2}
    return funcnn.sweep(**REGRESSION | {"keep_every": 7} | arguments)


def alone(member_settings, **arguments):
    # What is set aside of a sweep of seeds is that of seed 0.
    return funcnn.train(**REGRESSION | member_settings | arguments)


def assert_alike(found, expected):
    np.testing.assert_array_equal(found.history["step"], expected.history["step"])
    assert list(found.history) == list(expected.history)
    for name in expected.history:
        # The same arithmetic, its sums in another order.
        np.testing.assert_allclose(found.history[name], expected.history[name], rtol=1e-9)
    for name in expected.params:
        np.testing.assert_allclose(found.params[name], expected.params[name], rtol=1e-9)
    assert found.record.keys() == expected.record.keys()


def test_scores_are_those_of_train():
    result = plain()
    assert result.history["validation_r2"].shape == (4, 8)
    assert result.monitor == "validation_loss"
    for member in (0, 1):
        assert_alike(result.result(member), alone(result.settings[member]))


def test_members_are_ranked_by_the_last_validation_loss():
    result = plain()
    last = result.history["validation_loss"][:, -1]
    np.testing.assert_array_equal(result.scores, last)
    np.testing.assert_array_equal(result.ranking, np.argsort(last))
    assert result.best().record["validation_loss"] == last.min()
    assert "lowest validation loss" in repr(result)
    row = result.rows()[1]
    assert row["validation_r2"] == result.history["validation_r2"][1, -1]
    assert row["steps"] == 30


def test_what_is_measured_changes_no_bit():
    bare = {name: one for name, one in REGRESSION.items() if name not in ("metrics",)}
    other = funcnn.sweep(
        **bare | {"evaluate_every": 30}, seed=[0, 3], learning_rate=[1e-2, 0.2], group=4
    )
    np.testing.assert_array_equal(other.losses, plain().losses)
    np.testing.assert_array_equal(other.scores, plain().scores)


def test_neither_cuts_nor_workers_change_a_bit_of_the_scores(monkeypatch):
    monkeypatch.setattr("funcnn.runs.run.ClockPace", Cut(3))
    arguments = {"seed": [0, 3], "learning_rate": [1e-2, 1.0], "group": 4, "patience": 2}
    other = funcnn.sweep(**REGRESSION | {"keep_every": 7} | arguments)
    for name in ("losses", "scores", "steps", "best_steps"):
        np.testing.assert_array_equal(getattr(other, name), getattr(stopping(), name))
    for name, column in other.history.items():
        np.testing.assert_array_equal(column, stopping().history[name])
    jax.tree.map(np.testing.assert_array_equal, other.params, stopping().params)


def test_a_member_stops_by_itself_and_has_its_best_params():
    result = stopping()
    assert (result.steps < 30).any()
    assert (result.steps == 30).any()
    for member in (0, 1):
        own, expected = result.result(member), alone(result.settings[member], patience=2)
        assert_alike(own, expected)
        assert own.stopped_early == expected.stopped_early
        assert own.best.step == expected.best.step == result.best_steps[member]
        assert own.best.value == pytest.approx(expected.best.value, rel=1e-9)
        assert len(own.losses) == len(expected.losses) == result.steps[member]
        assert int(own.state.step) == int(expected.state.step)
        kept = ~np.isnan(own.losses)
        np.testing.assert_allclose(own.losses[kept], expected.losses[kept], rtol=1e-9)
    # Those that go on have the bits of a sweep in which nobody stops.
    going = np.flatnonzero(result.steps == 30)
    free = funcnn.sweep(
        **REGRESSION | {"keep_every": 7}, seed=[0, 3], learning_rate=[1e-2, 1.0], group=4
    )
    np.testing.assert_array_equal(result.losses[going], free.losses[going])


def test_a_score_that_is_to_grow_ranks_from_the_highest():
    result = funcnn.sweep(
        "mlp_linear", (X, CLASSES), loss="cross_entropy", hidden=4, steps=12, evaluate_every=4,
        metrics=["accuracy", "roc_auc"], monitor="validation_accuracy",
        validation=(X[:9], CLASSES[:9]), seed=range(3),
    )  # fmt: skip
    best = result.history["validation_accuracy"].max(axis=1)
    np.testing.assert_array_equal(result.scores, best)
    np.testing.assert_array_equal(result.ranking, np.argsort(-best, kind="stable"))
    alone = funcnn.train(
        "mlp_linear", (X, CLASSES), loss="cross_entropy", hidden=4, steps=12, evaluate_every=4,
        metrics=["roc_auc"], validation=(X[:9], CLASSES[:9]), seed=2,
    )  # fmt: skip
    # float32: roundings of another order of sums; a rank changes by steps.
    np.testing.assert_allclose(
        result.history["validation_roc_auc"][2], alone.history["validation_roc_auc"], atol=1e-6
    )


def test_an_ensemble_has_mean_and_spread_in_the_unit_of_y():
    result = plain()
    found = result.predict(X[:5])
    assert found.members.shape == (4, 5)
    for member in range(4):
        np.testing.assert_array_equal(found.members[member], result.result(member).predict(X[:5]))
    np.testing.assert_array_equal(found.mean, found.members.mean(axis=0))
    np.testing.assert_array_equal(found.spread, found.members.std(axis=0))
    assert abs(found.mean.mean() - 5) < 3
    two = result.predict(X[:5], members=result.ranking[:2])
    np.testing.assert_array_equal(two.members, found.members[result.ranking[:2]])


def test_an_ensemble_of_classifiers_predicts_probabilities_and_leaves_out_who_diverged():
    shared = {"loss": "cross_entropy", "hidden": 4, "steps": 12, "optimizer": "sgd"}
    result = funcnn.sweep(
        "mlp_linear", (X, CLASSES), **shared, learning_rate=[0.1, 1e30, 0.01], group=3
    )
    assert (result.diverged >= 0).tolist() == [False, True, False]
    found = result.predict(X)
    assert found.members.shape == (2, 40, 2)
    np.testing.assert_allclose(found.mean.sum(axis=1), 1, rtol=1e-6)
    np.testing.assert_array_equal(found.members[1], result.result(2).predict_proba(X))
    with pytest.raises(funcnn.DivergenceError):
        result.predict(X, members=[1])


def test_what_was_measured_is_kept_in_a_folder(tmp_path):
    arguments = {"seed": [0, 3], "learning_rate": [1e-2, 1.0], "group": 2, "patience": 2}
    first = funcnn.sweep(**REGRESSION | arguments, folder=tmp_path / "s", keep=2)
    again = funcnn.sweep(**REGRESSION | arguments, folder=tmp_path / "s", keep=2)
    saved = funcnn.load_sweep(tmp_path / "s")
    np.testing.assert_array_equal(first.scores, again.scores)
    np.testing.assert_array_equal(first.ranking, saved.ranking)
    np.testing.assert_array_equal(first.kept, np.sort(first.ranking[:2]))
    jax.tree.map(np.testing.assert_array_equal, first.best().params, again.best().params)
    jax.tree.map(np.testing.assert_array_equal, first.best().params, saved.best().params)
    with pytest.raises(funcnn.ArgumentError, match="holds another sweep"):
        funcnn.sweep(**REGRESSION | arguments | {"patience": 3}, folder=tmp_path / "s", keep=2)
