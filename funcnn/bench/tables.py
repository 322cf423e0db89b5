"""Records as text: ``table(record)``, for every class of ``records``."""

from __future__ import annotations

import functools
import math
import statistics
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from funcnn.bench import records
from funcnn.bench.peers import OWN

__all__ = ["Table", "number", "table"]

BESIDE = {
    "gram form": "funcnn-gram",
    "NumPy": "numpy",
    "autograd": "torch-autograd",
    "torch.func": "torch-func",
    "JAX's loop": "jax-loop",
    "JAX's scan": "jax-scan",
}
"""The peers of the summary, by the heading of their column."""

HEADING = ("µs a step", "minimum", "compile, s", "first call, s", "once, ms", "to funcnn")


class Table(NamedTuple):
    """A record as lines of text.

    Attributes:
        rows: the lines that have their final form as soon as they are measured, in order.
        end: the lines below them, complete when the measurement is.
    """

    rows: list[str]
    end: list[str]

    def __str__(self) -> str:
        return "\n".join([*self.rows, *self.end])


@functools.singledispatch
def table(record: Any) -> Table:
    """A record as text.

    Raises:
        TypeError: for what is no record.
    """
    raise TypeError(f"there is no table for {record!r}")


@table.register(records.Benchmark)
def benchmark(result: records.Benchmark) -> Table:
    """Every task's table; below them a summary, who is missing, the method and the machine."""
    rows = [line for one in result.tasks for line in (*task(one).rows, "")]
    return Table(rows, [*_summary(result), "", *_footer(result, result.missing)])


@table.register(records.TaskResult)
def task(result: records.TaskResult) -> Table:
    """A row for each peer, the floors below them, and who is left out and why."""
    timings = (*result.timings, *result.floors)
    width = max(len(name) for name in (*(one.peer for one in timings), *result.left_out))
    columns = {"": f"<{width}"} | dict.fromkeys(HEADING, ">15")
    shares = ", ".join(f"{share:g} after {steps}" for steps, share in result.checked.items())
    rows = [
        f"{result.task}: {result.title}",
        *_rows(columns, (_figures(result, timing) for timing in timings)),
        *(f"{name:<{width}}     {reason}" for name, reason in result.left_out.items()),
        f"Losses are within this share of funcnn's: {shares} steps.",
    ]
    return Table(rows, [])


@table.register(records.Scaling)
def scaling(result: records.Scaling) -> Table:
    """A row for each point: the cost in µs a step, or for the axis ``steps`` in ms a run."""
    columns = {"axis": "<9", "size": ">8", "  peer": "<18", "cost": ">14"}
    columns |= {"compile, s": ">13", "first call, s": ">15", "memory, MB": ">13"}
    figures = (
        (
            point.axis,
            str(point.size),
            f"  {point.timing.peer}",
            f"{number(point.cost)} {'ms' if point.of_run else 'µs'}",
            f"{point.timing.compile_seconds:.2f}",
            f"{point.timing.first_call_seconds:.2f}",
            f"{point.peak_bytes / 1e6:.1f}",
        )
        for point in result.points
    )
    return Table(_rows(columns, figures), ["", *_footer(result, result.left_out)])


@table.register(records.Cold)
def cold(result: records.Cold) -> Table:
    """A row for each process."""
    columns = {"process": "<26", "median": ">10", "minimum": ">10", "funcnn to it": ">15"}
    figures = (
        (
            name,
            f"{statistics.median(seconds):.2f} s",
            f"{min(seconds):.2f} s",
            f"{result.ratio(name):.2f}",
        )
        for name, seconds in result.seconds.items()
    )
    return Table(_rows(columns, figures), ["", *_footer(result, result.missing)])


@table.register(records.Forms)
def forms(result: records.Forms) -> Table:
    """A row for each run; the form that ``"auto"`` took, and its time over the better form's."""
    columns = {"task": "<12", "size": ">9", "steps": ">9", "direct, ms": ">13", "gram, ms": ">13"}
    columns |= {"auto, ms": ">13", "  it took": "<12", "auto to the better": ">20"}
    figures = (
        (
            timing.task,
            str(timing.size),
            str(timing.steps),
            *(number(timing.median(form) * 1e3) for form in ("direct", "gram", "auto")),
            f"  {timing.chosen}",
            f"{timing.ratio:.2f}",
        )
        for timing in result.timings
    )
    return Table(_rows(columns, figures), ["", *_footer(result, result.left_out)])


