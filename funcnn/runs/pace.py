"""The one compiled loop, piece after piece.

Python is reached between chunks only, some twenty times a second: often enough
for a log, a bar and Ctrl-C, seldom enough to cost nothing. A chunk is of one run,
or of many that go side by side: then its losses have axes before that of the steps.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import numpy as np

from funcnn.core import TrainState

if TYPE_CHECKING:
    from jaxtyping import Float, Int

    from funcnn.core import Data

__all__ = ["BEYOND", "LONGEST_CHUNK", "Chunk", "chunks", "first_bad", "last_finite"]

CHUNK_SECONDS = 0.05
"""How long a chunk should take."""

LONGEST_CHUNK = 2**14
"""The most steps in a chunk: the length of the loop's array of losses."""

BEYOND = 2**31
"""A step that no run reaches."""


class Chunk(NamedTuple):
    """Some steps of a run.

    Attributes:
        first: the number of steps before it.
        before: the state that it began from.
        after: the state after it.
        losses: the loss before each of its updates.
        final: whether the run ends with it.
    """

    first: int
    before: TrainState
    after: TrainState
    losses: Float[np.ndarray, "*runs steps"]
    final: bool


def chunks(
    loop: Callable[..., Any], state: TrainState, data: Data, steps: int, longest: int
) -> Iterator[Chunk]:
    """The run of a loop, cut where its pace suggests.

    Args:
        loop: ``loop(state, data, steps) -> (state, losses)``: ``fit`` of an update.
        state: where to start.
        data: ``(x, y)``.
        steps: how many updates to make.
        longest: the most steps in a chunk.
    """
    length, done = 1, 0
    while done < steps:
        begin = time.perf_counter()
        after, losses = loop(state, data, np.int32(length))
        losses.block_until_ready()  # Unlike a copy to NumPy, it lets a second Ctrl-C through.
        seconds = time.perf_counter() - begin
        losses = np.asarray(losses)[..., :length].copy()
        yield Chunk(done, state, after, losses, final=done + length == steps)
        state, done = after, done + length
        length = min(_next_length(length, seconds), longest, steps - done)


def first_bad(chunk: Chunk) -> Int[np.ndarray, "*runs"]:
    """The first step of a chunk whose loss is not finite, ``BEYOND`` where there is none.

    Where the losses are finite to the end of a run but its final params are not, it
    is the step after the last.
    """
    finite = np.isfinite(chunk.losses)
    if chunk.final:
        leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(chunk.after.params)]
        rows = [np.isfinite(leaf).reshape(*finite.shape[:-1], -1) for leaf in leaves]
        params = np.concatenate(rows, axis=-1).all(axis=-1, keepdims=True)
        finite = np.concatenate([finite, params], axis=-1)
    return np.where(finite.all(axis=-1), BEYOND, finite.argmin(axis=-1))


def last_finite(
    loop: Callable[..., Any],
    data: Data,
    chunk: Chunk,
    previous: Chunk | None,
    bad: Sequence[int],
) -> Iterator[tuple[int, TrainState]]:
    """Each bad step of a chunk with the state before the step before it, the last to be trusted.

    Args:
        loop: as :func:`chunks` was given it.
        data: as :func:`chunks` was given them.
        chunk: where the bad steps are; they are made again, once for all.
        previous: the chunk before it, None for the first of a run.
        bad: steps, counted from the chunk's first, rising.
    """
    state, done = chunk.before, 0
    for step in bad:
        if step > 0:
            state, done = loop(state, data, np.int32(step - 1 - done))[0], step - 1
            yield step, state
        elif previous is not None:
            yield step, loop(previous.before, data, np.int32(previous.losses.shape[-1] - 1))[0]
        else:
            yield step, state  # Before the very first step.


def _next_length(length: int, seconds: float) -> int:
    """The power of two that fills a chunk's time, at the pace of the last chunk."""
    fitting = max(1, int(length * CHUNK_SECONDS / seconds))
    return 2 ** int(math.log2(fitting))
