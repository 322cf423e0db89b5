"""The NumPy loops of the tutorials: forward pass, gradient by hand, update.

Each function gives the loss before each step and the final params.

    x: (samples, inputs), or (samples,) for the cubic
    y: (samples, outputs), or (samples,)
    params: ``w1`` (inputs, hidden) and ``w2`` (hidden, outputs), or the scalars
        ``a``, ``b``, ``c``, ``d``; left as they are
    steps: the number of updates
    learning_rate: the share of the gradient that an update takes off

They import nothing of funcnn and need nothing but NumPy.
"""

from __future__ import annotations

import numpy as np

__all__ = ["cubic", "two_layer"]

Weights = dict[str, np.ndarray]


def two_layer(
    x: np.ndarray, y: np.ndarray, params: Weights, steps: int, learning_rate: float
) -> tuple[np.ndarray, Weights]:
    """The two-layer network ("Two fully connected layers", section 1)."""
    w1, w2 = params["w1"].copy(), params["w2"].copy()
    losses = []
    for _ in range(steps):
        # forward pass
        h = x.dot(w1)
        h_relu = np.maximum(h, 0)
        y_pred = h_relu.dot(w2)

        # loss
        losses.append(np.square(y_pred - y).sum())

        # backward pass
        grad_y_pred = 2 * (y_pred - y)
        grad_w2 = h_relu.T.dot(grad_y_pred)
        grad_h_relu = grad_y_pred.dot(w2.T)
        grad_h = grad_h_relu.copy()
        grad_h[h < 0] = 0
        grad_w1 = x.T.dot(grad_h)

        # update
        w1 -= learning_rate * grad_w1
        w2 -= learning_rate * grad_w2
    return np.array(losses), {"w1": w1, "w2": w2}


def cubic(
    x: np.ndarray, y: np.ndarray, params: Weights, steps: int, learning_rate: float
) -> tuple[np.ndarray, Weights]:
    """The cubic a + b x + c x² + d x³ ("PyTorch learning notes 5", section 2)."""
    a, b, c, d = (params[name] for name in "abcd")
    losses = []
    for _ in range(steps):
        # forward pass
        y_pred = a + b * x + c * x**2 + d * x**3

        # loss
        losses.append(np.square(y_pred - y).sum())

        # backward pass
        grad_y_pred = 2.0 * (y_pred - y)
        grad_a = grad_y_pred.sum()
        grad_b = (grad_y_pred * x).sum()
        grad_c = (grad_y_pred * x**2).sum()
        grad_d = (grad_y_pred * x**3).sum()

        # update
        a = a - learning_rate * grad_a
        b = b - learning_rate * grad_b
        c = c - learning_rate * grad_c
        d = d - learning_rate * grad_d
    return np.array(losses), {"a": a, "b": b, "c": c, "d": d}
