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
from funcnn.runs.planning import make_plan

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
    "mlp_linear": CASES["mlp_linear"],
    "mlp_linear-deep": CASES["mlp_linear-deep"],
    "mlp_linear-one-sample": CASES["mlp_linear-one-sample"],
    "mlp_linear-no-hidden": CASES["mlp_linear-no-hidden"],
}
OPTIMIZERS = OPTIMIZERS | {
    "nesterov-decay": (
        "momentum",
        {"nesterov": True, "weight_decay": 0.1},
        "SGD",
        {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1},
        "sgd",
    )
}

# Name of the case, the case, the optimizer, the batch size.
RUNS = [
    # The optimizers see a gradient and not the form: each is with one shape of the curves.
    *(
        (name, LINEAR[name], optimizer, None)
        for name, optimizer in (
            ("polynomial", "nesterov-decay"),
            ("polynomial", "rmsprop-centered"),
            ("polynomial", "adamw"),
            ("polynomial-line", "sgd"),
            ("polynomial-quintic", "adam-decay"),
            ("polynomial-two-points", "nesterov"),
            ("polynomial-two-points", "adamw"),
            ("polynomial_linear", "rmsprop"),
            ("polynomial_linear-line", "rmsprop-momentum"),
        )
    ),
    # The first layer's momentum and decay, apart and together, with a bias and without.
    *(("mlp", CASES["mlp"], optimizer, None) for optimizer in ("momentum", "sgd-decay")),
    ("mlp_linear", CASES["mlp_linear"], "sgd", None),
    *((name, case, "nesterov-decay", None) for name, case in NETWORKS.items()),
    # Batches that divide the samples, and that leave a short one at the end of each epoch.
    ("mlp", CASES["mlp"], "sgd", 4),
    ("mlp", CASES["mlp"], "nesterov-decay", 5),
    ("mlp_linear", CASES["mlp_linear"], "momentum", 1),
    ("mlp_linear-deep", CASES["mlp_linear-deep"], "momentum-decay", 3),
]  # fmt: skip


