"""The files that commands write: their places are looked at before anything runs."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from funcnn.core import MissingExtraError, checks
from funcnn.data import require_place, write_whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure
else:
    Figure = Any  # matplotlib may be missing, and takes long to import.

__all__ = ["check_picture", "check_place", "table_text", "write_picture", "write_table"]


def check_place(option: str, path: str, *endings: str) -> None:
    """Refuse a path with another ending, or where no file could be written."""
    checks.choice(f"the ending of {option}", Path(path).suffix, endings)
    require_place(path)


def check_picture(option: str, path: str) -> None:
    """Refuse a path that no picture could be written to, or that there is nothing to draw with."""
    check_place(option, path, ".png", ".svg", ".pdf")
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError:
        raise MissingExtraError("matplotlib", "plot") from None


def write_picture(figure: Figure, path: str) -> None:
    """Write a figure, whole or not at all."""
    picture = io.BytesIO()
    figure.savefig(picture, format=Path(path).suffix[1:], dpi=100)
    write_whole(path, lambda stream: stream.write(picture.getvalue()))


def table_text(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A table as the text of a ``.csv`` file, under a header."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    writer.writerows(rows)
    return text.getvalue()


def write_table(names: Sequence[str], rows: Iterable[Sequence[Any]], path: str) -> None:
    """Write a table as a ``.csv`` file, whole or not at all."""
    content = table_text(names, rows).encode()
    write_whole(path, lambda stream: stream.write(content))
