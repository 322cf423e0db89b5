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


_on_gaussian = functools.partial(Experiment, data=functools.partial(gaussian, in_features=1000))
_on_sine = functools.partial(Experiment, data=sine, steps=2000, printed=range(99, 2000, 100))

EXPERIMENTS = MappingProxyType(
    {
        "two-layer/optim": _on_gaussian(model="mlp", steps=500, printed=range(0, 500, 50)),
        "random-data/nn": _on_gaussian(
            model="mlp_linear", learning_rate=1e-4, steps=100, printed=range(100)
        ),
        "sine/module": _on_sine(model="polynomial"),
        "sine/nn": _on_sine(model="polynomial_linear"),
        "sine/legendre": _on_sine(model="legendre", learning_rate=5e-6),
        "sine/dynamic": _on_sine(
            model="dynamic",
            optimizer="momentum",
            learning_rate=1e-8,
            steps=30000,
            printed=range(1999, 30000, 2000),
        ),
    }
)

OF_MODEL = MappingProxyType(
    {
        "mlp": EXPERIMENTS["two-layer/optim"],
        "mlp_linear": EXPERIMENTS["random-data/nn"],
        "polynomial": EXPERIMENTS["sine/module"],
        "polynomial_linear": EXPERIMENTS["sine/nn"],
        "legendre": EXPERIMENTS["sine/legendre"],
        "dynamic": EXPERIMENTS["sine/dynamic"],
    }
)
"""Each model's own experiment: where what is not given to ``train`` comes from."""
