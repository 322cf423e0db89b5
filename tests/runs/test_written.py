"""A step is known by what it computes, and by nothing else."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from funcnn.runs.written import digest_of

X = jax.ShapeDtypeStruct((4, 3), jnp.float32)


def made(scale=2.0, mask=(1.0, 0.0, 1.0), last=jnp.tanh, seed=0, branch=1.0):
    held = np.array(mask, np.float32)
    key = jax.random.key(seed)

    @jax.jit
    def masked(x):
        return x * held[None]

    def function(x):
        h = last(masked(jax.nn.relu(x)) * scale) + jax.random.uniform(key, x.shape)
        return jax.lax.cond(h.sum() > 0, lambda: h, lambda: branch * h)

    return function


def test_what_is_made_twice_is_the_same():
    assert digest_of(made(), X) == digest_of(made(), X)
    gradient = jax.grad(lambda x: made()(x).sum())
    assert digest_of(gradient, X) == digest_of(gradient, X) != digest_of(made(), X)


@pytest.mark.parametrize(
    "other",
    [{"scale": 3.0}, {"mask": (1.0, 1.0, 1.0)}, {"last": jnp.sin}, {"seed": 1}, {"branch": 2.0}],
)
def test_whatever_changes_the_result_changes_the_digest(other):
    assert digest_of(made(**other), X) != digest_of(made(), X)


def test_numbers_in_a_row_are_told_apart():
    def cut(*first):
        return lambda x: jax.lax.slice(x, first, (first[0] + 2, first[1] + 2))

    wide = jax.ShapeDtypeStruct((30, 30), jnp.float32)
    assert digest_of(cut(1, 23), wide) != digest_of(cut(12, 3), wide)


def test_shapes_order_and_the_names_of_what_comes_out_count():
    def outputs(first, second):
        return lambda x, y: {first: x + y, second: x * y}

    digests = {
        digest_of(outputs("a", "b"), X, X),
        digest_of(outputs("a", "c"), X, X),
        digest_of(outputs("b", "a"), X, X),
        digest_of(lambda x, y: outputs("a", "b")(y, x), X, X),
        digest_of(outputs("a", "b"), X, jax.ShapeDtypeStruct((1, 3), jnp.float32)),
    }
    assert len(digests) == 5
