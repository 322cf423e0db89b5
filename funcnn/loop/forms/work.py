"""How long steps take, estimated from sizes: enough to choose between forms by it.

The constants were measured on a CPU of two cores (``funcnn bench --auto`` shows what they
choose). Estimates are in microseconds.
"""

from __future__ import annotations

import math
from typing import Any

import jax

from funcnn.loop.forms.form import Shapes
from funcnn.loop.problem import Problem

__all__ = ["ENTER", "count", "first_layer_work", "network_work", "points_work"]

ENTER = 100.0
"""What entering and leaving a form takes beside its arithmetic."""

ELEMENT = 5e-4
"""Reading, multiplying and adding up a number of a long array."""

PRODUCT = 2e-5
"""One multiplication and addition of a matrix product."""


def count(tree: Any) -> int:
    """How many single numbers a tree of shapes holds."""
    return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(tree))


def points_work(shapes: Shapes) -> float:
    """A step of a model that is linear in its params: every point, for every one of these."""
    return 1.0 + ELEMENT * shapes.y.shape[0] * count(shapes.params)


def network_work(problem: Problem, shapes: Shapes) -> float:
    """A step of a network: each weight meets each sample, forward and backward."""
    samples = _batch(problem, shapes.y.shape[0])
    return 2 * PRODUCT * samples * count(shapes.params) + ELEMENT * count(shapes.params)


def first_layer_work(problem: Problem, shapes: Shapes) -> tuple[float, float]:
    """To enter and leave the form of the first layer, and a step of it."""
    samples, inputs = shapes.x.shape
    hidden = shapes.params["w1"].shape[1]
    batch = _batch(problem, samples)
    weights = inputs * hidden
    rest = count(shapes.params) - weights
    enter = ENTER + PRODUCT * samples * (samples * inputs + 4 * weights) + 4 * ELEMENT * weights
    kernel = PRODUCT * batch * samples * hidden + ELEMENT * samples * hidden
    return enter, kernel + 2 * PRODUCT * batch * rest


def _batch(problem: Problem, samples: int) -> int:
    """How many samples a step takes."""
    return samples if problem.batches is None else problem.batches.size
