"""The third Legendre polynomial, with a derivative of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax

if TYPE_CHECKING:
    from jaxtyping import Array, Float

__all__ = ["p3"]


@jax.custom_vjp
def p3(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """P₃(x) = ½ (5x³ − 3x).

    Where PyTorch subclasses ``torch.autograd.Function``, JAX pairs the function
    with two others: ``forward`` returns what ``backward`` will need (the input,
    no more) and ``backward`` turns the gradient of the output into that of the
    input. Such a rule serves reverse mode (``jax.grad``) alone.

    Source: "PyTorch learning notes 5", section 5.

    >>> float(p3(1.0)), float(jax.grad(p3)(1.0))
    (1.0, 6.0)
    """
    return 0.5 * (5 * x**3 - 3 * x)


def _forward(x: Array) -> tuple[Array, Array]:
    return p3(x), x


def _backward(x: Array, grad_output: Array) -> tuple[Array]:
    return (grad_output * 1.5 * (5 * x**2 - 1),)


p3.defvjp(_forward, _backward)
