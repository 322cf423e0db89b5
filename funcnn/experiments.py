"""The experiments of the seeds, each a frozen record of a whole run."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from types import MappingProxyType
from typing import TYPE_CHECKING

from funcnn.data import gaussian, sine

if TYPE_CHECKING:
    import numpy as np

__all__ = ["EXPERIMENTS", "OF_MODEL", "Experiment"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Experiment:
    """A whole run, by name.

    Attributes:
        model: the name of the model.
        data: gives the seed's x and y.
        loss: the name of the loss.
        optimizer: the name of the optimizer.
        learning_rate: its rate.
        steps: the number of updates.
        printed: the steps whose loss the seed prints.
    """

    model: str
    data: Callable[[], tuple[np.ndarray, np.ndarray]]
    loss: str = "sum_squared_error"
    optimizer: str = "sgd"
    learning_rate: float = 1e-6
    steps: int
    printed: range


def _sine(model: str, **fields: object) -> Experiment:
    defaults = {"data": sine, "steps": 2000, "printed": range(99, 2000, 100)}
    return Experiment(**({"model": model} | defaults | fields))  # pyright: ignore[reportArgumentType]


EXPERIMENTS = MappingProxyType(
    {
        "two-layer/optim": Experiment(
            model="mlp",
            data=functools.partial(gaussian, in_features=1000),
            steps=500,
            printed=range(0, 500, 50),
        ),
        "random-data/nn": Experiment(
            model="mlp_linear",
            data=functools.partial(gaussian, in_features=1000),
            learning_rate=1e-4,
            steps=100,
            printed=range(100),
        ),
        "sine/module": _sine("polynomial"),
        "sine/nn": _sine("polynomial_linear"),
        "sine/legendre": _sine("legendre", learning_rate=5e-6),
        "sine/dynamic": _sine(
            "dynamic",
            optimizer="momentum",
            learning_rate=1e-8,
            steps=30000,
            printed=range(1999, 30000, 2000),
        ),
    }
)

OF_MODEL = MappingProxyType({experiment.model: experiment for experiment in EXPERIMENTS.values()})
"""Each model's own experiment: where what is not given to ``train`` comes from."""
