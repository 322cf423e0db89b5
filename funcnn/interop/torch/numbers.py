"""The numbers of an optimizer: those that a run holds in its state, and a scheduler's."""

from __future__ import annotations

import copy
import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from inspect import signature
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch.optim import Optimizer
from torch.optim.lr_scheduler import ReduceLROnPlateau

from funcnn.core import ArgumentError, ArgumentTypeError, checks

__all__ = [
    "Place",
    "checked",
    "epoch_of",
    "everywhere",
    "places_of",
    "require_accepted",
    "require_one",
    "scheduled",
    "set_numbers",
    "table",
    "values_at",
]

NAMES = {
    ("lr", None): "learning_rate",
    ("momentum", None): "momentum",
    ("weight_decay", None): "weight_decay",
    ("alpha", None): "alpha",
    ("eps", None): "eps",
    ("betas", 0): "beta1",
    ("betas", 1): "beta2",
    ("dampening", None): "dampening",
    ("lambd", None): "lambd",
    ("lr_decay", None): "lr_decay",
    ("momentum_decay", None): "momentum_decay",
    ("rho", None): "rho",
}
"""What funcnn calls an option of PyTorch's optimizers, or one of a pair."""

BY_THE_RATE = (
    "ChainedScheduler", "ConstantLR", "CosineAnnealingLR", "CosineAnnealingWarmRestarts",
    "ExponentialLR", "LambdaLR", "LinearLR", "MultiStepLR", "MultiplicativeLR", "PolynomialLR",
    "SequentialLR", "StepLR",
)  # fmt: skip
"""PyTorch's schedulers that go by the rate that the optimizer was made with."""


class Place(NamedTuple):
    """Where an optimizer keeps a number.

    Attributes:
        group: the number of the group of parameters.
        option: the name of the option there.
        part: which of several; None for one number.
    """

    group: int
    option: str
    part: int | None = None

    @property
    def name(self) -> str:
        """What funcnn calls it, in any group."""
        part = "" if self.part is None else f".{self.part}"
        return NAMES.get((self.option, self.part), self.option + part)


def places_of(optimizer: Optimizer, merged: bool = True) -> dict[str, list[Place]]:
    """Where the numbers of an optimizer stand that a run holds in its state, by name.

    An option that is 0 is none of them, but for the learning rate: PyTorch leaves its term out.

    Args:
        optimizer: the optimizer.
        merged: whether a number that is the same in all groups has one name; otherwise each group
            has its own, where there are several.
    """
    floats = dict(_floats(optimizer))
    named: dict[str, list[Place]] = {}
    for place, value in floats.items():
        if place.name in NAMES.values() and (value or place.option == "lr"):
            named.setdefault(place.name, []).append(place)
    groups = len(optimizer.param_groups)
    places: dict[str, list[Place]] = {}
    for name, own in named.items():
        same = merged and len(own) == groups and len({floats[place] for place in own}) == 1
        if same or groups == 1:
            places[name] = own
        else:
            places |= {f"{name}.{place.group}": [place] for place in own}
    return places


def everywhere(optimizer: Optimizer, name: str) -> list[Place]:
    """All places where an optimizer keeps numbers that funcnn calls so."""
    return [place for place, _ in _floats(optimizer) if place.name == name]


def require_one(optimizer: Optimizer, name: str) -> list[Place]:
    """All places of a number that is the same in all groups of parameters.

    Raises:
        ArgumentError: where there is none, or groups have their own.
    """
    places, floats = everywhere(optimizer, name), dict(_floats(optimizer))
    if not places:
        raise ArgumentError(f"{name}: {type(optimizer).__name__} has no such number")
    values = [floats[place] for place in places]
    if name == "learning_rate":  # A scheduler remembers where it began.
        groups = [optimizer.param_groups[place.group] for place in places]
        values = [float(group.get("initial_lr", group["lr"])) for group in groups]
    if len(set(values)) > 1:
        raise ArgumentError(
            f"{name}: the groups of parameters have their own, {', '.join(map(str, values))}; to "
            f"sweep them give several optimizers, optimizer=[...]"
        )
    return places


def require_accepted(
    optimizer: Optimizer, name: str, places: Sequence[Place], value: float
) -> None:
    """Refuse a number that PyTorch's own optimizer would not take.

    Raises:
        ArgumentError: with its reason.
    """
    kind, groups = type(optimizer), [dict(group) for group in optimizer.param_groups]
    if kind.__module__.split(".")[:2] != ["torch", "optim"]:
        return
    set_numbers(groups, {name: places}, {name: value})
    for group in groups:
        own = [one for one in signature(kind).parameters if one in group and one != "params"]
        try:
            kind([torch.zeros(1, requires_grad=True)], **{one: group[one] for one in own})
        except ValueError as error:
            raise ArgumentError(f"{name}={value!r}: {kind.__name__} refuses it: {error}") from None


def values_at(optimizer: Optimizer, places: Mapping[str, Sequence[Place]]) -> dict[str, float]:
    """The numbers at their places."""
    floats = dict(_floats(optimizer))
    return {name: floats[own[0]] for name, own in places.items()}


def set_numbers(
    groups: list[dict[str, Any]],
    places: Mapping[str, Sequence[Place]],
    values: Mapping[str, Any],
) -> None:
    """Put numbers at their places."""
    for name, own in places.items():
        for group, option, part in own:
            if part is None:
                groups[group][option] = values[name]
            else:
                several = list(groups[group][option])
                several[part] = values[name]
                groups[group][option] = tuple(several)


