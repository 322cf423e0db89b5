"""The draws of random numbers of a function of tensors, numbered in their order."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any
from unittest import mock

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from funcnn.interop.torch.guards import Frozen
from funcnn.interop.torch.operations import RANDOM, WHERE_IT_IS_SAID

__all__ = ["Numbered", "draws", "meaning_of", "numbering"]

NEVER = ("_scaled_dot_product_flash_attention_for_cpu",)
"""Operations that PyTorch says to be random, and that take no dropout on a CPU."""


def meaning_of(operation: Any) -> str:
    """The name of a random operation among ours, of one that writes in place too; else its own."""
    name = getattr(operation, "overloadpacket", operation).__name__
    stem = name.removesuffix("_")
    return next((one for one in (name, f"{stem}_functional", stem) if one in RANDOM), name)


def draws(operation: Any, arguments: Sequence[Any]) -> bool:
    """Whether a call of an operation of PyTorch draws random numbers."""
    if torch.Tag.nondeterministic_seeded not in getattr(operation, "tags", ()):
        return False
    name = meaning_of(operation)
    place = WHERE_IT_IS_SAID.get(name)
    return name not in NEVER and (place is None or tuple(arguments[place:][:1]) == (True,))


class Numbered(TorchDispatchMode):
    """Numbers draws, and stands for PyTorch's generator: its state is the number of the next draw.

    So what is computed again from a state that was kept draws the same again, as in
    ``torch.utils.checkpoint``.

    Attributes:
        made: the numbers of all draws, in the order in which they were made.
    """

    def __init__(self) -> None:
        super().__init__()
        self.made: list[int] = []
        self._next = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Run an operation, and number it where it draws.

        Raises:
            Frozen: for a generator of one's own.
        """
        del types
        kwargs = kwargs or {}
        if any(isinstance(one, torch.Generator) for one in (*args, *kwargs.values())):
            raise Frozen("it draws by a torch.Generator of its own: leave generator= out")
        return self.draw(func, args, kwargs) if draws(func, args) else func(*args, **kwargs)

    def draw(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """What an operation that draws gives."""
        self.number()
        return func(*args, **kwargs)

    def number(self) -> int:
        """The number of this draw."""
        self.made.append(self._next)
        self._next += 1
        return self.made[-1]

    def get_state(self) -> int:
        """For ``torch.get_rng_state``."""
        return self._next

    def set_state(self, state: Any) -> None:
        """For ``torch.set_rng_state``."""
        if not isinstance(state, int):
            self.seed()
        self._next = state

    def seed(self, *_: Any) -> Any:
        """For ``torch.manual_seed`` and what is like it.

        Raises:
            Frozen: always.
        """
        raise Frozen(
            "it seeds PyTorch's random numbers, and so draws the same at every step: draw them "
            "once, into a buffer"
        )

    manual_seed = initial_seed = seed


@contextlib.contextmanager
def numbering(numbered: Numbered) -> Iterator[None]:
    """Number the draws that are made inside of this."""
    with mock.patch.object(torch.random, "default_generator", numbered), numbered:
        yield
