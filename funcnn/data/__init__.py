"""From memory or disk to arrays, and params to files and back."""

from funcnn.data.columns import Table
from funcnn.data.files import require_place, write_whole
from funcnn.data.labels import decode, encode
from funcnn.data.sources import load, load_inputs
from funcnn.data.weights import check_destination, load_params, save_params

__all__ = [
    "Table",
    "check_destination",
    "decode",
    "encode",
    "load",
    "load_inputs",
    "load_params",
    "require_place",
    "save_params",
    "write_whole",
]