@table.register(records.Overhead)
def overhead(result: records.Overhead) -> Table:
    """A row for each experiment, and a line for the whole call."""
    columns = {"experiment": "<20", "model": "<18", "form": "<8", "steps": ">7", "run, ms": ">11"}
    columns |= {"fit, ms": ">11", "ratio of medians": ">18", "median of ratios": ">18"}
    figures = (
        (
            timing.experiment,
            timing.model,
            timing.form,
            str(timing.steps),
            number(statistics.median(timing.run_seconds) * 1e3),
            number(statistics.median(timing.fit_seconds) * 1e3),
            f"{timing.ratio_of_medians:.3f}",
            f"{timing.median_of_ratios:.3f}",
        )
        for timing in result.runs
    )
    call = []
    if seconds := result.call_seconds:
        median, least = (number(of(seconds) * 1e6) for of in (statistics.median, min))
        call = [f"a second call of funcnn.train: {median} µs, minimum {least} µs"]
    return Table(_rows(columns, figures), [*call, "", *_footer(result, {})])


@table.register(records.Real)
def real(result: records.Real) -> Table:
    """Every task's table; below them who is missing, the method and the machine."""
    rows = [line for one in result.tasks for line in (*real_task(one).rows, "")]
    return Table(rows, _footer(result, result.missing))


@table.register(records.RealResult)
def real_task(result: records.RealResult) -> Table:
    """A row for each library, and who is left out and why."""
    columns = {"": "<14", "first, s": ">10", "fit, s": ">10", "minimum": ">10"}
    columns |= {"µs a step": ">12", "to funcnn": ">12", result.measure: ">10"}
    columns |= {"  from … to": "<19", " ": ""}
    figures = (
        (
            timing.peer,
            number(timing.first_seconds),
            number(statistics.median(timing.seconds)),
            number(min(timing.seconds)),
            number(statistics.median(timing.seconds) / result.steps * 1e6),
            number(result.ratio(timing)),
            f"{timing.score:.4f}",
            f"  {min(timing.scores):.4f} … {max(timing.scores):.4f}",
            "" if result.agrees(timing) else f"  not within {result.noise:g} of funcnn's",
        )
        for timing in result.timings
    )
    rows = [
        f"{result.task}: {result.title}, {result.steps:,} steps",
        *(row.rstrip() for row in _rows(columns, figures)),
        *(f"{name:<14}{why}" for name, why in result.left_out.items()),
    ]
    return Table(rows, [])


def number(value: float) -> str:
    """Four significant digits, without an exponent.

    >>> number(123456.7), number(12.3456), number(0.00123456), number(0)
    ('123,457', '12.35', '0.001235', '0')
    """
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    return f"{value:,.{max(0, 3 - math.floor(math.log10(abs(value))))}f}"


def _summary(result: records.Benchmark) -> list[str]:
    """A row for each task: funcnn's µs a step, and how many times as long others take."""
    rows: list[tuple[str, ...]] = []
    for one in result.tasks:
        timings = {timing.peer: timing for timing in (*one.timings, *one.floors)}
        ratios = [
            f"{one.ratio(timings[name]):.3g} ×" if name in timings else "–"
            for name in (*BESIDE.values(), "floor: products")
        ]
        peers = [timing for timing in one.timings if not timing.peer.startswith(OWN)]
        fastest = min(peers, key=lambda timing: timing.microseconds, default=one.timings[0])
        end = f"  {fastest.peer} {one.ratio(fastest):.3g} ×"
        rows.append((one.task, f"{number(one.timings[0].microseconds)} µs", *ratios, end))
    width = max((len(one.task) for one in result.tasks), default=0)
    columns = {"": f"<{width}"} | dict.fromkeys((OWN, *BESIDE, "products"), ">12")
    return _rows(columns | {"  fastest peer": ""}, rows)


def _figures(result: records.TaskResult, timing: records.Timing) -> tuple[str, ...]:
    figures = (
        number(timing.microseconds),
        number(timing.least_microseconds),
        f"{timing.compile_seconds:.2f}",
        f"{timing.first_call_seconds:.2f}",
        f"{timing.once_milliseconds:.2f}",
        number(result.ratio(timing)),
    )
    if timing in result.floors:  # A floor is measured by its steps alone.
        figures = (*figures[:2], "", "", "", figures[-1])
    return (timing.peer, *figures)


def _footer(record: records.Record, left_out: dict[str, str]) -> list[str]:
    """What is left out, how it was measured, and on what."""
    by_reason: dict[str, list[str]] = {}
    for name, reason in left_out.items():
        by_reason.setdefault(reason, []).append(name)
    return [
        *(f"Left out: {', '.join(names)}: {why}" for why, names in by_reason.items()),
        record.method,
        *(f"{name}: {_fact(value)}" for name, value in record.environment.items()),
    ]


def _fact(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {item}" for name, item in value.items()) or "none"
    return str(value)


def _rows(columns: Mapping[str, str], rows: Iterable[Iterable[str]]) -> list[str]:
    """The headings, and below them the rows, their cells aligned.

    Args:
        columns: by its heading, how a column is aligned: ``"<9"`` to the left of 9 letters,
            ``">9"`` to the right.
        rows: a cell for each column.
    """
    return [
        "".join(format(cell, to) for cell, to in zip(cells, columns.values(), strict=True))
        for cells in (columns, *rows)
    ]
