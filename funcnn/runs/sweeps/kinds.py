"""The kinds of a sweep's members: those of one kind share a plan, and so what is compiled.

Seeds, numbers of the optimizer, params and samples of the same shapes may differ inside one
compiled loop. Whatever else differs between members, such as the width of a layer or the number of
samples, makes another kind.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence, Set
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Int

from funcnn.core import ArgumentError
from funcnn.loop.whole import StepMaker
from funcnn.runs.plan import Plan

__all__ = ["APART", "Kind", "kinds_of", "labelled", "of_one", "values_apart"]

APART = (
    "model", "data", "hidden", "activation", "dropout", "degree", "optimizer", "batch_size",
)  # fmt: skip
"""The arguments of ``train`` of which a list gives members of several kinds."""

SAMPLES = ("data", "fold")
"""Those of the values that say no more than what to train on."""

RATE = "learning_rate"

NUMBERED = ("optimizer", RATE)
"""Those whose numbers stand in the state, and may differ between members of one kind."""


class Kind(NamedTuple):
    """Members of one kind.

    Attributes:
        plan: what each of them does.
        members: which of the sweep's members they are.
        own: what each has in place of the plan's seed, params, numbers and samples.
    """

    plan: Plan
    members: Int[np.ndarray, " members"]
    own: list[dict[str, Any]]

    def width(self, most: int) -> int:
        """How many of them go side by side, where at most so many may."""
        return min(most, len(self.members))


def values_apart(arguments: Mapping[str, Any]) -> dict[str, Sequence[Any]]:
    """The values of each argument that gives members of several kinds, by its name.

    They are a list or a range: a tuple is one value of ``hidden``, and one pair ``(x, y)`` of
    data. Learning rates are among them where one follows from the step.

    >>> values_apart({"hidden": [8, (16, 16)], "data": ([1, 2], [3, 4]), "seed": [0, 1]})
    {'hidden': [8, (16, 16)]}
    """
    found = {}
    for name, value in arguments.items():
        several = type(value) is list or isinstance(value, range)
        if name == "data":
            several = several and _are_pairs(value)
        if name == RATE:
            several = isinstance(value, (list, tuple)) and any(map(callable, value))
        elif name not in APART:
            continue
        if several:
            if not len(value):
                raise ArgumentError(f"{name}={value!r} holds no values")
            found[name] = value
    return found


def of_one(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of members of one kind: of several schedulers that of the kind's optimizer.

    Raises:
        ArgumentError: where none of them is, or more than one.
    """
    given, schedulers = dict(arguments), arguments.get("scheduler")
    if type(schedulers) is list:
        own = [one for one in schedulers if getattr(one, "optimizer", None) is given["optimizer"]]
        if len(own) != 1:
            raise ArgumentError(
                f"scheduler: {len(own)} of the list are of an optimizer of the sweep; give exactly "
                f"one for each of optimizer=[...] (for none LambdaLR(optimizer, lambda step: 1.0))"
            )
        given["scheduler"] = own[0]
    return given


def _are_pairs(data: Sequence[Any]) -> bool:
    """Whether a list is of several data, and not itself a pair of two arrays.

    Raises:
        ArgumentError: for a list of data that are no pairs.
    """
    if len(data) and all(type(one) is tuple for one in data):
        return True
    if len(data) != 2 or any(type(one) is tuple for one in data):
        raise ArgumentError("data: several are a list of pairs (x, y), each a tuple of two")
    return False


def labelled(name: str, place: int, values: Sequence[Any]) -> Any:
    """What a member's settings say of a value: itself, or its place in the list.

    A schedule is called one, since numbers may stand beside it.

    >>> labelled("hidden", 1, [8, (16, 16)]), labelled("model", 1, ["mlp", object()])
    ((16, 16), 1)
    >>> labelled("learning_rate", 1, [1.0, lambda step: 0.1 / (step + 1)])
    'schedule 1'
    """
    value = values[place]
    if name == "hidden" and isinstance(value, (list, tuple)):
        return tuple(map(_plain, value))
    value = _plain(value)
    if value is None or isinstance(value, (str, int, float)):
        return value
    return f"schedule {place}" if name == RATE else place


