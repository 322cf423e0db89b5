"""Pictures: what they draw, on which axes."""

from __future__ import annotations

import subprocess
import sys

import matplotlib as mpl
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import funcnn
from funcnn import plots

mpl.use("Agg")

FALLING = np.array([100.0, 10.0, 1.0])


@pytest.fixture(autouse=True)
def closed():
    import matplotlib.pyplot as plt

    yield
    plt.close("all")


@pytest.fixture
def ax():
    import matplotlib.pyplot as plt

    return plt.subplots()[1]


def test_one_curve_of_losses(ax):
    assert plots.losses(FALLING, ax=ax) is ax
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), FALLING)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("step", "loss before the step")
    assert ax.get_yscale() == "log"
    assert ax.get_legend() is None


def test_many_curves_of_losses():
    curves = {name: FALLING * k for k, name in enumerate("pqrstu", start=1)}
    ax = plots.losses(curves, scale="linear")
    assert [text.get_text() for text in ax.get_legend().get_texts()] == list(curves)
    assert len({line.get_color() for line in ax.lines}) == 6
    assert ax.get_yscale() == "linear"


@pytest.mark.parametrize("values", [[1.0, 0.0], [1.0, -1.0], [0.0]])
def test_what_is_not_positive_is_drawn_on_a_linear_axis(values):
    assert plots.losses(np.array(values)).get_yscale() == "linear"


def test_a_line_goes_past_a_loss_that_was_not_kept():
    ax = plots.losses(np.array([4.0, np.nan, np.nan, 1.0]))
    np.testing.assert_array_equal(ax.lines[0].get_xdata(), [0, 3])
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), [4, 1])
    assert ax.get_yscale() == "log"


def test_bands_are_the_median_and_the_range(ax):
    bundles = {"p": np.outer([1.0, 9.0, 2.0], FALLING), "q": 5 * FALLING[None]}
    steps = np.array([0, 10, 20])
    assert plots.bands(bundles, steps, ax=ax) is ax
    np.testing.assert_array_equal(ax.lines[0].get_xdata(), steps)
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), 2 * FALLING)
    np.testing.assert_array_equal(ax.lines[1].get_ydata(), 5 * FALLING)
    (band,) = ax.collections  # One curve alone has no range.
    extent = band.get_paths()[0].get_extents()
    assert (extent.ymin, extent.ymax) == (1.0, 900.0)
    assert ax.get_yscale() == "log"
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["p", "q"]


def test_a_run_that_diverges_counts_as_more_than_any_loss(ax):
    losses = np.array([[4.0, 2.0, 1.0], [4.0, 1e30, np.nan], [4.0, 8.0, np.nan]])
    plots.bands({"": losses}, np.arange(3), ax=ax)
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), [4.0, 8.0, np.nan])
    assert ax.get_ylim() == (0.5, 40.0)
    assert ax.get_legend() is None
    huge = np.full((2, 2), np.finfo(np.float32).max, np.float32)
    plots.bands({"": huge}, np.arange(2))
    plots.bands({"": np.full((2, 2), np.nan)}, np.arange(2))


def test_many_bands_have_colours_of_their_own():
    ax = plots.bands({str(k): k * FALLING[None] for k in range(20)}, np.arange(3))
    assert len({tuple(line.get_color()) for line in ax.lines}) == 20
    assert ax.get_yscale() == "linear"


def test_an_unknown_scale():
    with pytest.raises(funcnn.ArgumentError, match="scale"):
        plots.losses(FALLING, scale="cubic")


