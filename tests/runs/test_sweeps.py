"""``sweep``: each member is the run that ``train`` gives it, and none minds the others."""

from __future__ import annotations

import inspect
import itertools
import math
import signal
import sys

import jax
import jax.numpy as jnp
import matplotlib as mpl
import numpy as np
import optax
import pandas as pd
import pytest
from helpers import CASES, Cut

import funcnn
from funcnn.core.precision import numerics
from funcnn.loop.programs import OfEach, programs
from funcnn.optimizers import OPTIMIZERS
from funcnn.optimizers.schedules import cosine_annealing_lr
from funcnn.runs.planning import make_plan
from funcnn.runs.shapes import Memory, memory_of, structs
from funcnn.runs.start import begun
from funcnn.runs.sweeps import groups, members
from funcnn.runs.sweeps.kinds import Kind

mpl.use("Agg")

LINE = {
    "model": "polynomial",
    "degree": 1,
    "loss": "sum_squared_error",
    "optimizer": "sgd",
    "steps": 40,
}

# Model, what is swept, what is fixed.
SWEPT = {
    "sgd": ("polynomial", {"seed": [0, 3], "learning_rate": [1e-5, 2e-5]}, {"optimizer": "sgd"}),
    "momentum-manual": (
        "mlp",
        {"momentum": [0.0, 0.5, 0.9], "weight_decay": [0, 0.1, 0.2]},
        {"optimizer": "momentum", "learning_rate": 1e-5, "seed": 4, "mode": "zip",
         "gradient": "manual"},
    ),
    "rmsprop": (
        "polynomial_linear",
        {"alpha": [0.9, 0.99], "eps": [1e-8, 0.1], "momentum": [0.5], "seed": [1, 2]},
        {"optimizer": "rmsprop", "learning_rate": 1e-3},
    ),
    "adam-batches": (
        "mlp_linear",
        {"beta1": [0, 0.9], "beta2": [0.9, 0.999], "weight_decay": [0.0, 0.1], "eps": [1e-8] * 2,
         "seed": [3, 4]},
        {"optimizer": "adam", "learning_rate": 1e-3, "batch_size": 5, "mode": "zip"},
    ),
    "adamw": (
        "legendre",
        {"weight_decay": [0, 0.01], "learning_rate": np.array([1e-3, 1e-4])},
        {"optimizer": "adamw"},
    ),
    "drawing": (
        "dynamic",
        {"seed": [0, 2**40, 7]},
        {"optimizer": "momentum", "momentum": 0.5, "learning_rate": 1e-8},
    ),
    "schedule": (
        "polynomial",
        {"seed": [0, 1]},
        {"optimizer": "adam", "learning_rate": cosine_annealing_lr(1e-2, 30)},
    ),
    "schedule-of-optax": (
        "polynomial",
        {"weight_decay": [0.0, 0.1]},
        {"optimizer": "adam", "learning_rate": optax.cosine_decay_schedule(1e-2, 30)},
    ),
    "gram": (
        "mlp",
        {"seed": [0, 5], "learning_rate": [1e-5, 2e-5], "momentum": [0.5], "weight_decay": [0.1]},
        {"optimizer": "momentum", "form": "gram"},
    ),
    "gram-batches": (
        "mlp_linear",
        {"seed": [0, 5], "momentum": [0.5, 0.0]},
        {"optimizer": "momentum", "learning_rate": 1e-3, "batch_size": 5, "form": "gram"},
    ),
    "gram-linear": (
        "polynomial_linear",
        {"seed": range(3), "learning_rate": [1e-3]},
        {"optimizer": "adam", "form": "gram"},
    ),
    "optax": ("polynomial", {"seed": [0, 1]}, {"optimizer": optax.adam(1e-2)}),
}  # fmt: skip


def each(swept, mode="product"):
    rows = (zip if mode == "zip" else itertools.product)(*swept.values())
    return [dict(zip(swept, row, strict=True)) for row in rows]


