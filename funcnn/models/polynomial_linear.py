"""The polynomial as one linear layer on (x, x², x³): ``nn.Linear(3, 1)`` and ``Flatten(0, 1)``.

Source: "PyTorch learning notes 5", sections 6 and 7.
"""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from funcnn.core import AnyArray, Params, Structs
from funcnn.models.layers import linear, powers, shape_of

__all__ = ["apply", "formula", "init", "sizes"]


def init(key: Key[Array, ""], *, degree: int = 3) -> dict[str, Array]:
    """``{"w": (degree, 1), "b": (1,)}``, ``nn.Linear``'s initial values."""
    params = linear(key, (degree, 1))
    return {"w": params["w1"], "b": params["b1"]}


def sizes(params: Params | Structs) -> dict[str, Any]:
    """The sizes of given params, as :func:`init` takes them.

    Raises:
        ArgumentError: where ``w`` is missing, or is not a matrix.
    """
    degree, _ = shape_of(params, "w", axes=2)
    return {"degree": degree}


def apply(params: Params, x: Float[AnyArray, " samples"]) -> Float[Array, " samples"]:
    """The polynomial at each x."""
    coefficients = jnp.concatenate([params["b"], params["w"][:, 0]])
    return coefficients @ powers(x, degree=len(params["w"]))


def formula(params: Params) -> str:
    """The fitted polynomial as the tutorial prints it.

    >>> formula({"w": np.array([[2.0], [3.0]]), "b": np.array([1.0])})
    'y = 1.0 + 2.0 x + 3.0 x^2'
    """
    weights, (bias,) = np.asarray(params["w"])[:, 0], np.asarray(params["b"])
    powers = ["x", *(f"x^{power}" for power in range(2, len(weights) + 1))]
    terms = [f"{float(weight)} {x}" for weight, x in zip(weights, powers, strict=True)]
    return f"y = {' + '.join([str(float(bias)), *terms])}"
