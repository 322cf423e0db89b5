"""Tables, from files and frames of every library: columns, categories, targets."""

from __future__ import annotations

import datetime
import decimal
import sys

import numpy as np
import pytest

import funcnn
from funcnn.core import memory
from funcnn.data import load, load_inputs

pandas = pytest.importorskip("pandas")
polars = pytest.importorskip("polars")
pyarrow = pytest.importorskip("pyarrow")
pytest.importorskip("narwhals")

FRAME = pandas.DataFrame(
    {
        "a": pandas.array([1, 2, 3], "Int64"),
        "b": pandas.array([0.5, 1.5, -2.5], "Float64"),
        "t": [True, False, True],
        "colour": ["red", "green", "red"],
        "y": [1.0, 2.0, 3.0],
    }
)
X = np.array([[1, 0.5, 1, 0, 1], [2, 1.5, 0, 1, 0], [3, -2.5, 1, 0, 1]])
FEATURES = ("a", "b", "t", "colour=green", "colour=red")


def csv(tmp_path, frame=FRAME, **options):
    path = tmp_path / "table.csv"
    frame.to_csv(path, **{"index": False} | options)
    return path


def parquet(tmp_path, frame=FRAME):
    path = tmp_path / "table.parquet"
    frame.to_parquet(path)
    return path


SOURCES = {
    "pandas": lambda _: FRAME,
    "polars": lambda _: polars.from_pandas(FRAME),
    "pyarrow": lambda _: pyarrow.Table.from_pandas(FRAME),
    "categorical": lambda _: FRAME.astype({"colour": "category"}),
    "csv": csv,
    "parquet": parquet,
}


@pytest.mark.parametrize("source", SOURCES)
def test_every_source_gives_the_same_table(source, tmp_path):
    table = load(SOURCES[source](tmp_path), "y", categories=True)
    np.testing.assert_array_equal(table.x, X)
    np.testing.assert_array_equal(table.y, [1, 2, 3])
    assert table.x.dtype == table.y.dtype == np.float64
    assert table.features == FEATURES
    assert table.columns == ("a", "b", "t", "colour")
    assert table.categories == {"colour": ("green", "red")}
    assert table.targets == ("y",)


@pytest.mark.parametrize("source", SOURCES)
def test_every_source_can_be_predicted_from(source, tmp_path):
    table = load(
        FRAME[["colour", "b", "a", "y", "t"]], "y", categories={"colour": ["red", "green"]}
    )
    x = load_inputs(SOURCES[source](tmp_path), table.columns, table.categories)
    np.testing.assert_array_equal(x, X[:, [4, 3, 1, 0, 2]])


def test_categories(tmp_path):
    for source in (FRAME, csv(tmp_path), parquet(tmp_path)):
        table = load(source, "y", categories=["colour", "a"])
        assert table.categories == {"a": ("1", "2", "3"), "colour": ("green", "red")}
        table = load(source, "y", categories={"colour": ["red", "blue", "green"], "a": [3, 2, 1]})
        np.testing.assert_array_equal(table.x[:, :3], np.eye(3)[::-1])
        np.testing.assert_array_equal(table.x[:, 5:], np.eye(3)[[0, 2, 0]])
        assert table.features[5:] == ("colour=red", "colour=blue", "colour=green")
    order = load(pandas.DataFrame({"n": [10, 9, -1], "y": 1.0}), "y", categories=["n"])
    assert order.categories == {"n": ("-1", "9", "10")}


CATEGORIES = {
    "none": (None, "column 'colour' holds text, such as 'red'"),
    "false": (False, r"categories=\['colour'\]"),
    "another": (["a"], "column 'colour' holds text"),
    "value": (
        {"colour": ["red", "blue"]},
        "'colour' holds 'green' at row 1; known: red, blue",
    ),
    "unknown": (["color"], "categories='color' is not known; did you mean 'colour'"),
    "target": (["y", "colour"], "categories='y' is not known"),
    "not-whole": (["b", "colour"], "column 'b' holds numbers that are not whole"),
    "text": ("colour", "categories must be True, a list"),
    "no-values": ({"colour": []}, "each once"),
    "twice": ({"colour": ["red", "red"]}, "each once"),
    "one-text": ({"colour": "red"}, "must be a list"),
}


@pytest.mark.parametrize("name", CATEGORIES)
def test_categories_that_are_refused(name):
    categories, message = CATEGORIES[name]
    with pytest.raises(funcnn.ArgumentError, match=message):
        load(FRAME, "y", categories=categories)


def test_too_many_values_are_refused_before_they_are_made(monkeypatch):
    frame = pandas.DataFrame({"name": [f"n{row}" for row in range(300)], "y": 1.0})
    monkeypatch.setattr(memory, "installed_memory", lambda: 10**5)
    with pytest.raises(funcnn.ArgumentError, match="one-hot 'name' would need"):
        load(frame, "y", categories=True)


