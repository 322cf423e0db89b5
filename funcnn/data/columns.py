"""The columns of a table, as x and y: which are taken, and text as one-hot columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from funcnn.core import ArgumentError, ArgumentTypeError, checks
from funcnn.core.memory import require_memory

__all__ = [
    "Categories",
    "Columns",
    "Table",
    "declared_values",
    "inputs",
    "require_names",
    "table",
    "targets",
]

Categories: TypeAlias = bool | Sequence[str] | Mapping[str, Sequence[Any]] | None
"""Which columns hold categories: every one of text, those named, or those named with values."""


class Table(NamedTuple):
    """Data to train on, and the names of what is in it.

    Attributes:
        x: (samples, features), or as it was given; a tuple of arrays for a model that takes
            several.
        y: (samples,), (samples, targets), or as it was given; text where it holds labels.
        features: the names of x's columns, those of one-hot columns such as ``"colour=red"``;
            None where they have none.
        columns: the names of the source's columns that x was made of.
        categories: the values of each column that was made one-hot, as text, in the order
            of its one-hot columns.
        targets: the names of the source's columns that y was made of.
    """

    x: Any
    y: np.ndarray
    features: tuple[str, ...] | None = None
    columns: tuple[str, ...] | None = None
    categories: Mapping[str, tuple[str, ...]] = MappingProxyType({})
    targets: tuple[str, ...] | None = None


class Columns(NamedTuple):
    """The columns of a file or a frame.

    Attributes:
        source: what errors call it.
        names: the columns' names.
        read: gives a column by its name: numbers, with NaN where one is missing; truth
            values; or objects, each a text or None. Raises for a column of another kind.
        place: what a row is called, counted from 0: ``"row 2"``, ``"line 4"``.
    """

    source: str
    names: tuple[str, ...]
    read: Callable[[str], np.ndarray]
    place: Callable[[int], str]


def table(
    columns: Columns, target: str | Sequence[str] | None, categories: Categories = None
) -> Table:
    """x and y of a table.

    Args:
        columns: the table's.
        target: the name or names of the columns to predict; all others are x.
        categories: which columns of x hold categories.

    Raises:
        ArgumentError, ArgumentTypeError: where the columns cannot be told apart, or hold
            what cannot be trained on.
    """
    names = _target_names(columns, target)
    kept = tuple(name for name in columns.names if name not in names)
    x, features, found = inputs(columns, kept, categories)
    y = targets(columns, names)
    return Table(x, y[:, 0] if isinstance(target, str) else y, features, kept, found, names)


def inputs(
    columns: Columns, names: Sequence[str], categories: Categories
) -> tuple[np.ndarray, tuple[str, ...], dict[str, tuple[str, ...]]]:
    """x of the columns of these names, the names of its columns, and the categories' values."""
    for name in names:
        if name not in columns.names:
            missing = ", ".join(repr(name) for name in names if name not in columns.names)
            raise ArgumentError(
                f"{columns.source} lacks {missing}; it has {', '.join(columns.names)}"
            )
    declared = declared_values(categories)
    for name in declared:
        checks.choice("categories", name, names)
    parts, features, found = [], [], {}
    for name in names:
        values = columns.read(name)
        _require_whole(columns, name, values)
        if name in declared or (categories is True and values.dtype == object):
            known, part = _one_hot(columns, name, values, declared.get(name))
            features += [f"{name}={value}" for value in known]
            found[name] = known
        else:
            part = _numbers(columns, name, values)[:, None]
            features.append(name)
        parts.append(part)
    require_names(columns.source, features)
    kind = np.result_type(*parts)
    rows = len(parts[0])
    require_memory(f"x of {columns.source} would need", rows * len(features) * kind.itemsize)
    return np.concatenate(parts, axis=1, dtype=kind), tuple(features), found


def targets(columns: Columns, names: Sequence[str]) -> np.ndarray:
    """y, (samples, names): numbers, truth values, or text."""
    parts = []
    for name in names:
        values = columns.read(name)
        _require_whole(columns, name, values)
        if len(names) > 1:
            values = _numbers(columns, name, values)
        parts.append(values.astype(str) if values.dtype == object else values)
    return np.stack(parts, axis=1)


def require_names(source: str, names: Sequence[Any]) -> None:
    """Refuse names of columns that are no text, empty, or there twice, and those of an index."""
    for name in names:
        if not isinstance(name, str):
            raise ArgumentTypeError(f"{source} has a column named {name!r}, which is no text")
        if not name.strip() or name.startswith(("Unnamed: ", "__index_level_")):
            called = f"a column named {name!r}" if name.strip() else "a column without a name"
            raise ArgumentError(
                f"{source} has {called}, such as an index makes: write it with index=False, "
                "or drop the column"
            )
    if len(set(names)) != len(names):
        repeated = next(name for name in names if list(names).count(name) > 1)
        raise ArgumentError(f"{source} has two columns named {repeated!r}")


