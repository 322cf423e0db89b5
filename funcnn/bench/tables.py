"""Results as text."""

from __future__ import annotations

import math
import statistics
from typing import TYPE_CHECKING, Any

from funcnn.bench.peers import OWN

if TYPE_CHECKING:
    from funcnn.bench.cold import Cold
    from funcnn.bench.results import Benchmark, TaskResult, Timing
    from funcnn.bench.scaling import Point, Scaling

__all__ = [
    "POINT_HEADING",
    "benchmark",
    "cold",
    "footer",
    "number",
    "point",
    "scaling",
    "summary",
    "task",
]

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


def benchmark(result: Benchmark) -> str:
    """Every task's table; below them who is missing, the method and the machine."""
    end = footer(result.method, result.environment, result.missing)
    return "\n\n".join([*map(task, result.tasks), summary(result), end])


def summary(result: Benchmark) -> str:
    """A row for each task: funcnn's µs a step, and how many times as long others take."""
    rows: list[tuple[str, ...]] = [("", OWN, *BESIDE, "products", "  fastest peer")]
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
    width = max(len(row[0]) for row in rows)
    return "\n".join(
        f"{first:<{width}}" + "".join(f"{cell:>12}" for cell in cells) + last
        for first, *cells, last in rows
    )


def task(result: TaskResult) -> str:
    """A row for each peer, the floors below them, and who is left out and why."""
    timings = (*result.timings, *result.floors)
    width = max(len(name) for name in (*(one.peer for one in timings), *result.left_out))
    shares = ", ".join(f"{share:g} after {steps}" for steps, share in result.checked.items())
    checked = f"Losses are within this share of funcnn's: {shares} steps."
    return "\n".join(
        [
            f"{result.task}: {result.title}",
            " " * width + "".join(f"{title:>15}" for title in HEADING),
            *(_row(result, timing, width) for timing in timings),
            *(f"{name:<{width}}     {reason}" for name, reason in result.left_out.items()),
            checked,
        ]
    )


def scaling(result: Scaling) -> str:
    """A row for each point; below them the method and the machine."""
    rows = [POINT_HEADING, *map(point, result.points)]
    return "\n".join([*rows, "", footer(result.method, result.environment, result.left_out)])


POINT_HEADING = (
    f"{'axis':<9}{'size':>8}  {'peer':<16}{'cost':>14}{'compile, s':>13}"
    f"{'first call, s':>15}{'memory, MB':>13}"
)


def point(one: Point) -> str:
    """A peer's figures at a size; the cost in µs a step, or in ms a run for ``steps``."""
    unit = "ms" if one.of_run else "µs"
    return (
        f"{one.axis:<9}{one.size:>8}  {one.timing.peer:<16}{number(one.cost):>11} {unit}"
        f"{one.timing.compile_seconds:>13.2f}{one.timing.first_call_seconds:>15.2f}"
        f"{one.peak_bytes / 1e6:>13.1f}"
    )


def cold(result: Cold) -> str:
    """A row for each process; below them the method and the machine."""
    rows = [f"{'process':<26}{'median':>10}{'minimum':>10}{'funcnn to it':>15}"]
    for name, seconds in result.seconds.items():
        rows.append(
            f"{name:<26}{statistics.median(seconds):>8.2f} s{min(seconds):>8.2f} s"
            f"{result.ratio(name):>15.2f}"
        )
    return "\n".join([*rows, "", footer(result.method, result.environment, result.missing)])


def footer(method: str, environment: dict[str, Any], missing: dict[str, str]) -> str:
    """Who is missing, how it was measured, and on what."""
    by_reason: dict[str, list[str]] = {}
    for name, reason in missing.items():
        by_reason.setdefault(reason, []).append(name)
    return "\n".join(
        [
            *(f"Left out: {', '.join(names)}: {why}" for why, names in by_reason.items()),
            method,
            *(f"{name}: {_text(value)}" for name, value in environment.items()),
        ]
    )


def number(value: float) -> str:
    """Four digits that count, and no exponent.

    >>> number(123456.7), number(12.3456), number(0.00123456), number(0)
    ('123,457', '12.35', '0.001235', '0')
    """
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    return f"{value:,.{max(0, 3 - math.floor(math.log10(abs(value))))}f}"


def _row(result: TaskResult, timing: Timing, width: int) -> str:
    figures = (
        number(timing.microseconds),
        number(timing.least_microseconds),
        f"{timing.compile_seconds:.2f}",
        f"{timing.first_call_seconds:.2f}",
        f"{timing.once_milliseconds:.2f}",
        number(result.ratio(timing)),
    )
    if timing in result.floors:  # Of a floor only the steps mean anything.
        figures = (*figures[:2], "", "", "", figures[-1])
    return f"{timing.peer:<{width}}" + "".join(f"{figure:>15}" for figure in figures)


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {item}" for name, item in value.items()) or "none"
    return str(value)
