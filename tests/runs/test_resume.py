"""A run that is stopped and goes on from its checkpoint is the run that was never stopped."""

from __future__ import annotations

import errno
import functools
import shutil
import signal

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from helpers import CASES, Cut

import funcnn
from funcnn.checkpoints import CheckpointFolder, CheckpointWarning
from funcnn.core import CheckpointError
from funcnn.optimizers import schedules
from funcnn.runs.manifest import described
from funcnn.runs.observers.checkpoints import Checkpoints, Every
from funcnn.runs.observers.observer import Segment

pytest.importorskip("orbax.checkpoint")

STEPS = 40

# The rows of each step, of which some are short.
GIVEN = [np.arange(step, step + (3 if step % 4 == 3 else 5)) % 16 for step in range(STEPS)]

# Optimizers, batches, forms, and what else a run can remember: each in some pair.
RUNS = {
    "sgd, short batches": ("mlp_linear", {"optimizer": "sgd", "batch_size": 5}),
    "momentum, given batches": (
        "mlp_linear",
        {"optimizer": "momentum", "nesterov": True, "batches": GIVEN, "learning_rate": 1e-3},
    ),
    "rmsprop, all samples, clipped": (
        "mlp_linear",
        {"optimizer": "rmsprop", "centered": True, "momentum": 0.5, "clip_grad_norm": 0.1},
    ),
    "adam, dropout, short batches": (
        "mlp_linear",
        {"optimizer": "adam", "activation": "tanh", "dropout": 0.3, "batch_size": 5},
    ),
    "adamw, given batches, schedule, float64": (
        "mlp_linear",
        {
            "optimizer": "adamw",
            "batches": GIVEN,
            "learning_rate": schedules.cosine_annealing_lr(1e-2, 30),
            "dtype": "float64",
        },
    ),
    "optax, short batches": (
        "mlp_linear",
        {"optimizer": optax.chain(optax.clip(0.5), optax.adam(1e-2)), "batch_size": 5},
    ),
    "draws of its own": ("dynamic", {"optimizer": "momentum", "learning_rate": 1e-8}),
    "gram of a polynomial, adam": ("polynomial", {"optimizer": "adam", "form": "gram"}),
    "gram of a polynomial, rmsprop, float64": (
        "polynomial_linear",
        {"optimizer": "rmsprop", "form": "gram", "dtype": "float64"},
    ),
    "gram of a layer, momentum, schedule": (
        "mlp_linear",
        {
            "optimizer": "momentum",
            "form": "gram",
            "learning_rate": schedules.step_lr(1e-2, 10),
        },
    ),
    "gram of a layer, short batches": (
        "mlp",
        {"optimizer": "momentum", "form": "gram", "batch_size": 5, "learning_rate": 1e-4},
    ),
    "early stopping, metrics, float64": (
        "mlp_linear",
        {
            "optimizer": "adam",
            "dtype": "float64",
            "validation_fraction": 0.25,
            "metrics": ["r2", "mean_absolute_error"],
            "monitor": "validation_r2",
            "patience": 30,
            "evaluate_every": 6,
        },
    ),
}


def call_of(name, **more):
    model, options = RUNS[name]
    case = CASES[model]
    sizes = {"data": (case.x, case.y), "steps": STEPS, "seed": 3, **case.sizes}
    return {"model": model, **sizes, **options, **more}


@pytest.fixture
def train(monkeypatch):
    """``train(cut, **call)``: a run with the pace of ``cut``; None where it is interrupted."""

    def training(cut, **call):
        monkeypatch.setattr("funcnn.runs.run.ClockPace", cut)
        try:
            return funcnn.train(**call)
        except funcnn.TrainingInterrupted:
            return None

    return training


def leaves_of(tree):
    return [
        np.asarray(
            jax.random.key_data(leaf) if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) else leaf
        )
        for leaf in jax.tree.leaves(tree)
    ]


