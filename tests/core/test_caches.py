"""What is compiled is kept as long as the functions it was compiled for, and no longer."""

from __future__ import annotations

import gc
import weakref

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import funcnn
from funcnn.core.caches import compiled, remembered


def test_a_result_is_found_again_while_its_arguments_live():
    made = []

    @remembered
    def build(function, number):
        made.append((function().__name__, number()))
        return object()

    def first():
        pass

    one = build(first, 1)
    assert build(first, 1) is one
    assert build(first, 2) is not one
    assert made == [("first", 1), ("first", 2)]
    kept = weakref.ref(first)
    del first
    gc.collect()
    assert kept() is None

    def second():
        pass

    build(second, 1)
    assert made[2:] == [("second", 1)]


def test_arguments_may_be_nested_tuples_and_bound_methods():
    class Model:
        def apply(self, x):
            return 2 * x

    @remembered
    def build(pair):
        return pair()[0](pair()[1])

    model = Model()
    assert build((model.apply, 3)) == 6
    assert compiled(model.apply) is compiled(model.apply)
    assert float(compiled(model.apply)(jnp.float32(4))) == 8


def own_model(number):
    """A model of one's own, new at each call, whose functions hold an array of 1 MB."""
    held = np.full(2**17, float(number))

    def apply(params, x):
        return params["w"] * x + 0 * len(held)

    return (lambda _: {"w": jnp.ones(())}), apply


def test_a_model_of_one_s_own_is_forgotten_with_its_functions(line):
    model = own_model(1)
    gone = weakref.ref(model[1])
    funcnn.train(model, line, steps=3, learning_rate=1e-4)
    del model
    gc.collect()
    assert gone() is None


def test_programs_and_arrays_for_models_of_one_s_own_do_not_add_up(line):
    # Counted, and not measured as the process's memory: of that the allocator keeps as much
    # as it likes, on another machine more than on this one.
    def held():
        gc.collect()
        client = jax.local_devices(backend="cpu")[0].client
        return len(client.live_executables()), len(jax.live_arrays())

    funcnn.train(own_model(0), line, steps=3, learning_rate=1e-4)
    programs, arrays = held()
    for number in range(5):
        funcnn.train(own_model(number), line, steps=3, learning_rate=1e-4)
    assert held()[0] <= programs
    assert held()[1] <= arrays


@pytest.mark.slow
def test_a_loop_over_many_models_compiles_each_once(compiles):
    # More than any count of entries that a cache might have been given by guess.
    def apply(params, x):
        return x @ params

    def search():
        for width in range(1, 36):
            data = np.ones((2, width)), np.ones(2)
            start = np.zeros(width, np.float32)
            funcnn.train((None, apply), data, params=start, steps=2, optimizer="sgd")

    search()
    with compiles() as counted:
        search()
    assert counted == []


def test_named_models_of_many_sizes_are_the_same_objects():
    made = [funcnn.models.make("mlp", hidden=width) for width in range(1, 500)]
    again = [funcnn.models.make("mlp", hidden=width) for width in range(1, 500)]
    assert all(one is other for one, other in zip(made, again, strict=True))
