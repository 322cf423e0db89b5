"""A network whose shape changes at every step, with one weight used more than once.

y = a + b x + c x² + d x³, plus, at random, nothing, e x⁴, or e x⁴ + e x⁵. The
tutorial draws with Python's ``random`` and loops; under ``jit`` both terms stand in
the one program and a number drawn from the step's key switches them on.

Source: "PyTorch learning notes 5", section 9.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from funcnn.core import AnyArray, Params, Structs
from funcnn.models import polynomial

__all__ = ["apply", "draw_terms", "formula", "init", "predict", "sizes"]


def init(key: Key[Array, ""]) -> dict[str, Array]:
    """``{"a": (), …, "e": ()}``, each value N(0, 1)."""
    return polynomial.init(key, degree=4)


def sizes(params: Params | Structs) -> dict[str, Any]:
    """``{}``: it has no sizes to set."""
    del params
    return {}


def draw_terms(key: Key[Array, ""]) -> Int[Array, ""]:
    """The number of extra terms, 0, 1 or 2, each with probability 1/3."""
    return (jax.random.bits(key, dtype=jnp.uint32) % 3).astype(jnp.int32)


def apply(
    params: Params, x: Float[AnyArray, " samples"], key: Key[Array, ""]
) -> Float[Array, " samples"]:
    """The polynomial at each x, with as many extra terms as the key draws."""
    terms = draw_terms(key)
    fourth = jnp.where(terms >= 1, params["e"], 0)
    fifth = jnp.where(terms >= 2, params["e"], 0)
    return polynomial.apply(params | {"e": fourth, "f": fifth}, x)


def predict(params: Params, x: Float[AnyArray, " samples"]) -> Float[Array, " samples"]:
    """The mean of the predictions over the draws, which no single draw gives.

    e x⁴ is there in two draws of three, e x⁵ in one, and the prediction is linear in both.
    """
    return polynomial.apply(params | {"e": params["e"] * (2 / 3), "f": params["e"] / 3}, x)


def formula(params: Params) -> str:
    """The fitted function as the tutorial prints it; ``?`` marks the terms that come and go.

    >>> formula({"a": 1.0, "b": 2.0, "c": 3.0, "d": 4.0, "e": 5.0})
    'y = 1.0 + 2.0 x + 3.0 x^2 + 4.0 x^3 + 5.0 x^4 ? + 5.0 x^5 ?'
    """
    cubic = polynomial.formula({letter: params[letter] for letter in "abcd"})
    e = float(params["e"])
    return f"{cubic} + {e} x^4 ? + {e} x^5 ?"
