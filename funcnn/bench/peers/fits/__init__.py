"""Whole fits of real data: each library as its own users call it.

A file is for one library. It has ``prepare(task) -> fit``, where ``fit(seed)`` trains a
network and returns ``predict``, from inputs to classes or numbers, (samples,). Only ``fit``
is timed.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Iterable
from typing import TypeAlias

import numpy as np

from funcnn.bench.peers import OWN, missing_package
from funcnn.bench.real_tasks import RealTask
from funcnn.core import checks

__all__ = ["LIBRARIES", "Fit", "Predict", "Prepare", "find"]

Predict: TypeAlias = Callable[[np.ndarray], np.ndarray]
Fit: TypeAlias = Callable[[int], Predict]
Prepare: TypeAlias = Callable[[RealTask], Fit]

LIBRARIES = {
    OWN: f"{__name__}.own:prepare",
    "scikit-learn": f"{__name__}.scikit_learn:prepare",
    "pytorch": f"{__name__}.pytorch:prepare",
    "skorch": f"{__name__}.skorch_nets:prepare",
}
"""Where each library's ``prepare`` is."""


def find(libraries: Iterable[str] | None) -> tuple[dict[str, Prepare], dict[str, str]]:
    """The libraries by name, funcnn first; and those that are not installed, with the reason.

    Args:
        libraries: names of ``LIBRARIES``; None for all of them.

    Raises:
        ArgumentError, ArgumentTypeError: for a name that is none.
    """
    asked = LIBRARIES if libraries is None else libraries
    found, missing = {}, {}
    for name in dict.fromkeys([OWN, *(checks.choice("peer", one, LIBRARIES) for one in asked)]):
        try:
            found[name] = pkgutil.resolve_name(LIBRARIES[name])
        except ImportError as error:
            missing[name] = missing_package(error)
    return found, missing
