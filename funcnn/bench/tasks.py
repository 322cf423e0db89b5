"""What is measured: the tutorials' runs, two larger networks, and three sweeps.

A task of other sizes comes from the same function with other arguments.

>>> task = make("two-layer", samples=8, widths=(12, 6, 3), steps=20)
>>> task.title
'8 × 12 → 6 → 3, 20 steps of sgd'
>>> task.params["w1"].shape, task.params["w1"].dtype
((12, 6), dtype('float32'))
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from funcnn.bench.drawing import Task, curve, network
from funcnn.core import checks

__all__ = ["TASKS", "make"]

TASKS: Mapping[str, Callable[..., Task]] = MappingProxyType(
    {
        # The networks are compared at steps where float32 still has digits. By the end the loss
        # has fallen by more than ten decades, and what is left is mostly rounding: the same run
        # in float64 ends at a third of it (wide), a fiftieth (two-layer), or zero (linear-adam).
        # After a thousand steps RMSprop's are too large for the curvature, and then two correct
        # runs differ by what their roundings have grown to.
        "two-layer": functools.partial(network, checked={100: 1e-4, 300: 0.1}),
        "linear-adam": functools.partial(
            network,
            model="mlp_linear",
            optimizer="adam",
            rate=1e-4,
            checked={100: 1e-3, 250: 0.02},
        ),
        "cubic-sgd": curve,
        "cubic-rmsprop": functools.partial(
            curve,
            model="polynomial_linear",
            optimizer="rmsprop",
            rate=1e-3,
            checked={200: 1e-4, 1000: 1e-3, 2000: 0.25},
        ),
        "legendre": functools.partial(curve, model="legendre", rate=5e-6),
        "dynamic": functools.partial(
            curve, model="dynamic", optimizer="momentum", rate=1e-8, steps=30000
        ),
        "wide": functools.partial(
            network, widths=(1000, 2048, 10), steps=100, checked={20: 1e-4, 60: 1e-3}
        ),
        "large-batch": functools.partial(
            network, model="mlp_linear", optimizer="adam", rate=1e-4, samples=4096, steps=50
        ),
        # To check all steps of a sweep, one run after another, would take minutes.
        "sweep-mlp": functools.partial(network, members=64, checked={10: 1e-4, 50: 1e-3}),
        "sweep-adam": functools.partial(
            network,
            model="mlp_linear",
            optimizer="adam",
            rate=1e-4,
            members=64,
            checked={10: 1e-4, 50: 1e-3},
        ),
        "sweep-cubic": functools.partial(curve, members=1000, checked={10: 1e-4, 100: 1e-4}),
    }
)
"""The functions that make the tasks: ``function(name, **sizes)``."""


def make(name: str, **sizes: Any) -> Task:
    """A task by name.

    Args:
        name: one of ``TASKS``.
        **sizes: what ``network`` or ``curve`` takes, in place of the task's own.

    Raises:
        ArgumentError, ArgumentTypeError: for a name that is none.
    """
    return TASKS[checks.choice("task", name, TASKS)](name, **sizes)
