"""Bad input: one clear error, before anything compiles."""

from __future__ import annotations

import contextlib
import inspect

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import funcnn
from funcnn.runs.observers.log import logged_steps
from funcnn.runs.plan import Plan, make_plan

X, Y = np.ones((8, 3)), np.ones((8, 2))
CURVE = np.linspace(0, 1, 8), np.linspace(0, 1, 8)
ODD_ONES = [[1.0, np.nan], [2.0, 3.0]]


def model(apply, shape=(3, 2)):
    return (lambda _: {"w": jnp.zeros(shape)}), apply


def product(params, x):
    return x @ params["w"]


class Unhashable:
    __hash__ = None

    def __call__(self, params, x):
        return x @ params["w"]


def constant(prediction, target):
    del prediction, target
    return 1.0


def with_gap(value):
    x = X.copy()
    x[3, 1] = value
    return x


OWN = {"model": model(product), "data": (X, Y), "steps": 5}

BAD = {
    # names, with the nearest choice
    "model": ({"model": "mpl"}, "model='mpl' is not known; did you mean 'mlp'?"),
    "model-type": ({"model": 3}, "model must be a name"),
    "optimizer": ({"optimizer": "adm"}, "did you mean 'adam'?"),
    "optimizer-type": ({"optimizer": 3}, "optimizer must be a name"),
    "loss": ({"loss": "mean_square_error"}, "did you mean 'mean_squared_error'?"),
    "gradient": ({"gradient": "manuel"}, "did you mean 'manual'?"),
    "dtype": ({"dtype": "float16"}, "dtype='float16' cannot be trained in"),
    "dtype-type": ({"dtype": "float23"}, "dtype='float23' is not a dtype"),
    "hyperparameter": (
        {"optimizer": "momentum", "momentun": 0.9},
        "train takes no momentun; did you mean momentum?",
    ),
    "no-such-hyperparameter": ({"optimizer": "sgd", "beta1": 0.9}, "sgd takes no beta1"),
    # shapes and lengths
    "lengths": ({"data": (X, Y[:7])}, "x holds 8 samples and y 7"),
    "axes": ({"data": (np.ones((8, 3, 2)), Y)}, r"x has shape (8, 3, 2)"),
    "curve-axes": ({"model": "polynomial", "data": (X, Y)}, "x has shape (8, 3)"),
    "scalar": ({"data": (1.0, 2.0)}, "x is a single value"),
    "empty": ({"data": (X[:0], Y[:0])}, "x is empty: its shape is (0, 3)"),
    "no-columns": ({"data": (X[:, :0], Y)}, "x is empty"),
    # what the data hold
    "nan": ({"data": (with_gap(np.nan), Y)}, "x is not finite at row 3, column 1"),
    "infinity": ({"data": (X, -with_gap(np.inf))}, "y is not finite at row 3, column 1"),
    "too-large": ({"data": (with_gap(1e300), Y)}, "x is too large for float32 at row 3, column 1"),
    "objects": ({"data": (np.array([[1, None]] * 8), Y)}, "x must hold real numbers, not object"),
    "strings": ({"data": (X.astype(str), Y)}, "x must hold real numbers, not <U"),
    "complex": ({"data": (X + 1j, Y)}, "x must hold real numbers, not complex128"),
    "ragged": ({"data": ([[1.0], [1.0, 2.0]], [1.0, 2.0])}, "x is no array"),
    "masked": ({"data": (np.ma.masked_array(X), Y)}, "x is a masked array"),
    "whole-targets": ({"data": (X, Y.astype(int))}, "y is of int64; mean_squared_error takes"),
    "classes": (
        {"model": "mlp_linear", "data": (X, Y[:, 0] - 2), "loss": "cross_entropy"},
        "y holds the class -1",
    ),
    "no-classes": (
        {"model": "mlp_linear", "data": (X, Y[:, 0] / 2), "loss": "cross_entropy"},
        "y must hold whole numbers",
    ),
    "data-type": ({"data": 3}, "data must be a pair (x, y) of arrays"),
    "data-triple": ({"data": (1, 2, 3)}, "data must be a pair (x, y) of arrays"),
    "no-file": ({"data": "no.npz"}, "no.npz: there is no such file"),
    "ending": ({"data": "data.txt"}, "must end in .npz, .csv or .parquet"),
    "target": ({"data": (X, Y), "target": "y"}, "target='y' names columns of a table"),
    # numbers
    "steps-zero": ({"steps": 0}, "steps=0 must be at least 1"),
    "steps-negative": ({"steps": -5}, "steps=-5 must be at least 1"),
    "steps-float": ({"steps": 2.5}, "steps=2.5 is not an integer"),
    "steps-bool": ({"steps": True}, "steps=True is not an integer"),
    "steps-huge": ({"steps": 2**31}, "steps=2147483648 must be below"),
    "rate-zero": ({"learning_rate": 0}, "learning_rate=0 must be a positive"),
    "rate-negative": ({"learning_rate": -1e-3}, "learning_rate=-0.001 must be a positive"),
    "rate-nan": ({"learning_rate": float("nan")}, "learning_rate=nan must be a positive"),
    "rate-text": ({"learning_rate": "0.1"}, "learning_rate='0.1' is not a number"),
    "rate-bool": ({"learning_rate": True}, "learning_rate=True is not a number"),
    "rate-array": ({"learning_rate": np.ones(2)}, "is not a number"),
    "hidden-zero": ({"hidden": 0}, "hidden=0 must be at least 1"),
    "hidden-float": ({"hidden": 10.0}, "hidden=10.0 is not an integer"),
    "hidden-two": ({"hidden": (5, 5)}, "mlp has one hidden layer; model='mlp_linear' takes any"),
    "outputs-zero": ({"out_features": 0}, "out_features=0 must be at least 1"),
    "outputs-other": (
        {"out_features": 3},
        "the model predicts shape (64, 3) and the target has shape (64, 10)",
    ),
    "outputs-nowhere": ({"model": "dynamic", "out_features": 3}, "has no out_features; it has no"),
    "hidden-nowhere": ({"model": "legendre", "hidden": 5}, "has no hidden; it has no sizes to set"),
    "degree-zero": ({"model": "polynomial", "degree": 0}, "degree=0 must be at least 1"),
    "degree-letters": ({"model": "polynomial", "degree": 26}, "degree=26 must be below 26"),
    "degree-nowhere": ({"degree": 3}, "model='mlp' has no degree; it takes hidden"),
    "batch-zero": ({"batch_size": 0}, "batch_size=0 must be at least 1"),
    "batch-large": ({"batch_size": 65}, "batch_size=65 is more than the 64 samples"),
    "seed": ({"seed": 1.5}, "seed=1.5 is not an integer"),
    "log-every": ({"log_every": 0}, "log_every=0 must be at least 1"),
    "momentum": ({"optimizer": "momentum", "momentum": -0.1}, "momentum=-0.1 must be a non-neg"),
    "beta": ({"optimizer": "adam", "beta2": 1.0}, "beta2=1.0 must be below 1"),
    "nesterov": ({"optimizer": "sgd", "nesterov": True}, "nesterov=True needs a momentum"),
    "dampening": ({"optimizer": "sgd", "momentum": 0.9, "dampening": 0.1}, "dampening=0.1: optax"),
    "flag": ({"optimizer": "momentum", "nesterov": 2.0}, "nesterov=2.0 must be True or False"),
    "misspelt": ({"step": 5}, "train takes no step; did you mean steps?"),
    "misspelt-beside-an-optimizer": ({"optimizer": optax.sgd(0.1), "stepz": 5}, "takes no stepz"),
    "progress": ({"progress": "no"}, "progress='no' must be True or False"),
    "class-too-large": (
        {"model": "mlp_linear", "data": (X, np.full(8, 10**9)), "loss": "cross_entropy"},
        "y holds the class 1000000000, above 65535",
    ),
    "rate-lost": ({"learning_rate": 1e-50}, "learning_rate=1e-50 is 0 in float32"),
    "beta-lost": (
        {"optimizer": "adam", "beta1": 1 - 1e-12},
        "beta1=0.999999999999 is 1.0 in float32; dtype='float64' can tell",
    ),
    "experiment": ({"experiment": "sine/num"}, "did you mean 'sine/numpy'?"),
    "experiment-type": ({"experiment": 3}, "experiment must be a name"),
    # a rate beside an optimizer that has its own
    "rate-twice": ({"optimizer": optax.sgd(0.1), "learning_rate": 0.1}, "has its own"),
    # params
    "params-missing": (
        {"params": {"w1": np.ones((1000, 100), "f")}},
        "params must hold w2; they hold w1",
    ),
    "params-tree": (
        {"params": {"w1": np.ones((1000, 3), "f"), "w2": np.ones((3, 10), "f"), "w3": 1.0}},
        "another tree: missing none, unknown params['w3']",
    ),
    "params-features": (
        {"params": {"w1": np.ones((9, 100), "f"), "w2": np.ones((100, 10), "f")}},
        "x has 1000 features; the params are for 9",
    ),
    "params-outputs": (
        {"params": {"w1": np.ones((1000, 3), "f"), "w2": np.ones((3, 2), "f")}},
        "the model predicts shape (64, 2) and the target has shape (64, 10)",
    ),
    "params-shape": (
        {"params": {"w1": np.ones((1000, 3), "f"), "w2": np.ones((4, 10), "f")}},
        "params['w2'] is float32(4, 10); the model has float32(3, 10)",
    ),
    "params-axes": (
        {"params": {"w1": np.ones(3, "f"), "w2": np.ones((3, 10), "f")}},
        "params['w1'] must have 2 axes; its shape is (3,)",
    ),
    "params-kind": ({"params": [1.0]}, "params must be a dict that holds w1"),
    "params-beside-sizes": (
        {"params": {"w1": np.ones((1000, 3), "f"), "w2": np.ones((3, 10), "f")}, "hidden": 5},
        "hidden=5: the params are for hidden=3",
    ),
    "params-dtype": (
        {"params": {"w1": np.ones((1000, 100)), "w2": np.ones((100, 10))}},
        "params['w1'] is float64(1000, 100); the model has float32",
    ),
    "params-nan": (
        {"model": "legendre", "params": {"a": 0.0, "b": float("nan"), "c": 0.0, "d": 0.0}},
        "params['b'] is not finite",
    ),
    # models of one's own
    "own-data": ({"model": model(product), "steps": 5}, "has no data of its own"),
    "own-init-missing": (OWN | {"model": (None, product)}, "the model has no init, and no params"),
    "own-sizes": (OWN | {"hidden": 5}, "the sizes and options of a model of your own"),
    "own-gradient": (OWN | {"gradient": "manual"}, "this model has no gradient derived by hand"),
    "own-shape": (
        OWN | {"model": model(lambda p, x: (x @ p["w"])[:, 0])},
        "the model predicts shape (8,) and the target has shape (8, 2)",
    ),
    "own-column": (
        OWN | {"model": model(product, (3, 1)), "data": (X, Y[:, 0])},
        "the model predicts shape (8, 1) and the target has shape (8,)",
    ),
    "own-column-in-a-loss-of-one-s-own": (
        OWN | {
            "model": model(product, (3, 1)),
            "data": (X, Y[:, 0]),
            "loss": lambda prediction, target: ((prediction - target) ** 2).mean(),
        },
        "nothing is broadcast",
    ),
    "own-loss": (OWN | {"loss": lambda p, y: (p - y) ** 2}, "the loss must be one float"),
    "own-init": (
        OWN | {"model": (lambda _: {"w": jnp.zeros((3, 2), int)}, product)},
        "init gives params['w'] as int32",
    ),
    "own-triple": (OWN | {"model": (*model(product), 3)}, "a pair (init, apply)"),
    "own-names": (OWN | {"model": ("init", "apply")}, "model's init must be a function"),
    "own-unhashable": (
        OWN | {"model": (model(product)[0], Unhashable())},
        "model's apply must be a function (and hashable",
    ),
    "own-tuple": (
        OWN | {"model": model(lambda p, x: (product(p, x),))}, "apply must return an array",
    ),
    "own-loss-type": (OWN | {"loss": constant}, "the loss must be an array of one float"),
    "own-whole-column": (
        OWN | {
            "model": model(product, (3, 1)),
            "data": (X, np.arange(8)),
            "loss": lambda p, y: ((p - y.astype(p.dtype)) ** 2).mean(),
        },
        "nothing is broadcast",
    ),
    "own-nothing": (OWN | {"model": (lambda _: {}, product)}, "init gives no parameters"),
    "own-classes": (
        OWN | {"data": (X, np.arange(8)), "loss": "cross_entropy"},
        "y holds the class 7; the model knows 0 to 1",
    ),
    # a gradient by hand is for one loss
    "manual-loss": ({"gradient": "manual", "loss": "mean_squared_error"}, "and no other"),
    "manual-model": ({"model": "dynamic", "gradient": "manual"}, "no gradient derived by hand"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_input(name, compiles):
    arguments, message = BAD[name]
    jax.random.key(0)  # What the test itself needs is compiled before.
    with compiles() as compiled, pytest.raises((ValueError, TypeError)) as caught:
        funcnn.train(**arguments)
    assert isinstance(caught.value, funcnn.ArgumentError)
    assert message in str(caught.value)
    assert compiled == []


TYPE_ERRORS = ["steps-float", "rate-text", "objects", "strings", "model-type", "whole-targets"]


@pytest.mark.parametrize("name", TYPE_ERRORS)
def test_a_wrong_type_is_a_type_error(name):
    with pytest.raises(TypeError):
        funcnn.train(**BAD[name][0])


def test_an_update_that_changes_dtypes_or_shapes():
    def grow(updates, state, params=None):
        del params
        return updates, state + 0.5

    drifting = optax.GradientTransformation(lambda _: jnp.zeros((), jnp.int32), grow)
    with (
        jax.numpy_dtype_promotion("standard"),
        pytest.raises(
            funcnn.ArgumentError, match=r"optimizer_state from int32\(\) into float32\(\)"
        ),
    ):
        funcnn.train(model(product), (X, Y), steps=5, optimizer=drifting)


BASE = {"model": "mlp", "data": (X, Y), "steps": 3, "hidden": 2}
OTHER_BASES = {
    "degree": {"model": "polynomial", "data": CURVE, "steps": 3},
    "activation": BASE | {"model": "mlp_linear"},
    "dropout": BASE | {"model": "mlp_linear"},
    "momentum": BASE | {"optimizer": "momentum"},
}

# Of each argument a value that is accepted: where all is refused, a test of refusals cannot fail.
SENSIBLE = {
    "model": "mlp_linear",
    "data": (X + 1, Y),
    "experiment": "two-layer/optim",
    "target": None,
    "params": {"w1": np.ones((3, 2), "f"), "w2": np.ones((2, 2), "f")},
    "state": None,
    "hidden": 4,
    "activation": "tanh",
    "dropout": 0.5,
    "out_features": 2,
    "degree": 4,
    "loss": "sum_squared_error",
    "optimizer": "sgd",
    "learning_rate": 0.5,
    "gradient": "autodiff",
    "form": "auto",
    "steps": 2**31 - 1,
    "batch_size": 8,
    "dtype": "float64",
    "seed": 2**64 - 1,
    "weight_decay": 0.5,
    "momentum": 0.5,
}

anything = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5),
    st.lists(st.integers(), max_size=3), st.complex_numbers(), st.binary(max_size=3),
    st.integers(0, 12), st.floats(0, 1), st.tuples(st.integers(0, 5)),
    st.dictionaries(st.sampled_from(["w1", "w2"]), st.integers(0, 3), max_size=2),
)  # fmt: skip


