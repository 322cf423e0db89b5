"""PyTorch's own step with the random numbers that a traced one draws."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch
from jaxtyping import Array, Key
from torch.utils._pytree import tree_map

from funcnn.core import ArgumentError
from funcnn.core.precision import jax_promotion
from funcnn.interop.torch.draws import Numbered, meaning_of, numbering
from funcnn.interop.torch.guards import written
from funcnn.interop.torch.module import as_numpy
from funcnn.interop.torch.operations import RANDOM
from funcnn.interop.torch.program import Instruction, Kind, Program
from funcnn.interop.torch.tracing import ONE_AT_A_TIME, PLACEMENT, decompositions

__all__ = ["given_draws"]

SAME = {"native_dropout": "bernoulli"}
"""What draws as another operation does."""


@contextlib.contextmanager
def given_draws(program: Program, key: Key[Array, ""]) -> Iterator[None]:
    """Let PyTorch make a step with the numbers that a program draws, in the order of its draws.

    Args:
        program: the step, traced.
        key: what the program's numbers follow from.

    Raises:
        ArgumentError: where PyTorch draws otherwise than the program.
    """
    before = torch.get_rng_state()
    given = Given(program, key)
    with ONE_AT_A_TIME, numbering(given):
        yield
    for number in sorted(given.expected.keys() - set(given.made)):
        given.refuse(number, "does not draw")
    if not torch.equal(torch.get_rng_state(), before):
        raise ArgumentError(
            "the step cannot be reproduced: it draws random numbers by a way around PyTorch's "
            "operations"
        )


class Given(Numbered):
    """Gives an operation that draws what the draw of the same number gives in a program.

    Args:
        program: the program.
        key: what its numbers follow from.

    Attributes:
        expected: the program's draws by number, those that it needs.
    """

    def __init__(self, program: Program, key: Key[Array, ""]) -> None:
        super().__init__()
        self.key = key
        self.expected = {one.draw: one for one in program.instructions if one.draw is not None}

    def draw(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """What an operation gives with the program's numbers; where a trace has a formula, that.

        Raises:
            ArgumentError: where it is not the draw of the program.
        """
        name = meaning_of(func)
        if name not in RANDOM:
            if (formula := decompositions().get(func)) is None:
                raise ArgumentError(f"the step cannot be reproduced: {func} is not known here")
            with self:
                return formula(*args, **kwargs)
        number = self.number()
        arguments, options = _arguments(func, args), _options(kwargs)
        expected = self.expected.get(number, Instruction(name, (), options, None))
        with jax_promotion():
            key = jax.random.fold_in(self.key, number)
            drawn = RANDOM[name](*arguments, **expected.options, key=key)
        value, *others = (torch.from_numpy(np.array(one)) for one in jax.tree.leaves(drawn))
        if expected.kind is not None:
            operation, kind = expected.operation, _first_kind(expected)
            shape = tuple(value.shape)
            if (SAME.get(name, name), shape) != (SAME.get(operation, operation), kind.shape):
                self.refuse(number, f"draws {name} of shape {shape}")
            value = value.to(getattr(torch, kind.dtype))
        return _handed_over(func, written(func, args, kwargs), [value, *others])

    def refuse(self, number: int, what: str) -> None:
        """Refuse what PyTorch does in place of a draw.

        Raises:
            ArgumentError: always.
        """
        expected = self.expected[number]
        raise ArgumentError(
            f"the step cannot be reproduced: as draw {number} of random numbers, PyTorch's own "
            f"loop {what}, and the traced step draws {expected.operation} of shape "
            f"{_first_kind(expected).shape}"
        )


def _first_kind(instruction: Instruction) -> Kind:
    """The kind of the first, or the only, result."""
    kind: Any = instruction.kind
    return kind if isinstance(kind, Kind) else kind[0]


def _arguments(func: Any, args: tuple[Any, ...]) -> list[Any]:
    """Arguments as a program has them; PyTorch leaves out those that are as ever."""
    rest = [one for one in func._schema.arguments[len(args) :] if not one.kwarg_only]
    usual = [one.default_value for one in rest if one.name not in PLACEMENT]
    return [*tree_map(_plain, args), *usual]


def _options(kwargs: dict[str, Any]) -> dict[str, Any]:
    return {name: _plain(kwargs[name]) for name in kwargs.keys() - PLACEMENT - {"out"}}


def _plain(argument: Any) -> Any:
    if isinstance(argument, torch.Tensor):
        return jnp.asarray(as_numpy(argument))
    return str(argument) if isinstance(argument, torch.dtype) else argument


def _handed_over(func: Any, changed: list[torch.Tensor], values: list[torch.Tensor]) -> Any:
    """What an operation returns; the last of its values are written into what it changes."""
    for one, value in zip(reversed(changed), reversed(values), strict=False):
        one.copy_(value)
    first, *others = func._schema.returns
    if first.alias_info is not None:
        return changed[0]
    return tuple(values) if others else values[0]
