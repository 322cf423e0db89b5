"""The members of a sweep as tables: a row for each, or for each setting."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from funcnn.runs.divergence import NEVER
from funcnn.runs.sweeps.folds import FOLD, alike, over_folds

__all__ = ["by_setting", "rows_of"]


def rows_of(
    settings: list[dict[str, Any]],
    losses: Float[np.ndarray, "members losses"],
    diverged: Int[np.ndarray, " members"],
) -> list[dict[str, Any]]:
    """A table of members, as :meth:`SweepResult.rows` gives it."""
    return [
        one
        | {
            "first_loss": float(own[0]),
            "last_loss": float(own[~np.isnan(own)][-1]) if step == NEVER else float("nan"),
            "diverged": None if step == NEVER else int(step),
        }
        for one, own, step in zip(settings, losses, diverged, strict=True)
    ]


def by_setting(
    settings: list[dict[str, Any]],
    scores: Float[np.ndarray, " members"],
    diverged: Int[np.ndarray, " members"],
    higher_is_better: bool,
    dropped: Bool[np.ndarray, " members"],
    steps: Int[np.ndarray, " members"],
) -> list[dict[str, Any]]:
    """A table of settings, as :meth:`SweepResult.by_setting` gives it."""
    numbers = alike(settings, FOLD, "seed")
    finite = diverged == NEVER
    score = over_folds(settings, scores, diverged)
    rows, ranks = [], []
    for number in range(numbers.max() + 1):
        own = np.flatnonzero(numbers == number)
        known = scores[own[finite[own]]]
        whole = score[own][~np.isnan(score[own])]
        mean = whole.mean() if len(whole) else np.nan
        ended = np.where(dropped[own], steps[own], np.inf).max()
        ranks.append((-mean if higher_is_better else mean, -ended, np.isnan(mean)))
        shown = {
            name: value for name, value in settings[own[0]].items() if name not in (FOLD, "seed")
        }
        rows.append(
            shown
            | {
                "members": len(own),
                "diverged": len(own) - len(known),
                "mean": float(known.mean()) if len(known) else float("nan"),
                "spread": float(known.std()) if len(known) else float("nan"),
            }
        )
    return [rows[number] for number in np.lexsort(np.transpose(ranks))]
