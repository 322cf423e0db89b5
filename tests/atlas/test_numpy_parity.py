"""funcnn against the tutorials' NumPy loops, for whoever has no PyTorch."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import CASES, train

from funcnn.atlas.reference import numpy_loops

LOOPS = {"mlp": numpy_loops.two_layer, "polynomial": numpy_loops.cubic}


@pytest.mark.parametrize("gradient", ["autodiff", "manual"])
@pytest.mark.parametrize("name", LOOPS)
def test_losses_and_params(name, gradient):
    case = CASES[name]
    before = {letter: value.copy() for letter, value in case.params.items()}
    losses, params = LOOPS[name](case.x, case.y, case.params, 400, case.rates["sgd"])
    result = train(case, "sgd", 400, "float64", gradient=gradient)
    np.testing.assert_allclose(result.losses, losses, rtol=1e-8)
    for letter, value in params.items():
        np.testing.assert_allclose(result.params[letter], value, rtol=1e-8)
        np.testing.assert_array_equal(case.params[letter], before[letter])
