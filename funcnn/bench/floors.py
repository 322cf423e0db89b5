"""What no step can do without, timed like a peer: its matrix products, and its bytes.

Each product is done by the fastest of the libraries present, its operands and its result
stored in whichever way is fastest for it. The bytes are those that a step must read
or write at least once: the data and the params, the new params, and the optimizer's
memory before and after; a copy of half as many moves them.

They are floors of a step that does what the formula says. A step that needs less, as
from inner products of the inputs, may well be below them.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from funcnn.bench import arrays
from funcnn.bench.drawing import Task
from funcnn.bench.kernels import copies, multiplications
from funcnn.bench.peers import NotServedError, Peer, Prepared
from funcnn.bench.timing import fastest

__all__ = ["FLOORS", "Product", "bytes_moved", "products_of"]

BUFFERS = {"sgd": 0, "momentum": 1, "rmsprop": 1, "adam": 2}
"""How many numbers an optimizer remembers for each of the params."""


class Product(NamedTuple):
    """(rows, inner) times (inner, columns), ``batch`` times."""

    rows: int
    inner: int
    columns: int
    batch: int = 1


def products_of(task: Task) -> list[Product]:
    """The matrix products of a step: forward, and by the chain rule backward."""
    members = task.members or 1
    kind = arrays.kind(task)
    if kind == "legendre":
        return []
    if kind == "polynomial":
        coefficients, points = arrays.inputs(task).shape[-2:]
        return [Product(members, coefficients, points), Product(members, points, coefficients)]
    samples, inputs = task.x.shape
    hidden, outputs = task.params["w2"].shape[-2:]
    # All members of a sweep have the same x: side by side, their weights make one product.
    return [
        Product(samples, inputs, members * hidden),
        Product(samples, hidden, outputs, members),
        Product(hidden, samples, outputs, members),
        Product(samples, outputs, hidden, members),
        Product(inputs, samples, members * hidden),
    ]


def bytes_moved(task: Task) -> int:
    """The bytes that a step reads or writes at least."""
    params = sum(value.nbytes for value in task.params.values())
    return task.x.nbytes + task.y.nbytes + 2 * (1 + BUFFERS[task.optimizer]) * params


def _products(task: Task, device: str) -> Prepared:
    every = products_of(task)
    if not every:
        raise NotServedError("a step has no matrix product")
    chosen = [fastest(_ways(product, device)) for product in every]

    def run(steps: int) -> None:
        for multiply in chosen:
            multiply(steps)

    return Prepared(run, _no_params)


def _bytes(task: Task, device: str) -> Prepared:
    numbers = bytes_moved(task) // 8  # each of 4 bytes, read and written
    return Prepared(fastest(copies(numbers, device)), _no_params)


def _no_params(ended: Any) -> dict[str, np.ndarray]:
    """A floor trains nothing."""
    del ended
    return {}


FLOORS = (Peer("floor: products", _products), Peer("floor: bytes", _bytes))
"""The rows below the peers of a task."""


def _ways(product: Product, device: str) -> Iterator[Callable[[int], Any]]:
    """The product by each library, its operands and its result stored in either way."""
    generator = np.random.default_rng(0)
    stack = () if product.batch == 1 else (product.batch,)
    for first_turned, second_turned, result_turned in itertools.product((False, True), repeat=3):
        rows, inner, columns = product[:3]
        if result_turned:  # (A·B)ᵀ = Bᵀ·Aᵀ
            rows, columns = columns, rows
        first = (inner, rows) if first_turned else (rows, inner)
        second = (columns, inner) if second_turned else (inner, columns)
        # Small, so that a product whose numbers go into the next stays finite.
        left = 0.01 * generator.standard_normal((*stack, *first), np.float32)
        right = 0.01 * generator.standard_normal((*stack, *second), np.float32)
        yield from multiplications(left, right, (first_turned, second_turned), device)
