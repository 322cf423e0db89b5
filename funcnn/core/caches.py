"""What is compiled is kept as long as the functions that it was compiled for.

A cache that counts its entries forgets what a loop over many models is about to need
again, and keeps what nobody can ask for any more. Here an entry lives exactly as long
as the functions in its key: those of a named model for ever, a lambda's until the lambda
is gone.
"""

from __future__ import annotations

import functools
import sys
import types
import weakref
from collections.abc import Callable, Hashable
from typing import Any

import jax

__all__ = ["compiled", "remembered"]


def remembered(build: Callable[..., Any]) -> Callable[..., Any]:
    """Make ``build`` give the same result again for the same arguments, while these live.

    Args:
        build: called with a function of no arguments for each of the arguments it is asked
            for: ``build(lambda: first, lambda: second)``. Each gives the argument back as
            long as it lives. What ``build`` returns must not hold the arguments
            themselves: it would keep them, and so the entry, for ever.
    """
    entries: dict[Hashable, Any] = {}

    def forget(_: Any, ending: Callable[[], bool] = sys.is_finalizing) -> None:
        if ending():  # Then modules are taken apart, and nothing need be forgotten.
            return
        for key in [key for key in list(entries) if _is_gone(key)]:
            entries.pop(key, None)

    @functools.wraps(build)
    def find(*arguments: Any) -> Any:
        key = tuple(_weak(argument, forget) for argument in arguments)
        if key not in entries:
            built = build(*(functools.partial(_strong, part) for part in key))
            # Where two threads build at once, both get what was there first.
            return entries.setdefault(key, built)
        return entries[key]

    return find


@remembered
def compiled(function: Callable[[], Callable[..., Any]]) -> Callable[..., Any]:
    """``jax.jit(function)``, the same for the same function.

    A compiled function is traced once for its arguments' shapes, wherever it is
    called from: alone, in a loop, or to learn its result's shape.
    """

    def call(*arguments: Any) -> Any:
        return function()(*arguments)

    call.__name__ = getattr(function(), "__name__", "call")
    return jax.jit(call)


def _weak(value: Any, forget: Callable[[Any], None]) -> Hashable:
    """What stands in a key for a value: of functions, a reference that does not keep them."""
    if isinstance(value, tuple):
        return (type(value), *(_weak(part, forget) for part in value))
    if isinstance(value, types.MethodType):
        return weakref.WeakMethod(value, forget)
    if callable(value) and not isinstance(value, type):
        try:
            return weakref.ref(value, forget)
        except TypeError:
            return value
    return value


def _strong(part: Any) -> Any:
    """The value that stands in a key as ``part``."""
    if isinstance(part, weakref.ref):
        return part()
    if isinstance(part, tuple):
        kind, *values = part
        strong = map(_strong, values)
        return kind(*strong) if hasattr(kind, "_fields") else kind(strong)
    return part


def _is_gone(part: Any) -> bool:
    if isinstance(part, weakref.ref):
        return part() is None
    return isinstance(part, tuple) and any(map(_is_gone, part))