def assert_same(found, whole):
    """Every number of two results is the same, to the bit."""
    pairs = [(found.losses, whole.losses), (found.params, whole.params)]
    pairs += [(found.state, whole.state), (dict(found.history), dict(whole.history))]
    assert (found.best is None) == (whole.best is None)
    if found.best is not None:
        pairs.append((found.best._asdict(), whole.best._asdict()))
        assert {type(leaf) for leaf in jax.tree.leaves(found.best.params)} == {
            type(leaf) for leaf in jax.tree.leaves(whole.best.params)
        }
    for one, other in pairs:
        assert jax.tree.structure(one) == jax.tree.structure(other)
        for leaf, wanted in zip(*map(leaves_of, map(as_arrays, (one, other))), strict=True):
            assert leaf.dtype == wanted.dtype
            np.testing.assert_array_equal(leaf, wanted)


def as_arrays(tree):
    return jax.tree.map(lambda leaf: leaf if hasattr(leaf, "dtype") else np.asarray(leaf), tree)


@pytest.mark.parametrize("name", RUNS)
def test_a_run_that_was_stopped_twice_gives_the_same_bits(name, train, tmp_path):
    call = call_of(name)
    whole = train(Cut(STEPS), **call)
    call |= {"checkpoints": tmp_path / "run", "checkpoint_every": 10, "resume": "auto"}
    assert train(Cut(4, interrupted=[4]), **call) is None  # between two checkpoints
    assert train(Cut(3, interrupted=[5]), **call) is None
    found = train(Cut(9), **call)
    assert 20 < found.resumed_from < 30
    assert_same(found, whole)
    again = train(Cut(9), **call)  # there is nothing left to do
    assert again.resumed_from == STEPS
    assert_same(again, whole)


def test_a_run_from_the_state_of_a_sweep_s_member(train, tmp_path):
    case = CASES["mlp"]
    shared = {"model": "mlp", "data": (case.x, case.y), "hidden": 8, "optimizer": "momentum"}
    shared |= {"form": "gram", "learning_rate": 1e-4, "batch_size": 5}
    state = funcnn.sweep(**shared, steps=7, seed=[4, 3]).result(1).state
    call = shared | {"state": state, "steps": 20}
    whole = train(Cut(20), **call)
    call |= {"checkpoints": tmp_path / "run", "checkpoint_every": 6, "resume": "auto"}
    assert train(Cut(4, interrupted=[3]), **call) is None
    assert_same(train(Cut(5), **call), whole)
    # The numbers and the state that it started from are the run's own.
    for other in ({"learning_rate": 1e-3}, {"state": state._replace(step=state.step + 1)}):
        with pytest.raises(funcnn.ArgumentError, match="another run"):
            train(Cut(5), **call | other)


@pytest.mark.filterwarnings("ignore:the loss ended")
def test_samples_in_files(train, tmp_path):
    case = CASES["mlp_linear"].cast("float32")
    files = tmp_path / "x.npy", tmp_path / "y.npy"
    for file, array in zip(files, (case.x, case.y), strict=True):
        np.save(file, array)
    call = {"model": "mlp_linear", "data": files, "hidden": 8, "batch_size": 5, "seed": 3}
    whole = train(Cut(7), **call, steps=20)
    folder = {"checkpoints": tmp_path / "run", "resume": "auto"}
    assert train(Cut(7, interrupted=[2]), **call, **folder, steps=20) is None
    assert_same(train(Cut(5), **call, **folder, steps=20), whole)
    # The batches of a state that goes on are those of its own run.
    half = train(Cut(7), **call, steps=9)
    del call["seed"]
    rest = train(Cut(7), **call, steps=11, state=half.state)
    np.testing.assert_array_equal(rest.losses, whole.losses[9:])


def test_a_run_that_was_stopped_early_stays_stopped(train, tmp_path):
    call = call_of("sgd, short batches", learning_rate=1e-9)
    call |= {"patience": 2, "min_delta": 1.0, "evaluate_every": 5}
    whole = train(Cut(7), **call)
    assert whole.stopped_early
    assert whole.state.step == 15
    call |= {"checkpoints": tmp_path / "run", "checkpoint_every": 4, "resume": "auto"}
    for _ in range(2):
        found = train(Cut(3), **call)
        assert found.stopped_early
        assert_same(found, whole)


def test_more_steps_are_made_afterwards(train, tmp_path):
    call = call_of("gram of a layer, short batches")
    whole = train(Cut(STEPS), **call)
    call |= {"checkpoints": tmp_path / "run"}
    train(Cut(5), **call | {"steps": 24})
    assert_same(train(Cut(5), **call, resume=True), whole)
    with pytest.raises(funcnn.ArgumentError, match="steps=24, and the checkpoint is of step 40"):
        train(Cut(5), **call | {"steps": 24}, resume=True)


