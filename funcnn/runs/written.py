"""A function as JAX writes it out, told from others by a digest.

Two functions that compute the same in the same order have the same digest, wherever their code
stands. It is another one as soon as something else is computed, because of a number in a closure,
an attribute, the code of a function that is called, or another version of a library.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

__all__ = ["digest_of", "without_addresses"]


def digest_of(function: Callable[..., Any], *arguments: Any) -> str:
    """The SHA-256 of what a function computes, traced for arguments of these shapes.

    Args:
        function: of trees of arrays, to a tree of arrays.
        *arguments: arrays, or their shapes and dtypes.
    """
    content = hashlib.sha256()
    written, shapes = jax.make_jaxpr(function, return_shape=True)(*arguments)
    _write(written.jaxpr, written.consts, content.update)
    content.update(repr(jax.tree.structure(shapes)).encode())
    return content.hexdigest()


def without_addresses(value: Any) -> str:
    """The ``repr`` of a value, less the places in memory, which differ in each process."""
    return re.sub(r" at 0x[0-9a-fA-F]+", "", repr(value))


def _write(program: Any, constants: Any, put: Callable[[bytes], None]) -> None:
    """Write a program operation by operation; each variable is called by a number."""
    places: dict[Any, int] = {}

    def name(variable: Any) -> None:
        put(f" {places.setdefault(variable, len(places))}:{variable.aval}".encode())

    def read(variable: Any) -> None:
        if hasattr(variable, "val"):  # A number, or an array, that stands in the program.
            _write_value(variable.val, put)
        else:
            name(variable)

    for constant, variable in zip(constants, program.constvars, strict=True):
        name(variable)
        _write_value(constant, put)
    for variable in program.invars:
        name(variable)
    for operation in program.eqns:
        put(f"\n{operation.primitive.name}".encode())
        for variable in operation.invars:
            read(variable)
        for key in sorted(operation.params):
            put(f" {key}=".encode())
            _write_value(operation.params[key], put)
        for variable in operation.outvars:
            name(variable)
    for variable in program.outvars:
        read(variable)


def _write_value(value: Any, put: Callable[[bytes], None]) -> None:
    """Write a parameter of an operation: a program, an array, or anything with a ``repr``."""
    if hasattr(value, "jaxpr") and hasattr(value, "consts"):
        _write(value.jaxpr, value.consts, put)
    elif hasattr(value, "eqns"):
        _write(value, (), put)
    elif isinstance(value, (tuple, list)):
        put(b"(")
        for one in value:
            _write_value(one, put)
            put(b",")
        put(b")")
    elif isinstance(value, (np.ndarray, jax.Array)):
        if jnp.issubdtype(value.dtype, jax.dtypes.prng_key):
            value = jax.random.key_data(value)
        put(f"{value.dtype}{value.shape}".encode())
        put(np.ascontiguousarray(value).tobytes())
    else:
        put(without_addresses(value).encode())
