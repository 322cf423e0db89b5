"""Frozen dataclasses that are kept as JSON."""

from __future__ import annotations

import dataclasses
import json
import os
import typing
from typing import Any, Self

from funcnn.core import ArgumentError
from funcnn.data.files import require_file, write_whole

__all__ = ["Record", "decoded"]


@dataclasses.dataclass(frozen=True)
class Record:
    """What can be written to a JSON file and read back equal.

    Attributes:
        method: how it was measured.
        environment: on what: device, processor, threads, precision, versions, date.
    """

    method: str
    environment: dict[str, Any]

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a JSON file, which names the class too: the whole file, or none at all."""
        content = {"record": type(self).__name__} | dataclasses.asdict(self)
        text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
        write_whole(path, lambda stream: stream.write(text.encode()))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read what :meth:`save` wrote.

        Raises:
            ArgumentError: for a file that holds no such record.
        """
        try:
            content = json.loads(require_file(path).read_text(encoding="utf-8"))
            if content["record"] != cls.__name__:
                raise ValueError(f"it is a {content['record']}")
            return decoded(cls, content)
        except (AttributeError, KeyError, TypeError, UnicodeDecodeError, ValueError) as error:
            if isinstance(error, ArgumentError):
                raise
            raise ArgumentError(f"{path} holds no {cls.__name__}: {error!r}") from error


def decoded(kind: Any, value: Any) -> Any:
    """A value read from JSON, converted to the type that its annotation ``kind`` says."""
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        fields = {field.name for field in dataclasses.fields(kind)}
        return kind(**{name: decoded(hints[name], value[name]) for name in fields})
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is tuple:
        return tuple(decoded(arguments[0], item) for item in value)
    if origin is dict:
        return {arguments[0](key): decoded(arguments[1], item) for key, item in value.items()}
    return value
