"""Activations and dropout of ``mlp_linear``: what PyTorch makes of the same numbers."""

from __future__ import annotations

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import CASES, OPTIMIZERS

import funcnn
from funcnn.core.keys import run_key, step_key
from funcnn.core.precision import numerics
from funcnn.models import mlp_linear
from funcnn.models.activations import ACTIVATIONS
from funcnn.models.layers import dropout

KEY = jax.random.key(0)
SIZES = {"in_features": 3, "hidden": (4, 5), "out_features": 2}
SHORT = {"loss": "sum_squared_error", "dtype": "float64"}
X = np.random.default_rng(0).standard_normal((8, 3))
Y = np.random.default_rng(1).standard_normal((8, 2))


def make(**options):
    return funcnn.models.make("mlp_linear", **SIZES, **options)


# What PyTorch's are.


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch", reason="PyTorch is the reference")


MODULES = {"relu": "ReLU", "tanh": "Tanh", "sigmoid": "Sigmoid", "gelu": "GELU", "silu": "SiLU",
           "elu": "ELU", "leaky_relu": "LeakyReLU", "softplus": "Softplus",
           "identity": "Identity"}  # fmt: skip


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_an_activation_and_its_gradient(name, torch):
    around = [0.0, -0.0, 1e-300, -1e-300, 1e-9, -1e-9, 20.0, np.nextafter(20, 30), -20.0]
    x = np.concatenate([np.linspace(-8, 8, 101), around, [40, -40, 1e3, -1e3, 1e100, -1e100]])
    tensor = torch.tensor(x, requires_grad=True)
    value = getattr(torch.nn, MODULES[name])()(tensor)
    value.sum().backward()
    with numerics("float64"):
        found, gradient = jax.vmap(jax.value_and_grad(ACTIVATIONS[name]))(x)
    np.testing.assert_allclose(found, value.detach().numpy(), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(gradient, tensor.grad.numpy(), rtol=1e-12, atol=1e-12)


def sequential(torch, params, activation, after):
    """``nn.Sequential`` with these weights, ``after(layer)`` a module after each activation."""
    modules, layers = [], len(params) // 2
    for layer in range(1, layers + 1):
        weight = torch.tensor(params[f"w{layer}"].T)
        linear = torch.nn.Linear(*weight.shape[::-1], dtype=weight.dtype)
        linear.load_state_dict({"weight": weight, "bias": torch.tensor(params[f"b{layer}"])})
        modules.append(linear)
        if layer < layers:
            modules += [getattr(torch.nn, MODULES[activation])(), after(layer)]
    return torch.nn.Sequential(*modules)


def torch_losses(torch, network, case, steps, optimizer):
    """The losses of ``network``, trained by the case's rate."""
    _, _, torch_class, options, family = OPTIMIZERS[optimizer]
    x, y = torch.tensor(case.x), torch.tensor(case.y)
    rule = getattr(torch.optim, torch_class)(network.parameters(), lr=case.rates[family], **options)
    losses = []
    for _ in range(steps):
        loss = torch.nn.functional.mse_loss(network(x), y, reduction="sum")
        rule.zero_grad()
        loss.backward()
        rule.step()
        losses.append(loss.item())
    return losses


def losses_of(case, steps, optimizer, **more):
    name, options, _, _, family = OPTIMIZERS[optimizer]
    return funcnn.train(
        case.model, (case.x, case.y), params=case.params, optimizer=name,
        learning_rate=case.rates[family], steps=steps, **SHORT, **options, **more,
    ).losses  # fmt: skip


@pytest.mark.parametrize(("activation", "optimizer"), [("tanh", "momentum"), ("gelu", "adam")])
def test_a_run_with_another_activation(activation, optimizer, torch):
    case = CASES["mlp_linear-deep"]
    network = sequential(torch, case.params, activation, lambda _: torch.nn.Identity())
    expected = torch_losses(torch, network, case, 300, optimizer)
    losses = losses_of(case, 300, optimizer, activation=activation)
    np.testing.assert_allclose(losses, expected, rtol=1e-8)


def test_a_run_with_dropout_given_its_masks(torch):
    """The masks are drawn here from the keys, as documented, and handed to PyTorch."""
    case, rate, steps, seed = CASES["mlp_linear-deep"], 0.3, 50, 7
    drawn = []

    @functools.partial(jax.jit, static_argnames="shape")
    def bits_of(step, layer, shape):
        key = jax.random.fold_in(step_key(run_key(seed), step), layer)
        return jax.random.bits(key, shape, jnp.uint32)

    class Masked(torch.nn.Module):
        def __init__(self, layer):
            super().__init__()
            self.layer, self.step = layer, itertools.count()

        def forward(self, h):
            bits = np.asarray(bits_of(next(self.step), self.layer, tuple(h.shape)))
            drawn.append(bits / 2**32 >= rate)
            return h * torch.tensor(drawn[-1]) / (1 - rate)

    network = sequential(torch, case.params, "tanh", Masked)
    expected = torch_losses(torch, network, case, steps, "adam")
    losses = losses_of(case, steps, "adam", activation="tanh", dropout=rate, seed=seed)
    np.testing.assert_allclose(losses, expected, rtol=1e-10)
    # Two layers at each of the steps, and no mask like another.
    assert len({mask.tobytes() for mask in drawn}) == len(drawn) == 2 * steps


def test_the_scale_of_dropout_is_pytorch_s(torch):
    ones = np.ones(2000)
    found = np.unique(dropout(KEY, ones, 0.2))
    expected = np.unique(torch.nn.functional.dropout(torch.tensor(ones), 0.2).numpy())
    np.testing.assert_allclose(found, expected, rtol=1e-6)


# Dropout.


@pytest.mark.parametrize("rate", [1e-3, 0.5, 0.9])
def test_the_expected_share_is_dropped(rate):
    count = 200_000
    dropped = np.asarray(dropout(KEY, np.ones(count, "f"), rate)) == 0
    deviation = np.sqrt(rate * (1 - rate) / count)
    assert abs(dropped.mean() - rate) < 5 * deviation
    with numerics("float64"):  # The same numbers in float64.
        np.testing.assert_array_equal(np.asarray(dropout(KEY, np.ones(count), rate)) == 0, dropped)


def test_rates_at_the_ends():
    ones = np.ones(100, "f")
    np.testing.assert_array_equal(dropout(KEY, ones, 1e-300), ones)
    assert not np.asarray(dropout(KEY, ones, np.nextafter(1, 0))).any()


@pytest.mark.slow
def test_the_mean_over_the_draws_is_the_prediction_where_the_layers_are_linear():
    model = make(activation="identity", dropout=0.3)
    params = model.init(KEY)
    draw = jax.jit(jax.vmap(lambda key: model.apply(params, X, key)))
    drawn = draw(jax.random.split(KEY, 5000))
    np.testing.assert_allclose(drawn.mean(axis=0), model.predict(params, X), atol=0.04)
    assert float(drawn.std(axis=0).min()) > 0.05


def test_what_is_dropped_follows_from_the_seed_and_the_step_alone():
    options = {"hidden": (6, 5), "dropout": 0.4, "optimizer": "sgd", "learning_rate": 1e-12}
    losses = funcnn.train("mlp_linear", (X, Y), seed=5, steps=30, **options).losses
    assert len(set(losses.tolist())) > 25
    members = funcnn.sweep("mlp_linear", (X, Y), seed=[4, 5], steps=30, **options)
    np.testing.assert_allclose(members.losses[1], losses, rtol=1e-5)
    assert (np.abs(members.losses[0] - losses) > 1e-5 * losses).all()
    member = members.result(1)  # It predicts without dropout.
    expected = mlp_linear.apply(member.params, X.astype("f"))
    np.testing.assert_allclose(member.predict(X), expected, rtol=1e-5)


# Predictions.


def test_predictions_are_made_without_dropout():
    result = funcnn.train("mlp_linear", (X, Y), dropout=0.5, activation="silu", steps=5, **SHORT)
    params = jax.tree.map(np.asarray, result.params)
    with numerics("float64"):
        expected = mlp_linear.apply(params, X, activation="silu")
    np.testing.assert_allclose(result.predict(X), expected, rtol=1e-12)
    # With a seed, dropout is drawn.
    one, other, again = (result.predict(X, seed=seed) for seed in (1, 2, 1))
    np.testing.assert_array_equal(one, again)
    assert (one != other).any()
    assert (one != result.predict(X)).any()


def test_the_dynamic_net_predicts_the_mean_over_its_draws():
    case = CASES["dynamic"]
    result = funcnn.train("dynamic", (case.x, case.y), params=case.params, steps=2,
                          learning_rate=1e-9, dtype="float64")  # fmt: skip
    a, b, c, d, e = (result.params[letter] for letter in "abcde")
    cubic = a + b * case.x + c * case.x**2 + d * case.x**3
    fourth, fifth = e * case.x**4, e * case.x**5
    draws = [cubic, cubic + fourth, cubic + fourth + fifth]
    np.testing.assert_allclose(result.predict(case.x), np.mean(draws, axis=0), rtol=1e-12)
    drawn = result.predict(case.x, seed=3)
    assert min(np.abs(drawn - one).max() for one in draws) < 1e-9


def noisy(params, x, key):
    return x @ params["w"] + jax.random.normal(key, ())


NOISY = funcnn.Model(lambda _: {"w": jnp.ones((3, 2))}, noisy, stochastic=True)


@pytest.mark.slow
def test_a_stochastic_model_of_one_s_own_says_what_it_predicts():
    result = funcnn.train(NOISY, (X, Y), steps=2)
    with pytest.raises(funcnn.ArgumentError, match=r"predict=.*\(params, x\) -> prediction"):
        result.predict(X)
    assert result.predict(X, seed=1).shape == Y.shape  # a draw
    quiet = NOISY._replace(predict=lambda params, x: x @ params["w"])
    result = funcnn.train(quiet, (X, Y), steps=2)
    np.testing.assert_allclose(result.predict(X), X @ result.params["w"], rtol=1e-5)


@pytest.mark.parametrize(
    ("predict", "message"),
    [
        (lambda params, x: (x @ params["w"])[:, 0], "the model's predict gives"),
        (lambda params, x: (x @ params["w"], x), "the model's predict gives"),
        (3, "model's predict must be a function"),
    ],
)
def test_a_predict_that_predicts_something_else_is_refused(predict, message, compiles):
    with compiles() as compiled, pytest.raises(funcnn.ArgumentError, match=message):
        funcnn.train(NOISY._replace(predict=predict), (X, Y), steps=2)
    assert compiled == []


# The model that ``make`` gives.


def test_the_plain_network_is_the_same_model_however_it_is_said():
    plain = make()
    assert plain is make(dropout=0) is make(dropout=np.float32(0)) is make(activation="relu")
    assert plain.apply is mlp_linear.apply
    assert not plain.stochastic
    assert plain.predict is None


def test_the_same_options_are_the_same_model():
    tanh = make(activation="tanh", dropout=0.1)
    assert tanh is make(dropout=0.1, activation="tanh")
    assert tanh is not make(activation="tanh")
    wider = funcnn.models.make(
        "mlp_linear", **SIZES | {"hidden": (9,)}, activation="tanh", dropout=0.1
    )
    assert wider.apply is tanh.apply  # What is compiled is found by it.
    assert tanh.stochastic
    assert tanh.head is None


@pytest.mark.parametrize("options", [{"activation": "tanh"}, {"dropout": 0.5}])
def test_the_gradient_by_hand_is_for_the_plain_network(options, compiles):
    assert make(**options).value_and_grad is None
    with (
        compiles() as compiled,
        pytest.raises(funcnn.ArgumentError, match="no gradient derived by hand"),
    ):
        funcnn.train("mlp_linear", (X, Y), gradient="manual", **SHORT, **options)
    assert compiled == []


def test_the_gram_form_takes_any_activation():
    options = {"activation": "gelu", "optimizer": "momentum", "learning_rate": 1e-3, "steps": 40}
    wide = np.random.default_rng(2).standard_normal((8, 50))
    direct = funcnn.train("mlp_linear", (wide, Y), hidden=(6, 4), **SHORT, **options)
    gram = funcnn.train("mlp_linear", (wide, Y), hidden=(6, 4), form="gram", **SHORT, **options)
    np.testing.assert_allclose(gram.losses, direct.losses, rtol=1e-9)
    with pytest.raises(funcnn.ArgumentError, match="draws random numbers has another head"):
        funcnn.train("mlp_linear", (wide, Y), form="gram", dropout=0.5, **SHORT, **options)


def test_without_hidden_layers_there_is_nothing_to_activate_or_to_drop():
    params = mlp_linear.init(KEY, in_features=3, hidden=(), out_features=2)
    x = X.astype("f")
    expected = x @ np.asarray(params["w1"]) + np.asarray(params["b1"])
    found = mlp_linear.apply(params, x, KEY, activation="tanh", dropout=0.5)
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_dropout_needs_a_key():
    with pytest.raises(funcnn.ArgumentError, match="pass a key"):
        mlp_linear.apply(make().init(KEY), X, dropout=0.5)


REFUSED = {
    "class": ({"activation": "ReLU"}, "activation='ReLU' is not known; did you mean 'relu'?"),
    "torch": ({"activation": "torch.nn.GELU"}, "did you mean 'gelu'?"),
    "other": ({"activation": "selu"}, "It is not offered: pass a model of your own."),
    "kind": ({"activation": jax.nn.relu}, "is not a name"),
    "one": ({"dropout": 1}, "dropout=1 must be below 1"),
    "below": ({"dropout": -0.1}, "dropout=-0.1 must be a non-negative"),
    "flag": ({"dropout": True}, "dropout=True is not a number"),
    "nan": ({"dropout": float("nan")}, "dropout=nan must be"),
    "mlp": ({"model": "mlp", "activation": "tanh"}, "has no activation; model='mlp_linear' takes"),
    "curve": (
        {"model": "polynomial", "data": (X[:, 0], Y[:, 0]), "dropout": 0.1},
        "has no dropout; model='mlp_linear' takes it",
    ),
    "own": ({"model": NOISY, "dropout": 0.1}, "options of a model of your own are its own"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_options_that_are_refused(name, compiles):
    options, message = REFUSED[name]
    with compiles() as compiled, pytest.raises(funcnn.ArgumentError) as caught:
        funcnn.train(**{"model": "mlp_linear", "data": (X, Y)} | options)
    assert message in str(caught.value)
    assert compiled == []


def test_make_refuses_the_options_of_another_model():
    with pytest.raises(funcnn.ArgumentTypeError, match=r"takes no activation\. model='mlp_linear'"):
        funcnn.models.make("mlp", activation="tanh")
