"""Which parameter's gradient was the first that was not finite."""

from __future__ import annotations

import pickle

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import funcnn

X = np.linspace(-1, 1, 8)


def rising(batch_size=None, **options):
    """The error of a run in which the gradient of b alone is not finite, after some steps."""

    @jax.custom_vjp
    def unseen(_):
        return jnp.zeros(())

    unseen.defvjp(lambda b: (jnp.zeros(()), b), lambda b, _: (-10 * b,))

    def apply(params, x):
        return params["a"] * x + unseen(params["layer"]["b"])

    model = (lambda _: {"a": jnp.ones(()), "layer": {"b": jnp.ones(())}}, apply)
    with pytest.raises(funcnn.DivergenceError) as caught:
        funcnn.train(model, (X, 2 * X), steps=60, optimizer="sgd", learning_rate=1.0,
                     batch_size=batch_size, **options)  # fmt: skip
    return caught.value


@pytest.mark.parametrize(
    "options",
    [{}, {"batch_size": 3}, {"batches": [[0, 1, 2], [3, 4]] * 30}],
    ids=["all", "drawn", "given"],
)
def test_it_is_named_and_said(options):
    error = rising(**options)
    assert error.parameter == "layer.b"
    assert "first in the gradient of layer.b;" in str(error)
    copy = pickle.loads(pickle.dumps(error))
    assert (copy.parameter, copy.step) == (error.parameter, error.step)


def test_the_samples_are_those_of_the_step():
    # The inputs of one batch alone are so large that the gradient overflows; the loss does not
    # see b, and the others' are small.
    @jax.custom_vjp
    def scaled(w, x):
        return jnp.zeros_like(w * x)

    def forward(w, x):
        return scaled(w, x), x.max()

    scaled.defvjp(forward, lambda most, _: (jnp.exp(most), None))
    model = (
        lambda _: {"a": jnp.zeros(()), "b": jnp.zeros(())},
        lambda params, x: params["a"] * 0 + scaled(params["b"], x),
    )
    batches = [[0], [1], [2]]
    x = np.array([1.0, 2.0, 300.0])
    with pytest.raises(funcnn.DivergenceError) as caught:
        funcnn.train(model, (x, np.ones(3)), batches=batches, optimizer="sgd",
                     learning_rate=1e-3)  # fmt: skip
    assert (caught.value.parameter, int(caught.value.state.step)) == ("b", 2)


def test_where_every_gradient_is_finite_none_is_named():
    # Of the absolute error the gradient is 1 or −1, also where the error is infinite.
    model = (lambda _: {"a": jnp.ones(())}, lambda params, x: params["a"] + 0 * x)
    with pytest.raises(funcnn.DivergenceError) as caught:
        funcnn.train(model, (X, 0 * X), loss="mae", steps=5, optimizer=optax.sgd(-3e38))
    assert caught.value.parameter is None
    assert "the gradient" not in str(caught.value)
