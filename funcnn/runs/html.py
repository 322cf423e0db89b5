"""How a result shows itself in a notebook: a small table, and a picture beside it."""

from __future__ import annotations

import base64
import html as escaping
import io
from collections.abc import Callable, Iterable, Sequence

from funcnn.plots import Axes

__all__ = ["html"]


def html(
    rows: Iterable[Sequence[str]],
    draw: Callable[..., Axes] | None = None,
    head: Sequence[str] = (),
    end: str = "",
) -> str:
    """A table, with a picture below it where matplotlib is there.

    Args:
        rows: the cells of each row, plain text.
        draw: draws on the axes that it is given as ``ax=``; None for no picture.
        head: the names of the columns.
        end: what is said below the table.
    """
    parts = ["<table>"]
    for cells, tag in ((head, "th"), *((row, "td") for row in rows)):
        if cells:
            texts = (f'<{tag} style="text-align:left">{_escaped(cell)}</{tag}>' for cell in cells)
            parts.append(f"<tr>{''.join(texts)}</tr>")
    parts.append("</table>")
    if end:
        parts.append(f"<p>{_escaped(end)}</p>")
    picture = None if draw is None else _picture(draw)
    if picture is not None:
        parts.append(f'<img alt="losses" width="480" src="data:image/png;base64,{picture}">')
    return f"<div>{''.join(parts)}</div>"


def _picture(draw: Callable[..., Axes]) -> str | None:
    """A PNG in base64; None without matplotlib. pyplot, which keeps figures, is not touched."""
    try:
        from matplotlib import rc_context
        from matplotlib.figure import Figure
    except ImportError:
        return None
    content = io.BytesIO()
    with rc_context({"agg.path.chunksize": 10000}):  # A long, wild line may be too much for Agg.
        figure = Figure(figsize=(6, 3.4), layout="constrained")
        draw(ax=figure.add_subplot())
        figure.savefig(content, format="png", dpi=120)
    return base64.b64encode(content.getvalue()).decode()


def _escaped(text: object) -> str:
    return escaping.escape(str(text))
