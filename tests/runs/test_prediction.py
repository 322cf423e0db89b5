"""Predictions in the user's own words: standardized, saved, as labels, and in parts."""

from __future__ import annotations

import numpy as np
import pytest

import funcnn
from funcnn.runs import prediction
from funcnn.runs.planning import make_plan

RNG = np.random.default_rng(0)
X = RNG.standard_normal((50, 3)) * [1.0, 30.0, 0.01] + [5.0, -700.0, 0.0]
Y = (X - X.mean(axis=0)) @ [[1.0, 0.0], [-0.1, 0.2], [20.0, 3.0]] + [40.0, 0.0]
LINEAR = {"model": "mlp_linear", "hidden": (), "learning_rate": 0.05, "steps": 60}
LABELS = np.array(["no", "maybe", "yes"])[(X[:, 0] > 5).astype(int) + (X[:, 1] > -690)]


def standardized(array):
    spread = np.where(np.ptp(array, axis=0) == 0, 1, array.std(axis=0))
    return (array - array.mean(axis=0)) / spread


# Standardizing.


def test_standardizing_is_what_one_would_do_by_hand():
    # A constant column, columns of 0 and 1, and one of large numbers that hardly differ.
    large = (1e6 + RNG.integers(-1, 2, 50)).astype(np.float32)
    letter = RNG.integers(0, 3, 50)
    x = np.column_stack([X, np.full(50, 0.1), np.eye(3)[letter], large])
    result = funcnn.train(**LINEAR, data=(x, Y), standardize=True, dtype="float64")
    hand = funcnn.train(**LINEAR, data=(standardized(x), standardized(Y)), dtype="float64")
    np.testing.assert_allclose(result.losses, hand.losses, rtol=1e-12)
    expected = hand.predict(standardized(x)) * Y.std(axis=0) + Y.mean(axis=0)
    np.testing.assert_allclose(result.predict(x), expected, rtol=1e-12)
    assert result.losses[-1] < result.losses[0] / 10


def test_a_large_mean_does_not_take_the_digits_of_single_precision():
    x = (1e6 + RNG.integers(-1, 2, (50, 1))).astype(np.float32)
    y = 1e6 + (x[:, 0].astype(np.float64) - 1e6) / 1024  # All the same in single precision.
    plan = make_plan("mlp_linear", (x, y), hidden=(), standardize=True)
    assert plan.data.x.dtype == plan.data.y.dtype == np.float32
    np.testing.assert_allclose(plan.data.x, standardized(x.astype(np.float64)), rtol=1e-6)
    np.testing.assert_allclose(plan.data.y[:, 0], standardized(y), rtol=1e-6)


def test_the_part_that_is_set_aside_is_not_learned_of():
    shared = LINEAR | {"data": (X, Y), "standardize": True, "steps": 1}
    result = funcnn.train(**shared, validation_fraction=0.4)
    whole = funcnn.train(**shared)
    np.testing.assert_allclose(whole.preparation.x_scale.mean, X.mean(axis=0))
    assert not np.isclose(result.preparation.x_scale.mean, X.mean(axis=0)).any()


def test_classes_are_not_standardized():
    result = funcnn.train(
        **LINEAR, data=(X, LABELS), loss="cross_entropy", standardize=True, metrics="accuracy"
    )
    assert result.preparation.y_scale is None
    assert result.history["accuracy"][-1] > 0.8


# Labels there and back, saved and loaded.

