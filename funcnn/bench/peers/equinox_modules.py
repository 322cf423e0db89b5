"""Equinox: modules that are trees of arrays, for one sample under ``jax.vmap``."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from funcnn.bench import arrays
from funcnn.bench.drawing import Task
from funcnn.bench.peers import Prepared
from funcnn.bench.peers.jax_loops import (
    OPTIMIZERS,
    Training,
    in_python_loop,
    in_scan,
    inputs_at,
)

__all__ = ["loop", "scan"]


def loop(task: Task, device: str) -> Prepared:
    """The step, jitted and called from Python."""
    del device
    return in_python_loop(task, _training(task))


def scan(task: Task, device: str) -> Prepared:
    """The step in one ``jax.lax.scan``."""
    del device
    return in_scan(task, _training(task))


class Network(eqx.Module):
    """Linear–ReLU–Linear, with biases or without."""

    first: eqx.nn.Linear
    last: eqx.nn.Linear

    def __init__(self, weights: dict[str, Any]):
        self.first = _linear(weights["w1"], weights.get("b1"))
        self.last = _linear(weights["w2"], weights.get("b2"))

    def __call__(self, x: jax.Array) -> jax.Array:
        """The prediction for each row of x."""
        return jax.vmap(lambda row: self.last(jax.nn.relu(self.first(row))))(x)

    def weights(self) -> dict[str, Any]:
        weights = {}
        for number, layer in enumerate((self.first, self.last), start=1):
            weights[f"w{number}"] = layer.weight.mT
            if layer.bias is not None:
                weights[f"b{number}"] = layer.bias
        return weights


class Polynomial(eqx.Module):
    """A polynomial, its powers of x given."""

    coefficients: jax.Array

    def __init__(self, weights: dict[str, Any]):
        self.coefficients = weights["coefficients"]

    def __call__(self, powers: jax.Array) -> jax.Array:
        return self.coefficients @ powers

    def weights(self) -> dict[str, Any]:
        return {"coefficients": self.coefficients}


class Legendre(eqx.Module):
    """a + b P₃(c + d x)."""

    a: jax.Array
    b: jax.Array
    c: jax.Array
    d: jax.Array

    def __init__(self, weights: dict[str, Any]):
        self.a, self.b, self.c, self.d = (weights[name] for name in "abcd")

    def __call__(self, x: jax.Array) -> jax.Array:
        z = self.c + self.d * x
        return self.a + self.b * (0.5 * z * (5 * z * z - 3))

    def weights(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in "abcd"}


MODULES = {
    "mlp": Network,
    "mlp_linear": Network,
    "polynomial": Polynomial,
    "legendre": Legendre,
}


def _linear(weight: Any, bias: Any) -> eqx.nn.Linear:
    """A layer with these values, which Equinox keeps the other way around, (out, in)."""
    layer = eqx.nn.Linear(*weight.shape, use_bias=bias is not None, key=jax.random.key(0))
    return eqx.tree_at(
        lambda layer: (layer.weight, layer.bias),
        layer,
        (weight.T, bias),
        is_leaf=lambda leaf: leaf is None,
    )


def _training(task: Task) -> Training:
    make_module, make_optimizer = MODULES[arrays.kind(task)], OPTIMIZERS[task.optimizer]

    def start(weights: Any, rate: Any) -> Any:
        model = make_module(weights)
        memory = make_optimizer(rate).init(eqx.filter(model, eqx.is_inexact_array))
        return model, memory, rate, jnp.int32(0)

    def step(state: Any, x: Any, y: Any, terms: Any) -> tuple[Any, jax.Array]:
        model, memory, rate, count = state

        @eqx.filter_value_and_grad
        def loss_of(model: Any) -> jax.Array:
            return jnp.sum((model(inputs_at(x, terms, count)) - y) ** 2)

        loss, gradient = loss_of(model)
        change, memory = make_optimizer(rate).update(gradient, memory, model)
        return (eqx.apply_updates(model, change), memory, rate, count + 1), loss

    start = start if task.members is None else jax.vmap(start)
    state = start(
        jax.device_put(arrays.weights(task, task.params)), jax.device_put(task.learning_rate)
    )
    return Training(state, step, lambda state: state[0].weights())
