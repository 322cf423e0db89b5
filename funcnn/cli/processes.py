"""One run of several processes, as ``mpirun`` or Slurm starts them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import NamedTuple

import funcnn
from funcnn import signals

__all__ = ["Joined", "joined", "leave_the_others"]

HEARTBEAT = 5
"""Seconds without a sign of life after which a process counts as dead."""

_joined = False


class Joined(NamedTuple):
    """The processes that this one has joined.

    Attributes:
        is_first: whether this is the one that prints and saves.
        devices: how many devices they have together.
    """

    is_first: bool
    devices: int


@contextlib.contextmanager
def joined(coordinator: str | None) -> Iterator[Joined | None]:
    """Join the other processes for the ``with``.

    Args:
        coordinator: the address at which the first process listens, and nowhere else, as
            ``"127.0.0.1:29500"``; None for a process on its own.
    """
    global _joined  # noqa: PLW0603
    if coordinator is None:
        yield None
        return
    import jax

    try:
        jax.distributed.initialize(
            coordinator,
            coordinator_bind_address=coordinator,
            initialization_timeout=60,
            heartbeat_timeout_seconds=HEARTBEAT,
        )
    except (RuntimeError, ValueError) as error:
        raise funcnn.ArgumentError(
            f"--coordinator {coordinator}: {error} Start the processes by mpirun or srun"
        ) from error
    _joined = True
    try:
        yield Joined(jax.process_index() == 0, jax.device_count())
    except funcnn.TrainingInterrupted:
        _part()  # It came to all of them.
        raise
    _part()


def leave_the_others(code: int) -> None:
    """After an error: end this process now, where Python's end would wait for the others."""
    if _joined:
        signals.leave(code)


def _part() -> None:
    """Wait until all have come to their end."""
    global _joined  # noqa: PLW0603
    import jax

    jax.distributed.shutdown()
    _joined = False
