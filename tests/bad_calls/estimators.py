"""Estimators of scikit-learn: what they say themselves, and what ``train`` says of theirs."""

from __future__ import annotations

from bad_calls.calls import TYPE, VALUE, C, X, Y, estimators, product

ESTIMATORS = {
    "estimator-one-class": (lambda _: estimators().FuncnnClassifier().fit(X, 0 * C),
        VALUE, "y holds one class, [0]; at least 2 are needed"),
    "estimator-option": (lambda _: estimators().FuncnnClassifier(options={"lr": 0.1}).fit(X, C),
        TYPE, "train takes no lr; did you mean learning_rate?"),
    "estimator-options-text": (lambda _: estimators().FuncnnRegressor(options="lr").fit(X, Y),
        TYPE, "options='lr' must be a dict of arguments of funcnn.train"),
    "estimator-random-state": (lambda _: estimators().FuncnnRegressor(random_state="0").fit(X, Y),
        TYPE, "seed='0' is not an integer"),
    "estimator-rate": (lambda _: estimators().FuncnnRegressor(learning_rate=-1).fit(X, Y),
        VALUE, "learning_rate=-1 must be a positive finite number"),
    "estimator-hidden-of-a-pair": (lambda _: estimators().FuncnnRegressor((None, product),
        hidden=3).fit(X, Y), VALUE, "hidden: the sizes and options of a model of your own"),
    "estimator-target": (lambda _: estimators().FuncnnRegressor(options={"data": (X, Y)}).fit(X, Y),
        VALUE, "options hold data, which the estimator or its fit is given"),
}  # fmt: skip
