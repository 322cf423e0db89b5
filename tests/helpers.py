"""The models and optimizers that the tests of parity go through; a pace without a clock."""

from __future__ import annotations

import itertools
import signal
from collections.abc import Container
from typing import Any, NamedTuple

import numpy as np

import funcnn


class Case(NamedTuple):
    """A model on small data; ``rates`` holds a learning rate for each family of optimizers."""

    model: str
    params: dict[str, np.ndarray]
    x: np.ndarray
    y: np.ndarray
    sizes: dict[str, Any]
    rates: dict[str, float]

    def cast(self, dtype: str) -> Case:
        params = {name: np.asarray(value, dtype) for name, value in self.params.items()}
        return self._replace(params=params, x=self.x.astype(dtype), y=self.y.astype(dtype))


def network(model: str, samples: int, *widths: int, seed: int = 0) -> Case:
    rng = np.random.default_rng(seed)
    params = {}
    for k, (fan_in, fan_out) in enumerate(itertools.pairwise(widths), start=1):
        # Near PyTorch's own scale for the linear layers, N(0, 1) for the explicit weights.
        scale = 1.0 if model == "mlp" else 0.5
        params[f"w{k}"] = scale * rng.standard_normal((fan_in, fan_out))
        if model == "mlp_linear":
            params[f"b{k}"] = scale * rng.standard_normal(fan_out)
    x = rng.standard_normal((samples, widths[0]))
    y = rng.standard_normal((samples, widths[-1]))
    hidden = widths[1] if model == "mlp" else widths[1:-1]
    return Case(model, params, x, y, {"hidden": hidden}, {"sgd": 2e-5, "adaptive": 1e-3})


def curve(model: str, letters: str, samples: int = 50, **sizes: int) -> Case:
    rng = np.random.default_rng(1)
    x = np.linspace(-np.pi, np.pi, samples)
    params = {letter: rng.standard_normal() * np.ones(()) for letter in letters}
    rates = {"sgd": 1e-8 if model == "dynamic" else 1e-5, "adaptive": 1e-3}
    return Case(model, params, x, np.sin(x), sizes, rates)


def linear_curve(degree: int, samples: int = 50) -> Case:
    case = curve("polynomial_linear", "", samples, degree=degree)
    rng = np.random.default_rng(2)
    params = {"w": rng.standard_normal((degree, 1)), "b": rng.standard_normal(1)}
    return case._replace(params=params)


def legendre() -> Case:
    # Not the seed's a = c = 0: by symmetry their gradients are rounding noise, which
    # RMSprop and Adam would blow up into steps of full size, in either framework.
    start = {"a": 0.2, "b": -1.0, "c": 0.1, "d": 0.3}
    case = curve("legendre", "")
    return case._replace(
        params={name: np.array(value) for name, value in start.items()},
        rates={"sgd": 5e-5, "adaptive": 3e-4},
    )


CASES = {
    "mlp": network("mlp", 16, 30, 8, 5),
    "mlp-one-sample": network("mlp", 1, 7, 4, 3, seed=1),
    "mlp-one-hidden": network("mlp", 12, 5, 1, 2),
    "mlp-more-outputs": network("mlp", 9, 3, 6, 11),
    "mlp_linear": network("mlp_linear", 16, 30, 8, 5),
    # One sample is soon fitted, and at an optimum RMSprop divides noise by noise.
    "mlp_linear-one-sample": network("mlp_linear", 1, 7, 4, 3)._replace(
        rates={"sgd": 2e-5, "adaptive": 1e-4}
    ),
    "mlp_linear-one-hidden": network("mlp_linear", 12, 5, 1, 2),
    "mlp_linear-deep": network("mlp_linear", 10, 4, 6, 5, 3),
    "mlp_linear-no-hidden": network("mlp_linear", 10, 4, 3),
    "polynomial": curve("polynomial", "abcd"),
    "polynomial-line": curve("polynomial", "ab", degree=1),
    "polynomial-quintic": curve("polynomial", "abcdef", degree=5)._replace(
        rates={"sgd": 1e-8, "adaptive": 1e-3}
    ),
    "polynomial_linear": linear_curve(3),
    "polynomial_linear-line": linear_curve(1),
    "legendre": legendre(),
    "dynamic": curve("dynamic", "abcde"),
}

# funcnn's optimizer, its options, PyTorch's class, its options, the family of the rate.
OPTIMIZERS = {
    "sgd": ("sgd", {}, "SGD", {}, "sgd"),
    "sgd-decay": ("sgd", {"weight_decay": 0.1}, "SGD", {"weight_decay": 0.1}, "sgd"),
    "momentum": ("momentum", {}, "SGD", {"momentum": 0.9}, "sgd"),
    "nesterov": (
        "momentum",
        {"nesterov": True, "momentum": 0.8},
        "SGD",
        {"momentum": 0.8, "nesterov": True},
        "sgd",
    ),
    "momentum-decay": (
        "momentum",
        {"weight_decay": 0.1},
        "SGD",
        {"momentum": 0.9, "weight_decay": 0.1},
        "sgd",
    ),
    "rmsprop": ("rmsprop", {}, "RMSprop", {}, "adaptive"),
    "rmsprop-centered": ("rmsprop", {"centered": True}, "RMSprop", {"centered": True}, "adaptive"),
    "rmsprop-momentum": ("rmsprop", {"momentum": 0.5}, "RMSprop", {"momentum": 0.5}, "adaptive"),
    "rmsprop-decay": (
        "rmsprop",
        {"weight_decay": 0.1, "alpha": 0.95, "eps": 0.1},  # large: its place shows
        "RMSprop",
        {"weight_decay": 0.1, "alpha": 0.95, "eps": 0.1},
        "adaptive",
    ),
    "adam": ("adam", {}, "Adam", {}, "adaptive"),
    "adam-decay": (
        "adam",
        {"weight_decay": 0.1, "beta1": 0.8, "beta2": 0.99, "eps": 0.1},
        "Adam",
        {"weight_decay": 0.1, "betas": (0.8, 0.99), "eps": 0.1},
        "adaptive",
    ),
    "adamw": ("adamw", {}, "AdamW", {}, "adaptive"),
}

MANUAL = ("mlp", "mlp_linear", "polynomial", "legendre")


def train(case: Case, optimizer: str, steps: int, dtype: str, **more: Any):
    """funcnn's run of a case."""
    name, options, _, _, family = OPTIMIZERS[optimizer]
    return funcnn.train(
        case.model,
        (case.x, case.y),
        params=case.params,
        loss="sum_squared_error",
        optimizer=name,
        learning_rate=case.rates[family],
        steps=steps,
        dtype=dtype,
        **case.sizes,
        **options,
        **more,
    )


class Cut:
    """A pace that follows no clock: segments of ``length`` steps.

    Args:
        length: of each segment.
        interrupted: in which segments a signal comes, counted from 1; the same pace may serve
            several runs.
        number: the signal; Ctrl-C's without it.
    """

    def __init__(
        self, length: int, interrupted: Container[int] = (), number: int = signal.SIGINT
    ) -> None:
        self._length, self._interrupted, self._number = length, interrupted, number
        self.segments = 0

    def length(self) -> int:
        self.segments += 1
        if self.segments in self._interrupted:
            signal.raise_signal(self._number)
        return self._length

    def took(self, steps: int, seconds: float) -> None:
        pass

    def __call__(self, paces: Any, sizes: Any) -> Cut:
        """Itself, where ``ClockPace`` would be made."""
        del paces, sizes
        return self