def scheduled(
    optimizer: Optimizer, scheduler: Any, steps: int, learning_rate: float | None = None
) -> tuple[list[dict[Place, float]], Any, Any]:
    """The numbers of an optimizer before and after each step, and where its scheduler is then.

    Both are copied, and stay as they are.

    Args:
        optimizer: the optimizer.
        scheduler: its scheduler.
        steps: how many steps the scheduler makes.
        learning_rate: the rate that the optimizer shall have been made with; None for its own.

    Returns:
        The numbers before the first step and after each, the copy of the optimizer, and that of
        the scheduler.

    Raises:
        ArgumentError, ArgumentTypeError: for what is no scheduler of this optimizer, or one
            that looks at the loss.
    """
    if isinstance(scheduler, type):
        name = scheduler.__name__
        raise ArgumentTypeError(f"scheduler is the class {name}: pass {name}(optimizer, ...)")
    if not hasattr(scheduler, "step") or not hasattr(scheduler, "state_dict"):
        raise ArgumentTypeError(
            f"scheduler must be one of torch.optim.lr_scheduler, not {scheduler!r:.60}"
        )
    if isinstance(scheduler, ReduceLROnPlateau):
        raise ArgumentError(
            "scheduler: ReduceLROnPlateau looks at the loss, and a schedule is made before the "
            "run; take one that follows from the step alone, or patience= to stop the run"
        )
    if getattr(scheduler, "optimizer", None) is not optimizer:
        raise ArgumentError(
            "scheduler: it is another optimizer's; several optimizers of a sweep have a list of "
            "schedulers, one each"
        )
    own, following = copy.deepcopy((optimizer, scheduler))
    if learning_rate is not None:
        _make_with(own, following, learning_rate)
    rows = [dict(_floats(own))]
    with warnings.catch_warnings(action="ignore"):
        for step in range(steps):
            try:
                following.step()
            except Exception as error:
                raise ArgumentError(
                    f"scheduler: its step {step + 1} fails, and {steps} are to be made: {error}"
                ) from error
            rows.append(dict(_floats(own)))
    return rows, own, following


def _make_with(optimizer: Optimizer, scheduler: Any, learning_rate: float) -> None:
    """Bring both to where they were if the optimizer had been made with another learning rate.

    Raises:
        ArgumentError: where the scheduler has made steps, or does not go by that rate.
    """
    for one in _parts(scheduler):
        kind = type(one)
        if kind.__module__ != "torch.optim.lr_scheduler" or kind.__name__ not in BY_THE_RATE:
            raise ArgumentError(
                f"learning_rate: {kind.__name__} may not go by the optimizer's rate; give a list "
                f"of optimizers to sweep, and one of their schedulers"
            )
        one.base_lrs = [learning_rate] * len(optimizer.param_groups)
    if epoch_of(scheduler):
        raise ArgumentError(
            f"learning_rate: the scheduler has made {epoch_of(scheduler)} steps, and the rate is "
            f"where it begins; make both anew"
        )
    for group in optimizer.param_groups:
        # A scheduler that begins with a share of the rate has set this share.
        group["lr"] = learning_rate * (float(group["lr"]) / float(group["initial_lr"]))
        group["initial_lr"] = learning_rate


def epoch_of(scheduler: Any) -> int:
    """How many steps a scheduler has made; one that is made of others has as many as they."""
    if hasattr(scheduler, "last_epoch"):
        return scheduler.last_epoch
    return epoch_of(scheduler._schedulers[0])


def _parts(scheduler: Any) -> Iterator[Any]:
    """A scheduler, and those that it is made of."""
    yield scheduler
    for one in getattr(scheduler, "_schedulers", ()):
        yield from _parts(one)


def table(
    rows: Sequence[Mapping[Place, float]], places: Mapping[str, Sequence[Place]]
) -> dict[str, Float[np.ndarray, " steps"]]:
    """The numbers that do not stay as they are, after each step.

    Args:
        rows: all numbers before the first step, and after each.
        places: where those stand that the run holds.

    Raises:
        ArgumentError: where others change than those at these places.
    """
    columns = {}
    for place, start in rows[0].items():
        column = np.array([row[place] for row in rows[1:]])
        if (column == start).all():
            continue
        names = [name for name, own in places.items() if place in own]
        if not names:
            raise ArgumentError(
                f"scheduler: it changes {place.name!r}, which is {start:g} in the optimizer and so "
                f"left out of its steps"
            )
        columns[names[0]] = column
    return columns


def checked(name: str, value: Any) -> float:
    """A number that a call gives in place of the optimizer's own.

    Raises:
        ArgumentError, ArgumentTypeError: for what can be none.
    """
    below = 1 if name in ("alpha", "beta1", "beta2", "rho") else math.inf
    return checks.number(name, value, positive=name == "learning_rate", below=below)


def _floats(optimizer: Optimizer) -> Iterator[tuple[Place, float]]:
    """All numbers among the options of an optimizer that are floats."""
    for number, group in enumerate(optimizer.param_groups):
        for option, value in group.items():
            if option in ("params", "initial_lr"):
                continue
            several = value if isinstance(value, (tuple, list)) else [value]
            for index, one in enumerate(several):
                held = one.item() if isinstance(one, torch.Tensor) and one.ndim == 0 else one
                place = Place(number, option, None if several is not value else index)
                whole = isinstance(held, int) and not isinstance(held, bool)
                if isinstance(held, float) or (whole and place.name in NAMES.values()):
                    yield place, float(held)
