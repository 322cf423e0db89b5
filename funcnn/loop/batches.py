"""Which samples a step of a run takes, where it does not take all of them."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int, Key, UInt32

__all__ = ["draw_batch"]


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
