"""Products and pooling, which are arranged otherwise than PyTorch's: the same numbers."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from funcnn.core.precision import jax_promotion

torch = pytest.importorskip("torch")
from funcnn.interop.torch.operations.algebra import product  # noqa: E402
from funcnn.interop.torch.operations.pooling import POOLING  # noqa: E402

functional = torch.nn.functional

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("shapes", [((6, 9), (9, 2)), ((2, 9), (9, 6))])
def test_a_product_its_gradients_and_those_of_many_are_the_plain_one_s(shapes):
    a, b = (RNG.standard_normal((3, *shape)).astype(np.float32) for shape in shapes)

    def cubed(multiply):
        return lambda a, b: (multiply(a, b) ** 3).sum()

    for axes in ((0, 0), (None, 0), (0, None)):
        given = [one if axis == 0 else one[0] for one, axis in zip((a, b), axes, strict=True)]
        found = jax.jit(jax.vmap(product, axes))(*given)
        np.testing.assert_allclose(found, jax.vmap(jnp.matmul, axes)(*given), rtol=1e-5, atol=1e-5)
    slopes = (jax.grad(cubed(multiply), argnums=(0, 1)) for multiply in (product, jnp.matmul))
    for found, expected in zip(*(slope(a[0], b[0]) for slope in slopes), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


POOLS = {
    "tiles": (2, (), 0, 1, False),
    "overlapping": (3, 2, 1, 1, True),
    "spread": ([2, 3], [1, 2], 1, 2, False),
    "wide": (9, (), 4, 1, False),
}


@pytest.mark.parametrize("name", POOLS)
def test_the_largest_of_windows_and_its_gradient_are_pytorch_s(name):
    size, stride, *rest = POOLS[name]
    # Whole numbers: many are equal, and the first of them is the largest.
    x = torch.from_numpy(RNG.integers(-3, 4, (2, 3, 10, 11)).astype(np.float32)).requires_grad_()
    y, places = functional.max_pool2d(x, size, stride or None, *rest, return_indices=True)
    gradient = torch.ones_like(y)
    (expected,) = torch.autograd.grad(y, x, gradient)
    given = np.asarray(x.detach()), size, stride, *rest
    forward, back = (POOLING[f"max_pool2d_with_indices{end}"] for end in ("", "_backward"))
    with jax_promotion():
        values, found = jax.jit(lambda x: forward(x, *given[1:]))(given[0])
        slope = jax.jit(lambda g, x, found: back(g, x, *given[1:], found))(
            np.asarray(gradient), given[0], found
        )
    np.testing.assert_array_equal(values, y.detach())
    np.testing.assert_array_equal(found, places)
    np.testing.assert_array_equal(slope, expected)
