"""Recurrent layers as scans, with their gradients as scans too.

A layer has tensors, in this order: ``gates``, what the inputs give to the gates, of shape
``(T, B, G·H)``; the states at the start, each ``(B, H)``; ``weight`` ``(G·H, H)`` and ``bias``
``(G·H,)``, by which the hidden state is multiplied. Its results are all states, ``(T, B, H)`` each,
and what each step keeps for the gradient: as little as will do, since a scan writes all of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array

from funcnn.interop.torch.operations.algebra import product

__all__ = ["CELLS", "RECURRENCE", "kept_of"]

States = tuple[Array, ...]


class Cell(NamedTuple):
    """A step of a layer, and its gradient.

    Attributes:
        step: ``step(before, gates, hidden) -> (after, kept)``: the next states, of those before,
            what the input gives to the gates, and what ``h`` gives.
        pull: ``pull(kept, before, after, later) -> (earlier, hidden, others)``: the gradients by
            the states before and by ``hidden``, of those by the states after; and what that by
            ``gates`` has of its own.
        gates: ``gates(hidden, others)``: the gradient by ``gates``, of all steps.
    """

    step: Callable[[States, Array, Array], tuple[States, States]]
    pull: Callable[[States, States, States, States], tuple[States, Array, States]]
    gates: Callable[[Array, States], Array]


def tanh_step(before: States, gates: Array, hidden: Array) -> tuple[States, States]:
    """``h = tanh(gates + hidden)``."""
    del before
    return (jnp.tanh(gates + hidden),), ()


def tanh_pull(
    kept: States, before: States, after: States, later: States
) -> tuple[States, Array, States]:
    """The slope of tanh follows from its value."""
    del kept, before
    total = later[0] * (1 - after[0] * after[0])
    return (jnp.zeros_like(total),), total, ()


def relu_step(before: States, gates: Array, hidden: Array) -> tuple[States, States]:
    """``h = relu(gates + hidden)``, whose slope at 0 is 0."""
    del before
    total = gates + hidden
    return (jnp.where(total > 0, total, 0),), ()


def relu_pull(
    kept: States, before: States, after: States, later: States
) -> tuple[States, Array, States]:
    """What is above 0 was above 0 before."""
    del kept, before
    total = jnp.where(after[0] > 0, later[0], 0)
    return (jnp.zeros_like(total),), total, ()


def gru_step(before: States, gates: Array, hidden: Array) -> tuple[States, States]:
    """The reset gate multiplies what ``h`` gives, after its product with the weights."""
    (h,) = before
    size = h.shape[-1]
    reset = jax.nn.sigmoid(gates[..., :size] + hidden[..., :size])
    keep = jax.nn.sigmoid(gates[..., size:-size] + hidden[..., size:-size])
    own = hidden[..., -size:]
    new = jnp.tanh(gates[..., -size:] + reset * own)
    return (new + keep * (h - new),), (reset, keep, new, own)


def gru_pull(
    kept: States, before: States, after: States, later: States
) -> tuple[States, Array, States]:
    """The gradient of ``gru_step``."""
    del after
    reset, keep, new, own = kept
    (of_h,) = later
    of_new = of_h * (1 - keep) * (1 - new * new)
    of_keep = of_h * (before[0] - new) * keep * (1 - keep)
    of_reset = of_new * own * reset * (1 - reset)
    hidden = jnp.concatenate([of_reset, of_keep, of_new * reset], -1)
    return (of_h * keep,), hidden, (of_new,)


def gru_gates(hidden: Array, others: States) -> Array:
    """They differ in the new value, to which the reset gate does not come."""
    (of_new,) = others
    return jnp.concatenate([hidden[..., : -of_new.shape[-1]], of_new], -1)


def lstm_step(before: States, gates: Array, hidden: Array) -> tuple[States, States]:
    """The hidden state and the cell's."""
    _, c = before
    write, keep, new, out = jnp.split(gates + hidden, 4, axis=-1)
    write, keep, out = jax.nn.sigmoid(write), jax.nn.sigmoid(keep), jax.nn.sigmoid(out)
    new = jnp.tanh(new)
    c = keep * c + write * new
    shown = jnp.tanh(c)
    return (out * shown, c), (write, keep, new, out, shown)


def lstm_pull(
    kept: States, before: States, after: States, later: States
) -> tuple[States, Array, States]:
    """The gradient of ``lstm_step``."""
    del after
    write, keep, new, out, shown = kept
    of_h, of_c = later
    of_out = of_h * shown * out * (1 - out)
    of_c = of_c + of_h * out * (1 - shown * shown)
    of_write = of_c * new * write * (1 - write)
    of_keep = of_c * before[1] * keep * (1 - keep)
    of_new = of_c * write * (1 - new * new)
    hidden = jnp.concatenate([of_write, of_keep, of_new, of_out], -1)
    return (jnp.zeros_like(of_h), of_c * keep), hidden, ()


def same_gates(hidden: Array, others: States) -> Array:
    """What the input gives and what ``h`` gives are added up."""
    del others
    return hidden


CELLS: dict[str, Cell] = {
    "rnn_tanh": Cell(tanh_step, tanh_pull, same_gates),
    "rnn_relu": Cell(relu_step, relu_pull, same_gates),
    "gru": Cell(gru_step, gru_pull, gru_gates),
    "lstm": Cell(lstm_step, lstm_pull, same_gates),
}
"""By the names of PyTorch's functions."""


def kept_of(cell: str, states: tuple[Any, ...], gates: Any) -> tuple[Any, ...]:
    """The shapes and dtypes of what a step keeps, for arrays of these."""
    return jax.eval_shape(CELLS[cell].step, states, gates, gates)[1]


def recurrence(cell: str, tensors: Sequence[Array]) -> list[Array]:
    """The states after each step of a layer, and what is kept of each."""
    gates, *start, weight, bias = tensors

    def step(before: States, gate: Array) -> tuple[States, tuple[States, States]]:
        after, kept = CELLS[cell].step(before, gate, before[0] @ weight.T + bias)
        return after, (after, kept)

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
    if not kept:
        kept = jax.vmap(CELLS[cell].step)(before, gates, before[0] @ weight.T + bias)[1]

    def step(later: States, at: tuple[States, ...]) -> tuple[States, tuple[Array, States]]:
        of_step, own, then, here = at
        total = jax.tree.map(jnp.add, later, here)
        earlier, hidden, others = CELLS[cell].pull(of_step, own, then, total)
        # Without the barrier XLA computes it twice: to be written, and to be multiplied.
        hidden = jax.lax.optimization_barrier(hidden)
        return (earlier[0] + hidden @ weight, *earlier[1:]), (hidden, others)

    nothing = tuple(jnp.zeros_like(one) for one in start)
    given = tuple(kept), before, tuple(states), tuple(cotangents)
    first, (of_hidden, others) = jax.lax.scan(step, nothing, given, reverse=True)
    of_gates = CELLS[cell].gates(of_hidden, others)
    hidden, h = (one.reshape(-1, one.shape[-1]) for one in (of_hidden, before[0]))
    of_weight = product(hidden.T, h)
    return [of_gates, *first, of_weight, of_hidden.sum((0, 1))]


RECURRENCE: dict[str, Callable[..., list[Array]]] = {
    "recurrence": recurrence,
    "recurrence_gradient": recurrence_gradient,
}
