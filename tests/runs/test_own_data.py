"""A user's own data, losses, params and models: what is taken as it is, and what is refused."""

from __future__ import annotations

import warnings

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import funcnn
from funcnn.optimizers import Optimizer, adam, schedules, sgd
from funcnn.runs.choices import DEFAULTS
from funcnn.runs.planning import make_plan


def my_cross_entropy(prediction, target):
    picked = jnp.take_along_axis(jax.nn.log_softmax(prediction), target[:, None], axis=1)
    return -picked.mean()


# What a call does not say.


@pytest.mark.parametrize("model", ["mlp", "mlp_linear"])
def test_on_one_s_own_data_the_defaults_are_a_library_s(model, diabetes):
    x, y = diabetes
    plan = make_plan(model, (x, y))
    assert plan.problem.loss is funcnn.losses.mean_squared_error
    assert plan.numbers == {"learning_rate": 1e-3, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8}
    assert plan.steps == DEFAULTS.steps == 1000
    own = make_plan(model)
    record = funcnn.experiments.OF_MODEL[model]
    assert (own.numbers["learning_rate"], own.steps) == (record.learning_rate, record.steps)
    named = make_plan(model, (x, y), experiment=record)
    assert named.numbers["learning_rate"] == record.learning_rate


def test_diabetes_is_learned_with_nothing_said(diabetes):
    result = funcnn.train("mlp_linear", diabetes, steps=2000)
    assert result.losses[-1] < 0.7 * result.losses[0]


def test_a_loss_that_rises_is_said(line):
    rising = {"optimizer": "sgd", "learning_rate": 1.001, "steps": 30, "degree": 1}
    with pytest.warns(funcnn.RisingLossWarning, match=r"above the .* where it began"):
        funcnn.train("polynomial", line, **rising)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        funcnn.train("polynomial", line, **rising | {"learning_rate": 0.1})


# Classes.


def test_a_loss_of_one_s_own_trains_on_classes(digits):
    x, y = digits
    result = funcnn.train("mlp_linear", (x, y), loss=my_cross_entropy, steps=100)
    assert result.params["w2"].shape == (100, 10)
    known = funcnn.train("mlp_linear", (x, y), loss="cross_entropy", steps=100)
    np.testing.assert_allclose(result.losses, known.losses, rtol=1e-4)
    assert (result.predict(x).argmax(axis=1) == y).mean() > 0.9


def test_the_number_of_outputs_can_be_said(digits):
    x, y = digits
    result = funcnn.train("mlp", (x, y), loss="cross_entropy", out_features=12, steps=2,
                          learning_rate=1e-9)  # fmt: skip
    assert result.params["w2"].shape == (100, 12)


CLASSES = np.arange(8) % 3
X = np.random.default_rng(0).standard_normal((8, 3))