def planned(argument, value):
    """The plan with that value; it is not run: what is accepted here would train."""
    return make_plan(**OTHER_BASES.get(argument, BASE) | {argument: value})


def test_the_arguments_of_a_plan_are_those_that_are_tried():
    parameters = inspect.signature(make_plan).parameters.values()
    named = {one.name for one in parameters if one.kind is not one.VAR_KEYWORD}
    assert named == SENSIBLE.keys() - {"weight_decay", "momentum"}


@pytest.mark.parametrize("argument", SENSIBLE)
def test_what_is_sensible_is_planned(argument):
    assert isinstance(planned(argument, SENSIBLE[argument]), Plan)


@settings(max_examples=300)
@example("hidden", 10**6)
@example("hidden", 2**62)
@example("out_features", 2**40)
@example("batch_size", 2**70)
@example("learning_rate", 5e-324)
@example("dtype", "01")
@example("dtype", "0:")
@given(st.sampled_from([*SENSIBLE, "log_every"]), anything)
def test_whatever_comes_is_accepted_or_refused_clearly(argument, value):
    with contextlib.suppress(funcnn.ArgumentError):
        if argument == "log_every":
            assert isinstance(logged_steps(value, 10), range)
        else:
            assert isinstance(planned(argument, value), Plan)


@given(st.lists(st.floats(width=32), min_size=2, max_size=6))
def test_data_with_anything_not_finite_are_refused(values):
    x = np.array(values)
    if np.isfinite(x).all():
        funcnn.data.load((x, x))
    else:
        with pytest.raises(funcnn.ArgumentError, match="x is not finite at row"):
            funcnn.data.load((x, x))
