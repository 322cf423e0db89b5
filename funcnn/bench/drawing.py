"""Tasks with their arrays, drawn with NumPy: networks of two layers, and curves."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from funcnn.experiments import datasets
from funcnn.models import extra_terms

__all__ = ["CLOSE", "SEED", "Task", "curve", "member", "network"]

SEED = 0
"""The seed of the initial values, and of the terms that ``dynamic`` draws."""

CLOSE = 1e-4
"""How far a peer's loss may be from funcnn's, as a share of it, where nothing else is said."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Task:
    """A run, or a sweep of runs, that every library makes from the same arrays.

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
        workers: how many groups of a sweep funcnn works on at a time; None for its own choice.
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
    workers: int | None = None
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
            The curvature grows with each of these, so for more of them SGD's rate is
            made smaller.
        steps: the number of updates.
        checked: as in ``Task``; entries beyond ``steps`` are dropped. Without it, a
            tenth of the steps and all of them, within ``CLOSE``.
        samples: the rows of x and y.
        widths: inputs, hidden units and outputs.
        members: how many runs a sweep has. They start from the same params; their
            rates go from ``rate`` down to a tenth of it.
    """
    generator = _generator()
    data = datasets.gaussian(widths[0], samples, widths[2])
    params = {}
    for layer, (fan_in, fan_out) in enumerate([widths[:2], widths[1:]], start=1):
        if model == "mlp":
            params[f"w{layer}"] = generator.standard_normal((fan_in, fan_out))
        else:
            bound = fan_in**-0.5
            params[f"w{layer}"] = generator.uniform(-bound, bound, (fan_in, fan_out))
            params[f"b{layer}"] = generator.uniform(-bound, bound, fan_out)
    if optimizer == "sgd":
        rate *= min(1, 64 / samples) * min(1, 1000 / widths[0]) * min(1, 100 / widths[1])
    return _task(name, model, optimizer, rate, steps, checked, data, params, members)


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
            with their number, so the rate of SGD is made smaller for more of them.
        steps: the number of updates.
        checked: as in ``Task``; entries beyond ``steps`` are dropped. Without it, a
            tenth of the steps and all of them, within ``CLOSE``.
        samples: the number of points.
        members: how many runs a sweep has. They start from the same params; their
            rates go from ``rate`` down to a tenth of it.
    """
    generator = _generator()
    data = datasets.sine(samples)
    if model == "legendre":
        params = {"a": 0.0, "b": -1.0, "c": 0.0, "d": 0.3}
    elif model == "polynomial_linear":
        bound = 3**-0.5
        params = {
            "w": generator.uniform(-bound, bound, (3, 1)),
            "b": generator.uniform(-bound, bound, 1),
        }
    else:
        letters = "abcde" if model == "dynamic" else "abcd"
        params = {letter: generator.standard_normal() for letter in letters}
    if optimizer in ("sgd", "momentum"):
        rate *= 2000 / samples
    terms = extra_terms(SEED, steps) if model == "dynamic" else None
    return _task(name, model, optimizer, rate, steps, checked, data, params, members, terms)


def member(task: Task, index: int) -> Task:
    """One run of a sweep, as a task of its own."""
    return dataclasses.replace(
        task,
        members=None,
        learning_rate=task.learning_rate[index],
        params={name: value[index] for name, value in task.params.items()},
    )


def _generator() -> np.random.Generator:
    """For initial values; the data come from a generator of their own."""
    return np.random.default_rng([SEED, 1])


def _task(
    name: str,
    model: str,
    optimizer: str,
    rate: float,
    steps: int,
    checked: Mapping[int, float] | None,
    data: tuple[np.ndarray, np.ndarray],
    params: Mapping[str, Any],
    members: int | None,
    terms: np.ndarray | None = None,
) -> Task:
    """A task in float32. The members of a sweep have the same params and different rates."""
    x, y = (array.astype(np.float32) for array in data)
    checked = {step: share for step, share in (checked or {}).items() if step <= steps}
    params = {key: np.asarray(value, np.float32) for key, value in params.items()}
    rates: Any = rate
    if members is not None:
        params = {key: np.repeat(value[None], members, axis=0) for key, value in params.items()}
        rates = np.geomspace(rate, rate / 10, members)
    return Task(
        name=name,
        model=model,
        optimizer=optimizer,
        learning_rate=np.asarray(rates, np.float32),
        steps=steps,
        checked=checked or {max(1, steps // 10): CLOSE, steps: CLOSE},
        x=x,
        y=y,
        params=params,
        members=members,
        terms=terms,
    )
