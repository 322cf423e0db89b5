"""A task's arrays as the peers use them, and the loss where a peer ends.

The polynomials are fitted as a user would fit them in any library: the powers of x are
computed once, and a step multiplies them with a vector of coefficients. ``dynamic`` is
such a product too: its powers are those to x³ and a last one, which is 0, x⁴, or x⁴ + x⁵.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from funcnn.bench.drawing import Task

__all__ = ["inputs", "kind", "loss", "named", "rates", "weights"]

LETTERS = {"polynomial": "abcd", "dynamic": "abcde"}


def kind(task: Task) -> str:
    """The model that a peer has to write: ``mlp``, ``mlp_linear``, ``legendre``, ``polynomial``.

    All polynomials, and ``dynamic``, are one model: a product of coefficients and powers.
    """
    return "polynomial" if task.model in (*LETTERS, "polynomial_linear") else task.model


def inputs(task: Task) -> np.ndarray:
    """What a peer's model takes.

    Returns:
        x itself for the networks and ``legendre``; the powers (coefficients, samples)
        for the polynomials; for ``dynamic`` those of 0, 1 and 2 extra terms,
        (3, coefficients, samples).
    """
    if kind(task) != "polynomial":
        return task.x
    powers = np.stack([task.x**power for power in range(4)])
    if task.model != "dynamic":
        return powers
    fourth, fifth = task.x**4, task.x**5
    extra = [np.zeros_like(fourth), fourth, fourth + fifth]
    return np.stack([np.vstack([powers, last]) for last in extra])


def weights(task: Task, params: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """funcnn's params as a peer's weights: ``coefficients`` for the polynomials. Copies."""
    if task.model == "polynomial_linear":
        every = np.concatenate([params["b"], params["w"][..., 0]], axis=-1)
        return {"coefficients": every}
    if kind(task) == "polynomial":
        every = np.stack([params[letter] for letter in LETTERS[task.model]], axis=-1)
        return {"coefficients": every}
    return {name: np.array(value) for name, value in params.items()}


def named(task: Task, ended: dict[str, Any]) -> dict[str, np.ndarray]:
    """The weights that a peer ended with, as funcnn's params."""
    arrays = {name: np.asarray(value) for name, value in ended.items()}
    if task.model == "polynomial_linear":
        every = arrays["coefficients"]
        return {"b": every[..., :1], "w": every[..., 1:, None]}
    if kind(task) == "polynomial":
        every = arrays["coefficients"]
        return {letter: every[..., k] for k, letter in enumerate(LETTERS[task.model])}
    return arrays


def rates(task: Task) -> dict[str, np.ndarray]:
    """The learning rate for each of the weights, with as many axes as these have."""
    rate = task.learning_rate
    return {
        name: rate.reshape(rate.shape + (1,) * (value.ndim - rate.ndim))
        for name, value in weights(task, task.params).items()
    }


def loss(task: Task, params: dict[str, np.ndarray]) -> np.ndarray:
    """The loss at some params, in float64: (), or (members,) for a sweep.

    For ``dynamic``, with both of its extra terms.
    """
    params = {name: np.asarray(value, np.float64) for name, value in params.items()}
    x, target = inputs(task).astype(np.float64), task.y.astype(np.float64)
    p = weights(task, params)
    if kind(task) == "polynomial":
        powers = x[-1] if task.model == "dynamic" else x
        return np.square(p["coefficients"] @ powers - target).sum(axis=-1)
    if task.model == "legendre":
        z = p["c"] + p["d"] * x
        prediction = p["a"] + p["b"] * 0.5 * (5 * z**3 - 3 * z)
        return np.square(prediction - target).sum(axis=-1)
    b1, b2 = (p[name][..., None, :] if name in p else 0.0 for name in ("b1", "b2"))
    prediction = np.maximum(x @ p["w1"] + b1, 0) @ p["w2"] + b2
    return np.square(prediction - target).sum(axis=(-2, -1))
