"""How much memory the machine has."""

from __future__ import annotations

import math
import os

from funcnn.core.errors import ArgumentError

__all__ = ["installed_memory", "require_memory"]


def installed_memory() -> int | float:
    """The bytes of memory that the machine has; infinite where the system does not tell."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return math.inf


def require_memory(what: str, needed: int | float) -> None:
    """Refuse what needs more bytes than the machine has.

    Args:
        what: what needs them, as the beginning of the error, with its verb.
        needed: how many.
    """
    if needed > (installed := installed_memory()):
        raise ArgumentError(f"{what} {needed:.3g} bytes; the machine has {installed:.3g}")
