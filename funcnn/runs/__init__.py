"""Python around the loop: the plan, the run, what looks at it, and what it gives back."""

from funcnn.runs.choices import DEFAULTS
from funcnn.runs.observers.log import logged_steps
from funcnn.runs.predictor import Predictor, load_model
from funcnn.runs.result import TrainResult
from funcnn.runs.sweeps import SavedSweep, SweepResult, load_sweep, sweep
from funcnn.runs.training import RisingLossWarning, train

__all__ = [
    "DEFAULTS",
    "Predictor",
    "RisingLossWarning",
    "SavedSweep",
    "SweepResult",
    "TrainResult",
    "load_model",
    "load_sweep",
    "logged_steps",
    "sweep",
    "train",
]
