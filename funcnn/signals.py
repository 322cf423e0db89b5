"""Ctrl-C (SIGINT) and SIGTERM while a command runs: the process ends at once, and in one line.

Python's own way is to raise KeyboardInterrupt wherever the program happens to be. Inside
a callback of the garbage collector it is lost; inside a C++ library that is being imported it
ends in a crash; and while XLA compiles it has to wait. So a command raises nothing. Three parts
work together:

1. ``watch`` is called before anything large is imported. From then on a signal wakes a small
   thread, whatever the main thread is doing. The thread writes the line, and ends the process
   by ``os._exit``: no destructor of a library can crash, and no thread is waited for.
2. Where something would be lost, the main thread holds the signals: inside ``writing`` while
   a file is written, and inside ``keeping`` from the first finished segment of a run
   (``something_to_keep``) to the end of the block, in which its result is saved. A signal that
   comes meanwhile is remembered; the run asks for it by ``came`` after each segment, and stops.
   Where nobody has asked, the process ends at the end of the block.
3. A second signal ends the process at once, in any case.

Where nobody called ``watch``, as in a program that uses funcnn as a library, all of this does
nothing (a run then holds the signals itself: see ``funcnn.runs.observers.interrupts``).

This module imports nothing large: it has to be there before what is large.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType
from typing import NoReturn

__all__ = ["STOPPING", "came", "keeping", "leave", "something_to_keep", "watch", "writing"]

STOPPING = (signal.SIGINT, signal.SIGTERM)
"""The signals that ask a process to end."""


class _Watch:
    """What a process does at a signal.

    Attributes:
        keeping: whether a command will save what a run has finished.
        held: whether something would be lost if the process ended now.
        came: the signal that came while something was held.
    """

    def __init__(self) -> None:
        self.keeping = False
        self.held = False
        self.came: signal.Signals | None = None
        self._ending = threading.RLock()

    def handle(self, number: int, frame: FrameType | None) -> None:
        """Remember a first signal where something is held; runs in the main thread."""
        del frame
        if not self.held or self.came is not None:
            self.end(number)
        self.came = signal.Signals(number)

    def listen(self, reader: int) -> None:
        """End the process at once where nothing is held; runs in a thread of its own.

        Args:
            reader: a pipe, to which Python writes the number of each signal that comes.
        """
        second = False
        while read := os.read(reader, 1):
            (number,) = read
            if number in STOPPING:
                if second or not self.held:
                    self.end(number)
                second = True

    def end(self, number: int) -> NoReturn:
        """Say the line and end the process."""
        self.leave(128 + number, b"funcnn: interrupted\n")

    def leave(self, code: int, line: bytes = b"") -> NoReturn:
        """End the process, in whichever of the two threads comes here first; the other waits."""
        self._ending.acquire()
        with contextlib.suppress(OSError):
            os.write(2, line)
        os._exit(code)


_watch: _Watch | None = None


def watch() -> None:
    """From now on a signal ends this process, unless something is held.

    A signal that the process was started to ignore, as by ``nohup``, stays ignored.
    """
    global _watch  # noqa: PLW0603
    _watch = _Watch()
    reader, writer = os.pipe()
    if sys.platform != "win32":
        os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    threading.Thread(target=_watch.listen, args=(reader,), daemon=True).start()
    for number in STOPPING:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _watch.handle)


def leave(code: int) -> NoReturn:
    """End a process that is watched, whose last words are written, with an exit code."""
    if _watch is None:
        raise RuntimeError("watch() was not called")
    _watch.leave(code)


def came() -> signal.Signals | None:
    """The signal that came while something was held."""
    return None if _watch is None else _watch.came


def something_to_keep() -> None:
    """Hold the signals from now on, where the command is ``keeping`` what runs have finished."""
    if _watch is not None and _watch.keeping:
        _watch.held = True


@contextlib.contextmanager
def keeping() -> Iterator[None]:
    """Inside the ``with`` a run and the saving of its result are one thing: both, or neither."""
    with _letting_go():
        if _watch is not None:
            _watch.keeping = True
        yield


@contextlib.contextmanager
def writing() -> Iterator[None]:
    """Inside the ``with`` a file is written, and the process does not end in between."""
    with _letting_go():
        if _watch is not None:
            _watch.held = True
        yield


@contextlib.contextmanager
def _letting_go() -> Iterator[None]:
    """At the end of the ``with`` all is as before, and the process ends where a signal came.

    After an error it does not end here: the command still has to say what went wrong, in which
    it is not cut short either.
    """
    if _watch is None:
        yield
        return
    before = _watch.keeping, _watch.held
    try:
        yield
    finally:
        if _watch.came is None:
            _watch.keeping, _watch.held = before
    if _watch.came is not None and not before[1]:
        _watch.end(_watch.came)
