"""What is compiled is kept as long as the functions it was compiled for, and no longer."""

from __future__ import annotations

import gc
import subprocess
import sys
import weakref

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


GROWTH = """
import gc, sys, numpy as np, jax.numpy as jnp, funcnn
from test_caches import own_model
line = np.linspace(-1, 1, 40), 2 * np.linspace(-1, 1, 40) + 1
def used():  # The process's own memory in MB, wherever it lies; of files the system keeps parts.
    gc.collect()
    facts = dict(line.split(":") for line in open("/proc/self/status"))
    return sum(int(facts[name].split()[0]) for name in ("RssAnon", "VmSwap")) / 2**10
for number in range(10):
    funcnn.train(own_model(number), line, steps=3, learning_rate=1e-4)
before = used()
for number in range(40):
    funcnn.train(own_model(number), line, steps=3, learning_rate=1e-4)
print((used() - before) / 40)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="it reads /proc")
def test_models_of_one_s_own_do_not_leak():
    # Each holds 1 MB, and compiles half a MB of programs: both are given back. What remains
    # is the allocator's: plain JAX keeps as much.
    done = subprocess.run(
        [sys.executable, "-c", GROWTH], capture_output=True, text=True, check=True,
        cwd=__file__.rpartition("/")[0],
    )  # fmt: skip
    assert float(done.stdout) < 0.15


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