def test_callbacks_may_come_and_go(train, tmp_path):
    call = call_of("sgd, short batches")
    seen = []
    whole = train(Cut(9), **call, callbacks=[seen.append])
    call |= {"checkpoints": tmp_path / "run", "resume": "auto"}
    assert train(Cut(9, interrupted=[1]), **call) is None
    stopped = train(Cut(9), **call, callbacks=[lambda event: event.step >= 20])
    assert stopped.stopped_early
    found = train(Cut(5), **call, callbacks=[seen.append])
    assert found.resumed_from == 20
    assert_same(found, whole)
    steps = [event.step for event in seen]
    assert steps == [*range(4, 41, 4), *range(24, 41, 4)]


def loss_of_power(power, prediction, target):
    return jnp.mean(jnp.abs(prediction - target) ** power)


REFUSED = {
    "learning rate": ({"learning_rate": 1e-3}, "numbers.learning_rate: 0.01 in the checkpoint, "
                                               "0.001 here"),
    "optimizer": ({"optimizer": "sgd"}, "optimizer.name: "),
    "width": ({"hidden": 4}, """state.params['w1']: "(30, 8) float32" in the checkpoint"""),
    "model": ({"activation": "tanh"}, 'model.activation: nothing in the checkpoint, "tanh" here'),
    "loss": ({"loss": "l1"}, "mean_absolute_error"),
    "loss's options": ({"loss": functools.partial(loss_of_power, 3)}, "loss.with.0: 2 in the "
                                                                      "checkpoint, 3 here"),
    "data": ({"data": (CASES["mlp_linear"].x + 1, CASES["mlp_linear"].y)},
             "other_data=True goes on with them"),
    "validation": ({"validation": (CASES["mlp_linear"].x, CASES["mlp_linear"].y)},
                   "data.validation.shapes: nothing in the checkpoint"),
    "seed": ({"seed": 4}, "seed: 3 in the checkpoint, 4 here"),
    "dtype": ({"dtype": "float64"}, 'dtype: "float32" in the checkpoint, "float64" here'),
    "form": ({"form": "gram", "optimizer": "momentum"}, 'form: "direct" in the checkpoint'),
    "batches": ({"batch_size": 4}, "batches.size: nothing in the checkpoint, 4 here"),
    "clipping": ({"clip_grad_norm": 1.0}, "clip.norm: nothing in the checkpoint, 1.0 here"),
    "patience": ({"patience": 9}, "monitored.patience: nothing in the checkpoint, 9 here"),
    "schedule": ({"learning_rate": schedules.step_lr(1e-2, 10)}, "optimizer.schedules"),
}  # fmt: skip


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """The call of a short run, with the folder of its checkpoints."""
    case = CASES["mlp_linear"]
    call = {
        "model": "mlp_linear",
        "data": (case.x, case.y),
        "hidden": 8,
        "loss": functools.partial(loss_of_power, 2),
        "optimizer": "adam",
        "learning_rate": 1e-2,
        "seed": 3,
        "steps": 4,
        "checkpoints": tmp_path_factory.mktemp("saved"),
    }
    funcnn.train(**call)
    return call


@pytest.mark.parametrize("name", REFUSED)
def test_another_run_is_refused(name, saved, compiles):
    other, message = REFUSED[name]
    with compiles() as compiled, pytest.raises(funcnn.ArgumentError) as caught:
        funcnn.train(**saved | other, resume=True)
    assert "4 is a checkpoint of another run:" in str(caught.value)
    assert message in str(caught.value)
    assert "null" not in str(caught.value)
    assert "{}" not in str(caught.value)
    assert compiled == []


def test_only_what_differs_is_said(saved):
    with pytest.raises(funcnn.ArgumentError) as caught:
        funcnn.train(**saved | {"seed": 4}, resume="auto")
    assert str(caught.value).splitlines()[1:] == ["  seed: 3 in the checkpoint, 4 here"]


