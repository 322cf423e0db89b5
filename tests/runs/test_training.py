"""``train``: one trace, the same bits, no global effects, and nothing lost."""

from __future__ import annotations

import io
import pickle
import signal
import sys
import threading

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from helpers import Cut

import funcnn
from funcnn.runs.observers import Observer
from funcnn.runs.planning import make_plan
from funcnn.runs.run import LONGEST_SEGMENT, run

LINE = {
    "model": "polynomial",
    "degree": 1,
    "loss": "sum_squared_error",
    "optimizer": "sgd",
    "learning_rate": 1e-2,
}


def traced(counts):
    """A linear model of one's own that counts how often Python runs it."""

    def apply(params, x):
        counts.append(x.shape)
        return x @ params["w"]

    return funcnn.Model(lambda key: {"w": jax.random.normal(key, (3, 2))}, apply)


X = np.random.default_rng(0).standard_normal((20, 3))
Y = X @ np.array([[1.0, -2.0], [0.5, 3.0], [-1.0, 1.0]])


def test_two_calls_in_a_row_trace_once(compiles):
    counts = []
    model = traced(counts)
    first = funcnn.train(model, (X, Y), optimizer="sgd", learning_rate=1e-2, steps=100)
    assert len(counts) == 1
    with compiles() as compiled:
        second = funcnn.train(model, (X, Y), optimizer="sgd", learning_rate=1e-2, steps=100)
    assert len(counts) == 1
    assert compiled == []
    np.testing.assert_array_equal(first.losses, second.losses)
    assert second.compile_seconds < first.compile_seconds


def test_weakly_typed_initial_values_trace_once_too(line):
    counts = []

    def apply(params, x):
        counts.append(x.shape)
        return params["slope"] * x

    model = (lambda _: {"slope": jnp.asarray(1.0)}, apply)
    funcnn.train(model, line, steps=100, optimizer=optax.sgd(1e-3))
    assert len(counts) == 1


@pytest.mark.parametrize("name", funcnn.models.MODELS)
def test_other_numbers_compile_nothing_again(name, compiles):
    dtype = ("float32", "float64")[list(funcnn.models.MODELS).index(name) % 2]
    shared = {"optimizer": "momentum", "learning_rate": 1e-6, "momentum": 0.5, "dtype": dtype}
    shared |= {"loss": "sum_squared_error"} | ({"learning_rate": 1e-8} if name == "dynamic" else {})
    first = funcnn.train(name, steps=20, **shared)
    x, y = funcnn.experiments.OF_MODEL[name].data()
    with compiles() as compiled:
        funcnn.train(name, steps=20, **shared)
        funcnn.train(name, steps=37, **shared)
        funcnn.train(name, steps=20, seed=2**40, **shared)
        funcnn.train(name, steps=20, **shared | {"learning_rate": 1e-8, "momentum": 0.7})
        funcnn.train(name, (x + 0.1, y - 0.1), steps=20, **shared)
        funcnn.train(name, params=first.params, steps=20, **shared)
    assert compiled == []


@pytest.mark.parametrize("batch_size", [None, 7])
def test_the_same_call_gives_the_same_bits(batch_size):
    runs = [
        funcnn.train("mlp_linear", (X, Y), steps=50, seed=3, batch_size=batch_size)
        for _ in range(2)
    ]
    np.testing.assert_array_equal(runs[0].losses, runs[1].losses)
    np.testing.assert_array_equal(runs[0].params["w1"], runs[1].params["w1"])
    other = funcnn.train("mlp_linear", (X, Y), steps=50, seed=4, batch_size=batch_size)
    assert (other.losses != runs[0].losses).any()


def test_more_steps_than_a_segment_holds(line):
    steps = LONGEST_SEGMENT + 123
    result = funcnn.train(data=line, steps=steps, **LINE)
    assert result.losses.shape == (steps,)
    assert np.isfinite(result.losses).all()
    assert int(result.state.step) == steps


# What is not said.


