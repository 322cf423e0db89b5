"""The command line, as ``funcnn`` and ``python -m funcnn`` start it: the signals come first.

Nothing that is imported here is large, so that little time goes by before a signal is answered.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
from typing import NoReturn

from funcnn import signals

__all__ = ["main"]


def main() -> NoReturn:
    """Carry out the command, and end the process.

    It ends by ``os._exit``: Python's own end takes the libraries apart while their threads are
    still there, which may crash.
    """
    _open_descriptors()
    signals.watch()
    from funcnn import cli

    try:
        cli.main()
    except SystemExit as end:
        atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        signals.leave(end.code if isinstance(end.code, int) else 1)


def _open_descriptors() -> None:
    """Open stdin, stdout and stderr where they are closed, lest a pipe stand in their place."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(descriptor)


if __name__ == "__main__":
    main()