@pytest.mark.parametrize(
    ("case", "optimizer", "batch_size"),
    [
        pytest.param(
            case,
            optimizer,
            batch_size,
            id=f"{name}-{optimizer}-{batch_size}",
            marks=[] if name in ("mlp", "polynomial") else [pytest.mark.slow],
        )
        for name, case, optimizer, batch_size in RUNS
    ],
)
def test_every_step_is_the_direct_form_s(case, optimizer, batch_size):
    options = {"loss": "sum_squared_error", "steps": 300, "dtype": "float64", "params": case.params}
    name, more, _, _, family = OPTIMIZERS[optimizer]
    options |= {"optimizer": name, "learning_rate": case.rates[family], **more}
    options |= {"batch_size": batch_size}
    direct, gram = (
        funcnn.train(case.model, (case.x, case.y), form=form, **options)
        for form in ("direct", "gram")
    )
    assert (direct.form, gram.form) == ("direct", "gram")
    np.testing.assert_allclose(gram.losses, direct.losses, rtol=1e-8)
    assert gram.params.keys() == direct.params.keys()
    for name, value in direct.params.items():
        assert gram.params[name].shape == value.shape
        np.testing.assert_allclose(gram.params[name], value, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(gram.predict(case.x), direct.predict(case.x), rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("name", ["polynomial", "mlp"])
def test_the_mean_of_squared_errors(name):
    case = CASES[name]
    data = (case.x, case.y)
    options = {
        "params": case.params, "loss": "mean_squared_error", "optimizer": "sgd",
        "learning_rate": 1e-5, "steps": 100, "dtype": "float64",
    }  # fmt: skip
    direct = funcnn.train(name, data, **options)
    gram = funcnn.train(name, data, form="gram", **options)
    np.testing.assert_allclose(gram.losses, direct.losses, rtol=1e-8)


def hinge(prediction, target):
    classes = jax.nn.one_hot(target, prediction.shape[1], dtype=prediction.dtype)
    of_target = (prediction * classes).sum(axis=1, keepdims=True)
    return jnp.maximum(0, 1 + prediction - of_target).mean()


@pytest.mark.parametrize(("model", "loss"), [("mlp", "cross_entropy"), ("mlp_linear", hinge)])
def test_a_network_s_loss_may_be_any(model, loss):
    rng = np.random.default_rng(0)
    data = rng.standard_normal((20, 30)), rng.integers(0, 4, 20)
    options = {"hidden": 8, "loss": loss, "optimizer": "sgd", "learning_rate": 1e-3}
    options |= {"steps": 50, "dtype": "float64"}
    direct = funcnn.train(model, data, **options)
    gram = funcnn.train(model, data, form="gram", **options)
    np.testing.assert_allclose(gram.losses, direct.losses, rtol=1e-8)


@pytest.mark.parametrize(("name", "optimizer"), [("mlp", "momentum"), ("polynomial", "adam")])
def test_a_schedule(name, optimizer):
    case = CASES[name]
    rate = case.rates["sgd" if optimizer == "momentum" else "adaptive"]
    options = {
        "params": case.params,
        "loss": "sum_squared_error",
        "optimizer": optimizer,
        "learning_rate": optax.piecewise_constant_schedule(rate, {40: 0.1}),
        "steps": 90,
        "dtype": "float64",
    }
    direct = funcnn.train(name, (case.x, case.y), **options)
    gram = funcnn.train(name, (case.x, case.y), form="gram", **options)
    np.testing.assert_allclose(gram.losses, direct.losses, rtol=1e-8)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "optimizer", "batch_size"),
    [
        ("mlp", sgd(1e-5), None),
        ("mlp_linear-deep", momentum(1e-5, nesterov=True, weight_decay=0.1), 3),
        ("polynomial", adam(1e-3), None),
    ],
)
def test_fit_can_go_on_in_either_form(name, optimizer, batch_size):
    # The momentum of the steps before is no sum of inputs that the loop knows of.
    case = CASES[name]
    sizes = funcnn.models.MODELS[case.model].sizes(case.params)
    model = funcnn.models.make(case.model, **sizes)
    loss = funcnn.losses.sum_squared_error
    direct, gram = (
        funcnn.make_update(model, loss, optimizer, form=form, batch_size=batch_size)
        for form in ("direct", "gram")
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
    few_roundings = 4 * np.finfo("float32").eps  # of sums over as many as 2000 points
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


def test_auto_takes_it_where_it_fits_and_is_done_first():
    def form(model, data=None, **options):
        return make_plan(model, data, form="auto", **options).form.name

    rng = np.random.default_rng(0)
    wide, long = (
        (rng.standard_normal(shape), rng.standard_normal((shape[0], 2)))
        for shape in ((5, 40), (40, 5))
    )
    # The tutorials' own runs.
    assert form("polynomial") == form("polynomial_linear") == "gram"
    assert form("polynomial", optimizer="adam") == "gram"
    assert form("mlp") == form("mlp_linear") == "gram"
    assert form("legendre") == form("dynamic") == "direct"
    # A few steps are made before the inner products are.
    assert form("polynomial", steps=3) == form("mlp", steps=1) == "direct"
    assert form("mlp", wide, optimizer="sgd", steps=2) == "direct"
    for model in ("mlp", "mlp_linear"):
        assert form(model, wide, optimizer="sgd") == "gram"
        assert form(model, wide, optimizer="momentum", weight_decay=0.1) == "gram"
        assert form(model, wide, optimizer="sgd", batch_size=4) == "gram"
        assert form(model, long, optimizer="sgd") == "direct"
        # Where it does not fit.
        assert form(model, wide) == form(model, wide, optimizer="rmsprop") == "direct"
        assert form(model, wide, optimizer=optax.sgd(1e-6)) == "direct"
    options = {"loss": "sum_squared_error", "optimizer": "sgd", "gradient": "manual"}
    assert form("mlp", wide, **options) == "direct"
    assert form("polynomial", optimizer=optax.sgd(1e-6)) == "direct"
    assert form("polynomial", batch_size=50) == "direct"


def points(params, x, *key):
    """A model that is linear in its params."""
    del key
    return x * params["slope"] + params["offset"]


def ones(key):
    del key
    return {"slope": jnp.ones(()), "offset": jnp.ones(())}


CURVE = np.linspace(-1, 1, 9), np.linspace(-1, 1, 9) ** 2
NOT_LINEAR, NO_HEAD = "is not linear in its params", "is not known from its first layer on"


@pytest.mark.parametrize(
    ("model", "options", "reasons"),
    [
        ("legendre", {}, (NOT_LINEAR, NO_HEAD)),
        ("dynamic", {}, (NOT_LINEAR, "has another head at every step")),
        (
            "mlp_linear",
            {"dropout": 0.1, "optimizer": "sgd"},
            (NOT_LINEAR, "has another head at every step"),
        ),
        ("mlp", {"optimizer": "adam"}, (NOT_LINEAR, "'sgd' and 'momentum' alone")),
        ("mlp_linear", {"optimizer": "rmsprop"}, (NOT_LINEAR, "'sgd' and 'momentum' alone")),
        ("mlp", {"gradient": "manual"}, (NOT_LINEAR, "gradient='autodiff' is needed")),
        ("mlp", {"optimizer": optax.sgd(1e-6)}, (NOT_LINEAR, "'sgd' and 'momentum' alone")),
        ("polynomial", {"batch_size": 8}, ("leave batch_size out", NO_HEAD)),
        ("polynomial", {"gradient": "manual"}, ("gradient='autodiff' is needed", NO_HEAD)),
        ("polynomial", {"optimizer": optax.sgd(1e-6)}, ("one of funcnn.optimizers", NO_HEAD)),
        (
            "polynomial",
            {"loss": lambda prediction, target: jnp.abs(prediction - target).sum()},
            ("the sum or the mean of squared errors", NO_HEAD),
        ),
        (
            funcnn.Model(ones, points, linear=True, stochastic=True),
            {"data": CURVE},
            ("draws random numbers", "has another head at every step"),
        ),
        (funcnn.Model(ones, points), {"data": CURVE}, (NOT_LINEAR, NO_HEAD)),
    ],
)
def test_it_is_refused_with_the_reasons_of_both_forms(model, options, reasons, compiles):
    with compiles() as compiled, pytest.raises(funcnn.ArgumentError, match="form='gram'") as error:
        funcnn.train(model, form="gram", steps=2, **options)
    for reason in reasons:
        assert reason in str(error.value)
    assert compiled == []


@pytest.mark.parametrize(
    "apply",
    [
        lambda params, x: x * params["slope"] * params["offset"],
        lambda params, x: x * params["slope"] + params["offset"] + 1,
        lambda params, x: x * jnp.sin(params["slope"]) + params["offset"],
        lambda params, x: x * jax.nn.relu(params["slope"]) + params["offset"],
    ],
)
def test_a_model_is_held_to_what_it_says_of_itself(apply):
    model = funcnn.Model(ones, apply, linear=True)
    for form in ("gram", "auto"):
        with pytest.raises(funcnn.ArgumentError, match="linear=True, and its prediction is not"):
            funcnn.train(model, CURVE, form=form, steps=10**6)
    funcnn.train(model, CURVE, steps=2)


def test_an_unknown_form():
    with pytest.raises(funcnn.ArgumentError, match=r"form='grams'.*'gram'"):
        funcnn.train("mlp", form="grams")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["polynomial", "mlp_linear"])
