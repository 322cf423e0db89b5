"""The run around the compiled loop, for one member and for many side by side.

A form is entered once and left at the end. In between the loop is cut where the pace and
the observers suggest; a cut changes nothing, since what the loop keeps is carried over it.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Int

from funcnn.core import TrainState
from funcnn.core.precision import numerics
from funcnn.loop.forms import Kept
from funcnn.runs.advance import Advance
from funcnn.runs.divergence import NEVER, Divergence
from funcnn.runs.observers import Observer, Segment
from funcnn.runs.pace import ClockPace, Pace
from funcnn.runs.plan import Plan
from funcnn.runs.start import begun

__all__ = ["Outcome", "run"]

LONGEST_SEGMENT = 2**14
"""The most steps in a segment: the length of the loop's array of losses."""

LOSSES = 2**19
"""The most losses in a segment of many members: few enough that to clear them costs nothing."""


class Outcome(NamedTuple):
    """How a run ended.

    Attributes:
        state: the state after the last step, as users see it; of a member that diverged
            its last finite one, of one that an observer has stopped the one then. Of many
            members each array has a leading axis (members,).
        steps: how many steps were made.
        diverged: for each member the first step that is not finite, or ``NEVER``.
        compile_seconds: what went by before the first step.
        run_seconds: what the steps took.
    """

    state: TrainState
    steps: int
    diverged: Int[np.ndarray, " members"]
    compile_seconds: float
    run_seconds: float


def run(
    plan: Plan,
    members: Sequence[Mapping[str, Any]] | None = None,
    observers: Sequence[Observer] = (),
    pace: Pace | None = None,
) -> Outcome:
    """Carry out a plan.

    Args:
        plan: what to do.
        members: for many runs side by side, what each has in place of the plan's seed and
            numbers, and samples; None for one run.
        observers: what looks at the run between its segments, in this order.
        pace: how long segments are; the clock says without it.
    """
    with numerics(plan.dtype):
        begin = time.perf_counter()
        capacity = LONGEST_SEGMENT
        if members is not None:
            capacity = min(capacity, max(1, LOSSES // len(members)))
        advance = Advance(plan, capacity, members)
        made = advance.programs
        kept = begun(plan, made, members)
        sizes = tuple((leaf.shape, leaf.dtype) for leaf in jax.tree.leaves((kept.state, plan.data)))
        if sizes not in made.paces and plan.done < plan.steps:
            _wait_for(advance(kept, plan.done, 0))  # It compiles now.
        _wait_for(kept)
        pace = ClockPace(made.paces, sizes) if pace is None else pace
        compiled = time.perf_counter()

        count = 1 if members is None else len(members)
        divergence = Divergence(advance, made.leave, kept, count, members is not None, plan.done)
        ended = np.zeros(count, bool)  # Who makes no more steps.
        done, left = plan.done, None
        while done < plan.steps and not ended.all():
            length = _length(pace, observers, done, min(advance.most(done), plan.steps - done))
            after, losses = _segment(advance, kept, done, length, pace)
            left = made.leave(after) if done + length == plan.steps else None
            losses = losses.reshape(count, length)
            kept, losses = divergence.check(done, kept, after, losses, left, ended)
            if kept is not after:
                left = None  # A member was put back to its last finite state.
            segment = Segment(done, losses, functools.cache(functools.partial(made.leave, kept)))
            done += length
            ended = ended | (divergence.steps != NEVER)
            for observer in observers:
                ended = ended | observer.see(segment)
        left = made.leave(kept) if left is None else left
        _wait_for(left)
        return Outcome(
            state=left,
            steps=done,
            diverged=divergence.steps,
            compile_seconds=compiled - begin,
            run_seconds=time.perf_counter() - compiled,
        )


def _length(pace: Pace, observers: Sequence[Observer], done: int, most: int) -> int:
    """The steps of the next segment, which ends where an observer asks to look."""
    asked = (observer.next_step(done) for observer in observers)
    return min(most, pace.length(), *(step - done for step in asked if step is not None))


def _segment(
    advance: Advance, kept: Kept, done: int, length: int, pace: Pace
) -> tuple[Kept, np.ndarray]:
    """What the loop holds after some steps, and the losses before each."""
    begin = time.perf_counter()
    state, losses = advance(kept, done, length)
    losses.block_until_ready()  # Unlike a copy to NumPy, it lets a second Ctrl-C through.
    pace.took(length, time.perf_counter() - begin)
    return kept._replace(state=state), np.asarray(losses)[..., :length].copy()


def _wait_for(tree: Any) -> None:
    """Wait until arrays are there; ``jax.block_until_ready``, which takes its time with keys."""
    for leaf in jax.tree.leaves(tree):
        # Under jax.disable_jit what is not computed is still NumPy's.
        if isinstance(leaf, jax.Array) and not jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
            leaf.block_until_ready()