def test_targets(tmp_path):
    text = FRAME.drop(columns="y")
    for source in (text, polars.from_pandas(text), csv(tmp_path, text), parquet(tmp_path, text)):
        table = load(source, "colour")
        assert table.y.dtype.kind == "U"
        assert table.y.tolist() == ["red", "green", "red"]
        assert load(source, "t", categories=True).y.dtype == bool
        table = load(source, ["t", "b"], categories=True)
        np.testing.assert_array_equal(table.y, X[:, [2, 1]])
        with pytest.raises(funcnn.ArgumentError, match="column 'colour' holds text"):
            load(source, ["t", "colour"])
        with pytest.raises(funcnn.ArgumentError, match="target= must name"):
            load(source)
    with pytest.raises(funcnn.ArgumentTypeError, match="y holds text, such as 'red'"):
        funcnn.train("mlp", text, target="colour", steps=1)


REFUSED = {
    "missing": (
        {"a": pandas.array([1, None, None], "Int64")},
        "'a' has 2 missing .* row 1",
    ),
    "nan": ({"b": [1, 2, np.nan]}, "column 'b' has 1 missing value, the first at row 2"),
    "missing-truth": (
        {"t": pandas.array([None, True, True], "boolean")},
        "'t' has 1 missing value",
    ),
    "missing-text": ({"colour": ["red", None, "red"]}, "column 'colour' has 1 missing value"),
    "infinite": ({"b": [1, np.inf, 2]}, "column 'b' is not finite at row 1"),
    "dates": ({"d": pandas.to_datetime(["2020-01-01"] * 3)}, "column 'd' is of Datetime"),
    "durations": ({"d": pandas.to_timedelta([1, 2, 3], "s")}, "column 'd' is of Duration"),
    "complex": ({"d": [1j, 2, 3]}, "column 'd' is of Unknown"),
    "objects": ({"d": pandas.Series([1, "a", None], dtype=object)}, "column 'd' is of Object"),
    "decimals": ({"d": [decimal.Decimal(1)] * 3}, "column 'd' is of Object"),
    "index": ({"Unnamed: 0": [0, 1, 2]}, "a column named 'Unnamed: 0'.* index=False"),
    "nameless": ({"": [0, 1, 2]}, "a column without a name"),
    "one-hot-name": ({"colour=red": [0, 1, 2]}, "two columns named 'colour=red'"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_columns_of_frames_that_are_refused(name):
    columns, message = REFUSED[name]
    with pytest.raises(funcnn.ArgumentError, match=message):
        load(FRAME.assign(**columns), "y", categories=True)


def test_columns_of_polars_that_are_refused():
    day = datetime.date(2020, 1, 1)
    for values in ([[1], [2]], [{"p": 1}] * 2, [b"p"] * 2, [day] * 2, [decimal.Decimal("1.5")] * 2):
        frame = polars.DataFrame({"d": values, "y": [1.0, 2.0]})
        with pytest.raises(funcnn.ArgumentTypeError, match="column 'd' is of"):
            load(frame, "y", categories=True)
    with pytest.raises(funcnn.ArgumentTypeError, match="is lazy: pass what its collect"):
        load(polars.from_pandas(FRAME).lazy(), "y")


def test_names_of_columns_that_cannot_be_told_apart():
    twice = pandas.DataFrame(np.ones((2, 2)), columns=["a", "a"])
    several = pandas.MultiIndex.from_tuples([("a", "b"), ("a", "c")])
    for frame, message in (
        (twice, "Expected unique column names"),
        (pandas.DataFrame([[1, 2]], columns=several), "which is no text"),
    ):
        with pytest.raises(funcnn.ArgumentError, match=message):
            load(frame, "a")


def test_an_index_that_became_a_column(tmp_path):
    with pytest.raises(funcnn.ArgumentError, match="a column without a name"):
        load(csv(tmp_path, FRAME, index=True), "y", categories=True)
    indexed = FRAME.set_index("colour")
    for source in (parquet(tmp_path, indexed), pyarrow.Table.from_pandas(indexed)):
        with pytest.raises(funcnn.ArgumentError, match="'colour' was the index of a pandas frame"):
            load(source, "y")


def test_pairs_of_frames():
    for wrap in (pandas.DataFrame, polars.from_pandas, pyarrow.Table.from_pandas):
        x, y = wrap(FRAME[["a", "b"]]), wrap(FRAME[["y"]])
        table = load((x, y))
        np.testing.assert_array_equal(table.x, X[:, :2])
        assert (table.features, table.targets, table.y.shape) == (("a", "b"), ("y",), (3, 1))
        for series in (
            FRAME["y"],
            FRAME["y"].array,
            polars.Series("y", [1.0, 2.0, 3.0]),
            [1, 2, 3],
        ):
            assert load((x, series)).y.shape == (3,)
    unnamed = load((pandas.DataFrame(np.ones((3, 2))), pandas.DataFrame(np.ones((3, 1)))))
    assert unnamed.features == ("0", "1")
    assert load((FRAME["b"], FRAME["y"])).x.shape == (3,)
    assert load((FRAME, FRAME["y"]), categories=True).x.shape == (3, 6)
    with pytest.raises(funcnn.ArgumentError, match="names columns of a table"):
        load((FRAME, FRAME["y"]), "y")
    with pytest.raises(funcnn.ArgumentError, match="categories= is for the columns of a table"):
        load((X, FRAME["y"]), categories=True)


def test_rows_that_pandas_would_pair_in_another_way():
    x, y = FRAME[["a"]], FRAME["y"]
    with pytest.raises(funcnn.ArgumentError, match="the same index in another order"):
        load((x, y[::-1]))
    assert load((x[1:], y[1:].reset_index(drop=True))).y.tolist() == [2, 3]


def test_kinds_of_numbers_are_kept():
    for kind in ("float32", "float64", "int64", "uint8"):
        assert load((FRAME[["a", "t"]].astype(kind), FRAME["y"])).x.dtype == kind
    assert load((FRAME[["t"]], FRAME["y"])).x.dtype == np.float32


def test_inputs_that_do_not_fit_the_training():
    table = load(FRAME, "y", categories=True)
    given = table.columns, table.categories
    np.testing.assert_array_equal(load_inputs(X, *given), X)
    for data, message in (
        (FRAME[["a", "b"]], "lacks 't', 'colour'; it has a, b"),
        (FRAME.assign(colour="blue"), "holds 'blue' at row 0; known: green, red"),
        (X[:, :4], "the model was trained on 5 features of the columns a, b, t, colour"),
        (X[0], "was trained on 5 features"),
    ):
        with pytest.raises(funcnn.ArgumentError, match=message):
            load_inputs(data, *given)
    np.testing.assert_array_equal(load_inputs(FRAME[["b", "a"]]), X[:, [1, 0]])


@pytest.mark.parametrize("package", ["narwhals", "pyarrow"])
def test_an_extra_that_is_missing_is_named(package, tmp_path, monkeypatch):
    path = parquet(tmp_path)
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.setitem(sys.modules, f"{package}.stable.v2", None)
    with pytest.raises(ImportError, match=f"{package} is not installed: pip install 'funcnn"):
        load(path if package == "pyarrow" else FRAME, "y")


CSV_TARGETS = {
    "decimal-commas": (["1,5", "2,5"], "line 2, column 'c': '1,5' is no finite number"),
    "thousands": (["1.234,5", "2.000,0"], "'1.234,5' is no finite number"),
    "dates": (["2020-01-01", "2020-01-02"], "'2020-01-01' is no finite number"),
    "mixed": (["1", "five"], "line 3, column 'c': 'five' is no finite number"),
    "missing": (["NA", "x"], "column 'c' has 1 missing value, the first at line 2"),
    "exponent": (["1,5e3", "2,5e3"], "'1,5e3' is no finite number"),
    "infinite": (["inf", "-inf"], "'inf' is no finite number"),
}


@pytest.mark.parametrize("name", CSV_TARGETS)
def test_texts_of_a_csv_that_are_no_labels(name, tmp_path):
    cells, message = CSV_TARGETS[name]
    path = csv(tmp_path, pandas.DataFrame({"a": [1, 2], "c": cells}))
    with pytest.raises(funcnn.ArgumentError) as caught:
        load(path, "c")
    assert message in str(caught.value)


def test_columns_of_a_csv_that_are_said_to_be_categories(tmp_path):
    path = csv(tmp_path, pandas.DataFrame({"zip": ["01", "1"], "c": ["NA", "x"], "y": [1, 2]}))
    table = load(path, "y", categories={"zip": ["01", "1"], "c": ["x", "NA"]})
    np.testing.assert_array_equal(table.x, [[1, 0, 0, 1], [0, 1, 1, 0]])
    assert load(csv(tmp_path, pandas.DataFrame({"a": [1, 2], "c": ["+", "-"]})), "c").y[0] == "+"


def test_categories_that_are_numbers_are_numbers():
    frame = pandas.DataFrame({"a": pandas.Categorical([1, 5, 1]), "y": [0.0, 1.0, 2.0]})
    assert load(frame, target="y").x.tolist() == [[1.0], [5.0], [1.0]]
    frame["a"] = pandas.Categorical([1, "five", 1])
    with pytest.raises(funcnn.ArgumentError, match="'a' holds text"):
        load(frame, target="y")
