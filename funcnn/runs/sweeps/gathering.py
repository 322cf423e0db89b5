"""What came of the groups of a sweep, put together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Float, Int

from funcnn.core import TrainState
from funcnn.runs.sweeps.tasks import Part

__all__ = ["Gathered", "gathered"]


class Gathered(NamedTuple):
    """What came of the members whose groups were finished.

    Attributes:
        members: which these are, in their order.
        state: their states, without their keys.
        losses: their losses that are kept.
        diverged: their first steps that are not finite, or ``NEVER``.
        steps: how many steps they have made.
        compile_seconds: what went by before the first step of the group that waited longest.
    """

    members: Int[np.ndarray, " members"]
    state: TrainState
    losses: Float[np.ndarray, "members kept"]
    diverged: Int[np.ndarray, " members"]
    steps: int
    compile_seconds: float


def gathered(parts: Mapping[int, Part], steps: int, count: int) -> Gathered:
    """The parts of the groups as one, in the order of the groups.

    Where groups were stopped, those that were finished count; where none was, the first does.

    Args:
        parts: what came of groups, by their numbers; of one at least.
        steps: how many steps a group makes.
        count: how many members there are: those beyond have filled up the last group.
    """
    finished = [number for number in sorted(parts) if parts[number].steps == steps]
    numbers = finished or [min(parts)]
    chosen = [parts[number] for number in numbers]
    width = len(chosen[0].diverged)
    members = np.concatenate(
        [np.arange(number * width, (number + 1) * width) for number in numbers]
    )
    real = int((members < count).sum())
    return Gathered(
        members=members[:real],
        state=jax.tree.map(
            lambda *leaves: np.concatenate(leaves)[:real], *(part.state for part in chosen)
        ),
        losses=np.concatenate([part.losses for part in chosen])[:real],
        diverged=np.concatenate([part.diverged for part in chosen])[:real],
        steps=chosen[0].steps,
        compile_seconds=max(part.compile_seconds for part in chosen),
    )