REFUSED = {
    "one-output": (
        {"out_features": 1, "loss": my_cross_entropy},
        "the model needs an output for each (out_features=)",
    ),
    "too-few-outputs": (
        {"out_features": 2, "loss": my_cross_entropy},
        "y holds the class 2; the model knows 0 to 1",
    ),
    "negative": (
        {"data": (X, CLASSES - 1), "out_features": 3, "loss": my_cross_entropy},
        "y holds the class -1",
    ),
    "pairs": (
        # As many classes as samples: prediction − target would be of every pair.
        {"out_features": 8, "loss": lambda p, y: ((p - y.astype(p.dtype)) ** 2).mean()},
        "the loss broadcasts the target",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_classes_that_do_not_fit(name, compiles):
    options, message = REFUSED[name]
    arguments = {"data": (X, CLASSES), "steps": 2} | options
    with (
        jax.numpy_rank_promotion("allow"),
        compiles() as compiled,
        pytest.raises(funcnn.ArgumentError) as caught,
    ):
        funcnn.train("mlp_linear", **arguments)
    assert message in str(caught.value)
    assert compiled == []


def test_as_many_classes_as_samples_are_no_pairs():
    result = funcnn.train("mlp_linear", (X, np.arange(8)), loss=my_cross_entropy, steps=20)
    assert result.losses[-1] < result.losses[0]


# Params.


@pytest.mark.parametrize("form", ["direct", "gram"])
def test_sizes_follow_from_params(form):
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((5, 53)), rng.standard_normal((5, 4))
    params = {"w1": rng.standard_normal((53, 17)), "w2": rng.standard_normal((17, 4))}
    result = funcnn.train("mlp", (x, y), params=params, dtype="float64", optimizer="sgd",
                          learning_rate=1e-4, steps=3, form=form)  # fmt: skip
    assert result.params["w1"].shape == (53, 17)
    with pytest.raises(funcnn.ArgumentError, match="hidden=18: the params are for hidden=17"):
        funcnn.train("mlp", (x, y), params=params, dtype="float64", hidden=18)
    with pytest.raises(funcnn.ArgumentError, match="x has 52 features; the params are for 53"):
        funcnn.train("mlp", (x[:, 1:], y), params=params, dtype="float64")


def test_no_init_is_needed_where_params_are_given(line):
    def apply(params, x):
        return params["a"] * x + params["b"]

    start = {"a": np.zeros((), np.float32), "b": np.zeros((), np.float32)}
    result = funcnn.train((None, apply), line, params=start, steps=500, learning_rate=0.05)
    assert result.params["a"] == pytest.approx(2, abs=0.05)
    with pytest.raises(funcnn.ArgumentError, match="no init, and no params"):
        funcnn.train((None, apply), line, steps=5)


@pytest.mark.parametrize("form", ["direct", "gram"])
def test_params_may_be_one_bare_array(form, line):
    model = funcnn.Model(
        lambda _: jnp.zeros(2), lambda params, x: params[0] + params[1] * x, linear=True
    )
    for optimizer in ("momentum", "adam"):
        result = funcnn.train(model, line, form=form, optimizer=optimizer, learning_rate=0.05,
                              steps=400)  # fmt: skip
        np.testing.assert_allclose(result.params, [1, 2], atol=0.05)


def test_masks_are_not_ignored(line, tmp_path):
    masked = np.ma.masked_array(np.zeros(2, np.float32), mask=[True, False])
    with pytest.raises(funcnn.ArgumentTypeError, match="masked"):
        funcnn.train((None, lambda p, x: p["w"][0] * x), line, params={"w": masked}, steps=2)
    with pytest.raises(funcnn.ArgumentTypeError, match="masked"):
        funcnn.save_params({"w": masked}, tmp_path / "w.npz")


# Numbers and schedules.


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"learning_rate": 1e-46}, "learning_rate=1e-46 is 0 in float32"),
        ({"optimizer": "adam", "beta2": 1 - 1e-9}, "dtype='float64' can tell"),
        ({"learning_rate": lambda _: None}, "the schedule returns None"),
        ({"learning_rate": lambda _: jnp.ones(2)}, "the schedule returns shape (2,)"),
        ({"learning_rate": lambda step: 1.0 if step < 5 else 0.1}, "in place of `if`"),
        ({"learning_rate": lambda _: "fast"}, "the schedule returns 'fast'"),
    ],
)
def test_numbers_and_schedules_that_would_train_nothing(options, message, line, compiles):
    with compiles() as compiled, pytest.raises(funcnn.ArgumentError) as caught:
        funcnn.train("polynomial", line, degree=1, **{"optimizer": "sgd", "steps": 3} | options)
    assert message in str(caught.value)
    assert compiled == []


@pytest.mark.parametrize(
    "schedule",
    [
        optax.exponential_decay(1e-2, 7, 0.1, staircase=True),
        optax.linear_schedule(1e-2, 1e-3, 50),
        schedules.linear_lr(1e-2, 1.0, 0.1, 50),
    ],
)
def test_schedules_are_exact_in_float64(schedule, line):
    x, y = line
    result = funcnn.train("polynomial", line, degree=1, dtype="float64", optimizer="sgd",
                          learning_rate=schedule, loss="sum_squared_error", steps=60)  # fmt: skip
    first = funcnn.train("polynomial", line, degree=1, dtype="float64", optimizer="sgd",
                         learning_rate=1e-30, loss="sum_squared_error", steps=1)  # fmt: skip
    a, b = (float(first.params[name]) for name in "ab")
    for step, loss in enumerate(result.losses):
        error = a + b * x - y
        assert loss == pytest.approx((error**2).sum(), rel=1e-11, abs=1e-25)
        rate = _rate(schedule, step)
        a, b = a - rate * 2 * error.sum(), b - rate * 2 * (error * x).sum()