@pytest.mark.parametrize("name", SWEPT)
def test_each_member_is_its_own_run(name):
    model, swept, fixed = SWEPT[name]
    case = CASES[model]
    shared = {"model": model, "data": (case.x, case.y), "steps": 30, "dtype": "float64"}
    shared |= {"loss": "sum_squared_error"}
    mode = fixed.get("mode", "product")
    result = funcnn.sweep(**shared | case.sizes | fixed, **swept)
    shared |= case.sizes | {name: fixed[name] for name in fixed.keys() - {"mode"}}
    assert result.settings == each(swept, mode)
    assert result.losses.shape == (len(result.settings), 30)
    assert result.losses.dtype == np.float64
    assert (result.diverged == -1).all()
    for member, settings in enumerate(result.settings):
        alone, one = funcnn.train(**shared | settings), result.result(member)
        np.testing.assert_allclose(result.losses[member], alone.losses, rtol=1e-10)
        np.testing.assert_array_equal(one.losses, result.losses[member])
        for what, column in alone.history.items():
            np.testing.assert_allclose(one.history[what], column, rtol=1e-10)
        for letter, own in alone.params.items():
            found = one.params[letter]
            assert (found.shape, found.dtype) == (own.shape, own.dtype)
            np.testing.assert_allclose(found, own, rtol=1e-10, atol=1e-12)
        assert int(one.state.step) == 30
        assert one.state.key == alone.state.key
        np.testing.assert_allclose(one.predict(case.x), alone.predict(case.x), rtol=1e-10)


def test_float32_is_the_default_and_members_start_alike(line):
    result = funcnn.sweep(data=line, learning_rate=[1e-3, 1e-4], seed=5, **LINE)
    assert result.losses.dtype == result.params["a"].dtype == np.float32
    alone = funcnn.train(data=line, learning_rate=1e-3, seed=5, **LINE)
    np.testing.assert_allclose(result.losses[0], alone.losses, rtol=1e-5)
    assert result.losses[0, 0] == result.losses[1, 0]


def test_members_start_from_params_that_were_given(line):
    start = {"a": 0.5, "b": -1.0}
    result = funcnn.sweep(data=line, params=start, learning_rate=[1e-3, 1e-2], **LINE)
    for member, settings in enumerate(result.settings):
        alone = funcnn.train(data=line, params=start, **LINE, **settings)
        np.testing.assert_allclose(result.losses[member], alone.losses, rtol=1e-5)
    assert start == {"a": 0.5, "b": -1.0}


def test_zip_goes_through_the_values_together(line):
    result = funcnn.sweep(data=line, seed=[3, 1], learning_rate=(1e-3, 1e-2), mode="zip", **LINE)
    assert result.settings == [
        {"seed": 3, "learning_rate": 1e-3},
        {"seed": 1, "learning_rate": 1e-2},
    ]


@pytest.mark.parametrize("make", [list, tuple, np.array, jnp.array, pd.Series])
def test_values_come_in_any_kind_of_sequence(make, line):
    result = funcnn.sweep(data=line, seed=make([2, 0]), learning_rate=make([0.5, 0.25]), **LINE)
    assert result.settings == each({"seed": [2, 0], "learning_rate": [0.5, 0.25]})
    assert {type(value) for member in result.settings for value in member.values()} == {int, float}


def test_what_can_be_swept_is_what_the_optimizers_keep_in_their_state():
    kept = set()
    for make in OPTIMIZERS.values():
        names = set(inspect.signature(make).parameters) & set(members.NUMBERS)
        state = make(**dict.fromkeys(names, 0.5)).init({"a": jnp.ones(())})
        assert set(state.numbers) == names
        kept |= names
    assert kept == set(members.NUMBERS)


# What is compiled.


def counting(counts):
    """A linear model of one's own that counts how often Python runs it."""

    def apply(params, x):
        counts.append(x.shape)
        return x @ params["w"]

    return funcnn.Model(lambda key: {"w": jax.random.normal(key, (3, 2))}, apply)


X = np.random.default_rng(0).standard_normal((20, 3))
Y = X @ np.array([[1.0, -2.0], [0.5, 3.0], [-1.0, 1.0]])


def test_a_model_is_traced_once_however_many_members_and_groups_there_are():
    counts = []
    model = counting(counts)
    funcnn.sweep(model, (X, Y), seed=range(7), group=3, steps=20, optimizer="sgd")
    assert len(counts) == 1


def test_other_values_compile_nothing_again(compiles):
    model = counting([])

    def swept(**arguments):
        shared = {"optimizer": "momentum", "steps": 20, "seed": range(3), "momentum": [0.5, 0.9]}
        return funcnn.sweep(model, (X, Y), **shared | arguments)

    swept()
    with compiles() as compiled:
        swept(seed=[2**40, 1, 2], momentum=[0, 0.1])
        swept(steps=33, learning_rate=1e-4)
        swept(learning_rate=[1e-4, 1e-3, 1e-2], seed=7)
        swept(weight_decay=0.0, progress=False)
    assert compiled == []


