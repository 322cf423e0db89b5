"""The atlas: the tutorials' experiments beside their references, compared and reported."""

from funcnn.atlas.reproduction import Reproduction, reproduce

__all__ = ["Reproduction", "reproduce"]
