"""Records as pictures: ``picture(record)``, for the records of a whole measurement.

They need the extra ``plot``.
"""

from __future__ import annotations

import functools
import math
import statistics
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from funcnn.bench import records
from funcnn.bench.axes import AXES
from funcnn.bench.peers import OWN
from funcnn.bench.tables import number
from funcnn.core import MissingExtraError
from funcnn.plots import COLORS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["TOLERATED", "picture"]

OURS, OTHERS, FLOOR = COLORS[0], COLORS[4], COLORS[2]
LINES = (*COLORS, "#000000")
MARKERS = "os^Dvx*"

TOLERATED = 1.2
"""How many times as long as the better form ``"auto"`` may take: a line in the picture."""


@functools.singledispatch
def picture(record: Any) -> Figure:
    """A figure of a record.

    Raises:
        MissingExtraError: where matplotlib is not installed.
        TypeError: for a record that has no picture.
    """
    raise TypeError(f"there is no picture for {record!r}")


@picture.register(records.Benchmark)
def benchmark(result: records.Benchmark) -> Figure:
    """A bar for each peer, the fastest at the top; the floors are lines."""
    columns = min(2, len(result.tasks))
    rows = math.ceil(len(result.tasks) / columns)
    most = max(len(task.timings) for task in result.tasks)
    size = (6 * columns, rows * (1.3 + 0.22 * most))
    figure, grid = _figure(result, rows, columns, size)
    for ax, task in zip(grid, result.tasks, strict=False):
        ordered = sorted(task.timings, key=lambda timing: timing.microseconds)
        costs = {timing.peer: timing.microseconds for timing in ordered}
        _bars(ax, costs, [name for name in costs if name.startswith(OWN)], number, fontsize=7)
        for timing, style in zip(task.floors, (":", "--"), strict=False):
            ax.axvline(timing.microseconds, color=FLOOR, linestyle=style, label=timing.peer)
        if task.floors:
            ax.legend(fontsize=7, loc="upper right")
        ax.set(xscale="log", xlabel="µs a step (log scale)")
        ax.set_title(f"{task.task}: {task.title}", fontsize=9)
        ax.margins(x=0.15)
        ax.tick_params(labelsize=8)
    for ax in grid[len(result.tasks) :]:
        ax.axis("off")
    return figure


