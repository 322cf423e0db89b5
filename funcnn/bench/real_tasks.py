"""What ``funcnn bench --real`` trains: data sets of scikit-learn, and a network for each.

Inputs, and in regression targets, are brought to mean 0 and spread 1 by the training samples,
once, so that every library is given the same numbers.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped

from funcnn.core import MissingExtraError, checks

__all__ = ["TASKS", "RealTask", "make"]

SPLIT_SEED = 0
"""By which samples are set aside to test on, and by which made data are made."""


@dataclasses.dataclass(frozen=True, eq=False)
class RealTask:
    """A network to fit, and the samples to test it on.

    Attributes:
        name: the task's name.
        x: the inputs, (samples, features), float32.
        y: the classes, (samples,), int64; or the targets, (samples,), float32.
        x_test: the inputs to test on.
        y_test: their classes or targets.
        hidden: the width of the hidden layer, which ReLU follows.
        epochs: how often to go through all samples.
        noise: how far two libraries' scores may be from each other by their random numbers.
        batch_size: the samples in a step.
        learning_rate: of Adam, its further numbers as in ``torch.optim``.
    """

    name: str
    x: Float[np.ndarray, "samples features"]
    y: Shaped[np.ndarray, " samples"]
    x_test: Float[np.ndarray, "tested features"]
    y_test: Shaped[np.ndarray, " tested"]
    hidden: int
    epochs: int
    noise: float
    batch_size: int = 64
    learning_rate: float = 1e-3

    @property
    def classifies(self) -> bool:
        """Whether y holds classes."""
        return np.issubdtype(self.y.dtype, np.integer)

    @property
    def outputs(self) -> int:
        """The outputs of the network: one for each class, or one."""
        return int(self.y.max()) + 1 if self.classifies else 1

    @property
    def steps(self) -> int:
        """The updates of a fit."""
        return self.epochs * math.ceil(len(self.x) / self.batch_size)

    @property
    def measure(self) -> str:
        """The name of the score."""
        return "accuracy" if self.classifies else "r2"

    @property
    def title(self) -> str:
        """The sizes, on a line."""
        samples, features = self.x.shape
        widths = f"{features}-{self.hidden}-{self.outputs}"
        return (
            f"{samples:,} samples, {widths}, {self.epochs} epochs of batches of {self.batch_size}"
        )

    def score(self, predicted: Shaped[np.ndarray, " tested"]) -> float:
        """The accuracy, or r2, of predictions for ``x_test``."""
        if self.classifies:
            return float(np.mean(predicted == self.y_test))
        target = self.y_test.astype(np.float64)
        return float(1 - np.mean((predicted - target) ** 2) / np.var(target))


def digits(samples: int = 1797, epochs: int = 30) -> RealTask:
    """Digits of 8 × 8 pixels, ten classes."""
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    return _task("digits", x[:samples], y[:samples], 360, hidden=64, epochs=epochs, noise=0.015)


def diabetes(samples: int = 442, epochs: int = 100) -> RealTask:
    """How far diabetes went in a year, from ten numbers of each patient."""
    from sklearn.datasets import load_diabetes

    x, y = load_diabetes(return_X_y=True)
    return _task("diabetes", x[:samples], y[:samples], 89, hidden=50, epochs=epochs, noise=0.05)


def regression(samples: int = 1_100_000, epochs: int = 2) -> RealTask:
    """A curved function of five of twenty columns, and noise (Friedman's first)."""
    from sklearn.datasets import make_friedman1

    x, y = make_friedman1(samples, 20, noise=1.0, random_state=SPLIT_SEED)
    return _task("regression", x, y, 100_000, hidden=50, epochs=epochs, noise=0.01)


def classification(samples: int = 120_000, epochs: int = 5) -> RealTask:
    """Seven classes and 54 columns, as many as covtype has."""
    from sklearn.datasets import make_classification

    x, y = make_classification(
        samples,
        54,
        n_informative=20,
        n_redundant=10,
        n_classes=7,
        n_clusters_per_class=2,
        random_state=SPLIT_SEED,
    )
    return _task("classification", x, y, 20_000, hidden=100, epochs=epochs, noise=0.01)


TASKS: Mapping[str, Callable[..., RealTask]] = MappingProxyType(
    {
        "digits": digits,
        "diabetes": diabetes,
        "regression": regression,
        "classification": classification,
    }
)


def make(name: str, **sizes: int) -> RealTask:
    """A task by its name.

    Args:
        name: one of ``TASKS``.
        **sizes: ``samples`` and ``epochs`` in place of the task's own; a fifth of the samples
            is the most to test on.

    Raises:
        ArgumentError: for an unknown name.
        MissingExtraError: where scikit-learn, which has the data, is not installed.
    """
    task = TASKS[checks.choice("task", name, TASKS)]
    try:
        return task(**sizes)
    except ImportError as error:
        raise MissingExtraError("scikit-learn", "bench") from error


def _task(
    name: str, x: Any, y: Any, tested: int, *, hidden: int, epochs: int, noise: float
) -> RealTask:
    order = np.random.default_rng(SPLIT_SEED).permutation(len(x))
    test, train = np.split(order, [min(tested, len(x) // 5)])
    inputs = _standardized(x, train)
    targets = y if np.issubdtype(y.dtype, np.integer) else _standardized(y, train)
    return RealTask(
        name=name,
        x=inputs[train],
        y=targets[train],
        x_test=inputs[test],
        y_test=targets[test],
        hidden=hidden,
        epochs=epochs,
        noise=noise,
    )


def _standardized(
    columns: Float[np.ndarray, "samples ..."], train: np.ndarray
) -> Float[np.ndarray, "samples ..."]:
    """Mean 0 and spread 1 over the training samples; a constant column becomes 0."""
    mean, spread = columns[train].mean(axis=0), columns[train].std(axis=0)
    return ((columns - mean) / np.where(spread > 0, spread, 1)).astype(np.float32)
