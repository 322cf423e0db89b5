"""Where the random numbers of a run come from.

A seed gives two keys: one for the initial values, one for the steps. A step's
numbers follow from the key and the step alone, so a resumed run is the same run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np

from funcnn.checks import integer

if TYPE_CHECKING:
    from jaxtyping import Array, Int, Key, UInt32

__all__ = [
    "check_seed",
    "draw_batch",
    "initial_key",
    "initial_words",
    "key_of",
    "run_key",
    "run_words",
    "step_key",
]


def check_seed(seed: int) -> int:
    """The seed, where it is a whole number from 0 to 2⁶⁴ − 1."""
    return integer("seed", seed, at_least=0, below=2**64)


def initial_key(seed: int) -> Key[Array, ""]:
    """``jax.random.key(seed)``, for any seed below 2⁶⁴.

    ``jax.random.key`` itself keeps 32 bits of a seed unless x64 is on, and
    compiles a program to do it.

    Raises:
        ArgumentTypeError, ArgumentError: where the seed is no integer in that range.
    """
    return key_of(initial_words(seed))


def run_key(seed: int) -> Key[Array, ""]:
    """The key of a run's steps: a stream that shares no bits with the initial values'."""
    return key_of(run_words(seed))


def initial_words(seed: int) -> UInt32[np.ndarray, 2]:
    """What :func:`initial_key` is made of."""
    seed = check_seed(seed)
    return np.array([seed >> 32, seed & 0xFFFFFFFF], np.uint32)


def run_words(seed: int) -> UInt32[np.ndarray, 2]:
    """What :func:`run_key` is made of."""
    return np.random.SeedSequence(check_seed(seed)).generate_state(2)


def key_of(words: UInt32[np.ndarray, 2] | UInt32[Array, 2]) -> Key[Array, ""]:
    """The key that is made of two words."""
    return jax.random.wrap_key_data(jnp.asarray(words), impl="threefry2x32")


def step_key(key: Key[Array, ""], step: Int[Array, ""]) -> Key[Array, ""]:
    """The key of one step of a run."""
    return jax.random.fold_in(key, step)


def draw_batch(
    key: Key[Array, ""], step: Int[Array, ""], samples: int, batch_size: int
) -> Int[Array, " batch_size"]:
    """Which samples the batch of a step holds.

    Every epoch (``samples // batch_size`` steps) has an order of its own and
    takes no sample twice, like PyTorch's ``DataLoader(shuffle=True,
    drop_last=True)``. The order is never stored: a position's sample is computed
    when it is needed, at a cost that does not grow with the number of samples.
    """
    batches = samples // batch_size
    epoch, batch = step // batches, step % batches
    positions = batch * batch_size + jnp.arange(batch_size, dtype=jnp.int32)
    # Epochs count down from the top of fold_in's range, steps up from its bottom.
    epoch_key = jax.random.fold_in(key, ~epoch.astype(jnp.uint32))
    keys = jax.random.bits(epoch_key, (4,), jnp.uint32)
    return _shuffled(positions.astype(jnp.uint32), samples, keys).astype(jnp.int32)


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