def test_it_can_be_mapped_and_differentiated(name):
    case = CASES[name].cast("float32")
    sizes = funcnn.models.MODELS[case.model].sizes(case.params)
    model = funcnn.models.make(case.model, **sizes)
    params = jax.tree.map(jnp.asarray, case.params)
    data = jnp.asarray(case.x), jnp.asarray(case.y)

    def last(rate, form):
        optimizer = momentum(rate, momentum=0.5, weight_decay=0.1)
        update = funcnn.make_update(model, funcnn.losses.mean_squared_error, optimizer, form=form)
        state = funcnn.initial_state(params, optimizer, jax.random.key(0))
        return funcnn.fit(update, state, data, 20)[1][-1]

    rates = jnp.array([1e-4, 3e-4])
    for function in (jax.vmap(last, (0, None)), jax.vmap(jax.grad(last), (0, None))):
        function = jax.jit(function, static_argnums=1)  # noqa: PLW2901
        np.testing.assert_allclose(function(rates, "gram"), function(rates, "direct"), rtol=2e-3)


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


def test_a_network_of_one_s_own_is_known_by_its_head():
    case = CASES["mlp"]

    def head(params, h):
        return jnp.tanh(h) @ params["w2"] + params["shift"]

    def apply(params, x):
        return head(params, x @ params["w1"])

    def init(key):
        del key
        return {"w1": jnp.full((30, 8), 0.1), "w2": jnp.ones((8, 5)), "shift": jnp.ones(())}

    model = funcnn.Model(init, apply, head=head)
    options = {"optimizer": "momentum", "steps": 100, "dtype": "float64"}
    direct, gram = (
        funcnn.train(model, (case.x, case.y), form=form, **options) for form in ("direct", "gram")
    )
    assert gram.form == "gram"
    np.testing.assert_allclose(gram.losses, direct.losses, rtol=1e-8)


def test_adam_in_float32_keeps_its_dtype():
    result = funcnn.train("polynomial", optimizer=adam(1e-3), form="gram", steps=3)
    assert result.losses.dtype == np.float32
    assert {value.dtype for value in result.params.values()} == {np.dtype("float32")}


def test_a_model_is_held_to_its_head():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((6, 20)), rng.standard_normal((6, 2))

    def init(key):
        return funcnn.models.mlp.init(key, in_features=20, hidden=5, out_features=2)

    model = funcnn.Model(init, funcnn.models.mlp.apply, head=funcnn.models.mlp.head)
    options = {"form": "gram", "optimizer": "sgd", "learning_rate": 1e-4, "steps": 5}
    funcnn.train(model, (x, y), **options)
    other = model._replace(head=lambda params, h: h @ params["w2"])
    with pytest.raises(funcnn.ArgumentError, match="head is not what its apply does"):
        funcnn.train(other, (x, y), **options)


@pytest.mark.parametrize("name", ["sine/rmsprop", "sine/nn"])
def test_the_forms_agree_as_long_as_the_direct_form_agrees_with_itself(name):
    # As gradients vanish RMSprop's steps enlarge every rounding: a direct run that starts one
    # rounding away parts from the first one too. Nine tenths of the steps before are compared.
    start = {"w": np.full((3, 1), 0.2), "b": np.full(1, 0.1)}
    nudged = {key: np.nextafter(value, np.inf) for key, value in start.items()}

    def losses(params, form):
        shared = {"experiment": name, "dtype": "float64"}
        return funcnn.train(params=params, form=form, **shared).losses

    direct = losses(start, "direct")
    apart = np.abs(losses(nudged, "direct") / direct - 1) > 1e-8
    together = int(0.9 * np.argmax(apart)) if apart.any() else len(direct)
    assert together > 500
    np.testing.assert_allclose(losses(start, "gram")[:together], direct[:together], rtol=1e-8)
