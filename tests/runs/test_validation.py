"""What is measured of a run beside its losses: histories, validation, and when to stop."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import funcnn
from funcnn.runs.planning import make_plan

RNG = np.random.default_rng(0)
X = RNG.standard_normal((60, 3))
Y = X @ np.array([1.0, -2.0, 0.5]) + 0.5 * RNG.standard_normal(60)
LABELS = np.array(["no", "maybe", "yes"])[(X[:, 0] > 0).astype(int) + (X[:, 1] > 1)]
LINEAR = {"model": "mlp_linear", "hidden": (), "learning_rate": 0.02}


def parts_of(data, **options):
    """The samples that are trained on, and those that are set aside."""
    plan = make_plan("mlp_linear", data, hidden=(), steps=1, **options)
    return plan.data, plan.validation


# The part that is set aside.


@pytest.mark.parametrize("fraction", [0.1, 0.25, 0.5])
def test_every_class_is_set_aside_in_its_own_share(fraction):
    labels = np.repeat(["a", "b", "c"], [10, 30, 20])
    training, aside = parts_of((X, labels), loss="cross_entropy", validation_fraction=fraction)
    assert len(aside.y) == round(60 * fraction)
    counts = np.bincount(aside.y, minlength=3)
    assert (abs(counts - np.array([10, 30, 20]) * fraction) < 1).all()
    rows = [tuple(row) for part in (training, aside) for row in part.x]
    assert len(set(rows)) == len(rows) == 60
    assert set(rows) == {tuple(row) for row in X.astype(np.float32)}


def test_the_part_follows_from_the_seed_and_keeps_pairs_together():
    asides = [parts_of((X, Y), validation_fraction=0.3, seed=seed)[1] for seed in (0, 0, 1)]
    np.testing.assert_array_equal(asides[0].x, asides[1].x)
    assert not np.array_equal(asides[0].x, asides[2].x)
    row_of = {tuple(row): number for number, row in enumerate(X.astype(np.float32))}
    rows = [row_of[tuple(row)] for row in asides[0].x]
    np.testing.assert_array_equal(asides[0].y[:, 0], Y[rows].astype(np.float32))


def other_labels(labels):
    return (X[:5], np.array(labels))


REFUSED = {
    "both": ({"validation": (X, Y), "validation_fraction": 0.5}, "give one of them"),
    "all": ({"validation_fraction": 0.999}, "neither may be 0"),
    "none": ({"validation_fraction": 0.001}, "neither may be 0"),
    "one": ({"validation_fraction": 1.0}, "validation_fraction"),
    "features": ({"validation": (X[:, :2], Y)}, "x of shape (60, 2)"),
    "outputs": ({"validation": (X, np.stack([Y, Y], axis=1))}, "y of (60, 2)"),
    "unseen": (
        {"data": (X, LABELS), "validation": other_labels(["no", "yes", "never", "no", "no"])},
        "the label 'never'",
    ),
    "text-for-numbers": (
        {"data": (X, np.arange(60) % 2), "validation": other_labels(list("abaab"))},
        "y holds text",
    ),
    "negative-for-numbers": (
        {"data": (X, np.arange(60) % 2), "validation": other_labels([-1, 1, 1, -1, 1])},
        "the class -1",
    ),
    "weightless": (
        {"sample_weight": np.eye(60)[7], "validation_fraction": 0.5},
        "is zero for all samples",
    ),
    "metric": ({"metrics": "accurracy"}, "accuracy"),
    "vector": (
        {"metrics": {"vector": lambda prediction, target: prediction - target}},
        "must give one real number",
    ),
    "failing": ({"metrics": {"pairs": lambda p, y: p @ y}}, "fails"),
    "every": ({"evaluate_every": 0}, "evaluate_every"),
    "mode-alone": ({"mode": "min"}, "mode is for patience= or monitor="),
    "delta-alone": ({"min_delta": 0.1}, "min_delta is for patience= or monitor="),
    "mode": ({"patience": 3, "mode": "least"}, "mode"),
    "patience": ({"patience": 0}, "patience"),
    "monitor": ({"monitor": "validation_loss"}, "monitor"),
    "own-metric": (
        {"metrics": {"mine": lambda p, y: (p - y).mean()}, "monitor": "mine"},
        "give mode='min' or mode='max'",
    ),
    "callbacks": ({"callbacks": print}, "must be a list"),
    "callback": ({"callbacks": ["print"]}, "must hold functions"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(name, compiles):
    options, message = REFUSED[name]
    arguments = LINEAR | {"data": (X, Y), "steps": 2} | options
    if name in ("unseen", "text-for-numbers", "negative-for-numbers"):
        arguments["loss"] = "cross_entropy"
    with compiles() as compiled, pytest.raises(funcnn.ArgumentError) as caught:
        funcnn.train(**arguments)
    assert message in str(caught.value)
    assert compiled == []


# The history.


def test_a_history_is_a_table_of_scores():
    def bias(prediction, target):
        return (prediction - target).mean()

    result = funcnn.train(
        **LINEAR, data=(X[:40], Y[:40]), validation=(X[40:], Y[40:]), batch_size=10, steps=50,
        metrics=[bias, "r2"], evaluate_every=20, dtype="float64",
    )  # fmt: skip
    history = result.history
    names = ["step", "epoch", "loss", "validation_loss", "validation_bias", "validation_r2"]
    assert list(history) == names
    np.testing.assert_array_equal(history["step"], [20, 40, 50])
    np.testing.assert_array_equal(history["epoch"], [5.0, 10.0, 12.5])
    means = [result.losses[first:end].mean() for first, end in ((0, 20), (20, 40), (40, 50))]
    np.testing.assert_allclose(history["loss"], means, rtol=1e-14)
    error = result.predict(X[40:]) - Y[40:]
    assert history["validation_loss"][-1] == pytest.approx((error**2).mean(), rel=1e-12)
    assert history["validation_bias"][-1] == pytest.approx(error.mean(), rel=1e-12)
    spread = ((Y[40:] - Y[40:].mean()) ** 2).sum()
    assert history["validation_r2"][-1] == pytest.approx(1 - (error**2).sum() / spread, rel=1e-12)
    frame = history.to_pandas()
    assert list(frame.columns) == names
    np.testing.assert_array_equal(frame["validation_loss"], history["validation_loss"])


def test_without_a_validation_part_the_metrics_are_of_the_training():
    shared = {"data": (X, Y), "steps": 30, "dtype": "float64"}
    plain = funcnn.train(**LINEAR, **shared, evaluate_every=10)
    result = funcnn.train(**LINEAR, **shared, evaluate_every=10, metrics="mae")
    np.testing.assert_array_equal(result.losses, plain.losses)  # Looking changes nothing.
    assert list(plain.history) == ["step", "epoch", "loss"]
    assert list(result.history) == ["step", "epoch", "loss", "mean_absolute_error"]
    error = abs(result.predict(X) - Y).mean()
    assert result.history["mean_absolute_error"][-1] == pytest.approx(error, rel=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_metrics_are_in_the_unit_of_the_targets(dtype):
    seen = []

    def largest(prediction, target):
        seen.extend([prediction.dtype, target.dtype])
        return target.max()

    y = 300 + 50 * Y
    result = funcnn.train(
        **LINEAR, data=(X, y), standardize=True, validation_fraction=0.25, seed=4, steps=20,
        metrics=["mean_absolute_error", largest], dtype=dtype,
    )  # fmt: skip
    _, aside = parts_of((X, y), validation_fraction=0.25, seed=4)
    error = abs(result.predict(aside.x) - aside.y[:, 0]).mean()
    assert result.history["validation_mean_absolute_error"][-1] == pytest.approx(error, rel=1e-4)
    assert result.history["validation_largest"][-1] == pytest.approx(aside.y.max(), rel=1e-5)
    assert result.history["validation_loss"][-1] < 2  # That is of the standardized ones.
    assert set(seen) == {jnp.dtype(dtype)}


def test_the_area_under_the_curve_of_a_run():
    from sklearn.metrics import roc_auc_score

    labels = Y > 0
    result = funcnn.train(
        **LINEAR, data=(X[:40], labels[:40]), validation=(X[40:], labels[40:]), metrics="roc_auc",
        loss="binary_cross_entropy", steps=5, patience=50, monitor="validation_roc_auc",
    )  # fmt: skip
    scores = result.history["validation_roc_auc"]
    assert result.best.value == scores.max()
    assert result.best.step == scores.argmax() + 1
    score = roc_auc_score(labels[40:], result.predict(X[40:]))
    assert result.best.value == pytest.approx(score)


# When to stop.


def ends(scores, patience, min_delta, *, higher):
    """The record with which a run stops, and the best one, counted from 0."""
    best, since = None, 0
    for record, score in enumerate(scores):
        gain = None if best is None else (score - scores[best]) * (1 if higher else -1)
        if gain is None or gain > min_delta:
            best, since = record, 0
        else:
            since += 1
        if since == patience:
            return record, best
    return len(scores) - 1, best


@pytest.mark.parametrize(
    ("monitor", "mode", "patience", "min_delta"),
    [
        (None, None, 3, None),
        (None, None, 3, 0.05),
        ("validation_r2", None, 4, 0.1),
        ("validation_mean_absolute_error", "max", 4, None),
        ("loss", None, 2, None),
        ("validation_loss", None, None, None),
    ],
)
def test_a_run_stops_where_no_better_score_comes(monitor, mode, patience, min_delta):
    shared = LINEAR | {
        "data": (X, Y), "validation_fraction": 0.3, "batch_size": 16, "seed": 2,
        "metrics": ["r2", "mae"], "learning_rate": 0.2, "evaluate_every": 2, "dtype": "float64",
    }  # fmt: skip
    whole = funcnn.train(**shared, steps=60)
    result = funcnn.train(
        **shared, steps=60, monitor=monitor, mode=mode, patience=patience, min_delta=min_delta
    )
    scores = whole.history[monitor or "validation_loss"]
    higher = mode == "max" or monitor == "validation_r2"
    last, best = ends(scores, patience, min_delta or 0.0, higher=higher)
    steps = whole.history["step"]
    assert len(result.losses) == steps[last]
    assert result.stopped_early == (last < len(scores) - 1)
    for name, column in result.history.items():
        np.testing.assert_array_equal(column, whole.history[name][: last + 1])
    assert (result.best.step, result.best.value) == (steps[best], scores[best])
    # The params are those of the best step, to the bit; the state is that of the last.
    again = funcnn.train(**shared, steps=int(steps[best]))
    for name, value in result.params.items():
        np.testing.assert_array_equal(value, again.params[name])
        np.testing.assert_array_equal(value, np.asarray(result.best.params[name]))
    assert int(result.state.step) == steps[last]
    ended = funcnn.train(**shared, steps=int(steps[last]))
    for one, other in zip(
        *(jax.tree.leaves(run.state.params) for run in (result, ended)), strict=True
    ):
        np.testing.assert_array_equal(one, other)


def test_patience_alone_looks_at_the_loss():
    result = funcnn.train(**LINEAR, data=(X, Y), steps=50, patience=50, evaluate_every=5)
    assert result.best.value == result.history["loss"].min()


def test_a_score_that_is_never_a_number_is_said():
    x = np.linspace(-1, 1, 8)
    with pytest.warns(UserWarning, match="validation_m was never a finite number"):
        result = funcnn.train(
            "polynomial", (x, x), degree=1, steps=9, validation=(x, x), evaluate_every=1,
            metrics={"m": lambda p, y: jnp.nan * (p - y).mean()}, monitor="validation_m",
            mode="min", patience=3,
        )  # fmt: skip
    assert (len(result.losses), result.best) == (3, None)
