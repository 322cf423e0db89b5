"""PyTorch's learning-rate schedules as pure functions of the step.

Each of the seven is named and meant as in ``torch.optim.lr_scheduler``, where one step
is one call of ``scheduler.step()``; step 0 is the first update. A :class:`Schedule` goes
wherever optax takes one. Its numbers (the learning rate, γ) stand apart from its settings
(counts of steps, flags), so that they can be traced: another rate compiles nothing again.

>>> schedule = step_lr(0.1, step_size=30)
>>> [round(float(schedule(step)), 6) for step in (0, 29, 30, 60)]
[0.1, 0.1, 0.01, 0.001]
>>> schedule.numbers
(('learning_rate', 0.1), ('gamma', 0.1))
>>> schedule.settings
(('step_size', 30),)
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from jaxtyping import Array, Float

from funcnn.core import ArgumentError, ArgumentTypeError, Number, checks
from funcnn.optimizers import rates
from funcnn.optimizers.rates import LONGEST, Step

__all__ = [
    "Schedule",
    "cosine_annealing_lr",
    "cosine_annealing_warm_restarts",
    "exponential_lr",
    "linear_lr",
    "multi_step_lr",
    "one_cycle_lr",
    "step_lr",
]


@dataclasses.dataclass(frozen=True)
class Schedule:
    """A learning rate for each step: a pure function, its numbers and its settings.

    Equal arguments make equal schedules, found again by their hash; a schedule that
    holds traced numbers has none.

    Attributes:
        function: ``function(step, **numbers, **settings)``, a module's own function; any
            of the numbers may be traced.
        numbers: names and values of the floats.
        settings: names and values of all that decides what is compiled: whole numbers,
            flags, words, tuples of these.
    """

    function: Callable[..., Float[Array, ""]]
    numbers: tuple[tuple[str, Any], ...]
    settings: tuple[tuple[str, Any], ...]

    def __call__(self, step: Step) -> Float[Array, ""]:
        """The learning rate at a step (0 for the first), in the precision in force."""
        return self.function(step, **dict(self.numbers), **dict(self.settings))


def step_lr(learning_rate: Number, step_size: int, gamma: Number = 0.1) -> Schedule:
    """A rate that falls by a factor every so many steps, ``StepLR``.

    learning_rate · γ^⌊step / step_size⌋

    Args:
        learning_rate: the rate of the first update, a positive number.
        step_size: steps between two falls, at least 1.
        gamma: γ, the factor, a positive number.

    Returns:
        A :class:`Schedule`.

    Raises:
        ArgumentError, ArgumentTypeError: for an argument out of its range.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.StepLR.html
    """
    return _schedule(
        rates.step_lr,
        {"learning_rate": _positive("learning_rate", learning_rate)}
        | {"gamma": _positive("gamma", gamma)},
        step_size=_count("step_size", step_size),
    )


def multi_step_lr(
    learning_rate: Number, milestones: Iterable[int | np.integer], gamma: Number = 0.1
) -> Schedule:
    """A rate that falls by a factor at each milestone, ``MultiStepLR``.

    learning_rate · γ^(number of milestones ≤ step)

    Args:
        learning_rate: the rate before the first milestone, a positive number.
        milestones: steps, each above the one before; at least one.
        gamma: γ, the factor, a positive number.

    Returns:
        A :class:`Schedule`.

    Raises:
        ArgumentError, ArgumentTypeError: for an argument out of its range.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.MultiStepLR.html
    """
    return _schedule(
        rates.multi_step_lr,
        {"learning_rate": _positive("learning_rate", learning_rate)}
        | {"gamma": _positive("gamma", gamma)},
        milestones=_increasing("milestones", milestones),
    )


def exponential_lr(learning_rate: Number, gamma: Number) -> Schedule:
    """A rate that falls by a factor at every step, ``ExponentialLR``.

    learning_rate · γ^step

    Args:
        learning_rate: the rate of the first update, a positive number.
        gamma: γ, the factor, a positive number.

    Returns:
        A :class:`Schedule`.

    Raises:
        ArgumentError, ArgumentTypeError: for an argument out of its range.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.ExponentialLR.html
    """
    return _schedule(
        rates.exponential_lr,
        {"learning_rate": _positive("learning_rate", learning_rate)}
        | {"gamma": _positive("gamma", gamma)},
    )


def linear_lr(
    learning_rate: Number,
    start_factor: Number = 1 / 3,
    end_factor: Number = 1.0,
    total_iters: int = 5,
) -> Schedule:
    """A rate that goes evenly from one share of itself to another, ``LinearLR``.

    learning_rate · (start_factor + (end_factor − start_factor) · min(step, total_iters) /
    total_iters)

    From step ``total_iters`` on it stays at learning_rate · end_factor, as PyTorch's does.

    Args:
        learning_rate: the rate at a factor of 1, a positive number.
        start_factor: the share of the first update, above 0 and at most 1.
        end_factor: the share at the end, from 0 to 1.
        total_iters: steps from the one to the other, at least 1.

    Returns:
        A :class:`Schedule`.

    Raises:
        ArgumentError, ArgumentTypeError: for an argument out of its range.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.LinearLR.html
    """
    return _schedule(
        rates.linear_lr,
        {
            "learning_rate": _positive("learning_rate", learning_rate),
            "start_factor": _share("start_factor", start_factor, positive=True),
            "end_factor": _share("end_factor", end_factor),
        },
        total_iters=_count("total_iters", total_iters),
    )


def cosine_annealing_lr(learning_rate: Number, steps: int, minimum: Number = 0.0) -> Schedule:
    """A rate that falls along half a cosine, ``CosineAnnealingLR``.

    minimum + (learning_rate − minimum) · (1 + cos(π · step / steps)) / 2

    The cosine goes on after ``steps``, as PyTorch's does: the rate is back at
    ``learning_rate`` after as many steps again.

    PyTorch goes from one step to the next by a quotient of 1 + cos, which cancels next to the
    minimum: of a minimum of 0, its values there have a relative error of about steps² · 1e-17
    (1e-13 for 100 steps, 1e-11 for 1000). Here 1 + cos is 2 sin² of what is left, which does
    not cancel.

    Args:
        learning_rate: the rate of the first update, a positive number.
        steps: ``T_max``, steps from there to the minimum, at least 1.
        minimum: ``eta_min``, the lowest rate, 0 or more.

    Returns:
        A :class:`Schedule`.

    Raises:
        ArgumentError, ArgumentTypeError: for an argument out of its range.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.CosineAnnealingLR.html
    """
    return _schedule(
        rates.cosine_annealing_lr,
        {
            "learning_rate": _positive("learning_rate", learning_rate),
            "minimum": checks.number("minimum", minimum),
        },
        steps=_count("steps", steps),
    )


def cosine_annealing_warm_restarts(
    learning_rate: Number, first_period: int, factor: int = 1, minimum: Number = 0.0
) -> Schedule:
    """A rate that falls along half a cosine, again and again, ``CosineAnnealingWarmRestarts``.

    minimum + (learning_rate − minimum) · (1 + cos(π · s / period)) / 2, where s counts the
    steps since the last restart

    Args:
        learning_rate: the rate of the first update and after each restart, a positive number.
        first_period: ``T_0``, steps to the first restart, at least 1.
        factor: ``T_mult``, the length of a period in those of the one before, a whole
            number of at least 1.
        minimum: ``eta_min``, the rate that a period falls towards, 0 or more.

    Returns:
        A :class:`Schedule`.

    Raises:
        ArgumentError, ArgumentTypeError: for an argument out of its range.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.CosineAnnealingWarmRestarts.html
    """
    return _schedule(
        rates.cosine_annealing_warm_restarts,
        {
            "learning_rate": _positive("learning_rate", learning_rate),
            "minimum": checks.number("minimum", minimum),
        },
        first_period=_count("first_period", first_period),
        factor=_count("factor", factor),
    )


def one_cycle_lr(
    learning_rate: Number,
    total_steps: int,
    pct_start: Number = 0.3,
    anneal_strategy: str = "cos",
    div_factor: Number = 25.0,
    final_div_factor: Number = 1e4,
    three_phase: bool = False,
) -> Schedule:
    """A rate that rises to a peak and falls far below where it began, ``OneCycleLR``.

    first = learning_rate / div_factor, last = first / final_div_factor

    Two phases, first → learning_rate → last, or three, first → learning_rate → first → last.
    The peak is at step ``pct_start · total_steps − 1``, the third phase begins at twice that,
    and the last value is that of step ``total_steps − 1``.

    Only the learning rate: PyTorch's cycles the momentum too, unless told
    ``cycle_momentum=False``.

    After its last step the rate stays. PyTorch's extrapolates to step ``total_steps`` (down to
    a negative rate, if linear) and raises after it. Where the peak falls on step 0, the rate
    begins there; PyTorch divides by 0.

    Args:
        learning_rate: ``max_lr``, the rate at the peak, a positive number.
        total_steps: steps in the cycle, at least 1.
        pct_start: the share (not the percentage) of the steps before the peak, from 0 to 1.
        anneal_strategy: how a phase goes, "cos" (along half a cosine) or "linear" (evenly).
        div_factor: the peak in units of the first rate, a positive number.
        final_div_factor: the first rate in units of the last, a positive number.
        three_phase: whether the rate falls as it rose before it falls on.

    Returns:
        A :class:`Schedule`.

    Raises:
        ArgumentError, ArgumentTypeError: for an argument out of its range.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.OneCycleLR.html
    """
    return _schedule(
        rates.one_cycle_lr,
        {
            "learning_rate": _positive("learning_rate", learning_rate),
            "pct_start": _share("pct_start", pct_start),
            "div_factor": _positive("div_factor", div_factor),
            "final_div_factor": _positive("final_div_factor", final_div_factor),
        },
        total_steps=_count("total_steps", total_steps),
        anneal_strategy=checks.choice("anneal_strategy", anneal_strategy, ["cos", "linear"]),
        three_phase=checks.flag("three_phase", three_phase),
    )


def _schedule(
    function: Callable[..., Float[Array, ""]], numbers: dict[str, Any], **settings: Any
) -> Schedule:
    return Schedule(function, tuple(numbers.items()), tuple(settings.items()))


def _positive(argument: str, value: Any) -> Any:
    return checks.number(argument, value, positive=True)


def _share(argument: str, value: Any, *, positive: bool = False) -> Any:
    real = checks.number(argument, value, positive=positive)
    if isinstance(real, float) and real > 1:
        raise ArgumentError(f"{argument}={value!r} must be at most 1")
    return real


def _count(argument: str, value: Any) -> int:
    return checks.integer(argument, value, at_least=1, below=LONGEST)


def _increasing(argument: str, values: Any) -> tuple[int, ...]:
    if not isinstance(values, Iterable):
        raise ArgumentTypeError(f"{argument}={values!r} is not a list of integers")
    whole = tuple(checks.integer(argument, value, at_least=0, below=LONGEST) for value in values)
    if not whole or any(after <= before for before, after in itertools.pairwise(whole)):
        raise ArgumentError(f"{argument}={whole} must be steps, each above the one before")
    return whole