def test_as_many_programs_for_many_members_as_for_few(compiles):
    found = []
    for count in (2, 50):
        model = counting([])
        with compiles() as compiled:
            funcnn.sweep(model, (X, Y), seed=range(count), group=count, steps=20, optimizer="sgd")
        found.append(len(compiled))
    # It draws, starts, enters, goes and leaves.
    assert found[0] == found[1] <= 5


def test_the_last_group_compiles_nothing_of_its_own(compiles):
    model = counting([])
    funcnn.sweep(model, (X, Y), seed=range(6), group=3, steps=20)
    with compiles() as compiled:
        result = funcnn.sweep(model, (X, Y), seed=range(8), group=3, steps=20)
    assert compiled == []
    assert len(result.settings) == len(result.losses) == len(result.params["w"]) == 8


# Groups.


@pytest.mark.parametrize("group", [3, 100])
def test_groups_do_not_show_in_the_result(group):
    case = CASES["mlp"]
    shared = {"model": "mlp", "data": (case.x, case.y), "hidden": 8, "dtype": "float64"}
    shared |= {"steps": 25, "seed": range(7), "learning_rate": 1e-5, "batch_size": 7}
    shared |= {"optimizer": "sgd"}
    whole = funcnn.sweep(**shared)
    grouped = funcnn.sweep(**shared, group=group)
    assert grouped.settings == whole.settings
    np.testing.assert_allclose(grouped.losses, whole.losses, rtol=1e-12)
    np.testing.assert_allclose(grouped.params["w1"], whole.params["w1"], rtol=1e-12)
    np.testing.assert_array_equal(grouped.state.step, whole.state.step)


def test_groups_are_as_wide_as_fits_the_cache_and_the_memory(monkeypatch):
    monkeypatch.setattr(groups, "usable_cores", lambda: 1)
    small, large = (make_plan("mlp", (X, Y), hidden=hidden) for hidden in (10, 100))

    def width(plan, cache, memory=2**30):
        monkeypatch.setattr(groups, "CACHE", cache)
        monkeypatch.setattr(groups, "MEMORY", memory)
        return groups.width_of([Kind(plan, np.arange(50), [])], 1)

    assert width(small, 2**30) == width(large, 2**30) == 50
    assert width(small, 1) == width(large, 1) == width(small, 2**30, 1) == 1
    assert width(small, 2**20) > width(large, 2**20) > 1
    assert width(large, 2**30, 2**22) > width(large, 2**30, 2**20) > 1


# Members, workers, the most members that fit, and the width.
@pytest.mark.parametrize(
    ("members", "workers", "room", "width"),
    [(64, 2, 100, 32), (64, 2, 30, 16), (64, 2, 3, 3), (3, 8, 100, 1), (65, 2, 100, 33),
     (10**5, 2, 10**6, 1021)],
)  # fmt: skip
def test_all_workers_have_as_much_to_do(members, workers, room, width, monkeypatch):
    monkeypatch.setattr(groups, "memory_of", lambda *_: Memory(1, 1, 1))
    monkeypatch.setattr(groups, "usable_cores", lambda: 1)
    monkeypatch.setattr(groups, "CACHE", room)
    plan = make_plan("polynomial", steps=1)
    assert groups.width_of([Kind(plan, np.arange(members), [])], workers) == width
    several = [Kind(plan, np.arange(members), [])] * workers
    widest = min(room, groups.WIDEST)
    assert groups.width_of(several, workers) == math.ceil(members / math.ceil(members / widest))


