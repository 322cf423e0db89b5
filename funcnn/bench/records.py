"""What was measured, as plain data.

How a record is printed is in ``tables``, how it is drawn in ``pictures``.
"""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Sequence

from funcnn.bench.axes import AXES
from funcnn.bench.saving import Record

__all__ = [
    "Benchmark",
    "Cold",
    "FitTiming",
    "FormTiming",
    "Forms",
    "Overhead",
    "Point",
    "Real",
    "RealResult",
    "Record",
    "RunTiming",
    "Scaling",
    "TaskResult",
    "Timing",
    "efficiency",
]


@dataclasses.dataclass(frozen=True)
class Timing:
    """What was measured of one peer in one task.

    Attributes:
        peer: its name.
        step_seconds: the cost of one more step, in each round.
        run_seconds: a run of ``run_steps`` steps, in each round.
        run_steps: the task's steps, or as many as fit into a second.
        first_call_seconds: the first run, of ten steps.
        compile_seconds: how much longer the first run took than the second.
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
    """The timings of one task.

    Attributes:
        task: its name.
        title: its sizes, steps and optimizer.
        checked: for some numbers of steps, how far a peer's loss may be from funcnn's,
            as a share of it.
        timings: one for each peer that ended where funcnn did; funcnn's is the first.
        floors: lower bounds on a step, timed in the same rounds.
        left_out: the peers that have no time, and why.
    """

    task: str
    title: str
    checked: dict[int, float]
    timings: tuple[Timing, ...]
    floors: tuple[Timing, ...]
    left_out: dict[str, str]

    def ratio(self, timing: Timing) -> float:
        """The time of a step over the time of funcnn's, median to median."""
        return timing.microseconds / self.timings[0].microseconds


@dataclasses.dataclass(frozen=True)
class Benchmark(Record):
    """All that one call of ``funcnn.benchmark`` measured.

    Attributes:
        missing: the peers that are not installed, and why.
        tasks: a result for each task.
    """

    missing: dict[str, str]
    tasks: tuple[TaskResult, ...]


@dataclasses.dataclass(frozen=True)
class Point:
    """A peer at one size.

    Attributes:
        axis: the name of what grows.
        size: how large it is.
        timing: what was measured.
        peak_bytes: by how much memory grew at most.
    """

    axis: str
    size: int
    timing: Timing
    peak_bytes: int

    @property
    def of_run(self) -> bool:
        """Whether the cost is that of a whole run, and not of a step."""
        return AXES[self.axis].whole

    @property
    def cost(self) -> float:
        """The median: microseconds a step, or milliseconds a run."""
        if self.of_run:
            return statistics.median(self.timing.run_seconds) * 1e3
        return self.timing.microseconds


def efficiency(points: Sequence[Point]) -> list[float]:
    """Of points whose sizes share the work: which part of them is of use, 1 for the first.

    Twice the workers of the first point in half of its time have an efficiency of 1.
    """
    first = points[0]
    return [first.cost * first.size / (point.cost * point.size) for point in points]


@dataclasses.dataclass(frozen=True)
class Scaling(Record):
    """How cost grows: one point for each size and peer.

    Attributes:
        points: in the order of ``AXES``, their sizes and the peers.
        left_out: the peers that have no points, or not all, and why.
    """

    points: tuple[Point, ...]
    left_out: dict[str, str]


@dataclasses.dataclass(frozen=True)
class Cold(Record):
    """How long whole processes took.

    Attributes:
        missing: the processes whose library is not installed, and why.
        seconds: for each other process, one number a round; funcnn's is the first.
    """

    missing: dict[str, str]
    seconds: dict[str, tuple[float, ...]]

    def ratio(self, name: str) -> float:
        """The time of funcnn's process over that of another, median to median."""
        own = next(iter(self.seconds.values()))
        return statistics.median(own) / statistics.median(self.seconds[name])