def _rate(schedule, step):
    with jax.enable_x64(True), jax.numpy_dtype_promotion("standard"):
        return float(schedule(jnp.asarray(step, jnp.int64)))


# The optimizers' type.


def test_an_optimizer_says_what_it_is():
    optimizer = adam(1e-3)
    assert isinstance(optimizer, Optimizer)
    assert isinstance(optimizer, optax.GradientTransformation)
    assert optimizer.recipe.elementwise
    assert not optimizer.recipe.linear
    assert sgd(1.0).recipe.linear
    assert adam(1e-2).recipe == optimizer.recipe != adam(1e-2, weight_decay=0.1).recipe
    assert make_plan("polynomial", optimizer=optimizer).problem.optimizer == optimizer.recipe


def test_wrapped_in_optax_it_goes_the_plain_way_to_the_same_losses(line):
    shared = {"degree": 1, "steps": 50}
    wrapped = funcnn.train("polynomial", line, optimizer=optax.chain(adam(1e-2)), **shared)
    plain = funcnn.train("polynomial", line, optimizer=adam(1e-2), **shared)
    np.testing.assert_allclose(wrapped.losses, plain.losses, rtol=1e-6)
    with pytest.raises(funcnn.ArgumentError, match=r"must be one of funcnn\.optimizers"):
        funcnn.train("polynomial", line, optimizer=optax.chain(adam(1e-2)), form="gram", **shared)


# Models.


@pytest.mark.parametrize("form", ["gram", "auto"])
@pytest.mark.parametrize(
    "apply", [lambda p, x: p["w"] * x + 1, lambda p, x: p["w"] ** 2 * x], ids=["offset", "square"]
)
def test_a_model_is_held_to_what_it_says_of_itself(apply, form, line):
    model = funcnn.Model(lambda _: {"w": jnp.ones(())}, apply, linear=True)
    with pytest.raises(funcnn.ArgumentError, match="not linear in its params"):
        funcnn.train(model, line, form=form, steps=10**5)


def test_a_linear_model_may_have_several_outputs_and_none_may_draw():
    x, y = X, X @ np.ones((3, 2))

    def init(_):
        return {"w": jnp.zeros((3, 2), float)}

    model = funcnn.Model(init, lambda params, x: x @ params["w"], linear=True)
    direct, gram = (
        funcnn.train(model, (x, y), form=form, steps=50, dtype="float64", optimizer="sgd",
                     learning_rate=0.1)
        for form in ("direct", "gram")
    )  # fmt: skip
    np.testing.assert_allclose(gram.losses, direct.losses, rtol=1e-8)
    drawing = model._replace(stochastic=True, apply=lambda params, x, _: x @ params["w"])
    with pytest.raises(funcnn.ArgumentError, match="draws random numbers"):
        funcnn.train(drawing, (x, y), form="gram", steps=5)


def test_a_head_without_a_first_layer():
    model = funcnn.Model(
        lambda _: {"w": jnp.zeros((3, 2))}, lambda p, x: x @ p["w"], head=lambda _, h: h
    )
    with pytest.raises(funcnn.ArgumentError, match="needs params that hold 'w1'"):
        funcnn.train(model, (X, np.ones((8, 2))), form="gram", optimizer="sgd", steps=5)


def test_too_much_for_the_machine_is_refused_before_anything_compiles(compiles):
    with compiles() as compiled, pytest.raises(funcnn.ArgumentError, match="bytes"):
        funcnn.train("mlp", (X, X), hidden=10**9)
    assert compiled == []


