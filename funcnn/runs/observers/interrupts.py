"""Ctrl-C, held back until a run can stop without losing anything."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any

from funcnn.runs.observers.observer import Observer, Segment

__all__ = ["Interrupts", "held_interrupts"]


class Interrupts(Observer):
    """Stops a run after the segment in which Ctrl-C came; inside a ``with``, it is held back."""

    def __init__(self) -> None:
        self._stack = contextlib.ExitStack()
        self.came = lambda: False
        """Whether Ctrl-C has come."""

    def see(self, segment: Segment) -> bool:
        """Stop, where Ctrl-C has come."""
        del segment
        return self.came()

    def __enter__(self) -> Interrupts:
        self.came = self._stack.enter_context(held_interrupts())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.close()


@contextlib.contextmanager
def held_interrupts() -> Iterator[Callable[[], bool]]:
    """Remember Ctrl-C inside the ``with``, in place of raising KeyboardInterrupt anywhere.

    An exception could come between two lines that belong together, or be lost in
    a callback of the garbage collector. A second Ctrl-C is raised at once. Where
    another handler is installed, or in another thread, nothing is changed.

    Yields:
        A function that says whether Ctrl-C has come.
    """
    interrupted = False

    def remember(number: int, frame: Any) -> None:
        nonlocal interrupted
        if interrupted:
            signal.default_int_handler(number, frame)
        interrupted = True

    if (
        threading.current_thread() is not threading.main_thread()
        or signal.getsignal(signal.SIGINT) is not signal.default_int_handler
    ):
        yield lambda: False
        return
    signal.signal(signal.SIGINT, remember)
    try:
        yield lambda: interrupted
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
