"""How long a run is, and which samples each of its steps takes."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Int

from funcnn.core import ArgumentError, ArgumentTypeError, checks
from funcnn.data.arrays import to_numpy
from funcnn.data.datasets import FOLLOWING, is_loader
from funcnn.loop.batches import Batches, Given
from funcnn.loop.problem import drawn

__all__ = ["Course", "course_of"]


class Course(NamedTuple):
    """The steps of a run.

    Attributes:
        steps: how many there are.
        per_epoch: how many go once through all samples.
        batches: which samples a step takes; None for all of them.
        rows: the samples of each step by number, where the user has chosen them.
    """

    steps: int
    per_epoch: int
    batches: Batches | None
    rows: Int[np.ndarray, "steps batch"] | None


def course_of(
    samples: int,
    default_steps: int,
    *,
    steps: Any = None,
    epochs: Any = None,
    batch_size: Any = None,
    shuffle: Any = None,
    drop_last: Any = None,
    batches: Any = None,
) -> Course:
    """The steps that the arguments of ``train`` ask for.

    Args:
        samples: how many samples there are.
        default_steps: how many steps to make where neither steps nor epochs are given.
        steps: how many updates to make.
        epochs: how often to go through all samples, in place of steps.
        batch_size: how many samples a step takes; all without it.
        shuffle: whether each epoch has an order of its own.
        drop_last: whether an epoch leaves out a last batch that is shorter.
        batches: the samples of each step by number, in place of the three before.

    Raises:
        ArgumentError, ArgumentTypeError: for arguments that cannot be used, together or alone.
    """
    rows = None
    if batches is None:
        chosen = drawn(batch_size, shuffle, drop_last)
        if chosen is not None and chosen.size > samples:
            raise ArgumentError(f"batch_size={chosen.size} is more than the {samples} samples")
    else:
        given = {"batch_size": batch_size, "shuffle": shuffle, "drop_last": drop_last}
        clashing = [name for name, value in given.items() if value is not None]
        if clashing or epochs is not None:
            names = ", ".join([*clashing, *([] if epochs is None else ["epochs"])])
            raise ArgumentError(f"{names}: batches= says all of it; leave one of them out")
        rows = _rows(batches, samples)
        chosen = Given(rows.shape[1], _few(rows))
        default_steps = len(rows)
    per_epoch = 1 if chosen is None else chosen.per_epoch(samples)
    if epochs is not None:
        if steps is not None:
            raise ArgumentError("steps and epochs: give one of the two")
        steps = checks.integer("epochs", epochs, at_least=1) * per_epoch
        if steps >= 2**31:
            raise ArgumentError(f"epochs={epochs} are {steps} steps; a run has below 2**31")
    steps = default_steps if steps is None else steps
    steps = checks.integer("steps", steps, at_least=1, below=2**31)
    if rows is not None and steps > len(rows):
        raise ArgumentError(f"steps={steps}, and batches hold the samples of {len(rows)} steps")
    return Course(steps, per_epoch, chosen, rows)


def _rows(batches: Any, samples: int) -> Int[np.ndarray, "steps batch"]:
    """The rows of ``batches=``: an array, or a sequence of batches of which some are short."""
    if is_loader(batches):
        raise ArgumentTypeError(
            f"batches is a DataLoader, which gives samples: pass the numbers of these, {FOLLOWING}"
        )
    if not isinstance(batches, (list, tuple)) and not hasattr(batches, "__array__"):
        raise ArgumentTypeError(
            f"batches is a {type(batches).__name__}: pass a list that holds, for each step, the "
            f"numbers of its samples"
        )
    if isinstance(batches, (list, tuple)):
        try:
            parts = [to_numpy(f"batches[{step}]", batch) for step, batch in enumerate(batches)]
        except ArgumentTypeError as error:
            raise ArgumentTypeError(
                f"batches must hold, for each step, the numbers of its samples: {error}"
            ) from error
        if not parts or any(part.ndim != 1 or not len(part) for part in parts):
            raise ArgumentError("batches must hold, for each step, the numbers of its samples")
        size = max(map(len, parts))
        array = np.stack(
            [np.pad(part, (0, size - len(part)), constant_values=-1) for part in parts]
        )
    else:
        array = to_numpy("batches", batches)
    if array.ndim != 2 or not array.size or not np.issubdtype(array.dtype, np.integer):
        raise ArgumentError(
            f"batches must be whole numbers of shape (steps, batch), or a list of a batch for "
            f"each step; they are {array.dtype}{array.shape}"
        )
    if array.min() < -1 or array.max() >= samples or (array[:, 0] < 0).any():
        raise ArgumentError(
            f"batches must hold numbers of samples from 0 to {samples - 1}, and -1 at the end "
            f"of a short batch; they hold {array.min()} to {array.max()}"
        )
    return array.astype(np.int32)


def _few(rows: Int[np.ndarray, "steps batch"]) -> int:
    """How many samples the short batches have; 0 where there are none."""
    taken = rows >= 0
    if (taken[:, 1:] > taken[:, :-1]).any():
        raise ArgumentError("batches: -1 stands at the end of a short batch alone")
    counts = np.unique(taken.sum(axis=1))
    if len(counts) > 2:
        raise ArgumentError(
            f"batches have {', '.join(map(str, counts))} samples: all must have as many, but for "
            f"short ones that have as many as each other"
        )
    return int(counts[0]) if counts[0] < rows.shape[1] else 0
