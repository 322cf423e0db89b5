"""Ready-made callbacks: what is recorded of a run, written down while it goes on.

>>> import io, funcnn
>>> lines = io.StringIO()
>>> x = [0.0, 1.0, 2.0]
>>> result = funcnn.train(
...     "polynomial", (x, x), degree=1, steps=20, evaluate_every=10, callbacks=[JsonLines(lines)]
... )
>>> lines.getvalue().count("loss")
2
"""

from __future__ import annotations

import csv
import dataclasses
import json
import math
import os
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from funcnn.core import ArgumentError, ArgumentTypeError, MissingExtraError
from funcnn.runs.observers.callbacks import Callback, Event

__all__ = ["Callback", "Csv", "Event", "JsonLines", "TensorBoard"]


class JsonLines:
    """Writes a JSON object on a line for every event: what ``tail -f`` can follow.

    What is not finite is written as ``null``: JSON has no word for it.

    Args:
        file: a path, or an open text file. The file of a path is written anew at a run's first
            event, less what it says of a run that goes on from a checkpoint.
    """

    def __init__(self, file: str | os.PathLike[str] | IO[str]) -> None:
        self._file = _Lines(file)
        self._last = math.inf

    def __call__(self, event: Event) -> None:
        """Write the event."""
        if event.step <= self._last:  # A run begins.
            self._file.begin(event.resumed_from, lambda line: json.loads(line)["step"])
        row = {name: value if math.isfinite(value) else None for name, value in _row(event).items()}
        self._file.write(json.dumps(row) + "\n")
        self._last = event.step


class Csv:
    """Writes a row of a ``.csv`` file for every event, under a header.

    Args:
        file: a path, or an open text file. The file of a path is written anew at a run's first
            event, less what it says of a run that goes on from a checkpoint.
    """

    def __init__(self, file: str | os.PathLike[str] | IO[str]) -> None:
        self._file = _Lines(file)
        self._last = math.inf

    def __call__(self, event: Event) -> None:
        """Write the event, and before the first the names of the columns."""
        row = _row(event)
        writer = csv.DictWriter(self._file, list(row), lineterminator="\n")
        if event.step <= self._last:  # A run begins.
            place = list(row).index("step")
            self._file.begin(event.resumed_from, lambda line: int(line.split(",")[place]), writer)
        writer.writerow(row)
        self._last = event.step


class TensorBoard:
    """Writes the loss and the scores for TensorBoard; needs the extra ``tensorboard``.

    Args:
        folder: where TensorBoard looks for them (``tensorboard --logdir``).

    Raises:
        MissingExtraError: where tensorboardX is not installed.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        try:
            from tensorboardX import SummaryWriter
        except ImportError:
            raise MissingExtraError("tensorboardX", "tensorboard") from None
        if Path(folder).exists() and not Path(folder).is_dir():
            raise ArgumentError(f"folder={os.fspath(folder)!r} is not a folder")
        self._open = lambda: SummaryWriter(os.fspath(folder), flush_secs=1)
        self._writer: Any = None

    def __call__(self, event: Event) -> None:
        """Write the event."""
        if self._writer is None:
            self._writer = self._open()
            # A thread of its own writes, and stops with the process, whatever is left to write.
            weakref.finalize(self, self._writer.close)
        for name, value in {"loss": event.loss, **event.scores}.items():
            self._writer.add_scalar(name, value, event.step)
        if event.step == event.steps:
            self._writer.close()
            self._writer = None


class _Lines:
    """A text file to which lines are added, each on its way to the disk at once.

    Args:
        file: a path, which is opened for every line and stays open for none, or an open file.
    """

    def __init__(self, file: str | os.PathLike[str] | IO[str]) -> None:
        self._file = Path(file) if isinstance(file, (str, os.PathLike)) else file
        if not isinstance(self._file, Path):
            if not callable(getattr(file, "write", None)):
                raise ArgumentTypeError(f"file={file!r:.60} is no path, and no open text file")
        elif not self._file.parent.is_dir():
            raise ArgumentError(f"the folder of {self._file} is not there")
        elif self._file.is_dir():
            raise ArgumentError(f"{self._file} is a folder, and no file")

    def begin(
        self, resumed_from: int, step_of: Callable[[str], int], table: csv.DictWriter | None = None
    ) -> None:
        """Empty the file of a path, but for the lines of steps up to ``resumed_from``.

        Args:
            resumed_from: after how many steps the run goes on from a checkpoint.
            step_of: gives the step that a line is of.
            table: writes a header, where the lines have one.
        """
        kept: list[str] = []
        if isinstance(self._file, Path):
            path = self._file
            if resumed_from and path.exists():
                lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
                kept = [line for line in lines if _is_before(line, resumed_from, step_of)]
            path.write_text("", encoding="utf-8")
        if table is not None:
            table.writeheader()
        for line in kept:
            self.write(line)

    def write(self, text: str) -> int:
        if not isinstance(self._file, Path):
            count = self._file.write(text)
            self._file.flush()
            return count
        with open(self._file, "a", encoding="utf-8", newline="") as stream:
            return stream.write(text)


def _is_before(line: str, resumed_from: int, step_of: Callable[[str], int]) -> bool:
    """Whether a line, whole and of a kind that is known, is of a step up to that one."""
    try:
        return line.endswith("\n") and step_of(line) <= resumed_from
    except (ValueError, LookupError, TypeError):
        return False  # A header; what another program wrote; or what was cut off.


def _row(event: Event) -> dict[str, Any]:
    """The event, flat: what was recorded."""
    fields = {field.name: getattr(event, field.name) for field in dataclasses.fields(event)}
    del fields["params"], fields["resumed_from"]
    scores = fields.pop("scores")
    return fields | dict(scores)