def test_on_data_of_one_s_own_the_defaults_are_a_library_s(line):
    result = funcnn.train("polynomial", line)
    said = funcnn.train(
        "polynomial", line, loss="mean_squared_error", optimizer="adam", learning_rate=1e-3,
        gradient="autodiff", form="direct", steps=1000, dtype="float32", seed=0,
    )  # fmt: skip
    assert result.losses.shape == (1000,)
    np.testing.assert_array_equal(result.losses, said.losses)
    # Another optimizer has its own rate, not the tutorial's.
    sgd = funcnn.train("mlp", (X, Y), hidden=3, optimizer="sgd", steps=3)
    assert float(sgd.state.optimizer_state.numbers["learning_rate"]) == np.float32(1e-3)


def test_without_data_they_are_the_experiment_s():
    record = funcnn.experiments.OF_MODEL["polynomial"]
    result = funcnn.train("polynomial")
    said = funcnn.train(
        "polynomial", record.data(), loss=record.loss, optimizer=record.optimizer,
        learning_rate=record.learning_rate, steps=record.steps,
    )  # fmt: skip
    np.testing.assert_array_equal(result.losses, said.losses)
    # Named, they are the experiment's on other data too.
    x, y = record.data()
    named = funcnn.train(experiment=record.name, data=(x[:50], y[:50]), steps=5)
    alike = funcnn.train(
        "polynomial", (x[:50], y[:50]), loss=record.loss, optimizer=record.optimizer,
        learning_rate=record.learning_rate, steps=5,
    )  # fmt: skip
    np.testing.assert_array_equal(named.losses, alike.losses)


@pytest.mark.parametrize(
    ("model", "shapes"),
    [
        ("mlp", {"w1": (3, 7), "w2": (7, 2)}),
        ("mlp_linear", {"w1": (3, 4), "b1": (4,), "w2": (4, 5), "b2": (5,), "w3": (5, 2),
                        "b3": (2,)}),
        ("mlp_linear", {"w1": (3, 2), "b1": (2,)}),
        ("polynomial", dict.fromkeys("abcdefg", ())),
        ("polynomial_linear", {"w": (5, 1), "b": (1,)}),
    ],
)  # fmt: skip
def test_params_say_the_sizes(model, shapes, line):
    params = {name: np.full(shape, 0.1, np.float32) for name, shape in shapes.items()}
    data = (X, Y) if "mlp" in model else line
    result = funcnn.train(model, data, params=params, steps=2)
    assert {name: value.shape for name, value in result.params.items()} == shapes


def test_classes_for_a_loss_of_one_s_own_stay_as_they_are_and_say_the_outputs():
    seen = set()

    def entropy(prediction, target):
        seen.add((target.shape, str(target.dtype)))
        chosen = jnp.take_along_axis(jax.nn.log_softmax(prediction), target[:, None], axis=1)
        return -chosen.mean()

    classes = np.arange(20) % 4
    options = {"hidden": 3, "steps": 30, "seed": 1}
    result = funcnn.train("mlp_linear", (X, classes), loss=entropy, **options)
    assert seen == {((20,), "int32")}
    assert result.params["w2"].shape == (3, 4)
    assert result.predict(X).shape == (20, 4)
    own = funcnn.train("mlp_linear", (X, classes), loss="cross_entropy", **options)
    np.testing.assert_allclose(result.losses, own.losses, rtol=1e-5)
    wider = funcnn.train("mlp_linear", (X, classes), loss=entropy, out_features=6, **options)
    assert wider.params["w2"].shape == (3, 6)


# Where it starts and what it gives.


def test_the_seed_gives_jax_s_own_initial_values():
    result = funcnn.train("mlp", (X, Y), hidden=4, steps=1, learning_rate=1e-30, seed=11)
    model = funcnn.models.make("mlp", in_features=3, hidden=4, out_features=2)
    np.testing.assert_allclose(
        result.params["w1"], model.init(jax.random.key(11))["w1"], rtol=1e-5, atol=1e-6
    )


def test_float64_whatever_the_global_flag_says(line):
    narrow = funcnn.train(data=line, steps=30, **LINE)
    wide = funcnn.train(data=line, steps=30, dtype="float64", **LINE)
    assert narrow.losses.dtype == np.float32
    assert wide.losses.dtype == wide.params["a"].dtype == np.float64
    assert wide.predict(line[0]).dtype == np.float64
    with jax.enable_x64(True):
        inside = funcnn.train(data=line, steps=30, **LINE)
        assert inside.params["a"].dtype == np.float32
        assert jax.config.jax_enable_x64
    np.testing.assert_array_equal(inside.losses, narrow.losses)


