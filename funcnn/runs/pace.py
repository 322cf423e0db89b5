"""How many steps a segment has: as many as take about a twentieth of a second."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

__all__ = ["ClockPace", "Pace"]

SEGMENT_SECONDS = 0.05
"""How long a segment should take: Python is reached about twenty times a second, often
enough for a log, a bar and Ctrl-C, seldom enough to cost nothing."""


@runtime_checkable
class Pace(Protocol):
    """Says how long segments are. It cannot change a run's result, only when it is looked at."""

    def length(self) -> int:
        """The steps of the next segment, 1 at least."""
        ...

    def took(self, steps: int, seconds: float) -> None:
        """Learn what a segment took."""
        ...


class ClockPace:
    """The pace that the last segments suggest, remembered from run to run.

    Args:
        paces: the seconds a step by the sizes of a run, where they are remembered.
        sizes: the sizes of this run.
    """

    def __init__(self, paces: dict[Any, float], sizes: Any) -> None:
        self._paces, self._sizes = paces, sizes
        self._longest = 0

    def length(self) -> int:
        """As many steps as should take ``SEGMENT_SECONDS``; one, where nothing is known."""
        seconds = self._paces.get(self._sizes)
        return 1 if seconds is None else max(1, int(SEGMENT_SECONDS / max(seconds, 1e-12)))

    def took(self, steps: int, seconds: float) -> None:
        """The longest segment of a run tells most of what a step takes."""
        if steps >= self._longest:
            self._longest = steps
            self._paces[self._sizes] = seconds / steps