def test_a_prediction_over_its_target_is_drawn_in_order(ax):
    x = np.array([[2.0], [0.0], [1.0]])
    assert plots.prediction(x, x[:, 0] ** 2, x + 1, ax=ax) is ax
    target, predicted = ax.lines
    np.testing.assert_array_equal(target.get_xdata(), [0, 1, 2])
    np.testing.assert_array_equal(target.get_ydata(), [0, 1, 4])
    np.testing.assert_array_equal(predicted.get_ydata(), [1, 2, 3])
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["target", "prediction"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("x", "y")


@given(
    st.lists(
        st.sampled_from([(), (3,), (3, 1), (4,), (3, 2), (1, 3), (3, 1, 1)]), min_size=3, max_size=3
    ).filter(lambda shapes: not set(shapes) <= {(3,), (3, 1)} and set(shapes) != {(4,)})
)
def test_what_is_no_curve(shapes):
    with pytest.raises(funcnn.ArgumentError, match="one number a sample"):
        plots.prediction(*(np.ones(shape) for shape in shapes))


def test_the_best_step_is_marked(ax):
    plots.losses(FALLING, best=2, ax=ax)
    assert set(ax.lines[1].get_xdata()) == {2}
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["best: step 2"]


def test_residuals(ax):
    assert plots.residuals(np.array([[1], [2]]), np.array([0.5, 4.0]), ax=ax) is ax
    points = ax.collections[0].get_offsets()
    np.testing.assert_array_equal(points, [[0.5, 0.5], [4.0, -2.0]])
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("prediction", "target − prediction")
    for wrong in (np.ones(3), np.ones((2, 2)), 1.0):
        with pytest.raises(funcnn.ArgumentError, match="target and prediction have shapes"):
            plots.residuals(np.ones(2), wrong)


@pytest.mark.parametrize(
    ("classes", "counts", "names"),
    [
        (None, [[2, 0, 0], [0, 0, 1], [0, 0, 0]], ["blue", "green", "red"]),
        (["red", "green", "blue"], [[0, 0, 0], [1, 0, 0], [0, 0, 2]], ["red", "green", "blue"]),
    ],
)
def test_confusion(classes, counts, names, ax):
    target, predicted = ["blue", "green", "blue"], np.array(["blue", "red", "blue"])
    assert plots.confusion(target, predicted, classes=classes, ax=ax) is ax
    np.testing.assert_array_equal(ax.images[0].get_array(), counts)
    assert [text.get_text() for text in ax.get_yticklabels()] == names
    assert sorted(text.get_text() for text in ax.texts) == ["1", "2"]


def test_confusion_of_numbers_and_of_many_classes(ax):
    plots.confusion(np.array([0.0, 10.0, 2.0]), np.array([0, 10, 10]), ax=ax)
    assert [text.get_text() for text in ax.get_xticklabels()] == ["0", "2", "10"]
    many = plots.confusion(np.arange(100), np.arange(100))
    assert (many.images[0].get_array().shape, len(many.texts)) == ((100, 100), 0)


@pytest.mark.parametrize(
    ("target", "predicted", "classes", "message"),
    [
        ([0, 1], [0, 1, 1], None, "target and prediction have shapes"),
        ([0, 1], [[0.2, 0.8], [0.5, 0.5]], None, "target and prediction have shapes"),
        ([], [], None, "target and prediction have shapes"),
        ([0, 1], [0, 2], [0, 1], "lacks 2"),
        ([0, 1], [0, 1], [0, 1, 1], "must hold each class once"),
    ],
)
def test_what_is_no_confusion(target, predicted, classes, message):
    with pytest.raises(funcnn.ArgumentError, match=message):
        plots.confusion(target, predicted, classes=classes)


def test_an_overlay_and_a_difference(ax):
    reproduction = funcnn.reproduce("sine/numpy", steps=50)
    assert reproduction.plot(ax=ax) is ax
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), reproduction.reference_losses)
    np.testing.assert_array_equal(ax.lines[1].get_ydata(), reproduction.losses)
    assert ax.get_yscale() == "log"
    relative = np.array([0.0, 1e-15, 1e-14])
    ax = plots.difference(relative, np.full(2, 1e-8))
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), [np.nan, 1e-15, 1e-14])
    np.testing.assert_array_equal(ax.lines[1].get_ydata(), [1e-8, 1e-8])


def test_a_result_draws_its_losses_and_its_fit(line):
    result = funcnn.train("polynomial", line, degree=1, steps=500, learning_rate=0.05)
    ax = result.plot()
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), result.losses)
    assert result.plot(ax=ax) is ax
    ax = result.plot(line)
    np.testing.assert_allclose(ax.lines[1].get_ydata(), ax.lines[0].get_ydata(), atol=0.1)


def test_a_fit_of_many_inputs_cannot_be_drawn():
    x = np.ones((4, 2))
    result = funcnn.train("mlp_linear", (x, x[:, 0]), steps=1)
    with pytest.raises(funcnn.ArgumentError, match="one number a sample"):
        result.plot((x, x[:, 0]))


def test_without_matplotlib_the_extra_is_named():
    code = (
        "import sys; sys.modules['matplotlib'] = None; sys.modules['matplotlib.pyplot'] = None; "
        "from funcnn import plots; plots.losses([1.0, 2.0])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "pip install 'funcnn[plot]'" in done.stderr.splitlines()[-1]
