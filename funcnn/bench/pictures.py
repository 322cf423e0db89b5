"""Results as pictures; they need the extra ``plot``."""

from __future__ import annotations

import math
import statistics
from typing import TYPE_CHECKING, Any

from funcnn.bench import tables
from funcnn.bench.axes import AXES
from funcnn.bench.peers import OWN
from funcnn.core import MissingExtraError
from funcnn.plots import COLORS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from funcnn.bench.cold import Cold
    from funcnn.bench.results import Benchmark, TaskResult
    from funcnn.bench.scaling import Scaling

__all__ = ["benchmark", "cold", "scaling"]

OURS, OTHERS, FLOOR = COLORS[0], COLORS[4], COLORS[2]
LINES = (*COLORS, "#000000")
MARKERS = "os^Dvx*"


def benchmark(result: Benchmark) -> Figure:
    """A bar for each peer, the fastest at the top; the floors are lines.

    Raises:
        MissingExtraError: where matplotlib is not installed.
    """
    columns = min(2, len(result.tasks))
    rows = math.ceil(len(result.tasks) / columns)
    most = max(len(task.timings) for task in result.tasks)
    figure, grid = _figure(rows, columns, (6 * columns, rows * (1.3 + 0.22 * most)))
    for ax, task in zip(grid, result.tasks, strict=False):
        _bars(ax, task)
    for ax in grid[len(result.tasks) :]:
        ax.axis("off")
    _sign(figure, result.environment)
    return figure


def scaling(result: Scaling) -> Figure:
    """A row for each axis: cost, first call and memory over sizes, a line for each peer.

    Raises:
        MissingExtraError: where matplotlib is not installed.
    """
    axes = list(dict.fromkeys(point.axis for point in result.points))
    peers = list(dict.fromkeys(point.timing.peer for point in result.points))
    figure, grid = _figure(len(axes), 3, (12, 2.9 * len(axes)))
    for row, axis in enumerate(axes):
        cost, first, memory = grid[3 * row : 3 * row + 3]
        for index, peer in enumerate(peers):
            points = [one for one in result.points if (one.axis, one.timing.peer) == (axis, peer)]
            sizes = [point.size for point in points]
            style: dict[str, Any] = {
                "label": peer,
                "color": LINES[index % len(LINES)],
                "marker": MARKERS[index % len(MARKERS)],
                "linewidth": 2.5 if peer.startswith(OWN) else 1.2,
            }
            cost.plot(sizes, [point.cost for point in points], **style)
            first.plot(sizes, [point.timing.first_call_seconds for point in points], **style)
            # A log axis has no place for less than a page of memory.
            memory.plot(sizes, [max(point.peak_bytes, 4096) / 1e6 for point in points], **style)
        unit = "ms a run" if AXES[axis].whole else "µs a step"
        for ax, label in (
            (cost, unit),
            (first, "first call, compile in it, s"),
            (memory, "memory, MB"),
        ):
            ax.set(xscale="log", yscale="log", xlabel=AXES[axis].label, ylabel=label)
    grid[0].legend(fontsize=7)
    _sign(figure, result.environment)
    return figure


def cold(result: Cold) -> Figure:
    """A bar for each process.

    Raises:
        MissingExtraError: where matplotlib is not installed.
    """
    from funcnn.bench.cold import OURS as OURS_COLD

    figure, (ax,) = _figure(1, 1, (7, 2.8))
    names = list(result.seconds)[::-1]
    medians = [statistics.median(result.seconds[name]) for name in names]
    colors = [OURS if name == OURS_COLD else OTHERS for name in names]
    bars = ax.barh(names, medians, color=colors)
    ax.bar_label(bars, [f"{median:.2f}" for median in medians], padding=3, fontsize=8)
    ax.set(xlabel="seconds from the interpreter's start to its end (median)")
    ax.margins(x=0.1)
    _sign(figure, result.environment)
    return figure


def _bars(ax: Axes, result: TaskResult) -> None:
    ordered = sorted(result.timings, key=lambda timing: -timing.microseconds)
    costs = [timing.microseconds for timing in ordered]
    colors = [OURS if timing.peer.startswith(OWN) else OTHERS for timing in ordered]
    bars = ax.barh([timing.peer for timing in ordered], costs, color=colors)
    ax.bar_label(bars, [tables.number(cost) for cost in costs], padding=3, fontsize=7)
    for timing, style in zip(result.floors, (":", "--"), strict=False):
        ax.axvline(timing.microseconds, color=FLOOR, linestyle=style, label=timing.peer)
    if result.floors:
        ax.legend(fontsize=7, loc="upper right")
    ax.set(xscale="log", xlabel="µs a step (log scale)")
    ax.set_title(f"{result.task}: {result.title}", fontsize=9)
    ax.margins(x=0.15)
    ax.tick_params(labelsize=8)


def _sign(figure: Figure, environment: dict[str, Any]) -> None:
    """Where and when it was measured, above the picture."""
    facts = (environment["processor"], f"{environment['cores']} cores", environment["device"])
    figure.suptitle(", ".join((*facts, environment["date"])), fontsize=9)


def _figure(rows: int, columns: int, size: tuple[float, float]) -> tuple[Figure, list[Axes]]:
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingExtraError("matplotlib", "plot") from None
    figure = Figure(figsize=size, layout="constrained")
    grid: Any = figure.subplots(rows, columns, squeeze=False)
    return figure, list(grid.ravel())
