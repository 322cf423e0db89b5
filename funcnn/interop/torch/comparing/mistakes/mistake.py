"""A mistake that can be replayed."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

__all__ = ["Mistake", "replays"]


class Mistake(NamedTuple):
    """A mistake that a port may have made.

    Attributes:
        name: what the port does, in place of what.
        advice: what to change in the port.
        replay: what it would give in place of the right value.
        on_the_way: whether a right port may compute the same, as a product before its bias, so
            that it tells something only where the port goes on with it.
    """

    name: str
    advice: str
    replay: Callable[[], Any]
    on_the_way: bool = False


def replays(mistakes: Iterable[Mistake]) -> Iterator[tuple[Mistake, Any]]:
    """Mistakes with what they give, less those that cannot be made for these shapes."""
    for mistake in mistakes:
        with contextlib.suppress(RuntimeError, ValueError, IndexError, TypeError):
            yield mistake, mistake.replay()