def test_groups_that_are_done_leave_the_device(line, monkeypatch):
    alive = []

    class Counting(Cut):  # One is made for each group.
        def __init__(self, paces, sizes):
            del paces, sizes
            super().__init__(10)
            alive.append(len(jax.live_arrays()))

    monkeypatch.setattr("funcnn.runs.run.ClockPace", Counting)
    funcnn.sweep(data=line, seed=range(20), group=2, workers=1, **LINE)
    assert len(alive) == 10
    assert alive[-1] == alive[2]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("mlp", {"optimizer": "adam"}),
        ("mlp_linear-deep", {"optimizer": "adam", "batch_size": 4}),
        ("polynomial", {"optimizer": "adam"}),
        ("polynomial", {"optimizer": "adam", "form": "gram"}),
        ("mlp", {"optimizer": "momentum", "form": "gram"}),
    ],
)
def test_what_a_member_is_said_to_take_is_no_less_than_what_it_takes(name, options):
    case, many = CASES[name], 64
    plan = make_plan(case.model, (case.x, case.y), **options, **case.sizes)
    said = memory_of(plan.problem, plan.form, plan.shapes, structs(plan.data), plan.dtype)
    with numerics(plan.dtype):
        made = programs(plan.problem, plan.form, 1, OfEach())
        kept = begun(plan, made, [{"seed": seed} for seed in range(many)])
        program = made.segment.lower(kept, np.int32(0), np.int32(1), None).compile()
    facts = program.memory_analysis()
    taken = facts.temp_size_in_bytes + facts.output_size_in_bytes + facts.argument_size_in_bytes
    shared = sum(leaf.nbytes for leaf in jax.tree.leaves(kept.data))
    assert taken <= many * said.whole + 2 * sum(leaf.nbytes for leaf in plan.data[:2]) + shared
    assert many * said.whole < 30 * taken


# Divergence.


def doubling():
    """A model whose weight w becomes −2w at every step: its loss w² is finite below 2¹²⁸."""

    def apply(params, x):
        return x * params["w"]

    return funcnn.Model(lambda _: {"w": jnp.ones((1, 1))}, apply)


DOUBLING = doubling()
POINT = np.ones((1, 1)), np.zeros((1, 1))


def doubled(run, start=2.0**30, **arguments):
    first = {"w": np.full((1, 1), start, np.float32)}
    arguments = {"steps": 100, "loss": "sum_squared_error"} | arguments
    return run(DOUBLING, POINT, params=first, optimizer="sgd", **arguments)


@pytest.mark.parametrize("length", [1, 7, 10**9])
def test_members_that_diverge_are_marked_and_keep_their_last_finite_state(length, monkeypatch):
    monkeypatch.setattr("funcnn.runs.run.ClockPace", Cut(length))
    rates = [0.1, 1.5, 1.25, 2.5, 1.5, 0.9]
    result = doubled(funcnn.sweep, learning_rate=rates)
    assert (result.diverged < 0).tolist() == [True, False, False, False, False, True]
    assert len(set(result.diverged.tolist())) == 4
    for member in (0, 5):
        alone = doubled(funcnn.train, learning_rate=rates[member])
        np.testing.assert_array_equal(result.losses[member], alone.losses)
    for member in (1, 2, 3, 4):
        with pytest.raises(funcnn.DivergenceError) as caught:
            doubled(funcnn.train, learning_rate=rates[member])
        alone = caught.value
        assert result.diverged[member] == alone.step
        np.testing.assert_array_equal(result.losses[member, : alone.step], alone.losses)
        assert np.isnan(result.losses[member, alone.step :]).all()
        assert result.params["w"][member] == alone.state.params["w"]
        assert result.state.step[member] == alone.state.step == alone.step - 1
        with pytest.raises(funcnn.DivergenceError) as caught:
            result.result(member)
        assert caught.value.step == alone.step
        assert caught.value.state.params["w"] == alone.state.params["w"]
        np.testing.assert_array_equal(caught.value.losses, alone.losses)


def test_the_others_are_untouched_by_a_member_that_diverges(line):
    calm = funcnn.sweep(data=line, learning_rate=[1e-3, 1e-2, 1e-4], **LINE)
    wild = funcnn.sweep(data=line, learning_rate=[1e-3, 1e3, 1e-4], **LINE)
    assert wild.diverged[1] > 0 > calm.diverged.max()
    for member in (0, 2):
        np.testing.assert_array_equal(wild.losses[member], calm.losses[member])
        np.testing.assert_array_equal(wild.params["a"][member], calm.params["a"][member])
    assert list(wild.ranking) == [member for member in calm.ranking if member != 1]


def test_divergence_at_the_first_step_and_after_the_last():
    result = doubled(funcnn.sweep, learning_rate=[1.5, 0.1], steps=5, start=2.0**70)
    assert result.diverged.tolist() == [0, 0]
    assert result.state.step.tolist() == [0, 0]
    assert result.params["w"].ravel().tolist() == [2.0**70] * 2
    # A finite loss, but an update that leaves no finite params.
    result = doubled(funcnn.sweep, learning_rate=[1e-3, 1e30], steps=1, start=2.0**60)
    assert result.diverged.tolist() == [-1, 1]
    assert result.params["w"][1, 0, 0] == 2.0**60
    assert result.losses.tolist() == [[2.0**120]] * 2


