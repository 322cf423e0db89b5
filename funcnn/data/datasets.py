"""What holds samples without being arrays: PyTorch datasets and scikit-learn bunches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from funcnn.core import ArgumentError, ArgumentTypeError
from funcnn.data.arrays import to_numpy

__all__ = [
    "FOLLOWING",
    "Bunch",
    "as_bunch",
    "as_inputs",
    "as_pair",
    "is_dataset",
    "is_loader",
    "refuse_iterables",
]


FOLLOWING = (
    "[rows for _ in range(epochs) for rows in DataLoader(range(len(loader.dataset)), "
    "batch_sampler=loader.batch_sampler, generator=loader.generator)]"
)
"""How one writes the numbers of the samples that a ``DataLoader`` gives: by one that draws as it
does, and gives the numbers themselves."""


class Bunch(NamedTuple):
    """What a bunch of scikit-learn holds; the names are None where it has none."""

    x: Any
    y: Any
    features: tuple[str, ...] | None
    targets: tuple[str, ...] | None


def as_bunch(value: Any) -> Bunch | None:
    """A bunch of scikit-learn, or anything with its ``data`` and ``target``; else None."""
    names = ("data", "target", "feature_names", "target_names")
    if isinstance(value, Mapping):
        x, y, features, targets = (value.get(name) for name in names)
    else:
        x, y, features, targets = (getattr(value, name, None) for name in names)
    if x is None or y is None:
        return None
    # Where y holds classes, the target's names are theirs.
    if targets is not None and np.shape(y)[1:] != (len(targets),):
        targets = None
    return Bunch(
        x,
        y,
        None if features is None else tuple(map(str, features)),
        None if targets is None else tuple(map(str, targets)),
    )


def is_dataset(value: Any) -> bool:
    """Whether a value is a map-style dataset: it has a length, and gives an item for a number."""
    if isinstance(value, (str, bytes, list, tuple, Mapping)) or hasattr(value, "dtype"):
        return False
    kind = type(value)
    return hasattr(kind, "__len__") and hasattr(kind, "__getitem__")


def as_pair(dataset: Any) -> tuple[Any, Any]:
    """x and y of a map-style dataset of pairs (x, y): each item is asked for once, in order.

    Raises:
        ArgumentError, ArgumentTypeError: for an item that is no pair, or of another shape.
    """
    if _is_of_torch(dataset, "TensorDataset"):
        if len(dataset.tensors) != 2:
            raise ArgumentError(f"a TensorDataset of (x, y) is needed, not {len(dataset.tensors)}")
        return dataset.tensors
    kind, items = type(dataset).__name__, _items(dataset)
    for at, item in enumerate(items):
        if not _is_pair(item):
            raise ArgumentTypeError(
                f"item {at} of the {kind} must be a pair (x, y), not a {type(item).__name__}"
            )
    x, y = ([item[side] for item in items] for side in (0, 1))
    return _stacked(kind, "x", x), _stacked(kind, "y", y)


def as_inputs(dataset: Any) -> Any:
    """x of a map-style dataset of pairs (x, y), or of x alone."""
    if _is_of_torch(dataset, "TensorDataset"):
        return dataset.tensors[0]
    items = [item[0] if _is_pair(item) else item for item in _items(dataset)]
    return _stacked(type(dataset).__name__, "x", items)


def is_loader(value: Any) -> bool:
    """Whether a value is a ``DataLoader`` of PyTorch."""
    return _is_of_torch(value, "DataLoader")


def refuse_iterables(value: Any) -> None:
    """Refuse what gives its samples one after another, and say what to pass."""
    if is_loader(value):
        raise ArgumentTypeError(
            "data is a DataLoader: pass its dataset as data, and its batch_size and shuffle as "
            f"arguments of their own; or, for its very order, batches={FOLLOWING}"
        )
    if _is_of_torch(value, "IterableDataset") or (
        hasattr(value, "__iter__") and not hasattr(value, "__len__")
    ):
        raise ArgumentTypeError(
            f"data is a {type(value).__name__}, whose samples come one after another: pass a "
            "map-style dataset, with __len__ and __getitem__, or the arrays (x, y)"
        )


def _is_of_torch(value: Any, name: str) -> bool:
    return any(
        kind.__name__ == name and kind.__module__.startswith("torch.utils.data")
        for kind in type(value).__mro__
    )


def _items(dataset: Any) -> list[Any]:
    kind, count = type(dataset).__name__, len(dataset)
    if not count:
        raise ArgumentError(f"the {kind} is empty")
    items = []
    for at in range(count):
        try:
            items.append(dataset[at])
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            raise ArgumentError(f"item {at} of the {kind}, of {count}, fails: {reason}") from error
    return items


def _is_pair(item: Any) -> bool:
    return isinstance(item, (tuple, list)) and len(item) == 2


def _stacked(kind: str, name: str, values: list[Any]) -> Any:
    arrays = []
    for at, value in enumerate(values):
        place = f"{name} of item {at} of the {kind}"
        arrays.append(to_numpy(place, value))
        if arrays[at].shape != arrays[0].shape:
            raise ArgumentError(
                f"{place} has shape {arrays[at].shape}, that of item 0 {arrays[0].shape}"
            )
    if all(array.dtype.kind in "biuf" for array in arrays):
        return np.stack(arrays)
    return values
