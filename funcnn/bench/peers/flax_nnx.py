"""Flax NNX: modules, split into a pure step as Flax's own performance guide advises."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import nnx

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
    """The split step, jitted and called from Python."""
    del device
    return in_python_loop(task, _training(task))


def scan(task: Task, device: str) -> Prepared:
    """The split step in one ``jax.lax.scan``."""
    del device
    return in_scan(task, _training(task))


class Network(nnx.Module):
    """Linear–ReLU–Linear, with biases or without."""

    def __init__(self, weights: dict[str, Any]):
        self.first = _linear(weights["w1"], weights.get("b1"))
        self.last = _linear(weights["w2"], weights.get("b2"))

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.last(nnx.relu(self.first(x)))

    def weights(self) -> dict[str, Any]:
        weights = {}
        for number, layer in enumerate((self.first, self.last), start=1):
            weights[f"w{number}"] = layer.kernel[...]
            if layer.bias is not None:
                weights[f"b{number}"] = layer.bias[...]
        return weights


class Polynomial(nnx.Module):
    """A polynomial, its powers of x given."""

    def __init__(self, weights: dict[str, Any]):
        self.coefficients = nnx.Param(weights["coefficients"])

    def __call__(self, powers: jax.Array) -> jax.Array:
        return self.coefficients[...] @ powers

    def weights(self) -> dict[str, Any]:
        return {"coefficients": self.coefficients[...]}


class Legendre(nnx.Module):
    """a + b P₃(c + d x)."""

    def __init__(self, weights: dict[str, Any]):
        self.a, self.b, self.c, self.d = (nnx.Param(weights[name]) for name in "abcd")

    def __call__(self, x: jax.Array) -> jax.Array:
        z = self.c[...] + self.d[...] * x
        return self.a[...] + self.b[...] * (0.5 * z * (5 * z * z - 3))

    def weights(self) -> dict[str, Any]:
        return {name: getattr(self, name)[...] for name in "abcd"}


MODULES = {
    "mlp": Network,
    "mlp_linear": Network,
    "polynomial": Polynomial,
    "legendre": Legendre,
}


def _linear(kernel: Any, bias: Any) -> nnx.Linear:
    return nnx.Linear(
        *kernel.shape,
        use_bias=bias is not None,
        kernel_init=lambda *_: kernel,
        bias_init=lambda *_: bias,
        rngs=nnx.Rngs(0),
    )


def _training(task: Task) -> Training:
    make_module, make_optimizer = MODULES[arrays.kind(task)], OPTIMIZERS[task.optimizer]

    def start(weights: Any, rate: Any) -> tuple[Any, Any]:
        model = make_module(weights)

        def rule(learning_rate: Any) -> optax.GradientTransformation:
            return make_optimizer(learning_rate)

        # With the rate in its state, one optimizer serves all members of a sweep.
        injected = optax.inject_hyperparams(rule)(learning_rate=rate)
        optimizer = nnx.Optimizer(model, injected, wrt=nnx.Param)
        return nnx.split((model, optimizer))

    weights = jax.device_put(arrays.weights(task, task.params))
    rate = jax.device_put(task.learning_rate)
    if task.members is None:
        definition, first = start(weights, rate)
        count = jnp.int32(0)
    else:
        one = jax.tree.map(lambda value: value[0], weights)
        definition, _ = start(one, rate[0])
        first = jax.vmap(lambda weights, rate: start(weights, rate)[1])(weights, rate)
        count = jnp.zeros(task.members, jnp.int32)

    def step(state: Any, x: Any, y: Any, terms: Any) -> tuple[Any, jax.Array]:
        variables, count = state
        model, optimizer = nnx.merge(definition, variables)

        def loss_of(model: Any) -> jax.Array:
            return jnp.sum((model(inputs_at(x, terms, count)) - y) ** 2)

        loss, gradient = nnx.value_and_grad(loss_of)(model)
        optimizer.update(model, gradient)
        return (nnx.state((model, optimizer)), count + 1), loss

    def weights_of(state: Any) -> dict[str, Any]:
        return nnx.merge(definition, state[0])[0].weights()

    return Training((first, count), step, weights_of)
