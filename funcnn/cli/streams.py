"""What a command says, where stdout or stderr may be closed, full, or left by its reader."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from typing import Any, TextIO

import click

__all__ = ["Lasting", "lasting_stdout", "open_missing", "say", "settle"]


def open_missing() -> None:
    """Open what Python found closed, so that all that is printed there is dropped.

    Otherwise the next file that is opened would stand in its place. A terminal that lacks the
    letters of a formula is given question marks.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def say(message: str) -> None:
    """One line on stderr, where somebody can be told."""
    with contextlib.suppress(OSError):
        click.echo(f"funcnn: {' '.join(message.split())}", err=True)


def settle() -> None:
    """Drop what a stream still holds and cannot write: Python would complain at its exit."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


class Lasting:
    """A stream that takes everything: from where it cannot be written on, it is dropped.

    Args:
        stream: where to write.

    Attributes:
        failure: what kept it from being written; None where nothing did.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.failure: OSError | None = None

    def write(self, text: str) -> int:
        """Write a text, or drop it."""
        if self.failure is None:
            try:
                self._stream.write(text)
            except OSError as error:
                self.failure = error
        return len(text)

    def flush(self) -> None:
        """Write what is held, or drop it."""
        if self.failure is None:
            try:
                self._stream.flush()
            except OSError as error:
                self.failure = error

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextlib.contextmanager
def lasting_stdout() -> Iterator[Lasting]:
    """Inside the ``with``, no run is lost because nobody reads its log any more."""
    stream: Any = Lasting(sys.stdout)
    with contextlib.redirect_stdout(stream):
        yield stream
