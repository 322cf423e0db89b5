"""The groups of a sweep, trained."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any

from funcnn.runs.observers import Interrupts, Observer, Segment
from funcnn.runs.plan import Plan
from funcnn.runs.sweeps.dispatch import as_they_finish
from funcnn.runs.sweeps.tasks import Part, carry_out
from funcnn.runs.sweeps.workers import threads

__all__ = ["trained"]


def trained(
    plan: Plan,
    groups: Sequence[Sequence[Mapping[str, Any]]],
    workers: int,
    keep_every: int = 1,
    observers: Sequence[Observer] = (),
    interrupts: Interrupts | None = None,
) -> Iterator[tuple[int, Part]]:
    """Train groups in this process, and give what came of each by its number, as they finish.

    Args:
        plan: what each member does.
        groups: the settings of the members.
        workers: how many groups are worked on at a time.
        keep_every: the steps between losses that are kept.
        observers: what looks on; several threads call them.
        interrupts: tells of a signal. After one, each group that is worked on gives the steps
            that it has made, and no other is begun.
    """
    workers = min(workers, len(groups))
    with threads(workers) as executor, _Stop(interrupts) as stop:
        for number, future in as_they_finish(
            lambda number: executor.submit(
                carry_out, plan, groups[number], keep_every, [*observers, stop]
            ),
            range(len(groups)),
            # One more for each thread lies ready; in the calling thread it would be done at once.
            2 * workers if workers > 1 else 1,
            stop.is_due,
        ):
            if not future.cancelled():
                yield number, future.result()


class _Stop(Observer):
    """Ends groups after their segments once a signal has come, or nobody waits for them."""

    def __init__(self, interrupts: Interrupts | None) -> None:
        self._interrupts, self._over = interrupts, False

    def is_due(self) -> bool:
        """Whether groups are to end."""
        return self._over or (self._interrupts is not None and self._interrupts.came is not None)

    def see(self, segment: Segment) -> bool:
        """End the group, where it is due."""
        if self._interrupts is not None:
            self._interrupts.see(segment)
        return self.is_due()

    def __enter__(self) -> _Stop:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._over = True
