"""A graph of ATen operations as a list of instructions, and its interpretation in JAX.

A program holds nothing of PyTorch: names, numbers, and NumPy arrays.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Key

from funcnn.core import AnyArray, ArgumentError
from funcnn.core.precision import jax_promotion
from funcnn.interop.torch.operations import OPERATIONS
from funcnn.interop.torch.operations.dtypes import as_dtype, require_held

__all__ = ["Instruction", "Kind", "Program", "Value", "run"]


class Value(NamedTuple):
    """An argument that was computed before.

    Attributes:
        number: its place among the inputs, the constants and the results, in this order.
        scalar: whether it was a Python number in PyTorch, which takes the dtype of the tensors
            that it meets.
    """

    number: int
    scalar: bool = False


class Kind(NamedTuple):
    """The shape and dtype that a result had in PyTorch."""

    shape: tuple[int, ...]
    dtype: str

    @classmethod
    def of(cls, tensor: Any) -> Kind:
        """That of a tensor of PyTorch."""
        return cls(tuple(tensor.shape), str(tensor.dtype).removeprefix("torch."))


class Instruction(NamedTuple):
    """One operation.

    Attributes:
        operation: its name in ``OPERATIONS``.
        arguments: by position: numbers, names, lists of these, and ``Value``.
        options: by name.
        kind: of its result, or of each of them; None for a Python number.
        draw: the how manieth draw of random numbers it is; None for no draw.
    """

    operation: str
    arguments: tuple[Any, ...]
    options: dict[str, Any]
    kind: Kind | tuple[Kind | None, ...] | None
    draw: int | None = None


class Program(NamedTuple):
    """What a function of tensors does, for inputs of certain shapes.

    Attributes:
        inputs: how many inputs it takes.
        constants: tensors that are neither inputs nor computed.
        instructions: what is computed, in order.
        outputs: which values come out.
    """

    inputs: int
    constants: tuple[np.ndarray, ...]
    instructions: tuple[Instruction, ...]
    outputs: tuple[Any, ...]

    @property
    def draws(self) -> bool:
        """Whether it draws random numbers."""
        return any(instruction.draw is not None for instruction in self.instructions)


def run(
    program: Program, inputs: Sequence[AnyArray], key: Key[Array, ""] | None = None
) -> list[Any]:
    """What a program gives.

    Args:
        program: the program.
        inputs: arrays of the shapes it was traced for.
        key: what its random numbers follow from, where it draws any.

    Raises:
        ArgumentError: where it needs floats of 64 bits and JAX computes in 32.
    """
    for constant in program.constants:
        require_held(constant)
    values: list[Any] = [jnp.asarray(array) for array in (*inputs, *program.constants)]
    with jax_promotion():
        for instruction in program.instructions:
            options = _filled(instruction.options, values, None)
            if instruction.draw is not None:
                assert key is not None
                options["key"] = jax.random.fold_in(key, instruction.draw)
            kind = instruction.kind
            arguments = _filled(instruction.arguments, values, kind)
            try:
                result = OPERATIONS[instruction.operation](*arguments, **options)
            except (NotImplementedError, TypeError) as error:
                raise ArgumentError(
                    f"{instruction.operation}, of PyTorch, is not known for what it is given: it "
                    f"cannot be traced ({error})"
                ) from error
            if isinstance(kind, Kind):
                result = _of_kind(result, kind, instruction)
            elif kind is not None:
                pairs = zip(result, kind, strict=False)
                result = [
                    one if of is None else _of_kind(one, of, instruction) for one, of in pairs
                ]
            values.append(result)
    return [_filled(output, values, None) for output in program.outputs]


def _filled(argument: Any, values: list[Any], kind: Any) -> Any:
    """An argument with the values that it stands for."""
    if isinstance(argument, Value):
        value = values[argument.number]
        if argument.scalar and isinstance(kind, Kind) and jnp.issubdtype(value.dtype, jnp.floating):
            dtype = as_dtype(kind.dtype)
            return value.astype(dtype) if jnp.issubdtype(dtype, jnp.inexact) else value
        return value
    if isinstance(argument, dict):
        return {name: _filled(one, values, kind) for name, one in argument.items()}
    if isinstance(argument, (list, tuple)):
        return type(argument)(_filled(one, values, kind) for one in argument)
    return argument


def _of_kind(result: Any, kind: Kind, instruction: Instruction) -> Any:
    """A result in the dtype that PyTorch gives it."""
    if result is None:
        return None
    result = jnp.asarray(result)
    if result.shape != kind.shape:
        raise AssertionError(
            f"{instruction.operation} has shape {result.shape} here and {kind.shape} in PyTorch"
        )
    dtype = as_dtype(kind.dtype)
    return result if result.dtype == dtype else result.astype(dtype)
