"""From memory or disk to arrays, and params to files and back."""

from funcnn.data.columns import Table
from funcnn.data.labels import decode, encode
from funcnn.data.sources import load, load_inputs
from funcnn.data.weights import load_params, save_params

__all__ = ["Table", "decode", "encode", "load", "load_inputs", "load_params", "save_params"]
