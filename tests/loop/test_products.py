"""Products of many members side by side: their operands are exchanged where that saves a move."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from funcnn.loop.products import members_first

RNG = np.random.default_rng(0)
X = jnp.asarray(RNG.standard_normal((5, 3)), jnp.float32)
W = jnp.asarray(RNG.standard_normal((7, 3, 2)), jnp.float32)


def forward(w, x):
    return jnp.tanh(x @ w)


def products(function, *arguments):
    """The shapes of the operands of each product."""
    found = []

    def look(jaxpr):
        for operation in jaxpr.eqns:
            if operation.primitive.name == "dot_general":
                found.append([one.aval.shape for one in operation.invars])
            for part in operation.params.values():
                if hasattr(inner := getattr(part, "jaxpr", part), "eqns"):
                    look(inner)

    look(jax.make_jaxpr(function)(*arguments).jaxpr)
    return found


def test_the_operand_that_differs_between_members_comes_first():
    def side_by_side(function):
        return jax.vmap(function, in_axes=(0, None))

    assert products(side_by_side(forward), W, X) == [[(5, 3), (7, 3, 2)]]
    assert products(side_by_side(members_first(forward)), W, X) == [[(7, 3, 2), (5, 3)]]
    for function in (forward, jax.jit(forward)):
        found = side_by_side(members_first(function))(W, X)
        np.testing.assert_allclose(found, jnp.tanh(jnp.einsum("ni,mio->mno", X, W)), rtol=1e-6)


@pytest.mark.parametrize("axes", [(0, None), (None, 0), (0, 0)])
def test_products_of_any_axes_are_what_they_were(axes):
    def contracted(a, b):
        return jnp.einsum("ijk,klj->il", a, b), a[0] @ a[1].T

    a = jnp.asarray(RNG.standard_normal((4, 2, 3, 5)), jnp.float32)
    b = jnp.asarray(RNG.standard_normal((4, 5, 6, 3)), jnp.float32)
    given = [one if axis == 0 else one[0] for one, axis in zip((a, b), axes, strict=True)]
    expected = jax.vmap(contracted, axes)(*given)
    found = jax.vmap(members_first(contracted), axes)(*given)
    jax.tree.map(lambda *pair: np.testing.assert_allclose(*pair, rtol=1e-5), expected, found)


def test_alone_it_is_the_same_function_and_is_differentiated_as_one():
    assert products(members_first(forward), W[0], X) == products(forward, W[0], X)
    turned = members_first(forward)
    np.testing.assert_array_equal(turned(W[0], X), forward(W[0], X))

    def loss(function):
        return lambda w: function(w, X).sum()

    for derivative in (jax.grad, jax.jacfwd, jax.hessian):
        np.testing.assert_allclose(
            derivative(loss(turned))(W[0]), derivative(loss(forward))(W[0]), rtol=1e-5, atol=1e-6
        )
