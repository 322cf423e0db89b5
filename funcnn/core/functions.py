"""What a Python function refers to, and the generators of random numbers among it."""

from __future__ import annotations

import contextlib
import random
import types
from collections.abc import Callable
from typing import Any

import numpy as np

__all__ = ["GENERATORS", "closure_of", "globals_of"]

GENERATORS: tuple[tuple[type, Callable[[Any], Any], Callable[[Any, Any], Any]], ...] = (
    (
        np.random.Generator,
        lambda generator: generator.bit_generator.state,
        lambda generator, state: setattr(generator.bit_generator, "state", state),
    ),
    (np.random.RandomState, np.random.RandomState.get_state, np.random.RandomState.set_state),
    (random.Random, random.Random.getstate, random.Random.setstate),
)
"""Kinds of generators of random numbers, how to get their state, and how to set it."""


def closure_of(function: types.FunctionType) -> dict[str, Any]:
    """The values of a function's closure, by name."""
    held = {}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        with contextlib.suppress(ValueError):  # A name that was not given a value yet.
            held[name] = cell.cell_contents
    return held


def globals_of(function: types.FunctionType) -> dict[str, Any]:
    """What a function reads of its module, by name; None for names that stand elsewhere."""
    return {name: function.__globals__.get(name) for name in function.__code__.co_names}
