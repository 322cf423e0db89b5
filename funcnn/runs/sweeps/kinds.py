"""The kinds of a sweep's members: those of one kind share a plan, and so what is compiled.

Seeds, numbers of the optimizer, params and samples of the same shapes may differ inside one
compiled loop. Whatever else differs between members, such as the width of a layer or the number of
samples, makes another kind.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Int

from funcnn.core import ArgumentError
from funcnn.optimizers import Schedule
from funcnn.runs.plan import Plan

__all__ = ["APART", "Kind", "kinds_of", "labelled", "values_apart"]

APART = (
    "model", "data", "hidden", "activation", "dropout", "degree", "optimizer", "batch_size",
)  # fmt: skip
"""The arguments of ``train`` of which a list gives members of several kinds."""


SAMPLES = ("data", "fold")
"""Those of the values that make kinds which say no more than what to train on."""


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
        if name == "learning_rate":
            several = isinstance(value, (list, tuple)) and any(map(callable, value))
        elif name not in APART:
            continue
        if several:
            if not len(value):
                raise ArgumentError(f"{name}={value!r} holds no values")
            found[name] = value
    return found


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
    return f"schedule {place}" if name == "learning_rate" else place


def kinds_of(
    settings: Sequence[Mapping[str, Any]],
    apart: Mapping[str, Sequence[Any]],
    planned: Callable[[dict[str, Any]], Plan],
) -> list[Kind]:
    """The members, put together by their kinds, in the order in which these come.

    Where plans differ in samples alone, and these have the same shapes, their members are of one
    kind, and have their samples of their own.

    Args:
        settings: of each member, the values of ``apart`` by their places.
        apart: the values that make kinds; a fold by its number.
        planned: gives the plan of a kind, from the values of ``apart`` that it has.
    """
    places: dict[tuple[Any, ...], list[int]] = {}
    for member, setting in enumerate(settings):
        key = tuple(_kept_apart(name, apart[name], setting[name]) for name in apart)
        places.setdefault(key, []).append(member)
    alike: dict[Hashable, list[Kind]] = {}
    for key, members in places.items():
        first = settings[members[0]]
        plan = planned({name: values[first[name]] for name, values in apart.items()})
        own = [_own(settings[member], apart) for member in members]
        beside = [one for one, name in zip(key, apart, strict=True) if name not in SAMPLES]
        shared = (*beside, *_shared(plan))
        alike.setdefault(shared, []).append(Kind(plan, np.array(members), own))
    return [_together(kinds) for kinds in alike.values()]


def _kept_apart(name: str, values: Sequence[Any], place: int) -> Any:
    """What must be the same of two values, so that their members are of one kind."""
    value = values[place]
    if name == "learning_rate" and isinstance(value, Schedule):
        return value.function, value.settings  # Its numbers stand in the state.
    return place


def _shared(plan: Plan) -> tuple[Hashable, ...]:
    """What must be the same of two plans, so that they differ in samples alone.

    It is all that follows from samples. All else is the same where the same was asked for.
    """
    samples = (plan.data, plan.validation, plan.preparation.y_scale)
    leaves, tree = jax.tree.flatten((samples, plan.shapes))
    arrays = tuple((type(leaf), leaf.shape, leaf.dtype) for leaf in leaves)
    return plan.problem, plan.form, plan.steps, plan.per_epoch, tree, arrays


def _together(kinds: Sequence[Kind]) -> Kind:
    """Kinds that differ in samples alone, as one."""
    if len(kinds) == 1:
        return kinds[0]
    members = np.concatenate([kind.members for kind in kinds])
    own = []
    for kind in kinds:
        samples = {"data": kind.plan.prepared}
        own += [one | samples for one in kind.own]
    order = np.argsort(members)
    return Kind(kinds[0].plan, members[order], [own[place] for place in order])


def _plain(value: Any) -> Any:
    """A number of NumPy or JAX as one of Python; whatever else as it is."""
    return value.item() if getattr(value, "ndim", None) == 0 else value


def _own(setting: Mapping[str, Any], apart: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
    own = {name: value for name, value in setting.items() if name not in apart}
    if "learning_rate" in apart:
        rate = apart["learning_rate"][setting["learning_rate"]]
        if isinstance(rate, Schedule):
            own["learning_rate"] = dict(rate.numbers)
    return own
