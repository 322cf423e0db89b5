"""The metrics: held to scikit-learn's, and what may be given for one."""

from __future__ import annotations

import functools
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import funcnn
from funcnn import losses, metrics
from funcnn.metrics import Metric

RANDOM = np.random.default_rng(1)
LOGITS = RANDOM.standard_normal((40, 4))
LABELS = RANDOM.integers(0, 4, 40)
BITS = RANDOM.integers(0, 2, 40)
TARGET = RANDOM.standard_normal((40, 3))
PREDICTION = TARGET + RANDOM.standard_normal((40, 3)) / 3


def value_of(name, prediction, target):
    with jax.enable_x64(True):
        metric = metrics.find(name)
        if metric.traced:
            prediction, target = jnp.asarray(prediction), jnp.asarray(target)
            value = metric.function(prediction, target)
            assert (value.shape, value.dtype) == ((), np.float64)
            return float(value)
        value = metric.function(prediction, target)
        assert isinstance(value, float)
        return value


def sklearn(name):
    return getattr(pytest.importorskip("sklearn.metrics"), name)


NUMBERS = {
    "r2": "r2_score",
    "rmse": "root_mean_squared_error",
    "mae": "mean_absolute_error",
    "mse": "mean_squared_error",
}


@pytest.mark.parametrize("name", NUMBERS)
def test_metrics_of_numbers_are_scikit_learn_s(name):
    expected = sklearn(NUMBERS[name])
    for columns in (slice(None), slice(1), 0):
        prediction, target = PREDICTION[:, columns], TARGET[:, columns]
        value = value_of(name, prediction, target)
        np.testing.assert_allclose(value, expected(target, prediction), rtol=1e-12)


def test_r2_of_a_constant_target_is_scikit_learn_s():
    target, prediction = TARGET.copy(), PREDICTION.copy()
    target[:, 0] = prediction[:, 0] = 3.0
    target[:, 1] = -2.0
    expected = sklearn("r2_score")(target, prediction)
    np.testing.assert_allclose(value_of("r2", prediction, target), expected, rtol=1e-12)
    same = np.full(7, 0.1)  # Their mean, rounded, is another number.
    assert value_of("r2", same, same) == 1.0
    assert value_of("r2", same + 1, same) == 0.0
    assert np.isnan(value_of("r2", same[:1], same[:1]))


def test_accuracy_is_scikit_learn_s():
    expected = sklearn("accuracy_score")
    assert value_of("acc", LOGITS, LABELS) == pytest.approx(expected(LABELS, LOGITS.argmax(axis=1)))
    right = pytest.approx(expected(BITS, LOGITS[:, 0] > 0))
    for target in (BITS, BITS == 1, BITS * 1.0, BITS.astype(np.uint8)):
        assert value_of("accuracy", LOGITS[:, 0], target) == right
        assert value_of("accuracy", LOGITS[:, :1], target[:, None]) == right
        assert value_of("accuracy", LOGITS[:, :1], target) == right
    assert value_of("accuracy", np.zeros(3), np.array([0, 1, 0])) == pytest.approx(2 / 3)
    many = np.eye(300)[:2] + np.eye(300)[256]  # The first of the largest is taken: 0 and 1.
    assert value_of("accuracy", many[:, ::-1], np.array([43, 43], np.uint8)) == 1.0
    assert value_of("accuracy", np.eye(300)[[256]], np.array([0], np.uint8)) == 0.0


def test_the_area_under_the_curve_is_scikit_learn_s():
    area = sklearn("roc_auc_score")
    right = area(BITS, LOGITS[:, 0])
    for target in (BITS, BITS == 1, BITS[:, None] * 1.0):
        assert value_of("roc_auc", LOGITS[:, :1], target) == right
    two = jax.nn.softmax(jnp.asarray(LOGITS[:, :2], jnp.float32))
    assert value_of("auc", LOGITS[:, :2], BITS) == pytest.approx(area(BITS, two[:, 1]))
    shares = np.exp(LOGITS) / np.exp(LOGITS).sum(axis=1, keepdims=True)
    expected = area(LABELS, shares, multi_class="ovr")
    assert value_of("roc_auc_score", LOGITS, LABELS) == pytest.approx(expected, rel=1e-12)
    assert value_of("roc_auc", LOGITS - 900, LABELS) == pytest.approx(expected, rel=1e-12)
    assert value_of("roc_auc", jnp.asarray(LOGITS, jnp.float32), LABELS) == pytest.approx(expected)


def test_no_area_where_there_is_none():
    pytest.importorskip("sklearn")
    assert np.isnan(value_of("roc_auc", LOGITS[:, 0], np.ones(40)))
    assert np.isnan(value_of("roc_auc", LOGITS, LABELS % 3))
    assert np.isnan(value_of("roc_auc", LOGITS * np.inf, LABELS))


