"""PyTorch's optimizers and schedules over optax."""

from funcnn.optimizers import schedules
from funcnn.optimizers.optimizer import Optimizer
from funcnn.optimizers.schedules import Schedule
from funcnn.optimizers.torch_optim import OPTIMIZERS, adam, adamw, momentum, rmsprop, sgd

__all__ = [
    "OPTIMIZERS",
    "Optimizer",
    "Schedule",
    "adam",
    "adamw",
    "momentum",
    "rmsprop",
    "schedules",
    "sgd",
]
