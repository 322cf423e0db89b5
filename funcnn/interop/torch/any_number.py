"""A function of tensors for any number of samples, from traces for a few numbers of them.

A trace of PyTorch is for shapes that are known. Where those of several numbers of samples differ
in nothing but whole numbers that grow evenly with these, as shapes do, they are one program. That
of a single sample may be another, since PyTorch does some things otherwise where an axis has one
place; then the number of samples chooses, when it is known.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.export import is_symbolic_dim
from jaxtyping import Array

from funcnn.core import AnyArray, ArgumentError
from funcnn.interop.torch.program import Kind, Program, run

__all__ = ["is_any", "run_any"]

ALONE = 1

MANY = (2, 33, 2**14)
"""The numbers of samples that are traced beside a single one. A module that decides by their
number does so somewhere between them."""


def is_any(kinds: Sequence[Kind]) -> bool:
    """Whether some of the sizes are a symbol of ``jax.export``, for any number of samples."""
    return any(is_symbolic_dim(size) for kind in kinds for size in kind.shape)


def run_any(
    trace: Callable[[tuple[Kind, ...]], Program],
    kinds: Sequence[Kind],
    inputs: Sequence[AnyArray],
    key: Any,
) -> list[Array]:
    """What the program for any number of samples gives.

    Args:
        trace: gives the program for inputs of known sizes.
        kinds: those of the inputs, some of their sizes a symbol.
        inputs: the inputs.
        key: what its random numbers follow from, where it draws any.

    Raises:
        ArgumentError: where the programs of several numbers differ in another way, or where there
            is more than one symbol.
    """
    symbols = {size for kind in kinds for size in kind.shape if is_symbolic_dim(size)}
    if len(symbols) > 1:
        raise ArgumentError(f"the module takes several numbers of samples: {symbols}")
    (symbol,) = symbols
    programs = {
        number: trace(tuple(_of_number(kind, number) for kind in kinds))
        for number in (ALONE, *MANY)
    }
    try:
        return run(_merged(programs, symbol), inputs, key)
    except Parted:
        alone = programs.pop(ALONE)
        many = _merged(programs, symbol)
    struct = jax.eval_shape(lambda: run(many, inputs, key))

    def of_one() -> list[Array]:
        first = [
            jnp.asarray(array)[tuple(slice(1 if is_symbolic_dim(n) else n) for n in array.shape)]
            for array in inputs
        ]
        results = run(alone, first, key)
        if any(one.ndim != own.ndim for one, own in zip(results, struct, strict=True)):
            raise ArgumentError("the module gives another number of axes for a single sample")
        pairs = zip(results, struct, strict=True)
        return [jnp.broadcast_to(one, own.shape) for one, own in pairs]

    return jax.lax.cond(jnp.asarray(symbol) == ALONE, of_one, lambda: run(many, inputs, key))


class Parted(ArgumentError):  # noqa: N818
    """Programs of several numbers of samples are not one."""


def _of_number(kind: Kind, number: int) -> Kind:
    shape = (number if is_symbolic_dim(size) else size for size in kind.shape)
    return Kind(tuple(shape), kind.dtype)


def _merged(parts: Mapping[int, Any], symbol: Any) -> Any:
    """What stands at one place of the programs, in words of the symbol.

    Args:
        parts: what stands there, by the number of samples.
        symbol: stands for this number.

    Raises:
        Parted: where they differ in more than whole numbers that grow evenly.
    """
    (number, first), (next_number, following), *_ = parts.items()
    values = list(parts.values())

    def inside(take: Callable[[Any], Any]) -> Any:
        return _merged({n: take(one) for n, one in parts.items()}, symbol)

    if len(set(map(type, values))) == 1:
        if isinstance(first, np.ndarray):
            if all(np.array_equal(first, one, equal_nan=True) for one in values):
                return first
        elif isinstance(first, Mapping):
            if all(one.keys() == first.keys() for one in values):
                return {name: inside(lambda one, name=name: one[name]) for name in first}
        elif isinstance(first, (list, tuple)):
            if len(set(map(len, values))) == 1:
                made = [inside(lambda one, n=n: one[n]) for n in range(len(first))]
                return type(first)(*made) if hasattr(first, "_fields") else type(first)(made)
        elif len(set(map(repr, values))) == 1:
            return first
        elif type(first) is int:
            slope = (following - first) // (next_number - number)
            start = first - slope * number
            if all(one == start + slope * n for n, one in parts.items()):
                return start + slope * symbol
    raise Parted(f"the module decides by the number of samples: {first!r:.60}")