def test_a_function_of_one_s_own_that_was_edited_is_another_one(tmp_path):
    def model(code):
        made = {"jnp": jnp}
        exec(f"def apply(params, x):\n    {code}", made)
        return (lambda _: {"w": jnp.zeros(3)}), made["apply"]

    data, folder = (np.ones((4, 3)), np.ones(4)), tmp_path / "run"
    asked = {"data": data, "checkpoints": folder}
    funcnn.train(model("return x @ params['w']"), steps=2, **asked)
    again = model("'It says what it does.'\n    return x @ params['w']")
    assert funcnn.train(again, steps=4, resume=True, **asked).resumed_from == 2
    with pytest.raises(funcnn.ArgumentError, match=r"(?s)another run.*model\.code"):
        funcnn.train(model("return jnp.tanh(x @ params['w'])"), steps=6, resume=True, **asked)


def test_an_attribute_that_a_step_reads_is_told_apart(tmp_path):
    class Own:
        def __init__(self, scale):
            self.scale = scale

        def init(self, _):
            return {"w": jnp.zeros(3)}

        def apply(self, params, x):
            return self.scale * (x @ params["w"])

    def trained(scale, steps):
        own = Own(scale)
        data = np.ones((4, 3)), np.ones(4)
        return funcnn.train(
            (own.init, own.apply), data, steps=steps, checkpoints=tmp_path, resume="auto"
        )

    trained(1.0, 2)
    assert trained(1.0, 4).resumed_from == 2
    with pytest.raises(funcnn.ArgumentError, match=r"(?s)another run.*step\.code"):
        trained(2.0, 6)


def test_a_metric_that_was_edited_is_another_one(tmp_path):
    def trained(metric, steps):
        data = np.ones((4, 3)), np.ones((4, 1))
        return funcnn.train(
            "mlp_linear", data, hidden=2, steps=steps, metrics={"own": metric},
            checkpoints=tmp_path, resume="auto",
        )  # fmt: skip

    trained(lambda prediction, target: (prediction - target).mean(), 2)
    again = trained(lambda prediction, target: (prediction - target).mean(), 4)
    assert again.resumed_from == 2
    with pytest.raises(funcnn.ArgumentError, match=r"(?s)another run.*metrics\.own\.code"):
        trained(lambda prediction, target: (prediction + target).mean(), 6)


def test_other_numbers_go_on_where_that_is_said(tmp_path):
    data = np.linspace(-1, 1, 8)[:, None], np.linspace(0, 1, 8)[:, None]
    asked = {"model": "mlp_linear", "data": data, "hidden": 3, "optimizer": "momentum"}
    folder = asked | {"checkpoints": tmp_path / "run"}
    half = funcnn.train(**folder, steps=4, learning_rate=0.1)
    with pytest.raises(funcnn.ArgumentError, match="other_numbers=True goes on with them"):
        funcnn.train(**folder, steps=8, learning_rate=0.01, resume=True)
    rest = funcnn.train(**folder, steps=8, learning_rate=0.01, resume=True, other_numbers=True)
    expected = funcnn.train(**asked, steps=4, learning_rate=0.01, state=half.state)
    assert np.array_equal(rest.losses[4:], expected.losses)


def test_other_data_go_on_where_that_is_said(saved):
    case = CASES["mlp_linear"]
    more = {"data": (case.x + 1, case.y), "steps": 6, "resume": True, "other_data": True}
    result = funcnn.train(**saved | more)
    assert (result.resumed_from, result.state.step) == (4, 6)
    shutil.rmtree(saved["checkpoints"] / "6")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"resume": None}, "holds those of an earlier run, to step 4: resume=True goes on"),
        ({"resume": False}, "holds those of an earlier run, to step 4: resume=True goes on"),
        ({"resume": "yes"}, "resume='yes' must be True, False or 'auto'"),
        ({"resume": 1}, "resume=1 must be True, False or 'auto'"),
        ({"checkpoint_every": 0}, "checkpoint_every=0"),
        ({"checkpoint_every": "30"}, "such as '30s'"),
        ({"keep": 0}, "keep=0"),
        ({"checkpoints": None, "keep": 2}, "keep is for checkpoints="),
        ({"checkpoints": None, "resume": False}, "resume is for checkpoints="),
    ],
)
def test_what_cannot_be_used(given, message, saved, compiles):
    with compiles() as compiled, pytest.raises(funcnn.ArgumentError) as caught:
        funcnn.train(**saved | given)
    assert message in str(caught.value)
    assert compiled == []