def kinds_of(
    settings: Sequence[Mapping[str, Any]],
    apart: Mapping[str, Sequence[Any]],
    planned: Callable[[dict[str, Any]], Plan],
) -> list[Kind]:
    """The members, put together by their kinds, in the order in which these come.

    Where plans differ in nothing but samples of the same shapes, the optimizer's numbers and their
    schedules, their members are of one kind, and have these of their own.

    Args:
        settings: of each member, the values of ``apart`` by their places.
        apart: the values that make kinds; a fold by its number.
        planned: gives the plan of a kind, from the values of ``apart`` that it has.
    """
    places: dict[tuple[Any, ...], list[int]] = {}
    for member, setting in enumerate(settings):
        places.setdefault(tuple(setting[name] for name in apart), []).append(member)
    alike: dict[Hashable, list[Kind]] = {}
    for key, members in places.items():
        first = settings[members[0]]
        plan = planned({name: values[first[name]] for name, values in apart.items()})
        own = [
            {name: value for name, value in settings[member].items() if name not in apart}
            for member in members
        ]
        beside = [
            place
            for name, place in zip(apart, key, strict=True)
            if name not in (*SAMPLES, *NUMBERED)
        ]
        kind = _on_schedule(Kind(plan, np.array(members), own))
        alike.setdefault((*beside, *_shared(plan)), []).append(kind)
    return [_together(kinds, apart.keys()) for kinds in alike.values()]


def _on_schedule(kind: Kind) -> Kind:
    """The kind, each member with the schedule that begins at its own learning rate."""
    maker, steps = kind.plan.optimizer, kind.plan.steps
    rates = {own.get(RATE) for own in kind.own}
    if not isinstance(maker, StepMaker) or rates == {None}:
        return kind
    made = {rate: maker.given({RATE: rate}) for rate in rates}
    schedules = {rate: one.numbers_after(steps) or {} for rate, one in made.items()}
    scheduled = sorted({name for one in schedules.values() for name in one})
    if not scheduled:
        return kind
    begun = {}
    for rate, schedule in schedules.items():
        # They have a name a group, and at first may be a share of the rate.
        numbers = {name: one for name, one in made[rate].numbers.items() if name.startswith(RATE)}
        # A schedule may stay where it begins at one rate, and not at another.
        table = {
            name: schedule.get(name, np.full(steps, made[rate].numbers[name])) for name in scheduled
        }
        begun[rate] = numbers | {"schedule": table}
    return kind._replace(own=[one | begun[one[RATE]] for one in kind.own])


def _shared(plan: Plan) -> tuple[Hashable, ...]:
    """What must be the same of two plans, so that their members are of one kind.

    It is all that follows from samples, and from an optimizer but for its numbers. All else is
    the same where the same was asked for.
    """
    samples = (plan.data, plan.validation, plan.preparation.y_scale)
    leaves, tree = jax.tree.flatten((samples, plan.shapes))
    arrays = tuple((type(leaf), leaf.shape, leaf.dtype) for leaf in leaves)
    scheduled = tuple(plan.schedule or ())
    return plan.problem, plan.form, plan.steps, plan.per_epoch, scheduled, tree, arrays


def _together(kinds: Sequence[Kind], apart: Set[str]) -> Kind:
    """Kinds that differ in samples, numbers and schedules alone, as one.

    Args:
        kinds: the kinds.
        apart: the names of the values in which they may differ.
    """
    if len(kinds) == 1:
        return kinds[0]
    members = np.concatenate([kind.members for kind in kinds])
    own: list[dict[str, Any]] = []
    for plan, _, each in kinds:
        given: dict[str, Any] = {}
        if not apart.isdisjoint(SAMPLES):
            given["data"] = plan.prepared
        if not apart.isdisjoint(NUMBERED):
            given |= plan.numbers
            given |= {} if plan.schedule is None else {"schedule": plan.schedule}
        own += [given | one for one in each]
    order = np.argsort(members)
    return Kind(kinds[0].plan, members[order], [own[place] for place in order])


def _plain(value: Any) -> Any:
    """A number of NumPy or JAX as one of Python; whatever else as it is."""
    return value.item() if getattr(value, "ndim", None) == 0 else value