def test_nothing_of_the_user_s_settings_changes(line):
    before = dict(jax.config.values)
    result = funcnn.train(data=line, steps=30, dtype="float64", **LINE)
    result.predict(line[0])
    with pytest.raises(funcnn.DivergenceError):
        funcnn.train("mlp", learning_rate=1.0)
    assert dict(jax.config.values) == before
    assert jnp.ones(3).dtype == np.float32


def test_the_user_s_arrays_stay_the_user_s(line):
    x, y = line[0].copy(), line[1].copy()
    params = {"a": np.zeros((), np.float32), "b": np.zeros((), np.float32)}
    result = funcnn.train(data=(x, y), params=params, steps=30, **LINE)
    assert params["a"] == 0
    np.testing.assert_array_equal(x, line[0])
    params["a"] += 5
    again = funcnn.train(data=(x, y), params={"a": 0.0, "b": 0.0}, steps=30, **LINE)
    np.testing.assert_array_equal(result.losses, again.losses)


def test_started_from_the_params_of_another_run(line):
    whole = funcnn.train(data=line, steps=60, **LINE)
    half = funcnn.train(data=line, steps=30, **LINE)
    rest = funcnn.train(data=line, params=half.params, steps=30, **LINE)
    np.testing.assert_array_equal(np.concatenate([half.losses, rest.losses]), whole.losses)
    assert int(rest.state.step) == 30


@pytest.mark.parametrize("form", ["direct", "gram"])
def test_params_are_numpy_s_and_the_state_is_jax_s(form):
    options = {"hidden": 3, "optimizer": "sgd", "form": form, "steps": 5}
    result = funcnn.train("mlp", (X, Y), **options)
    assert {type(leaf) for leaf in jax.tree.leaves(result.params)} == {np.ndarray}
    assert all(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(result.state))
    jax.tree.map(np.testing.assert_array_equal, result.params, result.state.params)
    # To change the ones changes neither the state nor what follows from it.
    expected = funcnn.train("mlp", (X, Y), state=result.state, **options)
    result.params["w1"] += 1
    again = funcnn.train("mlp", (X, Y), state=result.state, **options)
    np.testing.assert_array_equal(again.losses, expected.losses)


@pytest.mark.parametrize("form", ["direct", "gram"])
def test_a_state_is_what_it_holds_whoever_has_changed_it(form):
    options = {"hidden": 3, "optimizer": "momentum", "learning_rate": 1e-2, "steps": 9}
    state = funcnn.train("mlp", (X, Y), form=form, **options).state
    start = jax.tree.map(np.asarray, state.params)
    # At rest again: as a run from the same params.
    still = state.optimizer_state._replace(
        inner=jax.tree.map(jnp.zeros_like, state.optimizer_state.inner)
    )
    rest = funcnn.train(
        "mlp", (X, Y), form=form, state=state._replace(optimizer_state=still), **options
    )
    anew = funcnn.train("mlp", (X, Y), form=form, params=start, **options)
    np.testing.assert_allclose(rest.losses, anew.losses, rtol=1e-5)


def test_losses_stand_before_their_update(line):
    result = funcnn.train(data=line, params={"a": 0.0, "b": 0.0}, steps=1, **LINE)
    assert result.losses[0] == pytest.approx((line[1] ** 2).sum(), rel=1e-6)
    assert float(result.params["a"]) == pytest.approx(1e-2 * 2 * line[1].sum(), rel=1e-5)


def doubling(params, x):
    return x * params["w"]


DOUBLING = funcnn.Model(lambda _: {"w": jnp.ones((1, 1))}, doubling)


