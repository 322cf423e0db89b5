"""Where the random numbers of a run come from.

A seed gives two keys: one for the initial values, one for the steps. A step's
numbers follow from the key and the step alone, so a resumed run is the same run.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int, Key, UInt32

from funcnn.core.checks import integer
from funcnn.core.words import AnyArray

__all__ = [
    "check_seed",
    "initial_key",
    "initial_words",
    "key_of",
    "run_key",
    "run_words",
    "step_key",
]


def check_seed(seed: Any) -> int:
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


def initial_words(seed: int) -> UInt32[np.ndarray, "2"]:
    """What :func:`initial_key` is made of."""
    seed = check_seed(seed)
    return np.array([seed >> 32, seed & 0xFFFFFFFF], np.uint32)


def run_words(seed: int) -> UInt32[np.ndarray, "2"]:
    """What :func:`run_key` is made of."""
    return np.random.SeedSequence(check_seed(seed)).generate_state(2)


def key_of(words: UInt32[np.ndarray, "2"] | UInt32[Array, "2"]) -> Key[Array, ""]:
    """The key that is made of two words."""
    return jax.random.wrap_key_data(jnp.asarray(words), impl="threefry2x32")


def step_key(key: Key[Array, ""], step: int | Int[AnyArray, ""]) -> Key[Array, ""]:
    """The key of one step of a run."""
    return jax.random.fold_in(key, step)