def test_a_loss_is_a_metric():
    for name, loss in losses.LOSSES.items():
        assert metrics.find(name) == Metric(name, loss, False, True)
        assert metrics.find(loss) == metrics.find(name)
    assert metrics.find("CrossEntropyLoss").function is losses.cross_entropy
    half = losses.named("huber", delta=0.5)
    assert metrics.find(half) == Metric("huber", half, False, True)


REFUSED = {
    "r2": (metrics.r2, PREDICTION[:, :1], TARGET[:, 0], "nothing is broadcast"),
    "r2-axes": (metrics.r2, np.zeros((2, 2, 2)), np.zeros((2, 2, 2)), "(samples, outputs) is ne"),
    "rmse": (metrics.root_mean_squared_error, PREDICTION, TARGET[:, 0], "nothing is broadcast"),
    "floats": (metrics.accuracy, LOGITS, LABELS * 1.0, "accuracy takes integer targets"),
    "shares": (metrics.accuracy, LOGITS, LOGITS, "accuracy takes logits of shape"),
    "column": (metrics.accuracy, LOGITS, LABELS[:, None], "accuracy takes logits of shape"),
    "area": (metrics.roc_auc, LOGITS, LABELS[:5], "roc_auc takes logits of shape"),
    "labels": (metrics.roc_auc, LOGITS, LABELS + 1, "roc_auc takes labels from 0 to 3"),
    "bits": (metrics.roc_auc, LOGITS[:, 0], LABELS, "roc_auc takes labels from 0 to 1"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_compared_is_refused(name):
    function, prediction, target, message = REFUSED[name]
    if function is metrics.roc_auc:
        pytest.importorskip("sklearn")
    with pytest.raises(funcnn.ArgumentError) as caught:
        function(prediction, target)
    assert message in str(caught.value)


# By name.


def bias(prediction, target):
    return (prediction - target).mean()


def test_metrics_are_found():
    assert metrics.find("acc") == Metric("accuracy", metrics.accuracy, True, True)
    assert metrics.find("torchmetrics.R2Score").function is metrics.r2
    assert metrics.find(bias) == Metric("bias", bias, None, True)
    assert metrics.find(bias, "mine").name == "mine"
    assert metrics.find(metrics.find("rmse")) is metrics.METRICS["root_mean_squared_error"]


def test_all_metrics_have_names():
    assert metrics.named_all(None) == metrics.named_all([]) == metrics.named_all({}) == ()
    assert metrics.named_all("mse") == metrics.named_all(["mse"]) == (metrics.find("mse"),)
    assert metrics.named_all(metrics.find("mse")) == (metrics.find("mse"),)
    assert [metric.name for metric in metrics.named_all((bias, "r2"))] == ["bias", "r2"]
    half = functools.partial(bias, target=0)
    own = {"error": lambda p, y: (p - y).mean(), "half": half, "acc": "accuracy", "l": "huber"}
    found = metrics.named_all(own)
    assert [metric.name for metric in found] == list(own)
    assert [metric.function for metric in found[:2]] == [own["error"], half]
    assert [metric.higher_is_better for metric in found] == [None, None, True, False]


UNKNOWN = {
    "name": ("acuracy", "metrics='acuracy' is not known; did you mean 'accuracy'?"),
    "not-offered": ("f1", "metrics='f1' is not known. It is not offered"),
    "kind": (3, "metrics=3 is not a name"),
    "lambda": (
        lambda p, y: (p - y).mean(),
        "has no name; give it one in a dictionary, {name: function}",
    ),
    "partial": ([functools.partial(bias, target=0)], "has no name; give it one"),
    "twice": (["mse", "MSELoss"], "metrics holds 'mean_squared_error' 2 times"),
    "nested": ([["mse"]], "metrics=['mse'] is not a name"),
    "key": ({3: bias}, "3 is no name for a metric"),
    "no-key": ({"": bias}, "'' is no name for a metric"),
    "no-function": ({"mine": 3}, "metrics=3 is not a name"),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_what_is_no_metric_is_refused(name):
    given, message = UNKNOWN[name]
    with pytest.raises(funcnn.ArgumentError) as caught:
        metrics.named_all(given)
    assert message in str(caught.value)


def test_without_scikit_learn_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.metrics", None)
    for call in (lambda: metrics.find("auc"), lambda: metrics.roc_auc(LOGITS, LABELS)):
        with pytest.raises(funcnn.MissingExtraError, match=r"pip install 'funcnn\[sklearn\]'"):
            call()
    assert metrics.find("accuracy").traced
