"""Small networks trained as pure JAX functions, with the losses that PyTorch gives."""

from typing import TYPE_CHECKING, Any

from funcnn import experiments, losses, models, optimizers, plots
from funcnn.core import (
    ArgumentError,
    ArgumentTypeError,
    DivergenceError,
    MissingExtraError,
    Model,
    TrainingInterrupted,
    TrainState,
)
from funcnn.fitting import fit, initial_state
from funcnn.reproductions import Reproduction, reproduce
from funcnn.results import TrainResult
from funcnn.sweeps import SweepResult, sweep
from funcnn.training import train
from funcnn.updates import make_update
from funcnn.weights import load_params, save_params

if TYPE_CHECKING:
    from funcnn.bench import benchmark
else:

    def __getattr__(name: str) -> Any:
        """``benchmark`` is imported when it is asked for: few who train also measure."""
        if name != "benchmark":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from funcnn.bench import benchmark

        return benchmark


__version__ = "0.1.0"

__all__ = [
    "ArgumentError",
    "ArgumentTypeError",
    "DivergenceError",
    "MissingExtraError",
    "Model",
    "Reproduction",
    "SweepResult",
    "TrainResult",
    "TrainState",
    "TrainingInterrupted",
    "benchmark",
    "experiments",
    "fit",
    "initial_state",
    "load_params",
    "losses",
    "make_update",
    "models",
    "optimizers",
    "plots",
    "reproduce",
    "save_params",
    "sweep",
    "train",
]
