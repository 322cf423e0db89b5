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
from pathlib import Path
from typing import IO, Any

from funcnn.core import ArgumentError, MissingExtraError
from funcnn.runs.observers.callbacks import Callback, Event

__all__ = ["Callback", "Csv", "Event", "JsonLines", "TensorBoard"]


class JsonLines:
    """Writes a JSON object on a line for every event: what ``tail -f`` can follow.

    What is not finite is written as ``null``: JSON has no word for it.

    Args:
        file: a path, whose file is written anew at the first event, or an open text file.
    """

    def __init__(self, file: str | os.PathLike[str] | IO[str]) -> None:
        self._file = _Lines(file)

    def __call__(self, event: Event) -> None:
        """Write the event."""
        row = {name: value if math.isfinite(value) else None for name, value in _row(event).items()}
        self._file.write(json.dumps(row) + "\n")


class Csv:
    """Writes a row of a ``.csv`` file for every event, under a header.

    Args:
        file: a path, whose file is written anew at the first event, or an open text file.
    """

    def __init__(self, file: str | os.PathLike[str] | IO[str]) -> None:
        self._file = _Lines(file)
        self._begun = False

    def __call__(self, event: Event) -> None:
        """Write the event, and before the first the names of the columns."""
        row = _row(event)
        writer = csv.DictWriter(self._file, list(row), lineterminator="\n")
        if not self._begun:
            self._begun = True
            writer.writeheader()
        writer.writerow(row)


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
        self._file = file
        self._mode = "w"
        if isinstance(file, (str, os.PathLike)) and not Path(file).parent.is_dir():
            raise ArgumentError(f"the folder of {os.fspath(file)} is not there")

    def write(self, text: str) -> int:
        if not isinstance(self._file, (str, os.PathLike)):
            count = self._file.write(text)
            self._file.flush()
            return count
        with open(self._file, self._mode, encoding="utf-8", newline="") as stream:
            self._mode = "a"
            return stream.write(text)


def _row(event: Event) -> dict[str, Any]:
    """The event, flat, less what gives the params."""
    fields = {field.name: getattr(event, field.name) for field in dataclasses.fields(event)}
    del fields["params"]
    scores = fields.pop("scores")
    return fields | dict(scores)
