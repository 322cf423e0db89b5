"""The optimizers: PyTorch's defaults, one update for all numbers, traced numbers."""

from __future__ import annotations

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from funcnn.optimizers import OPTIMIZERS, adam, momentum, rmsprop, sgd

TORCH = {"sgd": "SGD", "rmsprop": "RMSprop", "adam": "Adam", "adamw": "AdamW"}
TORCH_NAMES = {"learning_rate": "lr"}


@pytest.mark.parametrize("name", TORCH)
def test_the_defaults_are_pytorch_s(name):
    torch = pytest.importorskip("torch")
    theirs = inspect.signature(getattr(torch.optim, TORCH[name])).parameters
    for parameter in inspect.signature(OPTIMIZERS[name]).parameters.values():
        if parameter.name.startswith("beta"):
            default = theirs["betas"].default[int(parameter.name[-1]) - 1]
        else:
            default = theirs[TORCH_NAMES.get(parameter.name, parameter.name)].default
        assert parameter.default == default, parameter.name


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_numbers_are_not_in_the_update(name):
    first, second = OPTIMIZERS[name](1e-3), OPTIMIZERS[name](2e-3)
    assert isinstance(first, optax.GradientTransformation)
    assert first.update is second.update
    params = {"w": jnp.ones(3)}
    assert float(first.init(params).hyperparams["learning_rate"]) == np.float32(1e-3)
    assert float(second.init(params).hyperparams["learning_rate"]) == np.float32(2e-3)


def test_what_is_not_used_is_not_carried():
    params = {"w": jnp.ones(1000)}

    def floats(optimizer):
        return sum(leaf.size for leaf in jax.tree.leaves(optimizer.init(params)))

    assert floats(sgd(0.1)) < 10
    assert floats(sgd(0.1, weight_decay=0.1)) < 10
    assert 1000 <= floats(momentum(0.1)) < 1010
    assert 1000 <= floats(rmsprop(0.1)) < 1010
    assert 3000 <= floats(rmsprop(0.1, centered=True, momentum=0.5)) < 3010


@pytest.mark.parametrize("optimizer", [sgd(0.1), momentum(0.1), rmsprop(0.1), adam(0.1)])
def test_the_state_keeps_its_types(optimizer):
    params = {"w": jnp.ones(3)}
    state = optimizer.init(params)
    with jax.numpy_dtype_promotion("standard"):
        _, after = optimizer.update(params, state, params)
    assert jax.tree.map(jnp.shape, state) == jax.tree.map(jnp.shape, after)
    before_types = [(leaf.dtype, leaf.weak_type) for leaf in jax.tree.leaves(state)]
    assert before_types == [(leaf.dtype, leaf.weak_type) for leaf in jax.tree.leaves(after)]


def test_it_serves_any_loop_of_optax():
    optimizer = rmsprop(1e-2)
    params = {"w": jnp.array([1.0, -2.0])}
    state = optimizer.init(params)
    with jax.numpy_dtype_promotion("standard"):
        for _ in range(300):
            gradient = jax.grad(lambda params: (params["w"] ** 2).sum())(params)
            change, state = optimizer.update(gradient, state, params)
            params = optax.apply_updates(params, change)
    np.testing.assert_allclose(params["w"], 0, atol=1e-2)
