"""The processes of a run whose devices are of several, such as those that ``mpirun`` starts."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

import jax
import numpy as np

from funcnn.core import ArgumentError
from funcnn.runs.plan import Plan

__all__ = [
    "ending_with_the_others",
    "first_says",
    "is_first",
    "is_shared",
    "of_all",
    "require_same",
]

BROKEN = ("Gloo", "NCCL", "UNAVAILABLE")
"""What stands in the errors of XLA where the processes no longer reach one another."""


def is_shared(plan: Plan) -> bool:
    """Whether several processes make the run together."""
    placement = plan.problem.placement
    return placement is not None and len(placement.processes) > 1


def is_first(plan: Plan) -> bool:
    """Whether this process is the one that prints and saves."""
    return not is_shared(plan) or jax.process_index() == 0


def of_all(words: np.ndarray) -> np.ndarray:
    """What every process gives, (processes, words); all of them have to call it."""
    from jax.experimental.multihost_utils import process_allgather  # Most runs need none.

    return np.asarray(process_allgather(words)).reshape(-1, len(words))


def first_says(number: int) -> int:
    """The number that the first process gives, in all of them."""
    return int(of_all(np.array([number], np.int64).view(np.uint32))[0].view(np.int64)[0])


def require_same(run: Mapping[str, Any]) -> None:
    """Refuse processes that were asked for other runs than the first.

    Args:
        run: what this process was asked for, in JSON's words.

    Raises:
        ArgumentError: in every process, with the names of what differs.
    """
    digests = [hashlib.sha256(json.dumps(one).encode()).digest() for one in run.values()]
    told = of_all(np.frombuffer(b"".join(digests), np.uint32))
    differs = (told != told[0]).any(axis=0).reshape(len(run), -1).any(axis=1)
    names = [name for name, one in zip(run, differs, strict=True) if one]
    if names:
        raise ArgumentError(f"the processes of this run were given other {', '.join(names)}")


@contextlib.contextmanager
def ending_with_the_others() -> Iterator[None]:
    """Say in words that another process is gone.

    Raises:
        ConnectionError: where that is so.
    """
    try:
        yield
    except (jax.errors.JaxRuntimeError, ValueError) as error:
        if not any(word in str(error) for word in BROKEN):
            raise
        raise ConnectionError(
            f"another process of this run has ended, or cannot be reached; with checkpoints, "
            f"resume goes on from the last one ({str(error).splitlines()[0]:.200})"
        ) from error
