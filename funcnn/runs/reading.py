"""Samples that lie in a file, read for the loop: a block of steps at a time, the next ahead."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int

from funcnn.core import Samples
from funcnn.core.caches import remembered
from funcnn.core.keys import key_of, run_words
from funcnn.core.precision import numerics
from funcnn.loop.batches import Blocks, Count, Feed
from funcnn.loop.placement import put_everywhere
from funcnn.runs.plan import Plan

__all__ = ["BLOCK", "Reading"]

BLOCK = 2**24
"""Bytes of the samples in a block."""


class Reading:
    """Reads the samples of a run's steps, in the order of their batches.

    Blocks begin at the same steps however the run is cut. While the loop works on one, a
    thread reads the next.

    Args:
        plan: says what a step takes.
        capacity: the most steps of a block.

    Attributes:
        steps: how many steps a block has.
    """

    def __init__(self, plan: Plan, capacity: int) -> None:
        assert isinstance(plan.problem.batches, Blocks)
        self._plan, self._batches = plan, plan.problem.batches
        self._begin = plan.first + plan.done
        row = sum(array[:1].nbytes for array in jax.tree.leaves(plan.data))
        self.steps = max(1, min(capacity, BLOCK // (self._batches.size * row)))
        self._words = (
            run_words(plan.seed)
            if plan.state is None
            else np.asarray(jax.random.key_data(plan.state.key))
        )
        self._thread = ThreadPoolExecutor(1)
        self._number, self._feed = -1, Feed(0)
        self._ahead: dict[int, Future[Samples]] = {}

    def left(self, done: int) -> int:
        """How many steps the block of a step has from there on."""
        return self.steps - (done - self._plan.done) % self.steps

    def feed(self, done: int) -> Feed:
        """The block of the step after that many of the run's."""
        number = (done - self._plan.done) // self.steps
        if number != self._number:
            ahead = self._ahead.pop(number, None) or self._thread.submit(self._read, number)
            block = put_everywhere(self._plan.problem.placement, ahead.result())
            self._number, self._feed = number, Feed(self._first(number), samples=block)
            following = number + 1
            if self._plan.done + following * self.steps < self._plan.steps:
                self._ahead = {following: self._thread.submit(self._read, following)}
        return self._feed

    def _first(self, number: int) -> np.int32:
        """The step that a block begins with."""
        return np.int32(self._begin + number * self.steps)

    def _read(self, number: int) -> Samples:
        """The samples of a block; those beyond the end of the run are zeros."""
        made = min(self.steps, self._plan.steps - self._plan.done - number * self.steps)
        with numerics(self._plan.dtype):
            order = _order(self._batches, self.steps)(self._words, self._first(number))
            rows = np.asarray(order)[:made].ravel()

        def gather(array: Any) -> np.ndarray:
            block = np.zeros((self.steps * self._batches.size, *array.shape[1:]), array.dtype)
            block[: len(rows)] = array[rows]
            return block

        return jax.tree.map(gather, self._plan.data)


@remembered
def _order(batches: Any, steps: Any) -> Any:
    """The samples of some steps by number, as the loop itself would draw them."""
    batches_, steps_ = batches(), steps()

    def order(words: Any, first: Count) -> Int[Array, "steps batch"]:
        key = key_of(words)
        made = first + jnp.arange(steps_, dtype=jnp.int32)
        return jax.vmap(lambda step: batches_.drawn.rows(key, step, batches_.samples))(made)

    return jax.jit(order)
