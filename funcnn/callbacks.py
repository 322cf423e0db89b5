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
import os
from pathlib import Path
from typing import IO, Any

from funcnn.core import ArgumentError, MissingExtraError
from funcnn.runs.observers.callbacks import Callback, Event

__all__ = ["Callback", "Csv", "Event", "JsonLines", "TensorBoard"]


class JsonLines:
    """Writes a JSON object on a line for every event: what ``tail -f`` can follow.

    Args:
        file: a path, whose file is written anew at the first event, or an open text file.
    """

    def __init__(self, file: str | os.PathLike[str] | IO[str]) -> None:
        self._file = _Lines(file)

    def __call__(self, event: Event) -> None:
        """Write the event."""
        self._file.write(json.dumps(_row(event)) + "\n")


class Csv:
    """Writes a row of a ``.csv`` file for every event, under a header.

    Args:
        file: a path, whose file is written anew at the first event, or an open text file.
    """

    def __init__(self, file: str | os.PathLike[str] | IO[str]) -> None:
        self._file = _Lines(file)
        self._names: list[str] | None = None

    def __call__(self, event: Event) -> None:
        """Write the event, and before the first the names of the columns."""
        row = _row(event)
        writer = csv.DictWriter(self._file, list(row), lineterminator="\n")
        if self._names is None:
            self._names = list(row)
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
        self._open = lambda: SummaryWriter(os.fspath(folder))
        self._writer: Any = None

    def __call__(self, event: Event) -> None:
        """Write the event."""
        if self._writer is None:
            self._writer = self._open()
        for name, value in {"loss": event.loss, **event.scores}.items():
            self._writer.add_scalar(name, value, event.step)
        self._writer.flush()


class _Lines:
    """A text file to which lines are added, each on its way to the disk at once."""

    def __init__(self, file: str | os.PathLike[str] | IO[str]) -> None:
        self._stream: IO[str] | None = None
        self._path: Path | None = None
        if isinstance(file, (str, os.PathLike)):
            self._path = Path(file)
            if not self._path.parent.is_dir():
                raise ArgumentError(f"the folder of {self._path} is not there")
        else:
            self._stream = file

    def write(self, text: str) -> int:
        if self._stream is None:
            assert self._path is not None
            self._stream = self._path.open("w", encoding="utf-8", newline="")
        count = self._stream.write(text)
        self._stream.flush()
        return count


def _row(event: Event) -> dict[str, Any]:
    """The event, flat, less what gives the params."""
    fields = {field.name: getattr(event, field.name) for field in dataclasses.fields(event)}
    del fields["params"]
    scores = fields.pop("scores")
    return fields | dict(scores)
