"""From memory or disk to arrays, and params to files and back."""

from funcnn.data.arrays import load
from funcnn.data.weights import load_params, save_params

__all__ = ["load", "load_params", "save_params"]