@pytest.mark.parametrize("start", range(0, 60, 7))
def test_divergence_names_the_step_and_keeps_the_last_finite_state(start, monkeypatch):
    # The loss overflows float32 after a number of steps that the start decides.
    monkeypatch.setattr("funcnn.runs.run.ClockPace", Cut(7))
    x, y = np.ones((1, 1)), np.zeros((1, 1))
    first = np.full((1, 1), 2.0 ** (61 - start), np.float32)
    with pytest.raises(funcnn.DivergenceError) as caught:
        # w becomes w − 1.5·2w = −2w: the loss w² is finite below 2¹²⁸.
        funcnn.train(DOUBLING, (x, y), params={"w": first}, optimizer="sgd",
                     learning_rate=1.5, steps=100)  # fmt: skip
    error = caught.value
    step = 3 + start
    assert error.step == step
    assert f"after {step} steps" in str(error)
    copy = pickle.loads(pickle.dumps(funcnn.DivergenceError(step, None, error.losses)))
    assert copy.step == step
    assert len(error.losses) == step
    assert np.isfinite(error.losses).all()
    assert int(error.state.step) == step - 1
    assert abs(float(error.state.params["w"][0, 0])) == 2.0**63


def test_divergence_at_the_first_step_and_after_the_last():
    x, y = np.ones(1), np.zeros(1)
    huge = {"a": 1e30, "b": 0.0}
    with pytest.raises(funcnn.DivergenceError) as caught:
        funcnn.train("polynomial", (x, y), degree=1, params=huge, steps=5, optimizer="sgd")
    assert (caught.value.step, int(caught.value.state.step)) == (0, 0)
    assert float(caught.value.state.params["a"]) == np.float32(1e30)
    # A finite loss, but an update that leaves no finite params.
    large = {"a": 1e15, "b": 0.0}
    with pytest.raises(funcnn.DivergenceError) as caught:
        funcnn.train("polynomial", (x, y), degree=1, params=large, steps=1, optimizer="sgd",
                     learning_rate=1e30)  # fmt: skip
    assert (caught.value.step, int(caught.value.state.step)) == (1, 0)
    assert len(caught.value.losses) == 1


@pytest.mark.parametrize("form", ["direct", "gram"])
def test_a_run_goes_on_from_where_it_diverged(form):
    options = {"hidden": 3, "optimizer": "sgd", "form": form}
    with pytest.raises(funcnn.DivergenceError) as caught:
        funcnn.train("mlp", (X, Y), learning_rate=10.0, steps=100, **options)
    state = caught.value.state
    # The params are large, and only a rate as small holds them.
    rest = funcnn.train("mlp", (X, Y), state=state, learning_rate=1e-30, steps=2, **options)
    assert np.isfinite(rest.losses).all()
    assert rest.losses[0] == pytest.approx(caught.value.losses[int(state.step)], rel=1e-4)


# Ctrl-C.


def interrupted(number=signal.SIGINT, **arguments):
    with pytest.raises(KeyboardInterrupt) as caught:
        funcnn.train(**arguments)
    assert isinstance(caught.value, funcnn.TrainingInterrupted)
    assert caught.value.signal is number
    return caught.value.result


@pytest.mark.parametrize("form", ["direct", "gram"])
def test_ctrl_c_keeps_the_finished_steps(form, line, monkeypatch):
    options = {"data": line, "form": form, **LINE}
    monkeypatch.setattr("funcnn.runs.run.ClockPace", Cut(5, interrupted=[3]))
    result = interrupted(steps=2**31 - 1, **options)
    assert len(result.losses) == int(result.state.step) == 15
    monkeypatch.undo()
    whole = funcnn.train(steps=15, **options)
    np.testing.assert_array_equal(whole.losses, result.losses)
    np.testing.assert_array_equal(whole.params["a"], result.params["a"])
    rest = funcnn.train(steps=5, state=result.state, **options)
    np.testing.assert_array_equal(rest.losses, funcnn.train(steps=20, **options).losses[15:])


