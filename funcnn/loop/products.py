"""Products of matrices, such that many members side by side multiply faster.

``jax.vmap`` of ``x @ w``, where all members have the same x and each has a w of its own, makes
one product of all members, with the samples before the members: (samples, members, outputs). On a
CPU each member's part has then to be gathered again. With the operands exchanged, the members come
first, and nothing has to be moved.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
from jax.custom_batching import custom_vmap
from jaxtyping import Array

__all__ = ["members_first"]

Result = TypeVar("Result")

CALLS = ("jit", "pjit")
"""Operations that are functions of their own, to be looked into."""


def members_first(function: Callable[..., Result]) -> Callable[..., Result]:
    """The same function, with products that put the members first under ``jax.vmap``.

    Alone it computes what it computed.

    Args:
        function: of trees of arrays, to a tree of arrays.
    """

    def call(*arguments: Any) -> Result:
        written, result = jax.make_jaxpr(function, return_shape=True)(*arguments)
        outputs = _computed(written, jax.tree.leaves(arguments))
        return jax.tree.unflatten(jax.tree.structure(result), outputs)

    return call


def _computed(function: Any, inputs: Sequence[Any]) -> list[Any]:
    """What a function, as JAX has written it out, gives, operation by operation."""
    known = dict(zip(function.jaxpr.constvars, function.consts, strict=True))
    known |= dict(zip(function.jaxpr.invars, inputs, strict=True))

    def read(variable: Any) -> Any:
        is_literal = hasattr(variable, "val")
        return variable.val if is_literal else known[variable]

    for operation in function.jaxpr.eqns:
        primitive, parameters = operation.primitive, operation.params
        given = [read(variable) for variable in operation.invars]
        if primitive.name in CALLS:
            outputs = _computed(parameters["jaxpr"], given)
        elif primitive.name == "dot_general" and parameters["dimension_numbers"][1] == ((), ()):
            outputs = [_product(**parameters)(*given)]
        else:
            outputs = primitive.bind(*given, **primitive.get_bind_params(parameters))
            outputs = outputs if primitive.multiple_results else [outputs]
        known |= dict(zip(operation.outvars, outputs, strict=True))
    return [read(variable) for variable in function.jaxpr.outvars]


def _product(dimension_numbers: Any, **options: Any) -> Callable[[Array, Array], Array]:
    """A product of two arrays over some of their axes; ``options`` are those of JAX's."""
    (of_a, of_b), _ = dimension_numbers

    def plain(a: Array, b: Array) -> Array:
        return jax.lax.dot_general(a, b, dimension_numbers, **options)

    exchanging = custom_vmap(plain)

    @exchanging.def_vmap
    def _(size: int, batched: list[bool], a: Array, b: Array) -> tuple[Array, bool]:
        del size
        if batched != [False, True]:
            return jax.vmap(plain, [0 if own else None for own in batched])(a, b), True
        axes = tuple(axis + 1 for axis in of_b)
        exchanged = jax.lax.dot_general(b, a, ((axes, of_a), ((), ())), **options)
        free = a.ndim - len(of_a)
        last = range(exchanged.ndim - free, exchanged.ndim)
        return jnp.moveaxis(exchanged, last, range(1, free + 1)), True

    # custom_vmap has no reverse mode: what is differentiated once more is the product itself.
    product = jax.custom_jvp(exchanging)
    product.defjvp(functools.partial(jax.jvp, plain))
    return product
