"""The page of a comparison, which needs no network; it needs the extra ``report``."""

from __future__ import annotations

import linecache
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from funcnn.atlas.report import check_destination, environment_of, facts
from funcnn.atlas.report.code import highlighted
from funcnn.atlas.report.figures import STYLE, svg
from funcnn.data.files import write_whole
from funcnn.interop.torch.comparing.jaxprs import Line

__all__ = ["write"]

AROUND = 4
"""How many lines are shown before and after the one that a difference comes from."""


def write(
    directory: str | os.PathLike[str],
    said: str,
    stage: str | None,
    stages: Sequence[Any],
    line: Line | None,
    plot: Callable[..., Any] | None,
) -> Path:
    """Write ``index.html``: what was found, stage by stage, the line, and the losses.

    Args:
        directory: where to write; made where it is missing.
        said: what a comparison says of itself.
        stage: the first stage that differs; None where the port agrees.
        stages: all of them.
        line: where in the port it differs, where that is known.
        plot: ``plot(ax=axes)`` draws the losses; None where it did not come to them.

    Returns:
        The page's path.

    Raises:
        MissingExtraError: where Jinja, Pygments or matplotlib is missing.
        ArgumentError, OSError: where the page cannot be written.
    """
    path = check_destination(directory)
    page = (
        environment_of("funcnn.interop.torch.comparing")
        .get_template("comparison.html")
        .render(
            said=said,
            stages=stages,
            title="The port agrees with PyTorch" if stage is None else f"The port parts: {stage}",
            facts=facts(),
            lines="" if line is None else _around(line.file, line.number),
            number=0 if line is None else line.number,
            file="" if line is None else Path(line.file).name,
            curve="" if plot is None else _curve(plot),
        )
    )
    write_whole(path, lambda stream: stream.write(page.encode()))
    return path


def _around(file: str, number: int) -> Any:
    lines = linecache.getlines(file)[max(number - 1 - AROUND, 0) : number + AROUND]
    return highlighted("".join(lines)) if lines else ""


def _curve(plot: Callable[..., Any]) -> Any:
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(5.2, 3), layout="constrained")
        plot(ax=figure.subplots())
        return svg(figure, "losses", "how far the losses are apart, and what roundings explain")
