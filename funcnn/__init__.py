"""Small networks trained as pure JAX functions, with the losses that PyTorch gives."""

from typing import TYPE_CHECKING, Any

from funcnn import experiments, losses, metrics, models, optimizers, plots
from funcnn.core import (
    ArgumentError,
    ArgumentTypeError,
    DivergenceError,
    MissingExtraError,
    Model,
    TrainingInterrupted,
    TrainState,
)
from funcnn.data import load_params, save_params
from funcnn.loop import fit, initial_state, make_update
from funcnn.runs import RisingLossWarning, SweepResult, TrainResult, sweep, train

if TYPE_CHECKING:
    from funcnn.atlas import Reproduction, reproduce
    from funcnn.bench import benchmark
else:

    def __getattr__(name: str) -> Any:
        """What few programs need is imported when it is asked for."""
        if name in ("Reproduction", "reproduce"):
            from funcnn import atlas

            return getattr(atlas, name)
        if name == "benchmark":
            from funcnn.bench import benchmark

            return benchmark
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__version__ = "0.2.0"

__all__ = [
    "ArgumentError",
    "ArgumentTypeError",
    "DivergenceError",
    "MissingExtraError",
    "Model",
    "Reproduction",
    "RisingLossWarning",
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
    "metrics",
    "models",
    "optimizers",
    "plots",
    "reproduce",
    "save_params",
    "sweep",
    "train",
]