def test_where_every_member_diverges_none_is_best_and_no_step_is_wasted(monkeypatch):
    pace = Cut(20)
    monkeypatch.setattr("funcnn.runs.run.ClockPace", pace)
    rates = {"learning_rate": [1.5, 2.5], "group": 2}
    result = doubled(funcnn.sweep, **rates, steps=2**30, keep_every=2**20)
    assert pace.segments == 1 + result.diverged.max() // 20
    assert result.losses.shape == (2, 2**10 + 1)
    assert np.isnan(result.losses[:, 1:]).all()
    assert len(result.ranking) == 0
    with pytest.raises(funcnn.DivergenceError) as caught:
        result.best()
    assert caught.value.step == result.diverged[0] > result.diverged[1]
    assert repr(result) == "SweepResult(2 members, 1073741824 steps, 2 diverged)"


def test_a_group_that_diverges_leaves_the_others_their_steps():
    result = doubled(funcnn.sweep, learning_rate=[1.5, 2.5, 0.1, 0.2], steps=300, group=2)
    assert result.losses.shape == (4, 300)
    assert (result.diverged[:2] > 0).all()
    assert np.isfinite(result.losses[2:]).all()


# What is kept, and what is given back.


@pytest.mark.parametrize(
    ("keep_every", "length"),
    [(1, 5), (7, 1), (7, 5), (7, 100), (13, 5), (39, 5), (40, 1), (40, 5), (1000, 5)],
)
def test_losses_can_be_thinned(keep_every, length, line, monkeypatch):
    monkeypatch.setattr("funcnn.runs.run.ClockPace", Cut(length))
    whole = funcnn.sweep(data=line, seed=range(3), **LINE)
    thin = funcnn.sweep(data=line, seed=range(3), keep_every=keep_every, **LINE)
    steps = sorted({*range(0, 40, keep_every), 39})
    assert thin.logged_steps.tolist() == steps
    np.testing.assert_array_equal(thin.losses, whole.losses[:, steps])
    one = thin.result(1)
    assert one.losses.shape == (40,)
    np.testing.assert_array_equal(np.flatnonzero(~np.isnan(one.losses)), steps)
    assert one.losses[39] == whole.losses[1, 39]
    np.testing.assert_array_equal(one.plot().lines[0].get_xdata(), steps)


def test_the_best_is_the_one_with_the_lowest_last_loss(line):
    result = funcnn.sweep(data=line, learning_rate=[1e-3, 1e-2, 1e-4, 1e2], **LINE)
    assert result.ranking.tolist() == [1, 0, 2]
    best = result.best()
    assert best.losses[-1] == result.losses[1, -1] == np.nanmin(result.losses[:, -1])
    assert best.formula == result.result(1).formula
    assert best.run_seconds == pytest.approx(result.run_seconds / 4)
    np.testing.assert_array_equal(result.result(-2).losses, result.losses[2])
    with pytest.raises(IndexError):
        result.result(4)
    assert repr(result).startswith("SweepResult(4 members, 40 steps, lowest last loss ")
    assert repr(result).endswith(", 1 diverged)")


def test_a_member_can_be_saved_and_predicts(line, tmp_path):
    result = funcnn.sweep(data=line, seed=range(2), dtype="float64", **LINE)
    one = result.result(1)
    assert one.params["a"].dtype == one.predict(line[0]).dtype == np.float64
    one.save(tmp_path / "w.npz")
    assert funcnn.load_params(tmp_path / "w.npz")["a"] == result.params["a"][1]


def test_a_table_has_a_row_for_each_member(line):
    result = funcnn.sweep(data=line, seed=[5], learning_rate=[1e-3, 1e2], **LINE)
    table = result.to_pandas()
    assert list(table) == ["seed", "learning_rate", "first_loss", "last_loss", "diverged"]
    assert table["learning_rate"].tolist() == [1e-3, 1e2]
    assert table["first_loss"].tolist() == result.losses[:, 0].tolist()
    assert table["last_loss"][0] == result.losses[0, -1]
    assert table["last_loss"].isna().tolist() == [False, True]
    assert table["diverged"].isna().tolist() == [True, False]
    assert table["diverged"][1] == result.diverged[1]
    assert result.rows()[0]["diverged"] is None


def test_without_pandas_the_extra_is_named(line, monkeypatch):
    result = funcnn.sweep(data=line, seed=range(2), **LINE)
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(funcnn.MissingExtraError, match=r"pip install 'funcnn\[pandas\]'"):
        result.to_pandas()


