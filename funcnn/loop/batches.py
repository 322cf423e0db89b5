"""Which samples a step of a run takes, where it does not take all of them.

An epoch goes through all samples once. Its last batch is shorter than the others where
these do not come out even, unless it is left out (``drop_last``).
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, UInt32

from funcnn.core import AnyArray, Samples

__all__ = ["Batches", "Blocks", "Count", "Drawn", "Feed", "Given", "taken"]

Count: TypeAlias = int | np.integer | Int[AnyArray, ""]
"""A whole number, of Python, NumPy or JAX."""


class Feed(NamedTuple):
    """What the loop is handed beside its state, where it does not choose the samples itself.

    Attributes:
        first: the step that the rows, or the samples, begin with.
        rows: the samples of each step by number, (steps, batch); a short batch ends in -1.
        samples: the samples of the next steps, one batch after another.
        numbers: the optimizer's numbers after each step, by name, from the run's step 0 on.
    """

    first: Count
    rows: Int[Array, "steps batch"] | None = None
    samples: Samples | None = None
    numbers: dict[str, Float[Array, " steps"]] | None = None


class Drawn(NamedTuple):
    """Batches drawn by key and epoch, as by PyTorch's ``DataLoader``; or taken in order.

    The order of an epoch is never stored: a position's sample is computed when it is needed,
    at a cost that does not grow with the number of samples.

    Attributes:
        size: how many samples a step takes.
        shuffle: whether every epoch has a random order of its own.
        drop_last: whether a short last batch is left out.
    """

    size: int
    shuffle: bool = True
    drop_last: bool = False

    def per_epoch(self, samples: int) -> int:
        """How many steps an epoch has."""
        return _per_epoch(samples, self.size, self.drop_last)

    def short(self, samples: int) -> int:
        """How many samples the short batch of an epoch has; 0 where there is none."""
        return 0 if self.drop_last else samples % self.size

    def is_short(self, step: Count, samples: int, feed: Feed | None) -> Bool[Array, ""]:
        """Whether a step takes the short batch."""
        del feed
        per_epoch = self.per_epoch(samples)
        return jnp.asarray(step) % per_epoch == per_epoch - 1

    def rows(
        self, key: Any, step: Count, samples: int, feed: Feed | None = None
    ) -> Int[Array, " batch"]:
        """The samples of a step by number; those beyond a short batch mean nothing."""
        del feed
        epoch, batch = jnp.divmod(jnp.asarray(step), self.per_epoch(samples))
        positions = batch * self.size + jnp.arange(self.size, dtype=jnp.int32)
        if self.short(samples):
            positions = jnp.minimum(positions, samples - 1)
        if not self.shuffle:
            return positions
        # Epochs count down from the top of fold_in's range, steps up from its bottom.
        epoch_key = jax.random.fold_in(key, ~epoch.astype(jnp.uint32))
        keys = jax.random.bits(epoch_key, (4,), jnp.uint32)
        return _shuffled(positions.astype(jnp.uint32), samples, keys).astype(jnp.int32)


class Given(NamedTuple):
    """Batches that the user has chosen: the rows of the feed.

    Attributes:
        size: how many samples a step takes.
        few: how many samples a short batch takes; 0 where there is none.
    """

    size: int
    few: int = 0

    def per_epoch(self, samples: int) -> int:
        """How many steps as many samples as there are would take."""
        return _per_epoch(samples, self.size, drop_last=False)

    def short(self, samples: int) -> int:
        """How many samples a short batch has."""
        del samples
        return self.few

    def is_short(self, step: Count, samples: int, feed: Feed | None) -> Bool[Array, ""]:
        """Whether the rows of a step end in -1."""
        return self.rows(None, step, samples, feed)[-1] < 0

    def rows(self, key: Any, step: Count, samples: int, feed: Feed | None) -> Int[Array, " batch"]:
        """The samples of a step by number."""
        del key, samples
        assert feed is not None
        assert feed.rows is not None
        return feed.rows[step - feed.first]


class Blocks(NamedTuple):
    """Batches that the host has gathered: the samples of the feed, one batch after another.

    Attributes:
        drawn: how the host draws them.
        samples: how many samples it draws from.
    """

    drawn: Drawn
    samples: int

    @property
    def size(self) -> int:
        """How many samples a step takes."""
        return self.drawn.size

    def per_epoch(self, samples: int) -> int:
        """How many steps an epoch has."""
        del samples
        return self.drawn.per_epoch(self.samples)

    def short(self, samples: int) -> int:
        """How many samples the short batch of an epoch has."""
        del samples
        return self.drawn.short(self.samples)

    def is_short(self, step: Count, samples: int, feed: Feed | None) -> Bool[Array, ""]:
        """Whether a step takes the short batch."""
        del samples
        return self.drawn.is_short(step, self.samples, feed)

    def rows(self, key: Any, step: Count, samples: int, feed: Feed | None) -> Int[Array, " batch"]:
        """The rows of the feed that belong to a step."""
        del key, samples
        assert feed is not None
        return jnp.asarray(step - feed.first) * self.size + jnp.arange(self.size, dtype=jnp.int32)


Batches: TypeAlias = Drawn | Given | Blocks


def taken(tree: Any, rows: Int[Array, " batch"] | None) -> Any:
    """Some rows of every array of a tree; None for all of them."""
    return tree if rows is None else jax.tree.map(lambda array: array[rows], tree)


def _per_epoch(samples: int, size: int, drop_last: bool) -> int:
    return samples // size if drop_last else math.ceil(samples / size)


def _shuffled(
    positions: UInt32[Array, " n"], samples: int, keys: UInt32[Array, " rounds"]
) -> UInt32[Array, " n"]:
    """A one-to-one map of range(samples) onto itself, at the given positions.

    A Feistel network permutes the least range of 4ᵏ numbers that holds
    ``samples``; what falls outside is sent through again until it falls inside.

    Source: Black and Rogaway, "Ciphers with arbitrary finite domains" (2002).
    """
    half = ((samples - 1).bit_length() + 1) // 2
    mask = jnp.uint32((1 << half) - 1)

    def permute(number: UInt32[Array, " n"]) -> UInt32[Array, " n"]:
        left, right = number >> half, number & mask
        for key in keys:
            left, right = right, left ^ (_mix(right ^ key) & mask)
        return left << half | right

    return jax.lax.while_loop(
        lambda numbers: (numbers >= samples).any(),
        lambda numbers: jnp.where(numbers >= samples, permute(numbers), numbers),
        permute(positions),
    )


def _mix(number: UInt32[Array, " n"]) -> UInt32[Array, " n"]:
    """Every bit of the result depends on every bit of the number.

    Source: the 32-bit finalizer of MurmurHash3 (Appleby, public domain).
    """
    number = (number ^ number >> 16) * jnp.uint32(0x85EBCA6B)
    number = (number ^ number >> 13) * jnp.uint32(0xC2B2AE35)
    return number ^ number >> 16