@dataclasses.dataclass(frozen=True)
class FormTiming:
    """One run in each form.

    Attributes:
        task: the name of the task.
        size: its points or samples.
        steps: its steps.
        seconds: for ``"direct"``, ``"gram"`` and ``"auto"``, one number a round.
        chosen: the form that ``"auto"`` took.
    """

    task: str
    size: int
    steps: int
    seconds: dict[str, tuple[float, ...]]
    chosen: str

    def median(self, form: str) -> float:
        """The seconds of a run in a form."""
        return statistics.median(self.seconds[form])

    @property
    def ratio(self) -> float:
        """The time of ``"auto"`` over that of the better form, median to median."""
        return self.median("auto") / min(self.median("direct"), self.median("gram"))


@dataclasses.dataclass(frozen=True)
class Forms(Record):
    """What ``form="auto"`` takes, beside the forms that it chooses from.

    Attributes:
        timings: in the order of the tasks, their sizes and steps.
        left_out: the runs that were not made, and why.
    """

    timings: tuple[FormTiming, ...]
    left_out: dict[str, str]


@dataclasses.dataclass(frozen=True)
class RunTiming:
    """A run beside its loop alone.

    Attributes:
        experiment: the name of the experiment.
        model: the name of its model.
        form: the form of both.
        steps: the steps of both.
        run_seconds: ``run``, in each round.
        fit_seconds: a bare ``fit``, in each round.
    """

    experiment: str
    model: str
    form: str
    steps: int
    run_seconds: tuple[float, ...]
    fit_seconds: tuple[float, ...]

    @property
    def ratio_of_medians(self) -> float:
        """The time of ``run`` over that of ``fit``, median to median."""
        return statistics.median(self.run_seconds) / statistics.median(self.fit_seconds)

    @property
    def median_of_ratios(self) -> float:
        """The same of each round, and the median of these."""
        pairs = zip(self.run_seconds, self.fit_seconds, strict=True)
        return statistics.median(run / fit for run, fit in pairs)


@dataclasses.dataclass(frozen=True)
class Overhead(Record):
    """What a run costs around its loop.

    Attributes:
        runs: one for each model's own experiment.
        call_seconds: a whole call of ``funcnn.train`` of a few steps, which compiles
            nothing, in each round.
    """

    runs: tuple[RunTiming, ...]
    call_seconds: tuple[float, ...]


@dataclasses.dataclass(frozen=True)
class FitTiming:
    """A library's whole fits of one task.

    Attributes:
        peer: the library.
        first_seconds: its first fit.
        seconds: each later one.
        scores: the score of each fit on samples set aside, that of the first in front.
    """

    peer: str
    first_seconds: float
    seconds: tuple[float, ...]
    scores: tuple[float, ...]

    @property
    def score(self) -> float:
        """The mean score."""
        return statistics.mean(self.scores)


@dataclasses.dataclass(frozen=True)
class RealResult:
    """The fits of one task.

    Attributes:
        task: its name.
        title: its sizes.
        steps: the updates of a fit.
        measure: the name of the score: ``"accuracy"`` or ``"r2"``.
        noise: how far two scores may be from each other by random numbers.
        timings: one for each library, funcnn's first.
        left_out: the libraries that failed, and why.
    """

    task: str
    title: str
    steps: int
    measure: str
    noise: float
    timings: tuple[FitTiming, ...]
    left_out: dict[str, str]

    def ratio(self, timing: FitTiming) -> float:
        """The time of a later fit over that of funcnn's, median to median."""
        own = self.timings[0].seconds
        return statistics.median(timing.seconds) / statistics.median(own)

    def agrees(self, timing: FitTiming) -> bool:
        """Whether the score is funcnn's, within the noise; False where it is not finite."""
        return abs(timing.score - self.timings[0].score) <= self.noise


@dataclasses.dataclass(frozen=True)
class Real(Record):
    """Whole fits of real data, of funcnn and other libraries.

    Attributes:
        missing: the libraries that are not installed, and why.
        tasks: a result for each task.
    """

    missing: dict[str, str]
    tasks: tuple[RealResult, ...]
