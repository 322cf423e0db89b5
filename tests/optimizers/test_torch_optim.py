"""The optimizers: PyTorch's defaults, one recipe for all numbers, numbers in the state."""

from __future__ import annotations

import copy
import inspect
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from funcnn.optimizers import OPTIMIZERS, Optimizer, adam, momentum, rmsprop, sgd
from funcnn.optimizers.optimizer import NumbersState

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
def test_the_numbers_are_in_the_state_and_not_in_the_recipe(name):
    first, second = OPTIMIZERS[name](1e-3), OPTIMIZERS[name](2e-3)
    for optimizer in (first, second):
        assert isinstance(optimizer, Optimizer)
        assert isinstance(optimizer, optax.GradientTransformation)
    assert first.recipe == second.recipe
    assert hash(first.recipe) == hash(second.recipe)
    assert OPTIMIZERS[name](1e-3, weight_decay=0.5).numbers["weight_decay"] == 0.5
    params = {"w": jnp.ones(3)}
    for optimizer, rate in ((first, 1e-3), (second, 2e-3)):
        state = optimizer.init(params)
        assert isinstance(state, NumbersState)
        assert state.numbers.keys() == optimizer.numbers.keys()
        assert float(state.numbers["learning_rate"]) == np.float32(rate)
        assert int(state.step) == 0


def test_what_is_compiled_for_differs_where_the_structure_does():
    recipes = [
        sgd(0.1).recipe,
        momentum(0.1).recipe,
        momentum(0.1, nesterov=True).recipe,
        sgd(0.1, weight_decay=0.1).recipe,
        rmsprop(0.1).recipe,
        rmsprop(0.1, centered=True).recipe,
        adam(0.1).recipe,
        sgd(optax.cosine_decay_schedule(0.1, 10)).recipe,
    ]
    assert len(set(recipes)) == len(recipes)
    assert momentum(0.1).recipe == sgd(0.2, momentum=0.5).recipe


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_update_reads_the_numbers_of_the_state(name):
    params = {"w": jnp.array([1.0, -2.0])}
    slow, fast = OPTIMIZERS[name](1e-3), OPTIMIZERS[name](2e-3)
    with jax.numpy_dtype_promotion("standard"):
        change, after = slow.update(params, fast.init(params), params)
        expected, _ = fast.update(params, fast.init(params), params)
    np.testing.assert_array_equal(change["w"], expected["w"])
    assert int(after.step) == 1


def test_an_optimizer_can_be_copied_and_pickled():
    optimizer = momentum(0.1, weight_decay=0.5, nesterov=True)
    params = {"w": jnp.ones(2)}
    for other in (copy.copy(optimizer), copy.deepcopy(optimizer), reread(optimizer)):
        assert (other.recipe, other.numbers) == (optimizer.recipe, optimizer.numbers)
        change, _ = other.update(params, other.init(params), params)
        np.testing.assert_allclose(change["w"], -0.1 * 1.9 * 1.5, rtol=1e-6)


def reread(value):
    return pickle.loads(pickle.dumps(value))


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
