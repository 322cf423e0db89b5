"""Which samples are trained on: a part set aside for validation, a fold, a resample."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int, Shaped

from funcnn.core import ArgumentError

__all__ = ["fold", "resampled", "split"]


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
    return _without(_order(samples, seed, classes)[:wanted], samples)


def fold(
    samples: int,
    number: int,
    folds: int,
    seed: int,
    classes: Shaped[np.ndarray, " samples"] | None = None,
) -> tuple[Int[np.ndarray, " training"], Int[np.ndarray, " validation"]]:
    """The samples to train on and those of one fold, by number, each in order.

    Each sample is in one of the folds, whose sizes differ by one at most.

    Args:
        samples: how many there are.
        number: which fold, from 0.
        folds: how many there are.
        seed: what the choice follows from.
        classes: of each sample: then every fold holds each class in its share.

    Raises:
        ArgumentError: for more folds than samples.

    >>> [part.tolist() for part in fold(5, 0, 2, seed=0)]
    [[0, 2], [1, 3, 4]]
    """
    if folds > samples:
        raise ArgumentError(f"{folds} folds of {samples} samples: a fold would be empty")
    return _without(_order(samples, seed, classes)[number::folds], samples)


def resampled(samples: int, seed: int) -> Int[np.ndarray, " samples"]:
    """As many samples, drawn with replacement: a bootstrap.

    >>> resampled(5, seed=0).tolist()
    [0, 1, 2, 0, 2]
    """
    return np.random.default_rng([0xB007, seed]).integers(samples, size=samples)


def _order(
    samples: int, seed: int, classes: Shaped[np.ndarray, " samples"] | None
) -> Int[np.ndarray, " samples"]:
    """All samples, shuffled; their classes spread evenly, where these are given."""
    order = np.random.default_rng([0x5EA1, seed]).permutation(samples)
    return order if classes is None else _spread(order, classes)


def _without(
    rows: Int[np.ndarray, " validation"], samples: int
) -> tuple[Int[np.ndarray, " training"], Int[np.ndarray, " validation"]]:
    """All other samples, and these, each in order."""
    aside = np.zeros(samples, bool)
    aside[rows] = True
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
