"""Steps of a run, with what the host hands to the loop for them."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from funcnn.core import TrainState
from funcnn.core.caches import remembered
from funcnn.core.keys import key_of, run_words
from funcnn.loop.batches import Blocks, Feed
from funcnn.loop.forms import Kept
from funcnn.loop.programs import Programs
from funcnn.runs.plan import Plan

__all__ = ["Advance", "most_steps"]

BLOCK = 2**24
"""Bytes of the samples that a segment is handed at once, where they lie in a file."""


class Advance:
    """Makes steps of a run: ``advance(kept, done, length) -> (state, losses)``.

    Args:
        plan: says what a step takes.
        made: the programs of the run.
        capacity: the most steps at once.
    """

    def __init__(self, plan: Plan, made: Programs, capacity: int) -> None:
        self.capacity = capacity
        self._plan, self._made = plan, made
        self._feed = None
        if plan.rows is not None:
            self._feed = Feed(np.int32(plan.first), rows=jnp.asarray(plan.rows))

    def __call__(
        self, kept: Kept, done: int, length: int
    ) -> tuple[TrainState, Float[Array, "..."]]:
        """The state after some steps, and the losses before each; nothing is waited for.

        Args:
            kept: what the loop holds.
            done: how many steps of the run were made.
            length: how many to make.
        """
        step = np.int32(self._plan.first + done)
        feed = self._feed
        if isinstance(self._plan.problem.batches, Blocks):
            feed = _gathered(self._plan, self._plan.problem.batches, step, length, self.capacity)
        return self._made.segment(kept, step, np.int32(length), feed)


def most_steps(plan: Plan, capacity: int) -> int:
    """How many steps a segment may have, where what it is handed is limited."""
    batches = plan.problem.batches
    if not isinstance(batches, Blocks):
        return capacity
    row = sum(array[:1].nbytes for array in jax.tree.leaves(plan.data))
    return max(1, min(capacity, BLOCK // (batches.size * row)))


def _gathered(plan: Plan, batches: Blocks, step: np.int32, length: int, capacity: int) -> Feed:
    """The samples of some steps, read from where they lie, in the order of their batches."""
    order = _order(batches, capacity)
    rows = np.asarray(order(run_words(plan.seed), step))[:length].ravel()

    def gather(array: Any) -> np.ndarray:
        block = np.zeros((capacity * batches.size, *array.shape[1:]), array.dtype)
        block[: len(rows)] = array[rows]
        return block

    return Feed(step, samples=jax.tree.map(gather, plan.data))


@remembered
def _order(batches: Any, steps: Any) -> Any:
    """The samples of some steps by number, as the loop itself would draw them."""
    batches_, steps_ = batches(), steps()

    def order(words: Any, first: Int[Array, ""]) -> Int[Array, "steps batch"]:
        key = key_of(words)
        made = first + jnp.arange(steps_, dtype=jnp.int32)
        return jax.vmap(lambda step: batches_.drawn.rows(key, step, batches_.samples))(made)

    return jax.jit(order)