@pytest.mark.parametrize(("at", "made"), [(1, 5), (2, 7)])
def test_ctrl_c_in_the_first_segment_and_in_the_last(at, made, line, monkeypatch):
    monkeypatch.setattr("funcnn.runs.run.ClockPace", Cut(5, interrupted=[at]))
    assert len(interrupted(data=line, steps=7, **LINE).losses) == made
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_sigterm_keeps_the_finished_steps(line, monkeypatch):
    previous = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        monkeypatch.setattr("funcnn.runs.run.ClockPace", Cut(5, [2], signal.SIGTERM))
        assert len(interrupted(signal.SIGTERM, data=line, steps=30, **LINE).losses) == 10
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGTERM, previous)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_second_ctrl_c_is_not_held_back(line, monkeypatch):
    class Twice(Cut):
        def length(self):
            signal.raise_signal(signal.SIGINT)
            return super().length()

    monkeypatch.setattr("funcnn.runs.run.ClockPace", Twice(5, interrupted=[1]))
    with pytest.raises(KeyboardInterrupt) as caught:
        funcnn.train(data=line, steps=7, **LINE)
    assert not isinstance(caught.value, funcnn.TrainingInterrupted)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_user_s_own_handler_stays(number, line, monkeypatch):
    seen = []

    def handler(*_):
        seen.append(1)

    previous = signal.signal(number, handler)
    try:
        monkeypatch.setattr("funcnn.runs.run.ClockPace", Cut(5, [2], number))
        result = funcnn.train(data=line, steps=30, **LINE)
        assert signal.getsignal(number) is handler
    finally:
        signal.signal(number, previous)
    assert seen == [1]
    assert len(result.losses) == 30
    funcnn.train(data=line, steps=10, **LINE)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


# What looks at a run.


def closed():
    stream = io.StringIO()
    stream.close()
    return stream


@pytest.mark.parametrize("stderr", [None, closed(), object()], ids=["none", "closed", "no stream"])
@pytest.mark.parametrize("progress", [None, True])
def test_a_stderr_that_is_no_terminal_stops_no_run(stderr, progress, line, monkeypatch):
    monkeypatch.setattr(sys, "stderr", stderr)
    assert len(funcnn.train(data=line, steps=7, progress=progress, **LINE).losses) == 7


class Recorder(Observer):
    """Remembers what it sees, and asks for some steps."""

    def __init__(self, *wanted, stop=None):
        self.wanted, self.stop = wanted, stop
        self.ends, self.views, self.losses = [], [], []

    def next_step(self, step):
        return next((wanted for wanted in self.wanted if wanted > step), None)

    def see(self, segment):
        self.ends.append(segment.end)
        self.losses.append(segment.losses)
        self.views.append(jax.tree.map(np.asarray, segment.view().params))
        return segment.end == self.stop


@pytest.mark.parametrize("form", ["direct", "gram"])
def test_an_observer_sees_the_run_as_it_would_end_there(form):
    options = {"hidden": 3, "optimizer": "momentum", "form": form, "learning_rate": 1e-2}
    seen, also = Recorder(3, 4, 25), Recorder(11)
    outcome = run(make_plan("mlp", (X, Y), steps=30, **options), observers=[seen, also],
                  pace=Cut(10))  # fmt: skip
    assert seen.ends == also.ends == [3, 4, 11, 21, 25, 30]
    assert outcome.steps == 30
    whole = funcnn.train("mlp", (X, Y), steps=30, **options)
    np.testing.assert_array_equal(np.concatenate(seen.losses, axis=1)[0], whole.losses)
    for end, params in zip(seen.ends, seen.views, strict=True):
        shorter = funcnn.train("mlp", (X, Y), steps=end, **options)
        jax.tree.map(np.testing.assert_array_equal, params, shorter.params)


def test_an_observer_stops_a_run_and_the_others_see_its_last_segment(line):
    stopping, last = Recorder(8, stop=8), Recorder()
    plan = make_plan(data=line, steps=100, **LINE)
    outcome = run(plan, observers=[stopping, last], pace=Cut(6))
    assert stopping.ends == last.ends == [6, 8]
    assert outcome.steps == int(outcome.state.step) == 8


def test_divergence_logs_every_finite_loss(capsys):
    with pytest.raises(funcnn.DivergenceError) as caught:
        funcnn.train("mlp", learning_rate=1e-5, log_every=1)
    heading, *shown = capsys.readouterr().out.splitlines()
    assert heading.split() == ["step", "loss"]
    assert len(shown) == caught.value.step == len(caught.value.losses) > 2
    assert [int(row.split()[0]) for row in shown] == list(range(caught.value.step))


def logged(result, steps):
    rows = [f"{step:>10}  {result.losses[step]:.8g}" for step in steps]
    return "\n".join(["      step  loss", *rows, ""])


