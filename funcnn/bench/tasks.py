"""What is measured: the tutorials' runs, two larger networks, and two sweeps.

A task holds its arrays, drawn once with NumPy, so that every library is given the
same ones. A task of other sizes comes from the same function with other arguments.

>>> task = make("two-layer", samples=8, widths=(12, 6, 3), steps=20)
>>> task.title
'8 × 12 → 6 → 3, 20 steps of sgd'
>>> task.params["w1"].shape, task.params["w1"].dtype
((12, 6), dtype('float32'))
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from funcnn import checks, data
from funcnn.models import extra_terms

__all__ = ["SEED", "TASKS", "Task", "make", "member"]

SEED = 0
"""The seed of the initial values, and of the terms that ``dynamic`` draws."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Task:
    """A run, or a sweep of runs, that every library does from the same arrays.

    The loss is the sum of squared errors, over all of the data at every step.

    Attributes:
        name: as the command line has it.
        model: the name of funcnn's model.
        optimizer: the name of funcnn's optimizer, its further numbers at their defaults.
        learning_rate: its rate, (), or (members,) for a sweep.
        steps: the number of updates.
        checked: for some numbers of steps, how far the loss after them may be from
            funcnn's, as a share of it.
        x: the inputs, (samples, features) or (samples,).
        y: the targets, (samples, outputs) or (samples,).
        params: where to start, funcnn's tree; for a sweep the first axis is the members'.
        members: how many runs a sweep has; None for one run.
        terms: for ``dynamic``, the number of extra terms at each step, (steps,).
    """

    name: str
    model: str
    optimizer: str
    learning_rate: np.ndarray
    steps: int
    checked: Mapping[int, float]
    x: np.ndarray
    y: np.ndarray
    params: dict[str, np.ndarray]
    members: int | None = None
    terms: np.ndarray | None = None

    @property
    def dtype(self) -> str:
        """The arithmetic that every library uses."""
        return self.x.dtype.name

    @property
    def title(self) -> str:
        """The sizes, the steps and the optimizer, on a line."""
        if self.x.ndim == 2:
            hidden = self.params["w1"].shape[-1]
            what = f"{len(self.x)} × {self.x.shape[1]} → {hidden} → {self.y.shape[1]}"
        else:
            what = f"{self.model} on {len(self.x)} points"
        many = "" if self.members is None else f"{self.members} runs of "
        return f"{many}{what}, {self.steps} steps of {self.optimizer}"


def network(
    name: str,
    *,
    model: str = "mlp",
    optimizer: str = "sgd",
    rate: float = 1e-6,
    steps: int = 500,
    checked: Mapping[int, float] | None = None,
    samples: int = 64,
    widths: tuple[int, int, int] = (1000, 100, 10),
    members: int | None = None,
) -> Task:
    """A network of two layers, ``mlp`` or ``mlp_linear``, on normal data.

    Args:
        name: the task's name.
        model: the name of funcnn's model.
        optimizer: the name of funcnn's optimizer.
        rate: the learning rate for up to 64 samples, 1000 inputs and 100 hidden units.
            The curvature grows with each of them, and beyond these SGD's rate shrinks.
        steps: the number of updates.
        checked: as in ``Task``; without it, the end within a thousandth.
        samples: the rows of x and y.
        widths: inputs, hidden units and outputs.
        members: how many runs a sweep has, their rates from ``rate`` down to a tenth.
    """
    generator = np.random.default_rng(SEED)
    x, y = data.gaussian(widths[0], samples, widths[2])
    many = () if members is None else (members,)
    params = {}
    for layer, (fan_in, fan_out) in enumerate([widths[:2], widths[1:]], start=1):
        if model == "mlp":
            params[f"w{layer}"] = generator.standard_normal((*many, fan_in, fan_out))
        else:
            bound = fan_in**-0.5
            params[f"w{layer}"] = generator.uniform(-bound, bound, (*many, fan_in, fan_out))
            params[f"b{layer}"] = generator.uniform(-bound, bound, (*many, fan_out))
    if optimizer == "sgd":
        rate *= min(1, 64 / samples) * min(1, 1000 / widths[0]) * min(1, 100 / widths[1])
    return Task(
        name=name,
        model=model,
        optimizer=optimizer,
        learning_rate=_rates(rate, members),
        steps=steps,
        checked=checked or {steps: 1e-3},
        x=x.astype(np.float32),
        y=y.astype(np.float32),
        params={name: value.astype(np.float32) for name, value in params.items()},
        members=members,
    )


