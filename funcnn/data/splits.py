"""A part of the samples set aside for validation."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int, Shaped

from funcnn.core import ArgumentError

__all__ = ["split"]


def split(
    samples: int,
    fraction: float,
    seed: int,
    classes: Shaped[np.ndarray, " samples"] | None = None,
) -> tuple[Int[np.ndarray, " training"], Int[np.ndarray, " validation"]]:
    """The samples to train on and those to validate on, by number, each in order.

    Args:
        samples: how many there are.
        fraction: which part of them to set aside, of 0 to 1.
        seed: what the choice follows from.
        classes: of each sample: then every class is set aside in its own share, as nearly as
            whole numbers allow.

    Raises:
        ArgumentError: where either part would be empty.

    >>> [part.tolist() for part in split(5, 0.4, seed=0)]
    [[0, 1, 3], [2, 4]]
    """
    wanted = round(samples * fraction)
    if not 0 < wanted < samples:
        raise ArgumentError(
            f"validation_fraction={fraction}: of {samples} samples it sets {wanted} aside, and "
            f"leaves {samples - wanted}; neither may be 0"
        )
    order = np.random.default_rng([0x5EA1, seed]).permutation(samples)
    if classes is not None:
        order = _spread(order, classes)
    aside = np.zeros(samples, bool)
    aside[order[:wanted]] = True
    return np.flatnonzero(~aside), np.flatnonzero(aside)


def _spread(
    order: Int[np.ndarray, " samples"], classes: Shaped[np.ndarray, " samples"]
) -> Int[np.ndarray, " samples"]:
    """The order, its classes spread evenly, so that every beginning holds each in its share."""
    _, code, counts = np.unique(classes[order], return_inverse=True, return_counts=True)
    grouped = np.argsort(code, kind="stable")
    starts = np.cumsum(counts) - counts
    within = np.empty(len(order))
    within[grouped] = np.arange(len(order)) - np.repeat(starts, counts)
    return order[np.argsort((within + 0.5) / counts[code], kind="stable")]
