"""Ctrl-C, held back until a run can stop without losing anything."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

__all__ = ["held_interrupts"]


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