def declared_values(categories: Categories) -> dict[str, tuple[str, ...] | None]:
    """The columns that are named as categories, with their values as text where these are given."""
    if categories is None or isinstance(categories, bool):
        return {}
    if isinstance(categories, Mapping):
        return {name: _declared(name, values) for name, values in categories.items()}
    if isinstance(categories, (list, tuple)) and all(isinstance(name, str) for name in categories):
        return dict.fromkeys(categories)
    raise ArgumentTypeError(
        "categories must be True, a list of columns' names, or a dict of each column's values, "
        f"not {categories!r:.60}"
    )


def _declared(name: str, values: Any) -> tuple[str, ...]:
    if isinstance(values, (str, bytes)) or not hasattr(values, "__iter__"):
        raise ArgumentTypeError(f"categories: the values of {name!r} must be a list: {values!r}")
    known = tuple(_as_text(value) for value in values)
    if not known or len(set(known)) != len(known):
        raise ArgumentError(f"categories: the values of {name!r} must be some, each once")
    return known


def _one_hot(
    columns: Columns, name: str, values: np.ndarray, known: tuple[str, ...] | None
) -> tuple[tuple[str, ...], np.ndarray]:
    """The values of a column, and a column for each of them, (samples, values), float32."""
    if values.dtype.kind == "f" and (values != np.floor(values)).any():
        raise ArgumentTypeError(
            f"{columns.source}: column {name!r} holds numbers that are not whole: no categories"
        )
    texts = [_as_text(value) for value in values.tolist()]
    known = _sorted(set(texts)) if known is None else known
    codes = {value: code for code, value in enumerate(known)}
    for row, text in enumerate(texts):
        if text not in codes:
            raise ArgumentError(
                f"{columns.source}: column {name!r} holds {text!r} at {columns.place(row)}; "
                f"known: {', '.join(known)}"
            )
    require_memory(f"{columns.source}: one-hot {name!r} would need", 4 * len(texts) * len(known))
    hot = np.zeros((len(texts), len(known)), np.float32)
    hot[np.arange(len(texts)), [codes[text] for text in texts]] = 1
    return known, hot


def _sorted(texts: set[str]) -> tuple[str, ...]:
    """In the order of the numbers where all are whole numbers, or else of the alphabet."""
    numbers = all(text.removeprefix("-").isdecimal() for text in texts)
    return tuple(sorted(texts, key=int if numbers else None))


def _as_text(value: Any) -> str:
    """A value of a category, the same whether it came as text, as a number or from a file."""
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        value = int(value)
    return str(value)


def _numbers(columns: Columns, name: str, values: np.ndarray) -> np.ndarray:
    if values.dtype == object:
        raise ArgumentTypeError(
            f"{columns.source}: column {name!r} holds text, such as {values[0]!r}: one-hot columns "
            f"are made of it with categories=[{name!r}] or categories=True; or drop it"
        )
    return values.astype(np.float32) if values.dtype == bool else values


def _require_whole(columns: Columns, name: str, values: np.ndarray) -> None:
    """Refuse missing and infinite values, and a column without rows."""
    if not len(values):
        raise ArgumentError(f"{columns.source} has no rows")
    text = values.dtype == object
    missing = np.array([value is None for value in values]) if text else np.isnan(values)
    if missing.any():
        count = int(missing.sum())
        raise ArgumentError(
            f"{columns.source}: column {name!r} has {count} missing value{'s' * (count > 1)}, the "
            f"first at {columns.place(int(missing.argmax()))}: fill them in or drop those rows"
        )
    if not text and not np.isfinite(values).all():
        row = int((~np.isfinite(values)).argmax())
        raise ArgumentError(
            f"{columns.source}: column {name!r} is not finite at {columns.place(row)}"
        )


def _target_names(columns: Columns, target: str | Sequence[str] | None) -> tuple[str, ...]:
    if target is None:
        raise ArgumentError(
            f"{columns.source}: target= must name the column to predict. "
            f"Known: {', '.join(columns.names)}"
        )
    if not isinstance(target, Sequence):
        raise ArgumentTypeError(f"target={target!r} must be the name of a column, or several")
    names = (target,) if isinstance(target, str) else tuple(target)
    for name in names:
        checks.choice("target", name, columns.names)
    if not names or len(set(names)) != len(names):
        raise ArgumentError(f"target={target!r} must name columns, each once")
    if len(names) == len(columns.names):
        raise ArgumentTypeError(
            f"{columns.source}: target={target!r} leaves no column to predict from"
        )
    return names
