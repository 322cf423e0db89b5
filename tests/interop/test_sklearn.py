"""Networks as scikit-learn's estimators."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys

import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import funcnn
from funcnn.interop import FuncnnClassifier, FuncnnRegressor

# In a process of its own: SciPy reads the variable, without which one check is skipped, when it
# is imported. float64 and full batches, so that a sample of weight 2 is two samples within the
# 1e-7 that is asked for.
CHECKS = """
import collections, json, sys
from sklearn.utils.estimator_checks import check_estimator
from funcnn import interop
network = getattr(interop, sys.argv[1])(hidden=4, learning_rate=0.05, steps=150, dtype="float64")
rows = check_estimator(network, on_fail="raise", on_skip=None)
print(json.dumps(collections.Counter(row["status"] for row in rows)))
"""


@pytest.mark.slow
@pytest.mark.parametrize("estimator", ["FuncnnRegressor", "FuncnnClassifier"])
def test_every_check_of_scikit_learn_passes(estimator):
    done = subprocess.run(
        [sys.executable, "-c", CHECKS, estimator],
        env=os.environ | {"SCIPY_ARRAY_API": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    counts = json.loads(done.stdout.splitlines()[-1])
    assert counts.keys() == {"passed"}
    assert counts["passed"] >= 50  # 60 and 62 in scikit-learn 1.9.


@pytest.fixture(scope="module")
def data():
    """Thirty points of a plane, its sign, and names for this."""
    x = np.random.default_rng(0).standard_normal((30, 3))
    y = x @ [1.0, -2.0, 0.5]
    return x, y, np.where(y > 0, "above", "below")


@pytest.fixture(scope="module")
def fitted(data):
    x, _, kinds = data
    return FuncnnClassifier(hidden=4, learning_rate=0.05, steps=200).fit(x, kinds)


def test_classes_come_back_as_they_were_given(data, fitted):
    x, _, kinds = data
    assert fitted.classes_.tolist() == ["above", "below"]
    assert fitted.score(x, kinds) == 1
    best = fitted.predict_proba(x).argmax(axis=1)
    assert (fitted.classes_[best] == fitted.predict(x)).all()
    assert len(fitted.losses_) == 200


def test_a_fit_is_a_run_of_train(data):
    x, y, _ = data
    given = {"hidden": 4, "optimizer": "momentum", "learning_rate": 0.01, "steps": 5}
    network = FuncnnRegressor(**given, random_state=3, options={"momentum": 0.5}).fit(x, y)
    result = funcnn.train("mlp_linear", (x, y), seed=3, momentum=0.5, **given)
    assert (network.losses_ == result.losses).all()
    assert (network.predict(x) == result.predict(x)).all()


def test_whole_numbers_are_numbers_in_regression(data):
    x, y, _ = data
    network = FuncnnRegressor(hidden=4, steps=1)
    whole = network.fit(x, y.round().astype(int)).predict(x)
    assert whole.shape == (30,)
    assert (network.fit(x, y.round()).predict(x) == whole).all()


def test_a_random_state_draws_the_seed(data):
    x, y, _ = data
    network = FuncnnRegressor(hidden=4, steps=1)
    losses = [
        network.set_params(random_state=state).fit(x, y).losses_[0]
        for state in (None, 0, np.random.RandomState(5), np.random.RandomState(5))
    ]
    assert losses[0] == losses[1] != losses[2] == losses[3]


def test_a_fitted_estimator_can_be_sent_to_another_process(data, fitted):
    x, y, _ = data
    again = pickle.loads(pickle.dumps(fitted))
    assert (again.predict(x) == fitted.predict(x)).all()
    scaled = FuncnnRegressor(hidden=4, steps=1, standardize=True).fit(x, y)
    assert (pickle.loads(pickle.dumps(scaled)).predict(x) == scaled.predict(x)).all()


def test_what_predicts_can_be_saved(data, fitted, tmp_path):
    fitted.predictor_.save(tmp_path / "weights.npz")
    codes = funcnn.load_model(tmp_path / "weights.npz").predict_classes(data[0])
    assert (fitted.classes_[codes] == fitted.predict(data[0])).all()


def test_a_search_over_rates_compiles_once(data, compiles):
    x, _, kinds = data
    network = make_pipeline(StandardScaler(), FuncnnClassifier(hidden=4, steps=20))
    rates = {"funcnnclassifier__learning_rate": [1e-5, 0.1]}
    search = GridSearchCV(network, rates, cv=3, error_score="raise").fit(x, kinds)
    assert search.best_params_["funcnnclassifier__learning_rate"] == 0.1
    with compiles() as compiled:
        cross_val_score(clone(search.best_estimator_), x, kinds, cv=3, error_score="raise")
    assert compiled == []


@pytest.mark.slow
def test_folds_are_fitted_in_other_processes_alike(data):
    x, y, _ = data
    network = FuncnnRegressor(hidden=4, steps=20)
    scores = [
        cross_val_score(network, x, y, cv=3, n_jobs=jobs, error_score="raise") for jobs in (1, 2)
    ]
    assert (scores[0] == scores[1]).all()


class Pooled(linen.Module):
    """Of samples (rows, columns): their mean over the columns, and two outputs."""

    @linen.compact
    def __call__(self, x):
        return linen.Dense(2)(jnp.tanh(x).mean(axis=2))


def test_a_model_of_one_s_own_has_samples_of_any_shape(data):
    x, _, kinds = data
    network = FuncnnClassifier(Pooled(), learning_rate=0.05, steps=200)
    images = np.stack([x, x], axis=2)
    assert network.fit(images, kinds).score(images, kinds) == 1
    again = clone(network)
    assert again.model == network.model
    pair = (lambda _: {"w": jnp.zeros((3, 2))}), lambda params, x: x @ params["w"]
    linear = FuncnnRegressor(pair, steps=1).fit(x, np.stack([x[:, 0]] * 2, axis=1))
    assert linear.predict(x).shape == (30, 2)


@pytest.mark.parametrize("predicted", ["column", "numbers"])
@pytest.mark.parametrize("given", ["column", "numbers"])
def test_one_number_a_sample_may_have_an_axis_or_none(predicted, given, data):
    torch = pytest.importorskip("torch")
    x, y, _ = data
    torch.manual_seed(0)
    last = [] if predicted == "column" else [torch.nn.Flatten(0)]
    net = torch.nn.Sequential(torch.nn.Linear(3, 1), *last)
    y = y[:, None] if given == "column" else y
    network = FuncnnRegressor(net, learning_rate=0.1, steps=200).fit(x, y)
    assert network.predict(x).shape == y.shape
    assert network.score(x, y) > 0.99
    fitting = y.reshape(30, 1) if predicted == "column" else y.reshape(30)
    result = funcnn.train(net, (x, fitting), learning_rate=0.1, steps=200)
    assert (network.losses_ == result.losses).all()
    with pytest.raises(funcnn.ArgumentError, match="nothing is broadcast"):
        network.fit(x, np.stack([y, y], axis=1).reshape(30, 2))


def test_weights_count(data):
    x, y, _ = data
    weight = np.where(np.arange(30) < 10, 1.0, 0.0)
    network = FuncnnRegressor(hidden=4, steps=1)
    first = network.fit(x, y, sample_weight=weight).losses_
    alone = network.fit(x[:10], y[:10]).losses_
    # Another order of additions.
    np.testing.assert_allclose(first, alone, rtol=1e-5)


def test_without_scikit_learn_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(funcnn.MissingExtraError, match=r"pip install 'funcnn\[sklearn\]'"):
        funcnn.interop.FuncnnRegressor  # noqa: B018
