"""Plain JAX with optax: a jitted step in a Python loop, and the same step in a ``lax.scan``.

The loops serve the libraries on JAX too: whatever a library calls a model, its step
is a pure function from a tree of arrays to the next.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from funcnn.bench import arrays
from funcnn.bench.drawing import Task
from funcnn.bench.peers import Prepared

__all__ = ["OPTIMIZERS", "Training", "in_python_loop", "in_scan", "inputs_at", "loop", "scan"]


class Training(NamedTuple):
    """A training as a pure step.

    Attributes:
        state: where a run starts: a tree of arrays, the step's number among them.
        step: ``step(state, x, y, terms) -> (state, loss)``; ``x`` and ``terms`` as
            ``inputs_at`` takes them.
        weights: the weights in a state.
    """

    state: Any
    step: Callable[..., tuple[Any, jax.Array]]
    weights: Callable[[Any], dict[str, Any]]


def loop(task: Task, device: str) -> Prepared:
    """A jitted step, called from Python."""
    del device
    return in_python_loop(task, _training(task))


def scan(task: Task, device: str) -> Prepared:
    """The whole training in one ``jax.lax.scan``."""
    del device
    return in_scan(task, _training(task))


def in_python_loop(task: Task, training: Training) -> Prepared:
    """A step, jitted with its state donated, in a Python loop."""
    data = _data(task)
    step = jax.jit(_for_all_members(task, training.step), donate_argnums=0)

    def run(steps: int) -> Any:
        state = jax.tree.map(jnp.copy, training.state)
        for _ in range(steps):
            state, _loss = step(state, *data)
        return jax.block_until_ready(state)

    return Prepared(run, lambda state: arrays.named(task, training.weights(state)))


def in_scan(task: Task, training: Training) -> Prepared:
    """A scan of steps, compiled for each number of them."""
    data = _data(task)
    step = _for_all_members(task, training.step)

    @functools.partial(jax.jit, static_argnames="steps")
    def train(state: Any, *data: Any, steps: int) -> Any:
        return jax.lax.scan(lambda state, _: step(state, *data), state, length=steps)

    def run(steps: int) -> Any:
        return jax.block_until_ready(train(training.state, *data, steps=steps))[0]

    return Prepared(run, lambda state: arrays.named(task, training.weights(state)))


def inputs_at(x: jax.Array, terms: jax.Array | None, step: jax.Array) -> jax.Array:
    """A step's inputs: for ``dynamic``, the powers that its draw has switched on."""
    return x if terms is None else x[terms[step]]


OPTIMIZERS: dict[str, Callable[..., optax.GradientTransformation]] = {
    "sgd": optax.sgd,
    "momentum": functools.partial(optax.sgd, momentum=0.9),
    "rmsprop": functools.partial(optax.rmsprop, decay=0.99, eps=1e-8, eps_in_sqrt=False),
    "adam": optax.adam,
}
"""optax's own, with PyTorch's numbers."""


def mlp(w: Any, x: jax.Array) -> jax.Array:
    """max(0, x·w1)·w2."""
    return jax.nn.relu(x @ w["w1"]) @ w["w2"]


def mlp_linear(w: Any, x: jax.Array) -> jax.Array:
    """Linear–ReLU–Linear."""
    return jax.nn.relu(x @ w["w1"] + w["b1"]) @ w["w2"] + w["b2"]


def polynomial(w: Any, powers: jax.Array) -> jax.Array:
    """A polynomial, its powers of x given."""
    return w["coefficients"] @ powers


def legendre(w: Any, x: jax.Array) -> jax.Array:
    """a + b P₃(c + d x)."""
    z = w["c"] + w["d"] * x
    return w["a"] + w["b"] * (0.5 * z * (5 * z * z - 3))


PREDICTIONS = {
    "mlp": mlp,
    "mlp_linear": mlp_linear,
    "polynomial": polynomial,
    "legendre": legendre,
}


def _training(task: Task) -> Training:
    predict, optimizer = PREDICTIONS[arrays.kind(task)], OPTIMIZERS[task.optimizer]

    def start(weights: Any, rate: Any) -> Any:
        return weights, optimizer(rate).init(weights), rate, jnp.int32(0)

    def step(state: Any, x: Any, y: Any, terms: Any) -> tuple[Any, jax.Array]:
        weights, memory, rate, count = state

        def loss_of(weights: Any) -> jax.Array:
            return jnp.sum((predict(weights, inputs_at(x, terms, count)) - y) ** 2)

        loss, gradient = jax.value_and_grad(loss_of)(weights)
        change, memory = optimizer(rate).update(gradient, memory, weights)
        return (optax.apply_updates(weights, change), memory, rate, count + 1), loss

    start = start if task.members is None else jax.vmap(start)
    state = start(
        jax.device_put(arrays.weights(task, task.params)), jax.device_put(task.learning_rate)
    )
    return Training(state, step, lambda state: state[0])


def _data(task: Task) -> tuple[Any, Any, Any]:
    return jax.device_put((arrays.inputs(task), task.y, task.terms))


def _for_all_members(task: Task, step: Callable[..., Any]) -> Callable[..., Any]:
    return step if task.members is None else jax.vmap(step, in_axes=(0, None, None, None))
