"""What the rows of the table are made of.

A row is a call, the exception that it ends in, and words of its message. The call is the
arguments of ``funcnn.train``, a ``Later`` that makes these, or a function of what was made before:
see ``make``.
"""

from __future__ import annotations

import dataclasses
import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import funcnn

TYPE, VALUE = funcnn.ArgumentTypeError, funcnn.ArgumentError

RNG = np.random.default_rng(0)
X, Y = RNG.standard_normal((8, 3)), RNG.standard_normal((8, 2))
X32, Y32 = X.astype(np.float32), Y.astype(np.float32)
C = np.arange(8) % 3
CURVE = np.linspace(0, 1, 8), np.linspace(0, 1, 8)
ODD_ONES = [[1.0, np.nan], [2.0, 3.0]]


@dataclasses.dataclass(frozen=True)
class Later:
    """Arguments of ``funcnn.train`` that cannot be made at import.

    Attributes:
        make: from what was made before to the arguments.
    """

    make: Callable[[SimpleNamespace], dict[str, Any]]


def make(folder: Path) -> SimpleNamespace:
    """What some calls are made with: it may compile."""
    made = SimpleNamespace(tmp=folder, key=jax.random.key(1))
    made.keys = jax.random.split(made.key)
    made.reg = funcnn.train(**NET)
    made.cla = funcnn.train(**CLASSES)
    made.pol = funcnn.train("polynomial", CURVE, steps=2)
    made.swept = funcnn.sweep(**NET, seed=range(2))
    for result, x in ((made.reg, X), (made.cla, X), (made.pol, CURVE[0])):
        result.predict(x)
    made.m = funcnn.models.make("mlp", in_features=3, hidden=4, out_features=2)
    made.opt = funcnn.optimizers.sgd(1e-3)
    made.upd = funcnn.make_update(made.m, funcnn.losses.sum_squared_error, made.opt)
    made.params = made.m.init(jax.random.key(0))
    made.state = funcnn.initial_state(made.params, made.opt, made.key)
    if importlib.util.find_spec("torch") is not None:
        layer = torch().nn.Linear(3, 2)
        optimizer = torch().optim.Adam(layer.parameters())
        made.of_module = funcnn.train(layer, (X32, Y32), optimizer=optimizer, steps=2)
    made.bfloat = jnp.ones(2, jnp.bfloat16)
    funcnn.save_params({"w": np.ones(2)}, folder / "own.npz")
    np.savez(folder / "d.npz", x=X, y=Y)
    np.save(folder / "x.npy", X32)
    np.save(folder / "y.npy", Y32)
    return made


def model(apply, shape=(3, 2)):
    return (lambda _: {"w": jnp.zeros(shape)}), apply


def product(params, x):
    return x @ params["w"]


def decided(params, x):
    return x @ params["w"] if params["w"][0, 0] > 0 else -x @ params["w"]


NET = {"model": "mlp_linear", "data": (X, Y), "steps": 3, "hidden": 2}
CLASSES = NET | {"data": (X, C), "loss": "cross_entropy"}
BINARY = NET | {"data": (X, C % 2), "loss": "binary_cross_entropy"}
OWN = {"model": model(product), "data": (X, Y), "steps": 5}


def net(**arguments):
    return NET | arguments


def watched(**arguments):
    return NET | {"validation": (X, Y)} | arguments


def classes(**arguments):
    return CLASSES | arguments


def binary(**arguments):
    return BINARY | arguments


def own(**arguments):
    return OWN | arguments


def swept(arguments):
    """A sweep of the cubic, or of the model that is given."""
    return lambda _: funcnn.sweep(**{"model": "polynomial"} | arguments)


def torch():
    return pytest.importorskip("torch")


def estimators():
    pytest.importorskip("sklearn")
    return funcnn.interop


def equinox():
    return pytest.importorskip("equinox")


@dataclasses.dataclass(frozen=True)
class Frozen:
    """Hashable by its type, and not by the array that it holds."""

    w: Any

    def __call__(self, params, x):
        return x @ (params["w"] + self.w)


def equinox_module(array):
    """Hashable by its type, and not by the array that it holds."""

    class Module(equinox().Module):
        w: Any

        def __call__(self, params, x):
            return x @ (params["w"] + self.w)

    return Module(array)


class Unhashable:
    __hash__ = None

    def __call__(self, params, x):
        return x @ params["w"]


def constant(prediction, target):
    del prediction, target
    return 1.0


def with_gap(value):
    x = np.ones((8, 3))
    x[3, 1] = value
    return x