def test_there_must_be_something_to_go_on_from(saved, tmp_path):
    with pytest.raises(funcnn.ArgumentError, match="holds none to go on from: resume='auto'"):
        funcnn.train(**saved | {"checkpoints": tmp_path}, resume=True)
    with pytest.raises(funcnn.ArgumentError, match="holds none to go on from: resume='auto'"):
        funcnn.train(**saved | {"checkpoints": tmp_path / "absent"}, resume=True)
    assert not (tmp_path / "absent").exists()


def test_two_runs_in_one_folder_are_refused(line, tmp_path):
    call = {"model": "polynomial", "data": line, "degree": 1, "steps": 4, "checkpoints": tmp_path}

    def second(_):
        with pytest.raises(CheckpointError, match="writes its checkpoints here"):
            funcnn.train(**call)

    funcnn.train(**call, callbacks=[second])


def fails_at(step, reason):
    """A way to save that raises an error from a step on."""
    write = funcnn.checkpoints.step.write

    def failing(content, temporary, place):
        if int(place.name) >= step:
            reason(place)
        write(content, temporary, place)

    return failing


def full(place):
    raise OSError(errno.ENOSPC, "No space left on device", str(place))


def gone(place):
    shutil.rmtree(place.parent)


def read_only(place):
    raise PermissionError(errno.EROFS, "Read-only file system", str(place))


@pytest.mark.parametrize("reason", [full, gone, read_only])
def test_a_save_that_fails_keeps_the_state(reason, train, monkeypatch, tmp_path):
    call = call_of("gram of a layer, momentum, schedule", steps=30)
    whole = train(Cut(30), **call)
    folder = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr("funcnn.checkpoints.step.write", fails_at(20, reason))
        with pytest.raises(CheckpointError) as caught:
            train(Cut(7), **call, checkpoints=folder, checkpoint_every=10)
    assert str(folder) in str(caught.value)
    assert caught.value.step == 20
    rest = call | {"state": caught.value.state, "steps": 10, "seed": None}
    after = train(Cut(7), **rest)
    np.testing.assert_array_equal(after.losses, whole.losses[20:])
    if reason is not gone:
        assert_same(train(Cut(7), **call, checkpoints=folder, resume=True), whole)


def test_the_last_state_is_saved_or_an_error_says_so(train, monkeypatch, tmp_path):
    call = call_of("sgd, short batches", checkpoints=tmp_path)
    monkeypatch.setattr("funcnn.checkpoints.step.write", fails_at(0, full))
    with pytest.raises(CheckpointError) as caught:
        train(Cut(4, interrupted=[2]), **call)
    assert caught.value.state.step == 8


def test_checkpoints_before_a_divergence_stay(train, tmp_path):
    case = CASES["mlp"]
    call = {"model": "mlp", "data": (case.x, case.y), "hidden": 8, "optimizer": "sgd"}
    call |= {"learning_rate": 0.1, "loss": "sum_squared_error", "steps": 30}
    call |= {"checkpoints": tmp_path, "checkpoint_every": 1, "keep": 2}
    with pytest.raises(funcnn.DivergenceError) as caught:
        train(Cut(9), **call)
    steps = sorted(int(path.name) for path in tmp_path.iterdir() if path.name[0] != ".")
    assert len(steps) == 2
    # The params of the last one are finite; the loss of its next step may be what is not.
    assert 0 <= caught.value.step - steps[-1] <= 2
    with pytest.raises(funcnn.DivergenceError) as again:
        train(Cut(9), **call, resume=True)
    assert again.value.step == caught.value.step
    np.testing.assert_array_equal(again.value.losses, caught.value.losses)
    assert all(np.isfinite(leaf).all() for leaf in leaves_of(again.value.state.params))


