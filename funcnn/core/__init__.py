"""The words, the errors, and what every wing uses: checks, precision, keys, caches."""

from funcnn.core.errors import (
    ArgumentError,
    ArgumentTypeError,
    CheckpointError,
    DivergenceError,
    MissingExtraError,
    SweepError,
    TrainingInterrupted,
)
from funcnn.core.words import (
    AnyArray,
    Data,
    Loss,
    Model,
    Number,
    Params,
    Samples,
    Structs,
    TrainState,
)

__all__ = [
    "AnyArray",
    "ArgumentError",
    "ArgumentTypeError",
    "CheckpointError",
    "Data",
    "DivergenceError",
    "Loss",
    "MissingExtraError",
    "Model",
    "Number",
    "Params",
    "Samples",
    "Structs",
    "SweepError",
    "TrainState",
    "TrainingInterrupted",
]