TARGETS = {
    "text": (LABELS, "cross_entropy"),
    "truth": (Y[:, 0] > 40, "binary_cross_entropy"),
    "negative": (np.where(Y[:, 0] > 40, 1, -1), "binary_cross_entropy"),
    "negative-classes": (np.where(Y[:, 0] > 40, 7, -1), "cross_entropy"),
    "classes": ((Y[:, 0] > 40) * 2, "cross_entropy"),
    "numbers": (Y, "mean_squared_error"),
}


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
def test_a_saved_model_predicts_the_same_bits(name, suffix, tmp_path):
    if suffix == ".safetensors":
        pytest.importorskip("safetensors")
    y, loss = TARGETS[name]
    result = funcnn.train(**LINEAR, data=(X, y), loss=loss, standardize=True)
    path = tmp_path / f"model{suffix}"
    result.save(path)
    loaded = funcnn.load_model(path)
    np.testing.assert_array_equal(loaded.predict(X), result.predict(X))
    if loss == "mean_squared_error":
        with pytest.raises(funcnn.ArgumentError, match="trained on neither"):
            result.predict_proba(X)
        return
    classes = loaded.predict_classes(X)
    np.testing.assert_array_equal(classes, result.predict_classes(X))
    np.testing.assert_array_equal(loaded.predict_proba(X), result.predict_proba(X))
    assert set(classes.tolist()) <= set(y.tolist())
    assert (classes == y).mean() > 0.8
    if name != "classes":
        np.testing.assert_array_equal(loaded.classes, np.unique(y))
        assert classes.dtype.kind == y.dtype.kind


@pytest.mark.parametrize("name", ["text", "truth"])
def test_probabilities_are_pytorch_s(name):
    torch = pytest.importorskip("torch")
    y, loss = TARGETS[name]
    result = funcnn.train(**LINEAR, data=(X, y), loss=loss, standardize=True, dtype="float64")
    logits = torch.as_tensor(np.append(result.predict(X), result.predict(100 * X), axis=0))
    found = np.append(result.predict_proba(X), result.predict_proba(100 * X), axis=0)
    if name == "text":
        expected = torch.softmax(logits, dim=1)
    else:
        expected = torch.stack([torch.sigmoid(-logits), torch.sigmoid(logits)], dim=-1)
        expected = expected.reshape(100, 2)
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-12)
    likeliest = np.unique(y)[found[:50].argmax(axis=1)]
    np.testing.assert_array_equal(result.predict_classes(X), likeliest)


def test_a_model_of_one_s_own_is_not_saved_as_one(tmp_path):
    result = funcnn.train(
        (None, lambda params, x: x @ params["w"]), (X, Y[:, 0]), params={"w": np.zeros(3, "f")},
        steps=1, optimizer="sgd", learning_rate=1e-9,
    )  # fmt: skip
    result.save(tmp_path / "own.npz")
    with pytest.raises(funcnn.ArgumentError, match="does not say of which model"):
        funcnn.load_model(tmp_path / "own.npz")
    assert set(funcnn.load_params(tmp_path / "own.npz")) == {"w"}


# In parts, and from frames.


def test_many_samples_are_predicted_a_part_at_a_time(monkeypatch):
    result = funcnn.train(**LINEAR, data=(X, Y), dtype="float64")
    at_once = result.predict(X)
    seen = []
    monkeypatch.setattr(prediction, "compiled", lambda apply: lambda *given: (
        seen.append(len(given[1])), apply(*given))[1])  # fmt: skip
    monkeypatch.setattr(prediction, "ROWS", 16)
    np.testing.assert_allclose(result.predict(X), at_once, rtol=1e-13)
    assert seen == [16, 16, 16, 16]
    for rows in (1, 16, 17, 48):
        np.testing.assert_allclose(result.predict(X[:rows]), at_once[:rows], rtol=1e-13)
    paired = funcnn.train(**LINEAR, data=(X, Y), validation=(X, Y), dtype="float64")
    error = ((at_once - Y) ** 2).mean()
    assert paired.history["validation_loss"][-1] == pytest.approx(error, rel=1e-12)


def test_columns_are_found_by_their_names(tmp_path):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=["a", "b", "c"])
    frame["kind"], frame["y"] = LABELS, Y[:, 0]
    result = funcnn.train(
        **LINEAR, data=frame, target="y", categories=True, standardize=True, dtype="float64"
    )
    expected = result.predict(frame)
    mixed = frame[["y", "kind", "c", "a", "b"]].assign(other=1.0)
    np.testing.assert_array_equal(result.predict(mixed), expected)
    result.save(tmp_path / "model.npz")
    loaded = funcnn.load_model(tmp_path / "model.npz")
    np.testing.assert_array_equal(loaded.predict(mixed.drop(columns="y")), expected)
    with pytest.raises(funcnn.ArgumentError, match="kind"):
        loaded.predict(frame.drop(columns="kind"))