@picture.register(records.Scaling)
def scaling(result: records.Scaling) -> Figure:
    """A row for each axis: cost, first call and memory (or efficiency), a line for each peer."""
    axes = list(dict.fromkeys(point.axis for point in result.points))
    figure, grid = _figure(result, len(axes), 3, (13, 2.9 * len(axes)))
    for row, axis in enumerate(axes):
        cost, first, memory = grid[3 * row : 3 * row + 3]
        along = [point for point in result.points if point.axis == axis]
        for index, peer in enumerate(dict.fromkeys(point.timing.peer for point in along)):
            points = [point for point in along if point.timing.peer == peer]
            sizes = [point.size for point in points]
            style = _line(index) | {
                "label": peer,
                "linewidth": 2.5 if peer.startswith(OWN) else 1.2,
            }
            cost.plot(sizes, [point.cost for point in points], **style)
            first.plot(sizes, [point.timing.first_call_seconds for point in points], **style)
            if AXES[axis].shared:
                memory.plot(sizes, records.efficiency(points), **style)
                continue
            # Less than a page of memory may be 0, which a log axis cannot show.
            memory.plot(sizes, [max(point.peak_bytes, 4096) / 1e6 for point in points], **style)
        unit = "ms a run" if AXES[axis].whole else "µs a step"
        labels = (unit, "first call, compile in it, s", "memory, MB")
        for ax, label in zip((cost, first, memory), labels, strict=True):
            ax.set(xscale="log", yscale="log", xlabel=AXES[axis].label, ylabel=label)
        if AXES[axis].shared:
            memory.set(yscale="linear", ylabel="efficiency", ylim=(0, None))
            for ax in (cost, first, memory):
                ax.set(xscale="linear", xticks=AXES[axis].sizes)
        memory.legend(fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


@picture.register(records.Cold)
def cold(result: records.Cold) -> Figure:
    """A bar for each process."""
    figure, (ax,) = _figure(result, 1, 1, (7, 2.8))
    medians = {name: statistics.median(seconds) for name, seconds in result.seconds.items()}
    _bars(ax, medians, list(medians)[:1], "{:.2f}".format)
    ax.set(xlabel="seconds from the interpreter's start to its end (median)")
    ax.margins(x=0.1)
    return figure


@picture.register(records.Forms)
def forms(result: records.Forms) -> Figure:
    """For each task the time of ``"auto"`` over that of the better form, a line for each size.

    A filled marker is a run for which ``"auto"`` took ``"gram"``.
    """
    tasks = list(dict.fromkeys(timing.task for timing in result.timings))
    figure, grid = _figure(result, 1, len(tasks), (6 * len(tasks), 4))
    for ax, task in zip(grid, tasks, strict=True):
        timings = [timing for timing in result.timings if timing.task == task]
        for index, size in enumerate(dict.fromkeys(timing.size for timing in timings)):
            chosen = [timing for timing in timings if timing.size == size]
            steps, ratios = zip(*((one.steps, one.ratio) for one in chosen), strict=True)
            gram: Any = [one.chosen == "gram" for one in chosen]
            ax.plot(steps, ratios, label=f"{size:,}", markerfacecolor="none", **_line(index))
            ax.plot(steps, ratios, linestyle="none", markevery=gram, **_line(index))
        ax.axhline(TOLERATED, color="black", linestyle=":")
        ax.set(xscale="log", xlabel="steps", ylabel="time of auto / of the better form")
        ax.set_title(f"{task} (filled: auto took gram)", fontsize=9)
        ax.legend(title="size", fontsize=7)
    return figure


@picture.register(records.Overhead)
def overhead(result: records.Overhead) -> Figure:
    """A bar for each experiment: the time of a run over that of its loop alone."""
    figure, (ax,) = _figure(result, 1, 1, (7, 1 + 0.35 * len(result.runs)))
    ratios = {timing.experiment: timing.ratio_of_medians for timing in result.runs}
    _bars(ax, ratios, ratios, "{:.3f}".format)
    ax.axvline(1, color="black", linestyle=":")
    ax.set(xlabel="time of run / time of a bare fit (medians)")
    ax.margins(x=0.1)
    return figure


@picture.register(records.Real)
def real(result: records.Real) -> Figure:
    """For each task a bar for each library, its score beside its name."""
    columns = min(2, len(result.tasks))
    rows = math.ceil(len(result.tasks) / columns)
    figure, grid = _figure(result, rows, columns, (6 * columns, 2.4 * rows))
    for ax, task in zip(grid, result.tasks, strict=False):
        seconds = {
            f"{timing.peer} ({timing.score:.3f})": statistics.median(timing.seconds)
            for timing in task.timings
        }
        _bars(ax, seconds, list(seconds)[:1], lambda value: f"{number(value)} s")
        ax.set(xscale="log", xlabel="seconds a fit (log scale)")
        ax.set_title(f"{task.task} ({task.measure}): {task.title}", fontsize=8)
        ax.margins(x=0.2)
    for ax in grid[len(result.tasks) :]:
        ax.axis("off")
    return figure


def _bars(
    ax: Axes,
    values: Mapping[str, float],
    ours: Iterable[str],
    text: Callable[[float], str],
    fontsize: int = 8,
) -> None:
    """A bar for each value, the first at the top, those of funcnn in a colour of their own."""
    names, ours = list(values)[::-1], set(ours)
    lengths = [values[name] for name in names]
    bars = ax.barh(names, lengths, color=[OURS if name in ours else OTHERS for name in names])
    ax.bar_label(bars, list(map(text, lengths)), padding=3, fontsize=fontsize)


def _line(index: int) -> dict[str, Any]:
    """The colour and the marker of a line."""
    return {"color": LINES[index % len(LINES)], "marker": MARKERS[index % len(MARKERS)]}


def _figure(
    result: records.Record, rows: int, columns: int, size: tuple[float, float]
) -> tuple[Figure, list[Axes]]:
    """A figure and its axes; above them, where and when the record was measured."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingExtraError("matplotlib", "plot") from None
    figure = Figure(figsize=size, layout="constrained")
    grid: Any = figure.subplots(rows, columns, squeeze=False)
    facts = result.environment
    where = (facts["processor"], f"{facts['cores']} cores", facts["device"], facts["date"])
    figure.suptitle(", ".join(where), fontsize=9)
    return figure, list(grid.ravel())