@pytest.mark.parametrize("length", [1, 7, 100])
def test_the_log(length, line, capsys, monkeypatch):
    monkeypatch.setattr("funcnn.runs.run.ClockPace", Cut(length))
    result = funcnn.train(data=line, steps=25, log_every=10, **LINE)
    assert capsys.readouterr() == (logged(result, (0, 10, 20)), "")
    funcnn.train(data=line, steps=25, log_every=range(4, 100, 10), **LINE)
    assert capsys.readouterr() == (logged(result, (4, 14, 24)), "")
    funcnn.train(data=line, steps=25, log_every=range(30, 100, 10), **LINE)
    assert capsys.readouterr() == ("", "")


def test_silence_is_the_default(line, capfd):
    funcnn.train(data=line, steps=25, **LINE)
    assert capfd.readouterr() == ("", "")


def test_the_bar_can_be_asked_for(line, capsys, monkeypatch):
    monkeypatch.setattr("funcnn.runs.observers.bar.DELAY", 0)
    funcnn.train(data=line, steps=25, log_every=10, progress=True, **LINE)
    shown = capsys.readouterr()
    assert "/25 [" in shown.err
    assert len(shown.out.splitlines()) == 4


# A loss that rises.


def test_a_loss_that_ends_above_its_start_is_told(line):
    # Each step multiplies a's error by 1 − 2·40·0.0252 = −1.016.
    options = LINE | {"learning_rate": 0.0252}
    with pytest.warns(funcnn.RisingLossWarning, match="above the .* smaller learning_rate") as seen:
        result = funcnn.train(data=line, steps=20, **options)
    assert result.losses[-1] > result.losses[0]
    assert [record.filename for record in seen] == [__file__]
    funcnn.train(data=line, steps=1, **options)  # One loss has no start and end.


def test_of_batches_whole_epochs_are_compared():
    # One batch is hard, and comes at different places of the epochs.
    x = np.ones((4, 1))
    y = np.array([[0.0], [0.0], [0.0], [9.0]])
    options = {"hidden": (), "optimizer": "sgd", "learning_rate": 1e-3, "batch_size": 1}
    ends = set()
    for seed in range(4):
        losses = funcnn.train("mlp_linear", (x, y), steps=40, seed=seed, **options).losses
        ends.add(bool(losses[-1] > losses[0]))
        assert losses[-4:].mean() < losses[:4].mean()
    assert ends == {True, False}


def test_what_draws_at_random_may_end_anywhere():
    for steps in range(2, 12):
        funcnn.train("dynamic", steps=steps)


@pytest.mark.parametrize("name", ["polyak_sgd", "lbfgs"])
def test_optax_transformations_that_ask_for_the_loss(name, line):
    optimizer = getattr(optax, name)()
    result = funcnn.train("polynomial", line, degree=1, steps=20, optimizer=optimizer)
    assert result.losses[-1] < result.losses[0]


@pytest.mark.parametrize("name", ["lion", "adagrad", "lamb", "radam"])
def test_any_optax_transformation(name, line):
    result = funcnn.train(
        "polynomial", line, degree=1, steps=200, optimizer=getattr(optax, name)(1e-2)
    )
    assert result.losses[-1] < result.losses[0]


def test_a_wrapped_optax_transformation_and_a_schedule(line):
    schedule = optax.warmup_cosine_decay_schedule(0.0, 1e-2, 10, 200)
    clipped = optax.chain(optax.clip_by_global_norm(1.0), optax.adam(schedule))
    result = funcnn.train("polynomial", line, degree=1, steps=200, optimizer=clipped)
    assert result.losses[-1] < result.losses[0]
    scheduled = funcnn.train(
        "polynomial", line, degree=1, steps=200, optimizer="adam", learning_rate=schedule
    )
    # The schedule's first rate is 0: the first update changes nothing.
    assert scheduled.losses[0] == scheduled.losses[1] != scheduled.losses[2]


def test_a_pair_of_functions_is_a_model():
    def apply(params, x):
        return x @ params["w"]

    result = funcnn.train(
        (lambda _: {"w": jnp.zeros((3, 2))}, apply), (X, Y), loss="sum_squared_error",
        optimizer="sgd", learning_rate=1e-2, steps=500,
    )  # fmt: skip
    np.testing.assert_allclose(result.predict(X), Y, atol=1e-3)


