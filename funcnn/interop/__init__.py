"""Doors to other libraries."""

from funcnn.interop.torch import from_torch, params_of, torch_step

__all__ = ["from_torch", "params_of", "torch_step"]
