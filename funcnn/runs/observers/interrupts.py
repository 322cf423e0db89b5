"""Ctrl-C and SIGTERM, held back until a run can stop without losing anything."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType

from funcnn import signals
from funcnn.runs.observers.observer import Observer, Segment

__all__ = ["Interrupts"]

DEFAULTS = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}
"""What Python does at the signals that ask a process to end."""


class Interrupts(Observer):
    """Stops a run after the segment in which Ctrl-C or SIGTERM came.

    Inside the ``with`` the signal is remembered, in place of a KeyboardInterrupt that could
    come between two lines that belong together, or be lost in a callback of the garbage
    collector. A second signal does what Python does at it, at once. Where another handler is
    installed, or in another thread, nothing is changed; the command line's own handler is asked
    what came.
    """

    def __init__(self) -> None:
        self._came: signal.Signals | None = None
        self._taken: list[signal.Signals] = []

    @property
    def came(self) -> signal.Signals | None:
        """The signal that came; None where none did."""
        return signals.came() if self._came is None else self._came

    def hear(self, number: int) -> None:
        """Learn of a signal that came to another process of the run."""
        if self.came is None:
            self._came = signal.Signals(number)

    def see(self, segment: Segment) -> bool:
        """Stop, where a signal has come."""
        del segment
        signals.something_to_keep()
        return self.came is not None

    def pass_on(self) -> None:
        """After the ``with``: do what Python does at the signal that came."""
        if self._came is not None:
            signal.raise_signal(self._came)

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is threading.main_thread():
            for number, default in DEFAULTS.items():
                if signal.getsignal(number) is default:
                    self._taken.append(number)
                    signal.signal(number, self._remember)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        while self._taken:
            number = self._taken.pop()
            signal.signal(number, DEFAULTS[number])

    def _remember(self, number: int, frame: FrameType | None) -> None:
        del frame
        if self._came is None:
            self._came = signal.Signals(number)
        else:
            signal.signal(number, DEFAULTS[signal.Signals(number)])
            signal.raise_signal(number)
