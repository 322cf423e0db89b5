"""Whatever comes, it is done or refused: a property of ``train`` and of the sources of data."""

from __future__ import annotations

import contextlib
import inspect
import warnings

import jax
import numpy as np
import pytest
from hypothesis import HealthCheck, event, example, given, settings
from hypothesis import strategies as st

import funcnn
from funcnn.runs.observers.log import logged_steps
from funcnn.runs.plan import Plan
from funcnn.runs.planning import make_plan

X, Y = np.ones((8, 3)), np.ones((8, 2))
CURVE = np.linspace(0, 1, 8), np.linspace(0, 1, 8)


# Arguments of train, one at a time.

BASE = {"model": "mlp", "data": (X, Y), "steps": 3, "hidden": 2}
OTHER_BASES = {
    "degree": {"model": "polynomial", "data": CURVE, "steps": 3},
    "activation": BASE | {"model": "mlp_linear"},
    "dropout": BASE | {"model": "mlp_linear"},
    "momentum": BASE | {"optimizer": "momentum"},
    "epochs": BASE | {"steps": None},
    "shuffle": BASE | {"batch_size": 2},
    "drop_last": BASE | {"batch_size": 2},
    "sharding": BASE | {"devices": 1},
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
    "scheduler": None,
    "gradient": "autodiff",
    "form": "auto",
    "steps": 2**31 - 1,
    "epochs": 3,
    "batch_size": 8,
    "shuffle": False,
    "drop_last": True,
    "batches": [[0, 1], [2, 3], [4]],
    "sample_weight": np.arange(8),
    "validation": (X, Y),
    "validation_fraction": 0.25,
    "fold": (1, 2),
    "resample": True,
    "standardize": True,
    "categories": None,
    "clip_grad_norm": 0.5,
    "clip_grad_value": 0.5,
    "dtype": "float64",
    "devices": 1,
    "sharding": "batch",
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


@settings(max_examples=200)
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


@settings(max_examples=60)
@given(st.lists(st.floats(width=32), min_size=2, max_size=6))
def test_data_with_anything_not_finite_are_refused(values):
    x = np.array(values)
    if np.isfinite(x).all():
        funcnn.data.load((x, x))
    else:
        with pytest.raises(funcnn.ArgumentError, match="x is not finite at row"):
            funcnn.data.load((x, x))


# Runs: what is not refused gives finite losses, or says that it diverged.


def mostly(good, odd):
    """One of the first, and now and then one of the second."""
    return st.integers(0, 14).flatmap(lambda one: st.sampled_from(good if one else odd))


@st.composite
def arrays(draw, seed, shapes):
    """Some samples of a kind that can be trained on, or nearly."""
    shape = draw(mostly(shapes, [(7, 3), (8, 3, 1), (0, 3), (), (8, 2)]))
    kind = draw(mostly(["f4", "f8"], ["i8", "?", "f2", "c8", "O", "m8[s]", "U3"]))
    scale = draw(mostly([1.0], [0.0, 1e-30, 1e19, 1e200]))
    values = scale * np.random.default_rng(seed).normal(size=shape)
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        array = np.asarray(values).astype(kind)
    if kind in ("f4", "f8") and array.size:
        array.flat[-1] = draw(mostly([array.flat[-1]], [np.nan, np.inf, -np.inf]))
    return array


RUNS = st.fixed_dictionaries(
    {
        "model": mostly(["mlp", "mlp_linear", "polynomial"], ["mpl"]),
        "loss": mostly(["mse", "huber"], ["cross_entropy", "binary_cross_entropy", "mes"]),
        "batch_size": mostly([None, 3, 8], [0, 9, 2.0]),
        "learning_rate": mostly([1e-2], [1e30, -1.0, 0]),
        "clip_grad_norm": mostly([1.0, None], [0, 1e-60]),
        "standardize": st.booleans(),
        "validation_fraction": mostly([None, 0.25], [0.01, 1.0]),
    }
)
X_SHAPES, Y_SHAPES = [(8,), (8, 1)], [(8,), (8, 1)]


@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow])
@given(
    arrays(1, X_SHAPES),
    arrays(2, Y_SHAPES),
    RUNS,
    mostly([{"steps": 3}, {"epochs": 1}], [{"steps": 0}, {"epochs": 1, "steps": 1}]),
)
def test_a_run_is_finite_or_refused_or_says_that_it_diverged(x, y, arguments, length):
    before = x.copy(), y.copy()
    settings_before = jax.config.values.copy()
    sizes = {} if arguments["model"] == "polynomial" else {"hidden": 2}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", funcnn.RisingLossWarning)
            result = funcnn.train(data=(x, y), **arguments, **sizes, **length)
    except (funcnn.ArgumentError, funcnn.DivergenceError) as error:
        event(type(error).__name__)
    else:
        event("trained")
        assert len(result.losses)
        assert np.isfinite(result.losses).all()
        prediction = result.predict(x)
        if (
            result.classes is None
            and y.dtype.kind == "f"
            and arguments.get("loss") != "cross_entropy"
        ):
            assert prediction.shape == y.shape
        else:
            assert len(prediction) == len(y)
    assert jax.config.values == settings_before
    for array, copy in zip((x, y), before, strict=True):
        assert array.tobytes() == copy.tobytes()
        assert array.flags.writeable


# Sources.

CELLS = mostly(
    ["1", "-2.5", "1e3"],
    ["1e999", "nan", "", " ", "1,5", "red", "NA", "0x10", "1_0", "\u0661", "inf"],
)
NAMES = mostly([["a", "y"], ["a", "b", "y"]], [["y"], ["a", "a"], ["", "y"], ["Unnamed: 0", "y"]])


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    NAMES.flatmap(
        lambda names: st.tuples(
            st.just(names),
            st.lists(st.lists(CELLS, min_size=len(names), max_size=len(names)), max_size=3),
        )
    ),
    mostly([None, True], [["a"], {"a": ["1", "red"]}]),
)
def test_a_csv_is_read_to_finite_numbers_or_refused(tmp_path, columns, categories):
    names, rows = columns
    path = tmp_path / "table.csv"
    lines = [",".join(f'"{cell}"' for cell in row) for row in [names, *rows]]
    path.write_text("\n".join(lines))
    try:
        table = funcnn.data.load(path, "y", categories=categories)
    except funcnn.ArgumentError:
        event("refused")
        return
    assert len(table.x) == len(table.y) == len(rows)
    assert np.isfinite(table.x).all()
    assert table.y.dtype.kind == "U" or np.isfinite(table.y).all()


LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=3),
    st.binary(max_size=3),
    mostly([X, Y], [X[:5], np.ma.masked_array(Y, Y > 0), X.astype(object), print, X.dtype]),
)  # fmt: skip
OBJECTS = st.recursive(
    LEAVES,
    lambda parts: st.one_of(
        st.lists(parts, max_size=3),
        st.tuples(parts, parts),
        st.dictionaries(st.sampled_from(["x", "y", "data", "target"]), parts, max_size=3),
    ),
    max_leaves=6,
)


@settings(max_examples=100)
@given(st.one_of(OBJECTS, st.tuples(LEAVES, LEAVES)))
def test_any_object_is_data_or_refused(data):
    try:
        table = funcnn.data.load(data)
    except funcnn.ArgumentError:
        event("refused")
        return
    assert len(table.x) == len(table.y)
    assert np.isfinite(table.x).all()