def curve(
    name: str,
    *,
    model: str = "polynomial",
    optimizer: str = "sgd",
    rate: float = 1e-6,
    steps: int = 2000,
    checked: Mapping[int, float] | None = None,
    samples: int = 2000,
    members: int | None = None,
) -> Task:
    """A curve of a few coefficients, on the sine.

    Args:
        name: the task's name.
        model: the name of funcnn's model.
        optimizer: the name of funcnn's optimizer.
        rate: the learning rate at 2000 points. The curvature of a sum of squares grows
            with their number, and the rate of SGD shrinks.
        steps: the number of updates.
        checked: as in ``Task``; without it, the end within a thousandth.
        samples: the number of points.
        members: how many runs a sweep has, their rates from ``rate`` down to a tenth.
    """
    generator = np.random.default_rng(SEED)
    x, y = data.sine(samples)
    many = () if members is None else (members,)
    if model == "legendre":
        params = {"a": 0.0, "b": -1.0, "c": 0.0, "d": 0.3}
    elif model == "polynomial_linear":
        bound = 3**-0.5
        params = {
            "w": generator.uniform(-bound, bound, (*many, 3, 1)),
            "b": generator.uniform(-bound, bound, (*many, 1)),
        }
    else:
        letters = "abcde" if model == "dynamic" else "abcd"
        params = {letter: generator.standard_normal(many) for letter in letters}
    if optimizer in ("sgd", "momentum"):
        rate *= 2000 / samples
    return Task(
        name=name,
        model=model,
        optimizer=optimizer,
        learning_rate=_rates(rate, members),
        steps=steps,
        checked=checked or {steps: 1e-3},
        x=x.astype(np.float32),
        y=y.astype(np.float32),
        params={name: np.asarray(value, np.float32) for name, value in params.items()},
        members=members,
        terms=extra_terms(SEED, steps) if model == "dynamic" else None,
    )


TASKS: Mapping[str, Callable[..., Task]] = MappingProxyType(
    {
        # Twelve decades down, runs that differ in their roundings alone are percents apart.
        "two-layer": functools.partial(network, checked={200: 1e-3, 500: 0.25}),
        "linear-adam": functools.partial(network, model="mlp_linear", optimizer="adam", rate=1e-4),
        "cubic-sgd": curve,
        # Near the optimum, after a thousand steps, RMSprop parts from itself.
        "cubic-rmsprop": functools.partial(
            curve, model="polynomial_linear", optimizer="rmsprop", rate=1e-3, checked={1000: 1e-3}
        ),
        "legendre": functools.partial(curve, model="legendre", rate=5e-6),
        "dynamic": functools.partial(
            curve, model="dynamic", optimizer="momentum", rate=1e-8, steps=30000
        ),
        "wide": functools.partial(network, widths=(1000, 2048, 10), steps=100),
        "large-batch": functools.partial(
            network, model="mlp_linear", optimizer="adam", rate=1e-4, samples=4096, steps=50
        ),
        # All steps of a sweep, one run after another, would take minutes to check.
        "sweep-mlp": functools.partial(network, members=64, checked={50: 1e-3}),
        "sweep-cubic": functools.partial(curve, members=1000, checked={100: 1e-3}),
    }
)
"""The functions that make the tasks: ``function(name, **sizes)``."""


def make(name: str, **sizes: Any) -> Task:
    """A task by name.

    Args:
        name: one of ``TASKS``.
        **sizes: what ``network`` or ``curve`` takes, in place of the task's own.

    Raises:
        ArgumentError, ArgumentTypeError: for a name that is none.
    """
    return TASKS[checks.choice("task", name, TASKS)](name, **sizes)


def member(task: Task, index: int) -> Task:
    """One run of a sweep, as a task of its own."""
    return dataclasses.replace(
        task,
        members=None,
        learning_rate=task.learning_rate[index],
        params={name: value[index] for name, value in task.params.items()},
    )


def _rates(rate: float, members: int | None) -> np.ndarray:
    rates = rate if members is None else np.geomspace(rate, rate / 10, members)
    return np.asarray(rates, np.float32)
