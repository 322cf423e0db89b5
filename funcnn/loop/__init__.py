"""What XLA compiles: the problem, its forms, a step of it, and the loop."""

from funcnn.loop.fit import fit, initial_state
from funcnn.loop.update import Update, make_update

__all__ = ["Update", "fit", "initial_state", "make_update"]
