"""Floors: lower bounds on the time of a step, measured like a peer.

One floor is the step's matrix products, each done by the fastest of the installed
libraries, with its operands and its result stored in whichever order is fastest. The
other is its bytes: those that a step must read or write at least once, which are the
data, the params, the new params, and the optimizer's memory before and after. A copy of
half as many bytes reads and writes that many.

They are lower bounds for a step that computes the formula as it is written. A step that
needs fewer products, such as one from inner products of the inputs, can take less time.
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
    chosen = [fastest(_variants(product, device)) for product in every]

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


def _variants(product: Product, device: str) -> Iterator[Callable[[int], Any]]:
    """The product by each library, every matrix stored as it is or transposed."""
    generator = np.random.default_rng(0)
    stack = () if product.batch == 1 else (product.batch,)
    for transposed in itertools.product((False, True), repeat=3):
        first_transposed, second_transposed, result_transposed = transposed
        rows, inner, columns = product[:3]
        if result_transposed:  # (A·B)ᵀ = Bᵀ·Aᵀ
            rows, columns = columns, rows
        first = (inner, rows) if first_transposed else (rows, inner)
        second = (columns, inner) if second_transposed else (inner, columns)
        # Small numbers, so that a product which is used in the next one stays finite.
        left = 0.01 * generator.standard_normal((*stack, *first), np.float32)
        right = 0.01 * generator.standard_normal((*stack, *second), np.float32)
        yield from multiplications(left, right, (first_transposed, second_transposed), device)
