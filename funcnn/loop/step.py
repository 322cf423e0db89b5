"""One step of a problem in a form, on the samples that are its turn."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from funcnn.core import ArgumentError, ArgumentTypeError, Samples, TrainState
from funcnn.loop.batches import Count, Drawn, Feed
from funcnn.loop.forms import Form, Kept
from funcnn.loop.problem import Problem

__all__ = ["samples_of", "step_of"]


def step_of(
    problem: Problem, form: Form, kept: Kept, step: Count, feed: Feed | None = None
) -> tuple[TrainState, Float[Array, ""]]:
    """What a step makes of ``kept.state``, and the loss before it.

    Args:
        problem: says which samples it takes.
        form: how its arithmetic is arranged.
        kept: what the loop holds.
        step: the step's number. It is the state's own, but the same for all members of a
            sweep, so that what depends on it alone is decided once for all of them.
        feed: what the loop is handed, where it does not choose the samples itself.
    """
    batches = problem.batches
    if feed is not None and feed.samples is not None:
        kept = kept._replace(data=feed.samples)
    if batches is None:
        return form.step(problem, kept, None)
    samples = len(kept.data.y)
    if isinstance(batches, Drawn):
        if not batches.per_epoch(samples):
            raise ArgumentError(
                f"batch_size={batches.size} is more than the {samples} samples, and drop_last "
                f"leaves out all of them"
            )
        if batches.size == samples:
            return form.step(problem, kept, None)
    state = kept.state
    rows = batches.rows(state.key, state.step if feed is None else step, samples, feed)
    few = batches.short(samples)
    if not few:
        return form.step(problem, kept, rows)
    return jax.lax.cond(
        batches.is_short(step, samples, feed),
        lambda: form.step(problem, kept, rows[:few]),
        lambda: form.step(problem, kept, rows),
    )


def samples_of(data: Any) -> Samples:
    """The samples that a user gives to ``update`` or ``fit``: ``(x, y)``, or with weights.

    Raises:
        ArgumentError, ArgumentTypeError: for what is no pair of arrays as long as each other.
    """
    if not isinstance(data, (tuple, list)) or not 2 <= len(data) <= 3:
        raise ArgumentTypeError(f"data must be a pair (x, y) of arrays, not {data!r:.60}")
    for name, array in zip(("x", "y", "the weights"), data, strict=False):
        if type(array).__module__.split(".")[0] == "torch":
            raise ArgumentTypeError(f"{name} is a PyTorch tensor: pass {name}.numpy()")
    samples = Samples(*jax.tree.map(jnp.asarray, tuple(data)))
    lengths = {len(array) for array in samples if array is not None and array.ndim}
    if len(lengths) > 1:
        raise ArgumentError(f"x holds {len(samples.x)} samples and y {len(samples.y)}")
    return samples