def test_the_picture_has_a_band_over_seeds_for_each_other_setting(line):
    result = funcnn.sweep(data=line, seed=range(2), learning_rate=[1e-3, 1e-2], **LINE)
    ax = result.plot()
    labels = ["learning_rate=0.001", "learning_rate=0.01"]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == labels
    np.testing.assert_allclose(ax.lines[0].get_ydata(), np.median(result.losses[::2], axis=0))
    assert len(ax.collections) == 2
    assert ax.get_yscale() == "log"
    mpl.pyplot.close("all")


def test_what_is_not_swept_is_what_train_takes():
    names = set(inspect.signature(funcnn.train).parameters)
    given = {"target", "params", "hidden", "degree", "loss", "optimizer", "gradient", "steps"}
    assert given < names
    result = funcnn.sweep(
        experiment="sine/numpy", steps=20, seed=range(2), degree=2, loss="mean_squared_error",
        gradient="autodiff",
    )  # fmt: skip
    alone = funcnn.train(
        experiment="sine/numpy", steps=20, seed=1, degree=2, loss="mean_squared_error",
        gradient="autodiff",
    )  # fmt: skip
    assert result.dtype == "float64"
    np.testing.assert_allclose(result.losses[1], alone.losses, rtol=1e-10)


# While it runs.


def interrupted(**arguments):
    with pytest.raises(KeyboardInterrupt) as caught:
        funcnn.sweep(**arguments)
    assert isinstance(caught.value, funcnn.TrainingInterrupted)
    return caught.value


@pytest.mark.parametrize("keep_every", [1, 7])
def test_ctrl_c_keeps_the_finished_steps_of_the_first_group(keep_every, line, monkeypatch):
    shared = {"data": line, "seed": range(4), "keep_every": keep_every, "group": 2, "workers": 1}
    monkeypatch.setattr("funcnn.runs.run.ClockPace", Cut(5, interrupted=[3]))
    error = interrupted(**LINE | shared | {"steps": 2**31 - 1})
    result = error.result
    assert error.signal is signal.SIGINT
    assert [member["seed"] for member in result.settings] == [0, 1]
    assert result.state.step.tolist() == [15, 15]
    assert result.logged_steps.tolist() == sorted({*range(0, 15, keep_every), 14})
    assert result.losses.shape == (2, len(result.logged_steps))
    assert "2 members" in str(error)
    monkeypatch.undo()
    whole = funcnn.sweep(**LINE | shared | {"steps": 15})
    np.testing.assert_array_equal(whole.losses[:2], result.losses)
    np.testing.assert_array_equal(whole.params["a"][:2], result.params["a"])


# Each of the nine members is a group of two segments.
@pytest.mark.parametrize(("segment", "finished"), [(2, 1), (5, 2), (6, 3), (18, 9)])
def test_ctrl_c_keeps_the_members_of_finished_groups(segment, finished, line, monkeypatch):
    shared = {"data": line, "group": 1, "keep_every": 10**6, "workers": 1}
    monkeypatch.setattr("funcnn.runs.run.ClockPace", Cut(20, interrupted=[segment]))
    result = interrupted(**LINE | shared, seed=range(9)).result
    assert [member["seed"] for member in result.settings] == list(range(finished))
    assert len(result.losses) == len(result.params["a"]) == len(result.diverged) == finished
    assert (result.state.step == 40).all()
    assert np.isfinite(result.losses).all()


def test_the_bar_counts_the_steps_of_all_groups(line, capsys, monkeypatch):
    monkeypatch.setattr("funcnn.runs.observers.bar.DELAY", 0)
    funcnn.sweep(data=line, seed=range(4), group=2, progress=True, **LINE)
    shown = capsys.readouterr()
    assert "/80 [" in shown.err
    assert shown.out == ""


def test_silence_and_settings(line, capfd):
    before = dict(jax.config.values)
    funcnn.sweep(data=line, seed=range(2), dtype="float64", **LINE)
    assert dict(jax.config.values) == before
    assert capfd.readouterr() == ("", "")


def test_the_same_call_gives_the_same_bits(line):
    first, second = (funcnn.sweep(data=line, seed=range(3), **LINE) for _ in range(2))
    np.testing.assert_array_equal(first.losses, second.losses)
    np.testing.assert_array_equal(first.params["b"], second.params["b"])
