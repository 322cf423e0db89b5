"""Keras 3 on JAX: its stateless calls in a step of one's own, as its guide for JAX has it.

(``Model.fit`` would add its callbacks to each epoch, and here an epoch is one step.)
"""

from __future__ import annotations

import functools
import os
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "jax")

import jax
import jax.numpy as jnp
import keras

from funcnn.bench import arrays
from funcnn.bench.drawing import Task
from funcnn.bench.peers import NotServedError, Prepared
from funcnn.bench.peers.jax_loops import Training, in_python_loop, in_scan, inputs_at

__all__ = ["loop", "scan"]


def loop(task: Task, device: str) -> Prepared:
    """The stateless step, jitted and called from Python."""
    del device
    return in_python_loop(task, _training(task))


def scan(task: Task, device: str) -> Prepared:
    """The stateless step in one ``jax.lax.scan``."""
    del device
    return in_scan(task, _training(task))


class Legendre(keras.layers.Layer):
    """a + b P₃(c + d x)."""

    def build(self, input_shape: Any) -> None:
        del input_shape
        self.letters = [self.add_weight(shape=(), name=name) for name in "abcd"]

    def call(self, x: jax.Array) -> jax.Array:
        a, b, c, d = self.letters
        z = c + d * x
        return a + b * (0.5 * z * (5 * z * z - 3))


# Keras's RMSprop has its ε under the root: ε² there is PyTorch's ε beside it.
OPTIMIZERS = {
    "sgd": keras.optimizers.SGD,
    "momentum": functools.partial(keras.optimizers.SGD, momentum=0.9),
    "rmsprop": functools.partial(keras.optimizers.RMSprop, rho=0.99, epsilon=1e-16),
    "adam": functools.partial(keras.optimizers.Adam, epsilon=1e-8),
}


def _model(task: Task, names: list[str]) -> keras.Model:
    """The model, its inputs with a row for each sample."""
    kind = arrays.kind(task)
    if kind == "polynomial":
        layers = [keras.layers.Dense(1, use_bias=False)]
        features = arrays.inputs(task).shape[-2]
    elif kind == "legendre":
        layers, features = [Legendre()], 1
    else:
        hidden, bias = task.params["w1"].shape[-1], "b1" in names
        layers = [
            keras.layers.Dense(hidden, activation="relu", use_bias=bias),
            keras.layers.Dense(task.y.shape[1], use_bias=bias),
        ]
        features = task.x.shape[1]
    return keras.Sequential([keras.Input((features,)), *layers])


def _training(task: Task) -> Training:
    if keras.backend.backend() != "jax":
        raise NotServedError(f"Keras runs on {keras.backend.backend()} here, not on JAX")
    values = arrays.weights(task, task.params)
    names = [name for name in ("w1", "b1", "w2", "b2") if name in values] or list(values)
    model = _model(task, names)
    optimizer = OPTIMIZERS[task.optimizer](1.0)
    optimizer.build(model.trainable_variables)
    is_curve = task.x.ndim == 1

    def start(weights: list[Any], rate: Any) -> Any:
        trainable = [
            weight.reshape(variable.shape)
            for weight, variable in zip(weights, model.trainable_variables, strict=True)
        ]
        memory = [
            rate if variable.name == "learning_rate" else variable.value
            for variable in optimizer.variables
        ]
        return trainable, memory, jnp.int32(0)

    def step(state: Any, x: Any, y: Any, terms: Any) -> tuple[Any, jax.Array]:
        trainable, memory, count = state
        x = inputs_at(x, terms, count)
        rows = x.reshape(-1, len(y)).T if is_curve else x

        def loss_of(trainable: list[Any]) -> jax.Array:
            prediction, *_ = model.stateless_call(trainable, [], rows)
            return jnp.sum((prediction.reshape(y.shape) - y) ** 2)

        loss, gradient = jax.value_and_grad(loss_of)(trainable)
        trainable, memory = optimizer.stateless_apply(memory, gradient, trainable)
        return (trainable, memory, count + 1), loss

    def weights_of(state: Any) -> dict[str, Any]:
        ended = zip(names, state[0], strict=True)
        return {name: weight.reshape(values[name].shape) for name, weight in ended}

    start = start if task.members is None else jax.vmap(start)
    weights = jax.device_put([values[name] for name in names])
    return Training(start(weights, jax.device_put(task.learning_rate)), step, weights_of)