def test_a_damaged_checkpoint_is_passed_over(train, tmp_path):
    call = call_of("adam, dropout, short batches")
    whole = train(Cut(STEPS), **call)
    call |= {"checkpoints": tmp_path, "checkpoint_every": 20}
    assert train(Cut(13, interrupted=[3]), **call) is None
    index = tmp_path / "33" / "checkpoint.json"
    index.write_text(index.read_text().replace("w1", "w2"))
    with pytest.warns(CheckpointWarning, match=r"33 is damaged and passed over: checkpoint.json"):
        found = train(Cut(6), **call, resume=True)
    assert found.resumed_from == 20
    assert_same(found, whole)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_in_a_saved_state(number, monkeypatch, tmp_path):
    call = call_of("sgd, short batches", checkpoints=tmp_path)
    monkeypatch.setattr("funcnn.runs.run.ClockPace", Cut(6, interrupted=[3], number=number))
    with pytest.raises(funcnn.TrainingInterrupted) as caught:
        funcnn.train(**call)
    assert caught.value.signal == number
    assert len(caught.value.result.losses) == 18
    assert (tmp_path / "18").is_dir()
    rest = call_of("sgd, short batches", seed=None, steps=STEPS - 18)
    rest["state"] = caught.value.result.state
    np.testing.assert_array_equal(
        funcnn.train(**rest).losses, funcnn.train(**call, resume=True).losses[18:]
    )


def test_the_newest_few_are_kept(train, tmp_path):
    call = call_of("sgd, short batches", checkpoints=tmp_path, checkpoint_every=3)
    train(Cut(8), **call, keep=2)
    assert {path.name for path in tmp_path.iterdir()} == {".funcnn.lock", "39", "40"}


def test_seconds_between_checkpoints(tmp_path):
    seconds = iter([100.0, 104.0, 105.0, 107.0, 109.0, 112.5, 113.0, 117.0])
    state = funcnn.train("polynomial", ([0.0, 1.0], [0.0, 1.0]), degree=1, steps=1).state
    with CheckpointFolder(tmp_path, None, {}) as folder:
        # The clock is asked at the start, after each segment, and after each save.
        observer = Checkpoints(folder, Every(seconds=5), {}, clock=lambda: next(seconds))
        for step in range(5):
            assert observer.next_step(step) is None
            view = functools.partial(state._replace, step=np.int32(step + 1))
            segment = Segment(step, np.zeros((1, 1)), view)
            assert observer.see(segment) is False
        assert folder.steps() == [2, 4]


# How a run is told from another one.


class Words:
    def __call__(self, prediction, target):
        return jnp.mean((prediction - target) ** 2)


def closure(power):
    return lambda prediction, target: jnp.mean((prediction - target) ** power)


def itself():
    def recursive(count):
        return recursive(count - 1)

    return recursive


TOLD_APART = {
    "closures": (closure(2), closure(3)),
    "partials": (functools.partial(pow, 2), functools.partial(pow, 3)),
    "keywords": (functools.partial(pow, mod=2), functools.partial(pow, mod=3)),
    "defaults": (lambda x, p=2: x**p, lambda x, p=3: x**p),
    "jitted": (jax.jit(closure(2)), jax.jit(closure(3))),
    "rates of optax": (optax.adam(1e-2).update, optax.adam(1e-3).update),
    "chains of optax": (
        optax.chain(optax.clip(1.0), optax.sgd(0.1)).update,
        optax.chain(optax.clip(2.0), optax.sgd(0.1)).update,
    ),
    "schedules of optax": (
        optax.cosine_decay_schedule(0.1, 10),
        optax.cosine_decay_schedule(0.1, 20),
    ),
    "settings of schedules": (
        schedules.multi_step_lr(1e-2, [10, 20]),
        schedules.multi_step_lr(1e-2, [10, 30]),
    ),
    "arrays": (functools.partial(pow, np.ones(3)), functools.partial(pow, np.zeros(3))),
    "dtypes": (optax.adam(0.1, mu_dtype=jnp.bfloat16).update, optax.adam(0.1).update),
    "methods": (Words().__call__, Words.__call__),
    "sets": ({"b", "a"}, {"a"}),
}


@pytest.mark.parametrize("name", TOLD_APART)
def test_what_is_made_differently_is_told_apart(name):
    one, other = map(described, TOLD_APART[name])
    assert one != other
    assert " at 0x" not in f"{one}{other}"


@pytest.mark.parametrize(
    "make",
    [
        lambda: closure(2),
        lambda: optax.adam(optax.cosine_decay_schedule(0.1, 10)).update,
        lambda: jax.jit(closure(2)),
        Words,
        object,
        itself,
        lambda: {"a": jnp.ones(2), "key": jax.random.key(3)},
    ],
)
def test_what_is_made_alike_is_not(make):
    assert described(make()) == described(make())
