"""The figures that the tutorials print, where they do not depend on PyTorch's random numbers."""

from __future__ import annotations

import numpy as np
import pytest

import funcnn

# "PyTorch learning notes 5", section 5: the loss at t = 99, 199, …, 1999.
PRINTED = [
    209.95834350585938, 144.66018676757812, 100.70249938964844, 71.03520202636719,
    50.978515625, 37.40313720703125, 28.20686912536621, 21.973186492919922,
    17.745729446411133, 14.877889633178711, 12.931766510009766, 11.610918998718262,
    10.714248657226562, 10.105474472045898, 9.692106246948242, 9.411375045776367,
    9.220745086669922, 9.091285705566406, 9.003361701965332, 8.943639755249023,
]  # fmt: skip


@pytest.mark.parametrize("gradient", ["autodiff", "manual"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_legendre_run(dtype, gradient):
    result = funcnn.train("legendre", dtype=dtype, gradient=gradient)
    np.testing.assert_allclose(result.losses[99::100], PRINTED, rtol=1e-5)
    assert result.losses[0] == pytest.approx(461.9026, rel=1e-6)
    assert float(result.params["b"]) == pytest.approx(-2.208526849746704, rel=1e-5)
    assert float(result.params["d"]) == pytest.approx(0.2554861009120941, rel=1e-5)


def test_a_long_cubic_run_ends_at_the_least_squares_floor():
    result = funcnn.train("polynomial", steps=40_000, dtype="float64")
    assert result.losses[-1] == pytest.approx(8.817165410007025, rel=1e-9)


def test_the_defaults_are_the_first_network_of_the_tutorials():
    result = funcnn.train(model="mlp")
    assert {name: value.shape for name, value in result.params.items()} == {
        "w1": (1000, 100),
        "w2": (100, 10),
    }
    assert result.losses.shape == (500,)
    # The seeds print first losses between 2.6e7 and 4.1e7, and last ones far below 1.
    assert 2e7 < result.losses[0] < 5e7
    assert result.losses[-1] < 0.1
