"""Models of Equinox, Flax, Haiku and stax, as they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen, nnx
from jax.example_libraries import stax

import funcnn
from funcnn.core.precision import jax_promotion
from funcnn.interop.adapting import ByValue

SGD = {"optimizer": "sgd", "learning_rate": 0.1}


class EquinoxNet(eqx.Module):
    first: eqx.nn.Linear
    dropout: eqx.nn.Dropout
    second: eqx.nn.Linear

    def __init__(self, share):
        one, two = jax.random.split(jax.random.key(0))
        self.first = eqx.nn.Linear(3, 8, key=one)
        self.dropout = eqx.nn.Dropout(share, inference=not share)
        self.second = eqx.nn.Linear(8, 1, key=two)

    def __call__(self, x, *, key=None):
        return self.second(self.dropout(jnp.tanh(self.first(x)), key=key))


class NNXNet(nnx.Module):
    def __init__(self, share):
        rngs = nnx.Rngs(0)
        self.layers = nnx.List([nnx.Linear(3, 8, rngs=rngs), nnx.Linear(8, 1, rngs=rngs)])
        self.dropout = nnx.Dropout(share, rngs=rngs) if share else lambda x: x

    def __call__(self, x):
        return self.layers[1](self.dropout(jnp.tanh(self.layers[0](x))))


class LinenNet(linen.Module):
    share: float

    @linen.compact
    def __call__(self, x, train: bool = False):
        h = jnp.tanh(linen.Dense(8)(x))
        return linen.Dense(1)(linen.Dropout(self.share, deterministic=not train)(h))


def haiku_net(share):
    def forward(x, is_training=False):
        h = jnp.tanh(hk.Linear(8)(x))
        if is_training and share:
            h = hk.dropout(hk.next_rng_key(), share, h)
        return hk.Linear(1)(h)

    return hk.transform(forward)


def stax_net(share):
    dropping = [stax.Dropout(1 - share)] if share else []  # stax counts what it keeps.
    return stax.serial(stax.Dense(8), stax.Tanh, *dropping, stax.Dense(1))


def nnx_apply(net, params, x):
    graph, _, rest = nnx.split(net, nnx.Param, ...)
    trained = nnx.merge(graph, nnx.State(params), rest)
    trained.eval()
    return trained(x)


class Library(NamedTuple):
    """A library's models, in its own words.

    Attributes:
        make: a network, with the share of its dropout.
        start: its initial params.
        apply: its prediction from params, without noise.
        equal: whether two networks that are made alike are the same model.
    """

    make: Callable[[float], Any]
    start: Callable[[Any, Any], Any]
    apply: Callable[[Any, Any, Any], Any]
    equal: bool


LIBRARIES = {
    "equinox": Library(
        EquinoxNet,
        lambda net, _: eqx.filter(net, eqx.is_inexact_array),
        lambda net, params, x: jax.vmap(eqx.nn.inference_mode(eqx.combine(params, net)))(x),
        True,
    ),
    "nnx": Library(
        NNXNet,
        lambda net, _: nnx.to_pure_dict(nnx.state(net, nnx.Param)),
        nnx_apply,
        False,  # Its lambda is another each time.
    ),
    "linen": Library(
        LinenNet,
        lambda net, x: net.init(jax.random.key(0), x)["params"],
        lambda net, params, x: net.apply({"params": params}, x),
        True,
    ),
    "haiku": Library(
        haiku_net,
        lambda net, x: net.init(jax.random.key(0), x),
        lambda net, params, x: net.apply(params, None, x),
        False,
    ),
    "stax": Library(
        stax_net,
        lambda net, _: net[0](jax.random.key(0), (-1, 3))[1],
        lambda net, params, x: net[1](params, x),
        False,
    ),
}


@pytest.fixture(scope="module")
def data():
    x = np.random.default_rng(0).standard_normal((16, 3)).astype("float32")
    return x, (x[:, :1] * 2).astype("float32")


@pytest.fixture(scope="module", params=LIBRARIES)
def case(request, data):
    """A library, a network, and what funcnn made of it."""
    library = LIBRARIES[request.param]
    net = library.make(0.0)
    return library, net, funcnn.train(net, data, steps=20, **SGD)


def test_the_losses_are_those_of_a_loop_in_the_library_s_own_words(case, data):
    library, net, result = case
    x, y = data

    @jax.jit
    @jax.value_and_grad
    def descend(params):
        return ((library.apply(net, params, x) - y) ** 2).mean()

    losses = []
    with jax_promotion():
        params = library.start(net, x)
        for _ in range(20):
            loss, gradient = descend(params)
            params = jax.tree.map(lambda one, slope: one - 0.1 * slope, params, gradient)
            losses.append(loss)
    # Roundings of float32, 20 steps of them.
    np.testing.assert_allclose(result.losses, losses, rtol=1e-5)
    jax.tree.map(lambda one, other: np.testing.assert_allclose(one, other, atol=1e-5),
        result.params, params)  # fmt: skip


def test_the_params_are_the_library_s_own(case, data):
    library, _, result = case
    with jax_promotion():
        prediction = library.apply(library.make(0.0), result.params, data[0])
    np.testing.assert_allclose(prediction, result.predict(data[0]), atol=1e-6)


def test_the_same_model_compiles_nothing_again(case, data, compiles):
    library, net, _ = case
    with compiles() as compiled:
        funcnn.train(net, data, steps=20, **SGD | {"learning_rate": 0.2})
        if library.equal:
            funcnn.train(library.make(0.0), data, steps=20, **SGD)
    assert compiled == []


def test_a_run_goes_on_from_a_state(case, data):
    _, net, result = case
    rest = funcnn.train(net, data, state=result.state, steps=20, **SGD)
    assert rest.losses[0] < result.losses[-1]


@pytest.mark.parametrize("name", LIBRARIES)
def test_dropout_draws_in_training_and_not_in_predictions(name, data):
    library = LIBRARIES[name]
    net = library.make(0.5)
    result = funcnn.train(net, data, steps=1, **SGD)
    assert result.model.stochastic
    drawn = np.stack([result.predict(data[0], seed=seed) for seed in range(2)])
    assert np.ptp(drawn, axis=0).max() > 0
    if name == "stax":  # Whether it drops is part of its apply.
        with pytest.raises(funcnn.ArgumentError, match="draws random numbers"):
            result.predict(data[0])
    else:
        with jax_promotion():
            expected = library.apply(net, result.params, data[0])
        np.testing.assert_allclose(expected, result.predict(data[0]), atol=1e-6)


def test_float64_where_a_library_draws_float32(data):
    result = funcnn.train(linen.Dense(1), data, steps=1, dtype="float64")
    assert {leaf.dtype.name for leaf in jax.tree.leaves(result.params)} == {"float64"}


def test_without_a_dtype_that_of_the_module_s_params_counts(data):
    with jax.enable_x64(True):
        net = eqx.nn.Linear(3, 1, key=jax.random.key(0), dtype="float64")
    assert funcnn.train(net, data, steps=1).dtype == "float64"


def test_a_sweep_takes_a_module(data):
    result = funcnn.sweep(linen.Dense(1), data, steps=3, learning_rate=[0.1, 0.01])
    assert result.losses.shape == (2, 3)


def test_a_module_keeps_what_it_holds(data):
    net = NNXNet(0.5)
    before = jax.tree.map(lambda value: value, nnx.state(net))
    funcnn.train(net, data, steps=2, **SGD)
    assert ByValue(before) == ByValue(nnx.state(net))
    assert not net.dropout.deterministic


def test_running_values_that_are_not_written_are_constants(data):
    rngs = nnx.Rngs(0)
    net = nnx.Sequential(nnx.BatchNorm(3, rngs=rngs), nnx.Linear(3, 1, rngs=rngs))
    net.eval()
    result = funcnn.train(net, data, steps=2, **SGD)
    nnx.update(net, result.params)
    np.testing.assert_allclose(net(data[0]), result.predict(data[0]), atol=1e-6)


def with_running_values(name):
    if name == "equinox":
        norm = eqx.nn.BatchNorm(3, "batch", mode="batch")
        return eqx.nn.Sequential([norm, eqx.nn.Linear(3, 1, key=jax.random.key(0))])
    if name == "nnx":
        rngs = nnx.Rngs(0)
        return nnx.Sequential(nnx.BatchNorm(3, rngs=rngs), nnx.Linear(3, 1, rngs=rngs))
    if name == "linen":
        return linen.Sequential([linen.BatchNorm(use_running_average=False), linen.Dense(1)])
    return hk.transform_with_state(lambda x: hk.BatchNorm(True, True, 0.9)(x, is_training=True))


@pytest.mark.parametrize("name", ["equinox", "nnx", "linen", "haiku"])
def test_running_values_that_a_call_would_write_are_refused(name, data):
    with pytest.raises(funcnn.ArgumentError, match="running values of BatchNorm"):
        funcnn.train(with_running_values(name), data)


class Noisy(nnx.Module):
    """It draws in eval mode, too."""

    def __init__(self):
        self.rngs = nnx.Rngs(0)
        self.layer = nnx.Linear(3, 1, rngs=self.rngs)

    def __call__(self, x):
        return self.layer(x) + self.rngs.normal((len(x), 1))


def test_noise_in_eval_mode_is_refused(data):
    with pytest.raises(funcnn.ArgumentError, match=r"by \['rngs'\].*count.* in eval mode too"):
        funcnn.train(Noisy(), data)


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (eqx.nn.Linear, r"an equinox\.Module that can be called, not <class"),
        (nnx.Linear, r"a flax\.nnx\.Module that can be called, not <class"),
        (nnx.Rngs(0), r"a flax\.nnx\.Module that can be called, not Rngs"),
        ((linen.Dense(1).init, linen.Dense(1).apply), r"a flax\.linen\.Module that can be called"),
        (linen.Dense, r"or a model of equinox, flax\.linen, .*; not <class"),
        (hk.Linear, r"model must be what hk\.transform gives, not <class"),
        (stax.Dense(1)[:1], r"a pair \(init, apply\) of stax"),
    ],
    ids=["equinox", "nnx", "nnx-rngs", "linen-pair", "linen", "haiku", "stax"],
)
def test_what_is_no_model_is_refused(model, words, data):
    with pytest.raises(funcnn.ArgumentTypeError, match=words):
        funcnn.train(model, data)


@pytest.mark.parametrize("name", ["linen", "haiku", "stax"])
def test_data_are_needed_where_the_params_follow_from_them(name):
    with pytest.raises(funcnn.ArgumentError, match="data=None: a model of your own has no data"):
        funcnn.train(LIBRARIES[name].make(0.0))
