"""Models of other libraries, as ``train`` and ``sweep`` meet them.

Each such library has a module in ``funcnn.interop`` with one function, ``adapted``, of the
signature of the one here. It is imported only when a model of its library comes.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from types import ModuleType
from typing import Any, TypeVar

__all__ = ["ADAPTERS", "adapted", "adapter_of", "adapting", "door"]

Make = TypeVar("Make", bound=Callable[..., Any])

ADAPTERS = {
    "equinox": "equinox",
    "flax.linen": "linen",
    "flax.nnx": "nnx",
    "haiku": "haiku",
    "funcnn.interop.torch": "torch",
    "jax.example_libraries.stax": "stax",
    "torch": "torch",
}
"""The module of ``funcnn.interop`` that adapts a model, by the package that the model's type, or
a type that it inherits from, is defined in; of a pair of functions, by the package of these."""


def adapted(arguments: dict[str, Any]) -> dict[str, Any]:
    """The arguments of ``train`` in funcnn's own words, whichever library the model is of.

    Adapting one object twice gives equal models, so that what was compiled is found again; but for
    a module of PyTorch with an optimizer of funcnn or of optax, whose code may have been edited
    in place: for it ``from_torch`` gives one model to keep.

    Args:
        arguments: what ``train`` or ``sweep`` was given, by name: ``model`` at least, and also
            what only models of its library take. They are not changed.

    Returns:
        The same arguments where the model is of no other library. Where it is, ``model`` is a
        ``funcnn.Model``, and ``params`` are the model's own values if it brings them and the
        call gives neither ``params`` nor ``state``.

    Raises:
        ArgumentError, ArgumentTypeError: for a model that cannot be trained here.
    """
    adapter = adapter_of(arguments["model"])
    if adapter is None:
        return arguments
    return door(adapter).adapted(arguments)


def adapter_of(model: Any) -> str | None:
    """The name of the module that adapts a model; None for one that needs none."""
    for made in model if type(model) is tuple else type(model).__mro__:
        for package, adapter in ADAPTERS.items():
            if f"{getattr(made, '__module__', None)}.".startswith(f"{package}."):
                return adapter
    return None


def door(name: str) -> ModuleType:
    """The module of ``funcnn.interop`` of that name: it is imported when it is needed."""
    return importlib.import_module(f"funcnn.interop.{name}")


def adapting(make: Make) -> Make:
    """Let ``make(model, data, **arguments)`` take the models of other libraries too."""

    @functools.wraps(make)
    def make_adapted(model: Any = None, data: Any = None, **arguments: Any) -> Any:
        return make(**adapted({"model": model, "data": data} | arguments))

    return make_adapted  # type: ignore[return-value]
