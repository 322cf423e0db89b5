"""Small networks trained as pure JAX functions, with the losses that PyTorch gives."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from funcnn import (
        callbacks,
        experiments,
        interop,
        losses,
        metrics,
        models,
        optimizers,
        plots,
    )
    from funcnn.atlas import Reproduction, reproduce
    from funcnn.bench import benchmark
    from funcnn.checkpoints import CheckpointWarning
    from funcnn.core import (
        ArgumentError,
        ArgumentTypeError,
        CheckpointError,
        DivergenceError,
        MissingExtraError,
        Model,
        SweepError,
        TrainingInterrupted,
        TrainState,
    )
    from funcnn.data import load_params, save_params
    from funcnn.interop import Comparison, compare
    from funcnn.loop import fit, initial_state, make_update
    from funcnn.runs import (
        Predictor,
        RisingLossWarning,
        SavedSweep,
        SweepResult,
        TrainResult,
        load_model,
        load_sweep,
        sweep,
        train,
    )

__version__ = "0.2.0"

__all__ = [
    "ArgumentError",
    "ArgumentTypeError",
    "CheckpointError",
    "CheckpointWarning",
    "Comparison",
    "DivergenceError",
    "MissingExtraError",
    "Model",
    "Predictor",
    "Reproduction",
    "RisingLossWarning",
    "SavedSweep",
    "SweepError",
    "SweepResult",
    "TrainResult",
    "TrainState",
    "TrainingInterrupted",
    "benchmark",
    "callbacks",
    "compare",
    "experiments",
    "fit",
    "initial_state",
    "interop",
    "load_model",
    "load_params",
    "load_sweep",
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

_MODULES = (
    *("callbacks", "experiments", "interop", "losses"),
    *("metrics", "models", "optimizers", "plots"),
)
_WINGS = ("core", "data", "checkpoints", "loop", "runs", "atlas", "interop", "bench")
"""Where the other public names come from: the first of these that has them."""

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        """What a public name stands for is imported when it is first asked for.

        To import funcnn alone takes no time, so that its command line can answer signals
        before JAX is there (see ``funcnn.signals``).
        """
        if name in _MODULES:
            return importlib.import_module(f"funcnn.{name}")
        for wing in _WINGS if name in __all__ else ():
            module = importlib.import_module(f"funcnn.{wing}")
            if name in module.__all__:
                return globals().setdefault(name, getattr(module, name))
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
