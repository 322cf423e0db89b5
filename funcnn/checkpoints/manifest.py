"""What a checkpoint belongs to, in words, and where two such descriptions differ."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from typing import Any

from funcnn.core import ArgumentTypeError

__all__ = ["CODE", "INFORMATIVE", "as_json", "differences"]

CODE = "code"
"""Under this name stands what the code of a function is, by the version of Python."""

INFORMATIVE = frozenset({"versions", "host", "time", "steps"})
"""The entries that may differ between a checkpoint and the run that goes on from it."""


def as_json(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """The manifest as it will be read back: tuples become lists.

    Raises:
        ArgumentTypeError: where it holds what JSON has no words for.
    """
    try:
        return json.loads(json.dumps(dict(manifest)))
    except (TypeError, ValueError) as error:
        raise ArgumentTypeError(f"the manifest is not JSON: {error}") from None


def differences(
    saved: Mapping[str, Any],
    given: Mapping[str, Any],
    informative: Collection[str] = (),
    place: str = "the checkpoint",
) -> list[str]:
    """The entries that differ, each with both values; nested ones by their path.

    What is None or empty is nothing: it may as well be absent. The code of a function can be
    compared within a version of Python alone.

    >>> differences({"seed": 0, "params": {"w": [3]}}, {"seed": 0, "params": {"w": [4]}})
    ['params.w: [3] in the checkpoint, [4] here']
    """
    old, new = _entries(saved, informative), _entries(given, informative)
    return [
        f"{name}: {_short(old.get(name))} in {place}, {_short(new.get(name))} here"
        for name in dict.fromkeys([*old, *new])
        if old.get(name) != new.get(name)
        and not (f".{CODE}." in name and (name not in old or name not in new))
    ]


def _short(value: str | None) -> str:
    """A value as an error tells it: of a digest the beginning."""
    if value is None:
        return "nothing"
    return f"{value[1:13]}…" if re.fullmatch('"[0-9a-f]{64}"', value) else value


def _entries(
    manifest: Mapping[str, Any], informative: Collection[str], prefix: str = ""
) -> dict[str, str]:
    entries: dict[str, str] = {}
    for key, value in manifest.items():
        name = f"{prefix}{key}"
        if name in informative:
            continue
        if isinstance(value, Mapping):
            entries |= _entries(value, informative, f"{name}.")
        elif value is not None:
            entries[name] = json.dumps(value)
    return entries
