"""Which members a sweep has: the values of its arguments, combined."""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Iterator, Mapping, Sequence, Set
from typing import Any

from funcnn.core import ArgumentError, ArgumentTypeError
from funcnn.data.arrays import to_numpy
from funcnn.runs.choices import NUMBERS, OF_PYTORCH
from funcnn.runs.sweeps.folds import FOLD
from funcnn.runs.sweeps.kinds import APART

__all__ = ["MODES", "combined", "refuse_several", "swept_values"]

ALONE = ("seed", *NUMBERS, *OF_PYTORCH)
"""The arguments of which several values differ between members of one kind."""

LISTS = (
    "data", "target", "categories", "params", "metrics", "validation", "sample_weight", "batches",
    "class_weight", "pos_weight", "scheduler",
)  # fmt: skip
"""The arguments of which one value may be a list, a tuple or an array."""

TUPLES = ("model", "hidden")
"""Those of which one value may be a tuple."""

MODES = ("product", "zip")

SWEPT = f"What can be swept: seed, params, {', '.join((*NUMBERS, *APART))}"

MOST_MEMBERS = 2**20
"""Far more, and the settings alone would fill the memory."""


def refuse_several(arguments: Mapping[str, Any]) -> None:
    """Refuse several values of what is not swept, and several that are no list.

    Raises:
        ArgumentTypeError: naming the first of such arguments.
    """
    for name, value in arguments.items():
        if name in LISTS or not _are_several(value):
            continue
        if name in APART:
            if type(value) not in (list, range) and name not in TUPLES:
                raise ArgumentTypeError(f"{name}={value!r:.60}: several values are a list")
        elif name not in ALONE:
            raise ArgumentTypeError(
                f"{name}={value!r:.60}: {name} is not swept, and needs one value: call sweep once "
                f"for each. {SWEPT}"
            )


def swept_values(
    arguments: Mapping[str, Any], several: Collection[str] = (), or_folds: bool = False
) -> dict[str, Sequence[Any]]:
    """The values of every argument that is swept, in the order of the arguments.

    A list, a tuple, a range or an array is swept; a number or a schedule is not.

    Args:
        arguments: those of the sweep.
        several: the names of further ones whose value is swept.
        or_folds: whether nothing needs to be swept, since there are folds.

    Raises:
        ArgumentError: where nothing is swept, a sequence is empty, or an array has
            not one axis.

    >>> swept_values({"learning_rate": [0.5, 0.25], "seed": range(2), "eps": 1e-8})
    {'learning_rate': [0.5, 0.25], 'seed': range(0, 2)}
    """
    swept = {
        name: _as_values(name, value)
        for name, value in arguments.items()
        if (name in ALONE and _is_sequence(value)) or name in several
    }
    for name in ALONE:
        value = arguments.get(name)
        if isinstance(value, (str, bytes, Iterator, Set)):
            raise ArgumentTypeError(
                f"{name}={value!r:.60}: several values are a list, a tuple, a range or an array"
            )
    if not swept and not or_folds:
        raise ArgumentError(
            "nothing is swept: give several values, such as seed=range(8) or "
            f"learning_rate=[1e-3, 1e-2], or folds. {SWEPT}"
        )
    return swept


def combined(
    swept: Mapping[str, Sequence[Any]], mode: str, folds: int | None = None
) -> list[dict[str, Any]]:
    """The settings of each member.

    Args:
        swept: the values of each argument.
        mode: ``"product"`` for all combinations, the last argument changing fastest;
            ``"zip"`` for the first values, the second values, and so on.
        folds: how many folds each of them has; None for none.

    Raises:
        ArgumentError: where ``"zip"`` meets different lengths, or members are too many.

    >>> combined({"seed": [0, 1], "eps": [0.5, 0.25]}, "zip")
    [{'seed': 0, 'eps': 0.5}, {'seed': 1, 'eps': 0.25}]
    """
    lengths = {name: len(values) for name, values in swept.items()}
    if mode == "zip" and len(set(lengths.values())) > 1:
        counts = ", ".join(f"{name} has {length} values" for name, length in lengths.items())
        raise ArgumentError(f"mode='zip' needs as many values of each: {counts}")
    by_place = mode == "zip" and swept
    count = min(lengths.values()) if by_place else math.prod(lengths.values())
    count *= folds or 1
    if count > MOST_MEMBERS:
        raise ArgumentError(f"{count} members are more than a sweep takes, {MOST_MEMBERS}")
    rows = (zip if by_place else itertools.product)(*swept.values())
    settings = [dict(zip(swept, row, strict=True)) for row in rows]
    if folds is None:
        return settings
    return [setting | {FOLD: number} for setting in settings for number in range(folds)]


def _is_sequence(value: Any) -> bool:
    if isinstance(value, (str, bytes, Mapping)) or getattr(value, "ndim", 1) == 0:
        return False
    return hasattr(value, "__len__") and hasattr(value, "__getitem__")


def _are_several(value: Any) -> bool:
    """Whether it is a list, a tuple, a range or an array; what has names, as optax's, is not."""
    return type(value) in (list, tuple, range) or getattr(value, "ndim", 0) > 0


def _as_values(name: str, value: Any) -> Sequence[Any]:
    if isinstance(value, range):
        # Python gives no length to a range of more than 2⁶³.
        if value[MOST_MEMBERS:]:
            raise ArgumentError(
                f"{name}={value} has more values than a sweep takes, {MOST_MEMBERS}"
            )
        values = value
    elif isinstance(value, (list, tuple)):
        values = [item.item() if getattr(item, "ndim", None) == 0 else item for item in value]
    else:
        array = to_numpy(name, value)
        if array.ndim != 1:
            raise ArgumentError(f"{name} has shape {array.shape}; its values need one axis")
        values = array.tolist()
    if len(values) == 0:
        raise ArgumentError(f"{name}={value!r} holds no values")
    return values
