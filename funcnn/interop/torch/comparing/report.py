"""The page of a comparison, which needs no network; it needs the extra ``report``."""

from __future__ import annotations

import linecache
import os
from pathlib import Path
from typing import Any

from funcnn.atlas.report import check_destination, environment_of, facts
from funcnn.atlas.report.code import highlighted
from funcnn.atlas.report.figures import STYLE, svg
from funcnn.data.files import write_whole
from funcnn.interop.torch.comparing.comparison import Comparison

__all__ = ["write"]

AROUND = 4
"""How many lines are shown before and after the one that a difference comes from."""


def write(comparison: Comparison, directory: str | os.PathLike[str]) -> Path:
    """Write ``index.html``: what was found, stage by stage, the line, and the losses.

    Args:
        comparison: what ``compare`` gave.
        directory: where to write; made where it is missing.

    Returns:
        The page's path.

    Raises:
        MissingExtraError: where Jinja, Pygments or matplotlib is missing.
        ArgumentError, OSError: where the page cannot be written.
    """
    path = check_destination(directory)
    line = None if comparison.parting is None else comparison.parting.line
    stage = comparison.stage
    page = (
        environment_of("funcnn.interop.torch.comparing")
        .get_template("comparison.html")
        .render(
            comparison=comparison,
            title="The port agrees with PyTorch" if stage is None else f"The port parts: {stage}",
            facts=facts(),
            lines="" if line is None else _around(line.file, line.number),
            number=0 if line is None else line.number,
            file="" if line is None else Path(line.file).name,
            curve="" if comparison.trajectory is None else _curve(comparison),
        )
    )
    write_whole(path, lambda stream: stream.write(page.encode()))
    return path


def _around(file: str, number: int) -> Any:
    lines = linecache.getlines(file)[max(number - 1 - AROUND, 0) : number + AROUND]
    return highlighted("".join(lines)) if lines else ""


def _curve(comparison: Comparison) -> Any:
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(5.2, 3), layout="constrained")
        comparison.plot(ax=figure.subplots())
        return svg(figure, "losses", "how far the losses are apart, and what roundings explain")
