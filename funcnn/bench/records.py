"""What a benchmark gives back."""

from __future__ import annotations

import dataclasses
import statistics
from typing import TYPE_CHECKING, Any

from funcnn.bench.records import Record

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Benchmark", "TaskResult", "Timing"]


@dataclasses.dataclass(frozen=True)
class Timing:
    """What was measured of one peer in one task.

    Attributes:
        peer: its name.
        step_seconds: the cost of one more step, in each round.
        run_seconds: a run of ``run_steps`` steps, in each round.
        run_steps: the task's steps, or as many as fit into a second.
        first_call_seconds: the first run, of ten steps.
        compile_seconds: by how much it exceeded the second.
    """

    peer: str
    step_seconds: tuple[float, ...]
    run_seconds: tuple[float, ...]
    run_steps: int
    first_call_seconds: float
    compile_seconds: float

    @property
    def microseconds(self) -> float:
        """The median cost of one more step, in microseconds."""
        return statistics.median(self.step_seconds) * 1e6

    @property
    def least_microseconds(self) -> float:
        """The least cost of one more step, in microseconds."""
        return min(self.step_seconds) * 1e6

    @property
    def once_milliseconds(self) -> float:
        """What a run costs beside its steps, once compiled, in milliseconds."""
        steps = self.run_steps * self.microseconds
        return max(0.0, statistics.median(self.run_seconds) * 1e3 - steps / 1e3)


@dataclasses.dataclass(frozen=True)
class TaskResult:
    """A task's timings.

    Attributes:
        task: its name.
        title: its sizes, steps and optimizer.
        checked: for some numbers of steps, how far a peer's loss may be from funcnn's,
            as a share of it.
        timings: one for each peer that ended where funcnn did; funcnn's is the first.
        floors: what no step can do without, timed in the same rounds.
        left_out: the peers that have no time, and why.
    """

    task: str
    title: str
    checked: dict[int, float]
    timings: tuple[Timing, ...]
    floors: tuple[Timing, ...]
    left_out: dict[str, str]

    def ratio(self, timing: Timing) -> float:
        """How many times as long as funcnn's a step takes, median to median."""
        return timing.microseconds / self.timings[0].microseconds

    def __str__(self) -> str:
        from funcnn.bench import tables

        return tables.task(self)


@dataclasses.dataclass(frozen=True)
class Benchmark(Record):
    """All that one call measured; ``str`` is the table.

    Attributes:
        method: how it was measured.
        environment: on what: device, processor, threads, precision, versions, date.
        missing: the peers that are not installed.
        tasks: a result for each task.
    """

    method: str
    environment: dict[str, Any]
    missing: dict[str, str]
    tasks: tuple[TaskResult, ...]

    def __str__(self) -> str:
        from funcnn.bench import tables

        return tables.benchmark(self)

    def plot(self) -> Figure:
        """Draw a bar for each peer, by task, on log axes; needs the extra ``plot``.

        Raises:
            MissingExtraError: where matplotlib is not installed.
        """
        from funcnn.bench import pictures

        return pictures.benchmark(self)
