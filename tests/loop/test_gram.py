"""The gram form: the steps of the direct one, from inner products of the inputs."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from helpers import CASES, OPTIMIZERS, curve, linear_curve, network, train

import funcnn
from funcnn.optimizers import adam, momentum, sgd
from funcnn.plans import make_plan

LINEAR = {
    "polynomial": CASES["polynomial"],
    "polynomial-line": CASES["polynomial-line"],
    "polynomial-quintic": CASES["polynomial-quintic"],
    # Fewer points than params, and so slow that the loss stays above rounding.
    "polynomial-two-points": curve("polynomial", "abcd", samples=2)._replace(
        rates={"sgd": 1e-7, "adaptive": 1e-4}
    ),
    "polynomial_linear": CASES["polynomial_linear"],
    "polynomial_linear-line": linear_curve(1),
}
NETWORKS = {
    "mlp": CASES["mlp"],
    "mlp-one-sample": CASES["mlp-one-sample"],
    "mlp-one-hidden": CASES["mlp-one-hidden"],
    "mlp-more-samples-than-inputs": network("mlp", 50, 7, 8, 3),
    "mlp-one-input": network("mlp", 9, 1, 4, 1),
}
RUNS = [
    *(
        (name, case, optimizer)
        for name, case in LINEAR.items()
        # Every optimizer for the cubic; for its other shapes and layout, one of each kind.
        for optimizer in (OPTIMIZERS if name == "polynomial" else ("nesterov", "adamw"))
    ),
    *(("mlp", CASES["mlp"], optimizer) for optimizer in ("sgd", "momentum")),
    *((name, case, "nesterov") for name, case in NETWORKS.items()),
]


@pytest.mark.parametrize(
    ("case", "optimizer"),
    [pytest.param(case, optimizer, id=f"{name}-{optimizer}") for name, case, optimizer in RUNS],
)
def test_every_step_is_the_direct_form_s(case, optimizer):
    direct = train(case, optimizer, 300, "float64")
    gram = train(case, optimizer, 300, "float64", form="gram")
    assert (direct.form, gram.form) == ("direct", "gram")
    np.testing.assert_allclose(gram.losses, direct.losses, rtol=1e-8)
    assert gram.params.keys() == direct.params.keys()
    for name, value in direct.params.items():
        assert gram.params[name].shape == value.shape
        np.testing.assert_allclose(gram.params[name], value, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(gram.predict(case.x), direct.predict(case.x), rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("loss", ["mean_squared_error", "sum_squared_error"])
@pytest.mark.parametrize("name", ["polynomial", "mlp"])
def test_losses(name, loss):
    case = CASES[name]
    data = (case.x, case.y)
    options = {
        **case.sizes, "params": case.params, "loss": loss, "learning_rate": 1e-5,
        "steps": 100, "dtype": "float64",
    }  # fmt: skip
    direct = funcnn.train(name, data, **options)
    gram = funcnn.train(name, data, form="gram", **options)
    np.testing.assert_allclose(gram.losses, direct.losses, rtol=1e-8)


def test_a_network_s_loss_may_be_any():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((20, 30)), rng.integers(0, 4, 20)
    options = {"loss": "cross_entropy", "learning_rate": 1e-4, "steps": 50, "dtype": "float64"}
    direct = funcnn.train("mlp", (x, y), **options)
    gram = funcnn.train("mlp", (x, y), form="gram", **options)
    np.testing.assert_allclose(gram.losses, direct.losses, rtol=1e-8)


@pytest.mark.parametrize(("name", "optimizer"), [("mlp", "momentum"), ("polynomial", "adam")])
def test_a_schedule(name, optimizer):
    case = CASES[name]
    rate = case.rates["sgd" if optimizer == "momentum" else "adaptive"]
    options = {
        "params": case.params,
        "optimizer": optimizer,
        "learning_rate": optax.piecewise_constant_schedule(rate, {40: 0.1}),
        "steps": 90,
        "dtype": "float64",
        **case.sizes,
    }
    direct = funcnn.train(name, (case.x, case.y), **options)
    gram = funcnn.train(name, (case.x, case.y), form="gram", **options)
    np.testing.assert_allclose(gram.losses, direct.losses, rtol=1e-8)


@pytest.mark.parametrize("optimizer", [sgd(1e-5), momentum(1e-5), momentum(1e-5, nesterov=True)])
def test_a_run_can_go_on_in_either_form(optimizer):
    # The momentum of the steps before is no sum of inputs that the loop knows of.
    case = CASES["mlp"]
    model = funcnn.models.make("mlp", in_features=30, hidden=8, out_features=5)
    loss = funcnn.losses.sum_squared_error
    direct, gram = (
        funcnn.make_update(model, loss, optimizer, form=form) for form in ("direct", "gram")
    )
    with jax.enable_x64(True):
        data = jnp.asarray(case.x), jnp.asarray(case.y)
        state = funcnn.initial_state(
            jax.tree.map(jnp.asarray, case.params), optimizer, jax.random.key(0)
        )
        expected, losses = funcnn.fit(direct, state, data, 60)
        found, parts = state, []
        for update, steps in ((gram, 20), (direct, 7), (gram, 1), (gram, 32)):
            found, part = funcnn.fit(update, found, data, steps)
            parts.append(part)
        np.testing.assert_allclose(np.concatenate(parts), losses, rtol=1e-9)
        assert jax.tree.structure(found) == jax.tree.structure(expected)
        for one, other in zip(
            jax.tree.leaves(found._replace(key=0)),
            jax.tree.leaves(expected._replace(key=0)),
            strict=True,
        ):
            np.testing.assert_allclose(one, other, rtol=1e-8, atol=1e-10)
        one_step, loss_before = gram(state, data)
        assert int(one_step.step) == 1
        np.testing.assert_allclose(loss_before, losses[0], rtol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["two-layer/optim", "sine/module", "sine/nn"])
def test_in_float32_it_is_as_close_to_the_truth(name):
    # The truth: float64, from the very arrays of the float32 runs. Near the end of the
    # networks' run the losses are rounding noise; so the first loss is the measure.
    experiment = funcnn.experiments.EXPERIMENTS[name]
    x, y = (values.astype("float32") for values in experiment.data())
    first = funcnn.train(experiment=name, steps=1, learning_rate=1e-30)
    start = {key: np.array(value) for key, value in first.params.items()}

    def run(form, dtype):
        data = (x.astype(dtype), y.astype(dtype))
        params = {key: value.astype(dtype) for key, value in start.items()}
        return funcnn.train(experiment=name, data=data, params=params, dtype=dtype, form=form)

    truth = run("direct", "float64")

    def furthest(result):
        losses = np.abs(result.losses - truth.losses).max() / truth.losses[0]
        params = max(
            np.abs(np.asarray(value, "float64") - np.asarray(truth.params[key])).max()
            for key, value in result.params.items()
        )
        return losses, params

    (direct_loss, direct_params), (gram_loss, gram_params) = (
        furthest(run(form, "float32")) for form in ("direct", "gram")
    )
    few_roundings = 4 * np.finfo("float32").eps
    assert gram_loss <= max(direct_loss, few_roundings)
    assert gram_params <= direct_params + few_roundings
    if name == "two-layer/optim":
        assert gram_params < 0.6 * direct_params


def test_it_traces_once(compiles):
    case = CASES["mlp"].cast("float32")
    train(case, "momentum", 5, "float32", form="gram")
    with compiles() as compiled:
        train(case._replace(rates={"sgd": 1e-6}), "momentum", 9, "float32", form="gram")
    assert compiled == []


def test_auto_takes_it_where_it_is_exact_and_cheaper():
    def form(model, data=None, **options):
        return make_plan(model, data, form="auto", **options).form

    rng = np.random.default_rng(0)
    wide, long = (
        (rng.standard_normal(shape), rng.standard_normal((shape[0], 2)))
        for shape in ((5, 40), (40, 5))
    )
    assert form("polynomial") == form("polynomial_linear", optimizer="adam") == "gram"
    assert form("mlp", wide, learning_rate=1e-6) == "gram"
    assert form("mlp", long, learning_rate=1e-6) == "direct"
    assert form("mlp", wide, optimizer="adam") == "direct"
    assert form("mlp", wide, learning_rate=1e-6, batch_size=2) == "direct"
    assert form("mlp", wide, learning_rate=1e-6, gradient="manual") == "direct"
    assert form("polynomial", optimizer=optax.sgd(1e-6)) == "direct"
    assert form("mlp_linear", wide) == form("legendre") == form("dynamic") == "direct"


@pytest.mark.parametrize(
    ("model", "options", "reason"),
    [
        ("mlp_linear", {}, "linear in its parameters"),
        ("legendre", {}, "linear in its parameters"),
        ("mlp", {"optimizer": "adam"}, "'sgd' and 'momentum'"),
        ("mlp", {"optimizer": "rmsprop"}, "'sgd' and 'momentum'"),
        ("mlp", {"weight_decay": 0.1}, "weight_decay"),
        ("mlp", {"batch_size": 8}, "batch_size"),
        ("polynomial", {"batch_size": 8}, "batch_size"),
        ("mlp", {"gradient": "manual"}, "gradient='manual'"),
        ("mlp", {"optimizer": optax.sgd(1e-6)}, "'sgd' and 'momentum'"),
        ("polynomial", {"optimizer": optax.sgd(1e-6)}, "funcnn.optimizers"),
        ("polynomial", {"loss": lambda p, t: jnp.abs(p - t).sum()}, "squared errors"),
    ],
)
def test_it_is_refused_where_it_would_not_be_exact(model, options, reason, compiles):
    with compiles() as compiled, pytest.raises(funcnn.ArgumentError, match="form='gram'") as error:
        funcnn.train(model, form="gram", steps=2, **options)
    assert reason in str(error.value)
    assert compiled == []


def test_an_unknown_form():
    with pytest.raises(funcnn.ArgumentError, match=r"form='grams'.*'gram'"):
        funcnn.train("mlp", form="grams")


def test_it_can_be_mapped_and_differentiated():
    model = funcnn.models.make("polynomial")
    loss = funcnn.losses.sum_squared_error
    x = jnp.linspace(-1, 1, 30)
    params = {name: jnp.float32(0.1) for name in "abcd"}

    def last(rate, form):
        update = funcnn.make_update(model, loss, sgd(rate), form=form)
        state = funcnn.initial_state(params, sgd(rate), jax.random.key(0))
        return funcnn.fit(update, state, (x, jnp.sin(2 * x)), 20)[1][-1]

    rates = jnp.array([1e-3, 5e-3])
    for function in (jax.vmap(last, (0, None)), jax.vmap(jax.grad(last), (0, None))):
        np.testing.assert_allclose(function(rates, "gram"), function(rates, "direct"), rtol=1e-3)


def test_a_linear_model_of_one_s_own(line):
    def init(key):
        return {"w": jax.random.normal(key, (2, 3)), "offset": jnp.zeros(())}

    def apply(params, x):
        bumps = jnp.exp(-((x[:, None] - jnp.array([-0.5, 0.0, 0.5])[None]) ** 2))
        return bumps @ params["w"][0] + (bumps**2) @ params["w"][1] + params["offset"]

    model = funcnn.Model(init, apply, linear=True)
    options = {"steps": 200, "dtype": "float64", "optimizer": "adam", "learning_rate": 1e-2}
    direct = funcnn.train(model, line, **options)
    gram = funcnn.train(model, line, form="auto", **options)
    assert gram.form == "gram"
    np.testing.assert_allclose(gram.losses, direct.losses, rtol=1e-8)


def test_adam_in_float32_keeps_its_dtype():
    result = funcnn.train("polynomial", optimizer=adam(1e-3), form="gram", steps=3)
    assert result.losses.dtype == np.float32
    assert {value.dtype for value in result.params.values()} == {np.dtype("float32")}
