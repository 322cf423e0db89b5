"""What is measured of funcnn's own run: its forms, and what it costs around its loop."""

from __future__ import annotations

import numpy as np
import pytest
from bench_helpers import small

import funcnn
from funcnn.bench import auto, environment, overhead
from funcnn.bench.peers import own
from funcnn.bench.records import FormTiming, RunTiming
from funcnn.bench.results import Forms, Overhead
from funcnn.core.precision import numerics


def form_timing(task, size, steps, chosen, direct, gram, auto):
    """A run in each form, its median being the number of seconds that is given."""
    medians = {"direct": direct, "gram": gram, "auto": auto}
    seconds = {form: (median, median / 2, 9 * median) for form, median in medians.items()}
    return FormTiming(task, size, steps, seconds, chosen)


def test_the_table_and_the_picture_of_forms():
    timings = (
        form_timing("cubic-sgd", 10, 1, "direct", direct=0.002, gram=0.004, auto=0.002),
        form_timing("cubic-sgd", 10, 100, "direct", direct=0.008, gram=0.004, auto=0.009),
        form_timing("two-layer", 64, 10, "gram", direct=0.5, gram=0.1, auto=0.1),
    )
    left_out = {"cubic-sgd of 99 × 1000 steps": "too long"}
    result = Forms("a method", environment.described("cpu"), timings, left_out)
    lines = str(result).splitlines()
    row = ["cubic-sgd", "10", "1", "2.000", "4.000", "2.000", "direct", "1.00"]
    assert lines[1].split() == row
    assert lines[2].split()[-2:] == ["direct", "2.25"]
    assert lines[3].split()[:3] == ["two-layer", "64", "10"]
    assert lines[5:7] == ["Left out: cubic-sgd of 99 × 1000 steps: too long", "a method"]
    curve, network = result.plot().axes
    np.testing.assert_allclose(curve.lines[0].get_ydata(), [1, 2.25])
    assert curve.lines[-1].get_ydata()[0] == 1.2
    assert network.lines[1].get_markevery() == [True]  # filled: it took gram


@pytest.mark.usefixtures("quick")
def test_the_forms_are_timed_and_what_takes_too_long_is_left_out(run, monkeypatch, tmp_path):
    monkeypatch.setattr(auto, "GRIDS", {"cubic-sgd": ((10,), (1, 10, 10**9))})
    path = tmp_path / "f.json"
    code, out, err = run("--auto", "--rounds", 2, "--json", path, "--plot", tmp_path / "f.svg")
    assert (code, err) == (0, "")
    result = Forms.load(path)
    assert out == f"{result}\n"
    assert [(one.size, one.steps) for one in result.timings] == [(10, 1), (10, 10)]
    for one in result.timings:
        assert {form: len(seconds) for form, seconds in one.seconds.items()} == {
            "direct": 2, "gram": 2, "auto": 2
        }  # fmt: skip
        assert one.chosen in ("direct", "gram")
    assert list(result.left_out) == ["cubic-sgd of 10 × 1000000000 steps"]


def test_a_plan_is_in_the_form_that_is_asked_for():
    assert own.plan_of(small("cubic-sgd"), "direct").form.name == "direct"
    assert own.plan_of(small("two-layer"), "gram").form.name == "gram"
    with pytest.raises(funcnn.ArgumentError, match="form='gram': "):
        own.plan_of(small("legendre"), "gram")


def test_the_table_and_the_picture_of_an_overhead():
    timing = RunTiming(
        "sine/nn", "polynomial_linear", "direct", 9, (3.0, 6.0, 4.0), (2.0, 2.0, 4.0)
    )
    result = Overhead("a method", environment.described("cpu"), (timing,), (2e-4, 1e-4, 3e-4))
    lines = str(result).splitlines()
    figures = ["4,000", "2,000", "2.000", "1.500"]
    assert lines[1].split() == ["sine/nn", "polynomial_linear", "direct", "9", *figures]
    assert lines[2:5] == [
        "a second call of funcnn.train: 200.0 µs, minimum 100.0 µs", "", "a method"
    ]  # fmt: skip
    (axes,) = result.plot().axes
    assert [bar.get_width() for bar in axes.patches] == [2]


@pytest.mark.slow
@pytest.mark.usefixtures("quick")
def test_a_run_is_timed_beside_its_loop(run, monkeypatch, tmp_path):
    of_model = {"polynomial": overhead.OF_MODEL["polynomial"]}
    monkeypatch.setattr(overhead, "OF_MODEL", of_model)
    monkeypatch.setattr(overhead, "LONG_SAMPLES", 640)
    monkeypatch.setattr(overhead, "LONG_SECONDS", 1e-9)
    path = tmp_path / "o.json"
    code, out, err = run("--overhead", "--rounds", 2, "--json", path)
    assert (code, err) == (0, "")
    result = Overhead.load(path)
    assert out == f"{result}\n"
    timing, observed = result.runs
    assert (timing.experiment, timing.steps) == ("sine/module", 2000)
    assert (observed.experiment, observed.steps) == ("all observers", 10)
    assert len(observed.run_seconds) == len(observed.fit_seconds) == 2
    assert len(timing.run_seconds) == len(timing.fit_seconds) == len(result.call_seconds) == 2
    assert timing.ratio_of_medians > 0.5


def test_the_bare_loop_ends_where_the_run_does():
    plan = overhead.make_plan("polynomial", steps=20)
    with numerics(plan.dtype):
        state, _losses = overhead._bare_fit(plan)()
    ended = overhead.run(plan).state
    for name, value in ended.params.items():
        np.testing.assert_array_equal(np.asarray(state.params[name]), np.asarray(value))
