"""The pictures of a page, as SVG that takes the page's own colours."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from funcnn import plots
from funcnn.atlas.pair import Pair

if TYPE_CHECKING:
    from markupsafe import Markup
    from matplotlib.figure import Figure

__all__ = ["STYLE", "curves", "fit", "svg", "thinned"]

INK = "#010203"
"""What is drawn in this colour takes that of the text around it: light on dark, dark on light."""

STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 12,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
}

LONGEST_CURVE = 1000
"""A curve of twice as many steps is drawn by the largest value of each block of them."""


def curves(reproduction: Pair) -> Markup:
    """Both loss curves, one over the other, and below them how far they are apart."""
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(5.2, 4.6), layout="constrained")
        above, below = figure.subplots(2, sharex=True, height_ratios=(3, 2))
        reproduction.plot(ax=above)
        above.set_xlabel("")
        plots.difference(
            reproduction.relative_difference, reproduction.allowed_difference, ax=below
        )
        for line in (*above.lines, *below.lines):
            line.set_data(*_thinned(np.asarray(line.get_ydata())))
        name = reproduction.experiment.name
        return svg(figure, f"{name}-curves", f"{name}: both loss curves, and their difference")


def fit(reproduction: Pair) -> Markup:
    """The fitted curve over the data, for inputs of one dimension."""
    import matplotlib
    from matplotlib.figure import Figure

    x, y = reproduction.data
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(5.2, 3), layout="constrained")
        plots.prediction(x, y, reproduction.result.predict(x), ax=figure.subplots())
        name = reproduction.experiment.name
        return svg(figure, f"{name}-fit", f"{name}: the fitted curve over the data")


def thinned(reproduction: Pair) -> bool:
    """Whether a pair's curves are too long to be drawn point by point."""
    return len(reproduction.losses) >= 2 * LONGEST_CURVE


def svg(figure: Figure, name: str, label: str) -> Markup:
    """A figure as SVG that takes the page's own colours.

    Args:
        figure: drawn in ``STYLE``.
        name: what no other figure of the page is called.
        label: what it shows, for those who cannot see it.
    """
    from markupsafe import Markup, escape

    stream = io.StringIO()
    figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None})
    drawn = stream.getvalue()
    drawn = drawn[drawn.index("<svg") :].replace(INK, "currentColor")
    # Many pictures share the page: each keeps its own names.
    prefix = re.sub(r"\W", "-", f"{name}-")
    drawn = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{prefix}", drawn)
    return Markup(drawn.replace("<svg", f'<svg role="img" aria-label="{escape(label)}"', 1))


def _thinned(values: Float[np.ndarray, " steps"]) -> tuple[np.ndarray, np.ndarray]:
    block = max(1, len(values) // LONGEST_CURVE)
    starts = np.arange(0, len(values), block)
    return starts, np.fmax.reduceat(values, starts)