def test_train_is_not_traced(line):
    x, y = line

    def last(x):
        return funcnn.train("polynomial", (x, y), degree=1, steps=2).losses[-1]

    for transformed in (jax.jit(last), jax.grad(last)):
        with pytest.raises(funcnn.ArgumentTypeError, match=r"funcnn\.fit is for that"):
            transformed(jnp.asarray(x, jnp.float32))
    inside = jax.jit(lambda z: last(x) + z)
    with pytest.raises(funcnn.ArgumentTypeError, match=r"funcnn\.fit is for that"):
        inside(0.0)


def test_transfers_and_nans_that_a_user_forbids(line):
    with jax.transfer_guard("disallow"):
        funcnn.train("polynomial", line, degree=1, steps=20)
    with jax.debug_nans(True), pytest.raises(funcnn.DivergenceError):
        funcnn.train("mlp", learning_rate=0.01)


# Float64 outside of a run.


def test_params_of_float64_stay_so_outside(line):
    result = funcnn.train("polynomial", line, degree=1, steps=5, dtype="float64")
    assert isinstance(result.params["a"], np.ndarray)
    assert (result.params["a"] * 2).dtype == np.float64
    assert isinstance(result.state.params["a"], jax.Array)


def test_fit_and_update_say_what_to_do_with_float64(line):
    model, optimizer = funcnn.models.make("polynomial", degree=1), adam(1e-2)
    update = funcnn.make_update(model, funcnn.losses.mean_squared_error, optimizer)
    result = funcnn.train("polynomial", line, degree=1, steps=5, dtype="float64",
                          optimizer=optimizer)  # fmt: skip
    state = funcnn.initial_state(model.init(jax.random.key(0)), optimizer, jax.random.key(1))
    for call in (
        lambda: funcnn.fit(update, result.state, line, 3),
        lambda: funcnn.fit(update, state, line, 3),
        lambda: update(state, line),
        lambda: funcnn.initial_state({"a": np.zeros(())}, optimizer, jax.random.key(1)),
    ):
        with pytest.raises(funcnn.ArgumentTypeError, match="holds float64") as caught:
            call()
        assert "jax.enable_x64(True)" in str(caught.value)
    with jax.enable_x64(True):
        after, _ = funcnn.fit(update, result.state, tuple(map(jnp.asarray, line)), 3)
    assert int(after.step) == 8


def test_fit_takes_copies_and_compares_lengths():
    model, optimizer = funcnn.models.make("polynomial", degree=1), sgd(1e-3)
    loss = funcnn.losses.mean_squared_error
    x = np.linspace(-1, 1, 2**16, dtype=np.float32)
    y, start = 2 * x, {"a": np.zeros((), np.float32), "b": np.zeros((), np.float32)}
    update = funcnn.make_update(model, loss, optimizer)
    state = funcnn.initial_state(start, optimizer, jax.random.key(0))
    start["a"] += 5
    expected = funcnn.fit(update, state, (x.copy(), y.copy()), 20)[1].block_until_ready()
    assert float(expected[0]) == pytest.approx(float((y**2).mean()), rel=1e-4)
    _, losses = funcnn.fit(update, state, (x, y), 20)
    x[:], y[:] = 7, -7
    np.testing.assert_array_equal(losses, expected)
    batches = funcnn.make_update(model, loss, optimizer, batch_size=2)
    with pytest.raises(funcnn.ArgumentError, match="x holds 10 samples and y 9"):
        funcnn.fit(batches, state, (jnp.ones(10), jnp.ones(9)), 3)


# Divergence.


def test_a_state_of_a_divergence_is_finite_as_a_whole(line):
    # The loss does not see b, which becomes infinite long before a does.
    @jax.custom_vjp
    def unseen(_):
        return jnp.zeros(())

    unseen.defvjp(lambda b: (jnp.zeros(()), b), lambda b, _: (-10 * b,))

    def apply(params, x):
        return params["a"] * x + unseen(params["b"])

    model = (lambda _: {"a": jnp.ones(()), "b": jnp.ones(())}, apply)
    with pytest.raises(funcnn.DivergenceError) as caught:
        funcnn.train(model, line, steps=300, optimizer="sgd", learning_rate=1.0)
    state = caught.value.state
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(state.params))
    assert 30 < int(state.step) < 45  # 11ⁿ leaves float32 after 36 steps.
