"""Keys and batches."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import funcnn
from funcnn.core.keys import initial_key, run_key
from funcnn.loop.batches import Drawn


def words(key):
    return tuple(int(word) for word in jax.random.key_data(key))


def test_the_initial_key_is_jax_s_for_a_seed_of_32_bits():
    for seed in (0, 1, 12345, 2**32 - 1):
        assert words(initial_key(seed)) == words(jax.random.key(np.uint32(seed)))


def test_no_two_seeds_share_a_key():
    seeds = [0, 1, 2**31, 2**32, 2**32 + 1, 2**40, 2**64 - 1]
    for key in (initial_key, run_key):
        assert len({words(key(seed)) for seed in seeds}) == len(seeds)


@pytest.mark.parametrize("seed", [-1, 2**64])
def test_seeds_out_of_range(seed):
    with pytest.raises(funcnn.ArgumentError, match="seed"):
        funcnn.train("legendre", seed=seed)


# Powers of two and their neighbours: the shuffle works on the least range of 4ᵏ that holds them.
@pytest.mark.parametrize("samples", [1, 2, 3, 4, 5, 7, 8, 9, 16, 17, 33, 64, 65, 100, 128, 129])
def test_an_epoch_takes_no_sample_twice(samples):
    batch_size = max(1, samples // 3)
    batches = samples // batch_size
    drawn = Drawn(batch_size, drop_last=True)
    steps = jnp.arange(batches, dtype=jnp.int32)
    draw = jax.jit(jax.vmap(lambda key, step: drawn.rows(key, step, samples), in_axes=(None, 0)))
    for epoch in (0, 1, 2, 2**20):
        taken = np.asarray(draw(run_key(epoch), steps + np.int32(epoch * batches))).ravel()
        assert len(set(taken.tolist())) == batches * batch_size
        assert taken.min() >= 0
        assert taken.max() < samples


def test_each_epoch_has_an_order_of_its_own_and_no_place_is_favoured():
    key, samples = run_key(0), 50
    steps = jnp.arange(2000, dtype=jnp.int32)
    epochs = np.asarray(jax.vmap(lambda step: Drawn(samples).rows(key, step, samples))(steps))
    assert len({tuple(epoch) for epoch in epochs.tolist()}) == 2000
    # Each sample stands first in about 40 of the 2000 epochs, and is followed by any other.
    first = np.bincount(epochs[:, 0], minlength=samples)
    distances = np.bincount((epochs[:, 1] - epochs[:, 0]) % samples, minlength=samples)[1:]
    for counts in (first, distances):
        chi_squared = ((counts - counts.mean()) ** 2 / counts.mean()).sum()
        assert chi_squared < 100  # Beyond the 99.99th percentile of 49 degrees of freedom: 91.


def test_batches_do_not_depend_on_x64():
    key = run_key(1)
    narrow = Drawn(10).rows(key, jnp.int32(7), 100)
    with jax.enable_x64(True):
        wide = Drawn(10).rows(key, jnp.int32(7), 100)
    np.testing.assert_array_equal(narrow, wide)


def test_a_batch_of_everything_is_the_whole_data_in_its_order(line):
    whole = funcnn.train("polynomial", line, degree=1, steps=5)
    batch = funcnn.train("polynomial", line, degree=1, steps=5, batch_size=40)
    np.testing.assert_array_equal(whole.losses, batch.losses)
