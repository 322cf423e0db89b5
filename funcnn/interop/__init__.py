"""Doors to other libraries."""

from funcnn.interop.torch import from_torch, params_of

__all__ = ["from_torch", "params_of"]
