"""What a measurement gives back: a record that prints as a table and draws a picture."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from funcnn.bench import pictures, records, tables

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Benchmark", "Cold", "Forms", "Overhead", "Real", "RealResult", "Scaling", "TaskResult"]


class Shown:
    """``str`` is the table, ``plot`` the picture."""

    def __str__(self) -> str:
        return str(tables.table(self))

    def plot(self) -> Figure:
        """Draw the figures; needs the extra ``plot``.

        Raises:
            MissingExtraError: where matplotlib is not installed.
        """
        return pictures.picture(self)


class RealResult(records.RealResult):
    """The fits of one task; ``str`` is their table."""

    def __str__(self) -> str:
        return str(tables.table(self))


class TaskResult(records.TaskResult):
    """The timings of one task; ``str`` is their table."""

    def __str__(self) -> str:
        return str(tables.table(self))


@dataclasses.dataclass(frozen=True)
class Benchmark(Shown, records.Benchmark):
    """What :func:`funcnn.benchmark` measured."""

    tasks: tuple[TaskResult, ...]


class Scaling(Shown, records.Scaling):
    """What :func:`funcnn.bench.scaling.measure` measured."""


class Cold(Shown, records.Cold):
    """What :func:`funcnn.bench.cold.measure` measured."""


class Forms(Shown, records.Forms):
    """What :func:`funcnn.bench.auto.measure` measured."""


class Overhead(Shown, records.Overhead):
    """What :func:`funcnn.bench.overhead.measure` measured."""


@dataclasses.dataclass(frozen=True)
class Real(Shown, records.Real):
    """What :func:`funcnn.bench.real.measure` measured."""

    tasks: tuple[RealResult, ...]
