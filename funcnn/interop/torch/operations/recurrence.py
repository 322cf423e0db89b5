"""Recurrent layers as scans, with their gradients as scans too.

A layer has tensors, in this order: ``gates``, what the inputs give to the gates, of shape
``(T, B, G·H)``; the states at the start, each ``(B, H)``; ``weight`` ``(G·H, H)`` and ``bias``
``(G·H,)``, by which the hidden state is multiplied. Its results are all states, ``(T, B, H)`` each,
and what the gradient is computed of: all that JAX keeps of each step to pull a cotangent back.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

__all__ = ["CELLS", "RECURRENCE", "kept_of"]

States = tuple[Array, ...]
Cell = Callable[[States, Array, Array], States]
"""The next states, of those before, what the input gives to the gates, and what ``h`` gives."""


def tanh_cell(states: States, gates: Array, hidden: Array) -> States:
    """``h = tanh(gates + hidden)``."""
    del states
    return (jnp.tanh(gates + hidden),)


def relu_cell(states: States, gates: Array, hidden: Array) -> States:
    """``h = relu(gates + hidden)``, whose slope at 0 is 0."""
    del states
    total = gates + hidden
    return (jnp.where(total > 0, total, 0),)


def gru_cell(states: States, gates: Array, hidden: Array) -> States:
    """The reset gate multiplies what ``h`` gives, after its product with the weights."""
    (h,) = states
    reset, update, new = jnp.split(gates, 3, axis=-1)
    own_reset, own_update, own_new = jnp.split(hidden, 3, axis=-1)
    new = jnp.tanh(new + jax.nn.sigmoid(reset + own_reset) * own_new)
    return (new + jax.nn.sigmoid(update + own_update) * (h - new),)


def lstm_cell(states: States, gates: Array, hidden: Array) -> States:
    """The hidden state and the cell's."""
    _, c = states
    write, keep, new, out = jnp.split(gates + hidden, 4, axis=-1)
    c = jax.nn.sigmoid(keep) * c + jax.nn.sigmoid(write) * jnp.tanh(new)
    return jax.nn.sigmoid(out) * jnp.tanh(c), c


CELLS: dict[str, Cell] = {
    "rnn_tanh": tanh_cell,
    "rnn_relu": relu_cell,
    "gru": gru_cell,
    "lstm": lstm_cell,
}
"""By the names of PyTorch's functions."""


def kept_of(cell: str, states: tuple[Any, ...], gates: Any) -> Any:
    """What JAX keeps of a step, a tree of shapes and dtypes, for arrays of these."""
    return jax.eval_shape(functools.partial(_pull, cell), states, gates, gates)


def recurrence(cell: str, tensors: Sequence[Array]) -> list[Array]:
    """The states after each step of a layer, and what is kept of each."""
    gates, *start, weight, bias = tensors

    def step(states: States, gate: Array) -> tuple[States, tuple[States, list[Array]]]:
        after, pull = jax.vjp(CELLS[cell], states, gate, states[0] @ weight.T + bias)
        return after, (after, jax.tree.leaves(pull))

    _, (states, kept) = jax.lax.scan(step, tuple(start), gates)
    return [*states, *kept]


def recurrence_gradient(
    cell: str, order: int, count: int, tensors: Sequence[Array], kept: Sequence[Array] = ()
) -> list[Array]:
    """The gradient of a layer, or the gradient of that.

    Args:
        cell: of ``CELLS``.
        order: 1 for the gradient; more for gradients of the one of an order less.
        count: by how many of the tensors: by the first so many.
        tensors: those of the layer, its states and their cotangents; and the cotangents of each
            further order.
        kept: what is kept of each step, at order 1; without it is computed again.
    """
    if order == 1:
        return _gradient(cell, count, tensors, kept)

    def below(*given: Array) -> list[Array]:
        return recurrence_gradient(cell, order - 1, len(tensors) - count, given)

    _, pull = jax.vjp(below, *tensors[:count])
    return list(pull(list(tensors[count:])))


def _gradient(
    cell: str, count: int, tensors: Sequence[Array], kept: Sequence[Array]
) -> list[Array]:
    """The gradient by the layer's own tensors.

    What does not pass from step to step is outside of the scan, as the sum that is the gradient
    by the weights.
    """
    gates, *start, weight, bias = tensors[:count]
    rest = tensors[count:]
    states, cotangents = rest[: len(start)], rest[len(start) :]
    before = tuple(
        jnp.concatenate([first[None], own[:-1]]) for first, own in zip(start, states, strict=True)
    )
    if kept:
        structure = jax.tree.structure(kept_of(cell, tuple(start), gates[0]))
        pulls = jax.tree.unflatten(structure, kept)
    else:
        pulls = jax.vmap(functools.partial(_pull, cell))(before, gates, before[0] @ weight.T + bias)

    def step(later: States, at: tuple[Any, States]) -> tuple[States, tuple[Array, Array]]:
        pull, own = at
        earlier, gate, hidden = pull(jax.tree.map(jnp.add, later, own))
        return (earlier[0] + hidden @ weight, *earlier[1:]), (gate, hidden)

    nothing = tuple(jnp.zeros_like(one) for one in start)
    first, (of_gates, of_hidden) = jax.lax.scan(
        step, nothing, (pulls, tuple(cotangents)), reverse=True
    )
    of_weight = jnp.einsum("tbg,tbh->gh", of_hidden, before[0])
    return [of_gates, *first, of_weight, of_hidden.sum((0, 1))]


def _pull(cell: str, states: States, gates: Array, hidden: Array) -> Callable[..., Any]:
    """What pulls cotangents of the next states back to those of these, a tree of arrays."""
    return jax.vjp(CELLS[cell], states, gates, hidden)[1]


RECURRENCE: dict[str, Callable[..., list[Array]]] = {
    "recurrence": recurrence,
    "recurrence_gradient": recurrence_gradient,
}
