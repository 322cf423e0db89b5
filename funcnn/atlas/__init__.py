"""The atlas: the tutorials' experiments beside their references, compared and reported."""

from funcnn.atlas.references import find_reference
from funcnn.atlas.reproduction import Reproduction, reproduce

__all__ = ["Reproduction", "find_reference", "reproduce"]