def test_a_loss_of_one_s_own(line):
    def absolute(prediction, target):
        return jnp.abs(prediction - target).mean()

    result = funcnn.train(
        "polynomial", line, degree=1, steps=2000, loss=absolute, optimizer="adam",
        learning_rate=1e-2,
    )  # fmt: skip
    assert result.losses[-1] < 0.05


def test_predict_and_repr(line):
    result = funcnn.train(data=line, steps=1000, **LINE)
    np.testing.assert_allclose(result.predict(line[0]), line[1], atol=1e-3)
    np.testing.assert_allclose(result.predict(line[0][:3, None]), line[1][:3], atol=1e-3)
    assert "1000 steps" in repr(result)
    assert result.microseconds_per_step > 0


def test_predictions_have_the_axes_of_the_target():
    for y in (Y[:, 0], Y[:, :1]):
        result = funcnn.train("mlp_linear", (X, y), steps=1)
        assert result.predict(X).shape == y.shape
    x = X[:, 0]
    for y in (Y[:, 0], Y[:, :1]):
        assert funcnn.train("polynomial", (x, y), steps=1).predict(x).shape == y.shape


def test_truth_values_and_whole_numbers_reach_a_model_of_one_s_own():
    seen = []

    def apply(params, x):
        seen.append(x.dtype)
        return jnp.where(x, params["w"], 0.0)

    model = (lambda _: {"w": jnp.ones(())}, apply)
    y = np.ones(4)
    for x in (np.array([True, False] * 2), np.arange(4), np.arange(4.0)):
        result = funcnn.train(model, (x, y), steps=1, optimizer="sgd", learning_rate=1e-3)
        assert result.predict(x)[1] == (0 if x.dtype == bool else result.params["w"])
    assert seen[0] is np.dtype(bool)
    assert np.int32 in seen
    assert result.predict(np.arange(4)).dtype == np.float32


def test_predict_refuses_other_inputs():
    result = funcnn.train("mlp", (X, Y), hidden=4, steps=1, learning_rate=1e-9)
    with pytest.raises(funcnn.ArgumentError, match=r"shape \(5,\); the model was trained on"):
        result.predict(np.ones((2, 5)))
    with pytest.raises(funcnn.ArgumentError, match="x is not finite at row 0, column 1"):
        result.predict([[1.0, np.nan, 2.0]])


def test_under_debug_nans_a_sound_run_is_no_alarm(line):
    with jax.debug_nans(True), jax.debug_infs(True):
        funcnn.train(data=line, steps=10, **LINE)


def test_without_jit(line):
    with jax.disable_jit():
        eager = funcnn.train(data=line, steps=3, **LINE)
    compiled = funcnn.train(data=line, steps=3, **LINE)
    np.testing.assert_allclose(eager.losses, compiled.losses, rtol=1e-5)


def test_threads_do_not_share_a_dtype(line):
    found = {}

    def one(member):
        dtype = ("float32", "float64")[member % 2]
        found[member] = dtype, funcnn.train(data=line, steps=50, dtype=dtype, **LINE).losses.dtype

    threads = [threading.Thread(target=one, args=(member,)) for member in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 6
    assert all(asked == given for asked, given in found.values())


def test_predictions_of_a_model_that_draws():
    result = funcnn.train("dynamic", steps=10)
    x = np.array([2.0])
    params = {name: float(value) for name, value in result.params.items()}
    cubic = sum(params[name] * 2.0**power for power, name in enumerate("abcd"))
    terms = funcnn.models.extra_terms(0, 11)[10]
    expected = cubic + params["e"] * sum([2.0**4, 2.0**5][:terms])
    assert float(result.predict(x, seed=0)[0]) == pytest.approx(expected, rel=1e-5)
    mean = cubic + params["e"] * (2 / 3 * 2.0**4 + 1 / 3 * 2.0**5)
    assert float(result.predict(x)[0]) == pytest.approx(mean, rel=1e-5)
    assert len({float(result.predict(x, seed=seed)[0]) for seed in range(20)}) == 3
