"""Members that differ in their fold alone, taken together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Int, Shaped

from funcnn.runs.divergence import NEVER
from funcnn.runs.sweeps.tasks import order_of

__all__ = ["FOLD", "alike", "has_folds", "over_folds", "ranked"]

FOLD = "fold"
"""The setting that says which part of the samples a member is validated on."""


def has_folds(settings: Sequence[Mapping[str, Any]]) -> bool:
    """Whether members differ in their fold."""
    return bool(settings) and FOLD in settings[0]


def alike(settings: Sequence[Mapping[str, Any]], *but: str) -> Int[np.ndarray, " members"]:
    """The number of each member's settings, counted in the order in which they come.

    Args:
        settings: of each member.
        *but: the settings that may differ.

    >>> alike([{"eps": 1, "fold": 0}, {"eps": 1, "fold": 1}, {"eps": 2, "fold": 0}], "fold")
    array([0, 0, 1])
    """
    numbers: dict[tuple[Any, ...], int] = {}
    found = []
    for setting in settings:
        key = tuple(value for name, value in setting.items() if name not in but)
        found.append(numbers.setdefault(key, len(numbers)))
    return np.array(found, int)


def over_folds(
    settings: Sequence[Mapping[str, Any]],
    score: Float[np.ndarray, " members"],
    diverged: Int[np.ndarray, " members"],
) -> Float[np.ndarray, " members"]:
    """The score that members are ranked by: of those with folds the mean of all of their folds.

    It is NaN where one of these has diverged.
    """
    finite = np.where(diverged == NEVER, score, np.nan)
    if not has_folds(settings):
        return finite
    numbers = alike(settings, FOLD)
    return (np.bincount(numbers, finite) / np.bincount(numbers))[numbers]


def ranked(
    settings: Sequence[Mapping[str, Any]],
    score: Float[np.ndarray, " members"],
    diverged: Int[np.ndarray, " members"],
    higher_is_better: bool,
    ends: Shaped[np.ndarray, " members"] | None = None,
) -> Int[np.ndarray, " members"]:
    """All members from the best to the worst, those that diverged at the end.

    Those with folds are ranked by the mean of all of their folds, and the folds of one setting
    among each other.

    Args:
        settings: of each member.
        score: what ranks it.
        diverged: its first step that is not finite, or ``NEVER``.
        higher_is_better: whether a higher score is a better one.
        ends: what tells which members were dropped before which: those of a lower number come
            after all others.

    >>> ranked([{}] * 3, np.array([3.0, 1.0, 2.0]), np.full(3, -1), False, np.array([8, 4, 8]))
    array([2, 0, 1])
    """
    order = order_of(score, diverged, higher_is_better)
    mean = over_folds(settings, score, diverged)
    falling = -mean if higher_is_better else mean
    order = order[np.argsort(falling[order], kind="stable")]
    if ends is None:
        return order
    late = np.where(diverged == NEVER, ends, -np.inf)
    return order[np.argsort(-late[order], kind="stable")]
