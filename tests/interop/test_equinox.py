"""Modules of Equinox, as they are."""

from __future__ import annotations

import jax
import numpy as np
import optax
import pytest

import funcnn

eqx = pytest.importorskip("equinox")


class Dropping(eqx.Module):
    """A network with dropout."""

    first: eqx.nn.Linear
    dropout: eqx.nn.Dropout
    second: eqx.nn.Linear

    def __init__(self, key):
        one, two = jax.random.split(key)
        self.first = eqx.nn.Linear(3, 8, key=one)
        self.dropout = eqx.nn.Dropout(0.5)
        self.second = eqx.nn.Linear(8, 1, key=two)

    def __call__(self, x, *, key=None):
        return self.second(self.dropout(jax.nn.tanh(self.first(x)), key=key))


def network(seed: int = 0):
    return eqx.nn.MLP(3, 1, 8, depth=1, activation=jax.nn.tanh, key=jax.random.key(seed))


@pytest.fixture(scope="module")
def data():
    x = np.random.default_rng(0).standard_normal((16, 3)).astype("float32")
    return x, (x[:, :1] * 2).astype("float32")


@pytest.fixture(scope="module")
def trained(data):
    return funcnn.train(network(), data, steps=20, optimizer="sgd", learning_rate=0.1)


def test_the_losses_are_those_of_a_loop_in_equinox_itself(data, trained):
    x, y = data

    @eqx.filter_jit
    @eqx.filter_value_and_grad
    def step(net):
        return ((jax.vmap(net)(x) - y) ** 2).mean()

    net, losses = network(), []
    for _ in range(20):
        loss, gradient = step(net)
        net = eqx.apply_updates(net, jax.tree.map(lambda one: -0.1 * one, gradient))
        losses.append(loss)
    # Roundings of float32, 20 steps of them.
    np.testing.assert_allclose(trained.losses, losses, rtol=1e-5)
    again = eqx.combine(trained.params, network())
    np.testing.assert_allclose(jax.vmap(again)(x), jax.vmap(net)(x), atol=1e-5)
    np.testing.assert_allclose(jax.vmap(again)(x), trained.predict(x), atol=1e-6)


@pytest.mark.parametrize("net", [network(), network(seed=1)], ids=["equal", "of-other-values"])
def test_a_like_module_compiles_nothing_again(net, data, trained, compiles):
    del trained
    with compiles() as compiled:
        funcnn.train(net, data, steps=20, optimizer="sgd", learning_rate=0.2)
    assert compiled == []


def test_another_activation_is_another_model(data, trained):
    other = eqx.nn.MLP(3, 1, 8, depth=1, activation=jax.nn.relu, key=jax.random.key(0))
    result = funcnn.train(other, data, steps=1, optimizer="sgd", learning_rate=0.1)
    assert result.losses[0] != trained.losses[0]


def test_a_run_goes_on_from_params_and_from_a_state(data, trained):
    rates = {"optimizer": optax.sgd(0.1), "steps": 2}
    first = funcnn.train(network(), data, params=trained.params, **rates)
    rest = funcnn.train(network(), data, state=first.state, **rates)
    assert trained.losses[-1] > first.losses[0] > first.losses[1] > rest.losses[0]


def test_dropout_draws_while_training_and_not_in_predictions(data):
    net = Dropping(jax.random.key(0))
    result = funcnn.train(net, data, steps=2, optimizer="sgd", learning_rate=0.1)
    assert result.model.stochastic
    again = eqx.nn.inference_mode(eqx.combine(result.params, net))
    np.testing.assert_allclose(jax.vmap(again)(data[0]), result.predict(data[0]), atol=1e-6)
    drawn = np.stack([result.predict(data[0], seed=seed) for seed in range(2)])
    assert np.ptp(drawn, axis=0).min() > 0
    assert not Dropping(jax.random.key(0)).dropout.inference  # The module is as it was.


def test_float64_is_the_run_s_or_the_module_s(data):
    wide = funcnn.train(network(), data, steps=1, dtype="float64")
    params, static = eqx.partition(network(), eqx.is_inexact_array)
    with jax.enable_x64(True):
        params = jax.tree.map(lambda leaf: leaf.astype("float64"), params)
    own = funcnn.train(eqx.combine(params, static), data, steps=1)
    assert wide.dtype == own.dtype == "float64"
    assert own.losses[0] == wide.losses[0]


def test_a_sweep_takes_a_module(data):
    result = funcnn.sweep(network(), data, steps=3, learning_rate=[0.1, 0.01])
    assert result.losses.shape == (2, 3)


def test_running_values_are_refused_by_name(data):
    net = eqx.nn.Sequential(
        [eqx.nn.Linear(3, 1, key=jax.random.key(0)), eqx.nn.BatchNorm(1, "batch", mode="batch")]
    )
    with pytest.raises(funcnn.ArgumentError, match=r"layers\[1\].*BatchNorm"):
        funcnn.train(net, data)


def test_a_class_is_no_module(data):
    with pytest.raises(funcnn.ArgumentTypeError, match=r"an equinox\.Module that can be called"):
        funcnn.train(eqx.nn.MLP, data)
