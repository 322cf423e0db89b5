"""A traced step of PyTorch as a step of the loop: nothing of PyTorch is left in it."""

from __future__ import annotations

import hashlib
import weakref
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key

from funcnn.core import AnyArray, Params, Samples
from funcnn.core.precision import jax_promotion
from funcnn.interop.torch.program import Program, run
from funcnn.loop.whole import WholeStep
from funcnn.optimizers.optimizer import NumbersState

__all__ = ["Memory", "Pair", "Slot", "Traced", "TracedStep", "interned"]

Memory = dict[str, dict[str, Any]]
"""What an optimizer remembers, by the name of the parameter and the optimizer's own."""

Slot = tuple[str, str]
"""Where a value is remembered: the name of the parameter, and the optimizer's own."""


class Traced(NamedTuple):
    """A step, traced.

    Its inputs are what the params hold, what the optimizer remembers, its numbers, gradients that
    are there before (of which only the shapes count), x and y. It gives the loss, what the params
    hold then, and what the optimizer remembers then.

    Attributes:
        program: what it computes.
        remembered: what the optimizer remembers before it.
        gradients: the shapes and dtypes of the gradients that are there before.
    """

    program: Program
    remembered: tuple[Slot, ...]
    gradients: tuple[jax.ShapeDtypeStruct, ...]


class Pair(NamedTuple):
    """The step of so many samples.

    Attributes:
        first: the first of all, where it is another than those that follow.
        following: all others.
    """

    first: Traced | None
    following: Traced


class TracedStep(WholeStep):
    """A step of PyTorch, traced.

    Args:
        held: the names of what the params hold: parameters and buffers.
        numbers: the names of the optimizer's numbers.
        memory: what the optimizer remembers before the first step.
        pairs: the step, by how many samples it takes.
        shared: for each value that is remembered, the one that is equal to it at every step and
            stands for it in the loop.
    """

    def __init__(
        self,
        held: tuple[str, ...],
        numbers: tuple[str, ...],
        memory: dict[Slot, np.ndarray],
        pairs: Mapping[int, Pair],
        shared: Mapping[Slot, Slot],
    ) -> None:
        self.held, self.numbers, self.memory, self.pairs = held, numbers, memory, dict(pairs)
        self.shared = dict(shared)
        self.draws = any(pair.following.program.draws for pair in self.pairs.values())
        self.digest = _digest((held, numbers, memory, pairs))

    def init(self, params: Params, numbers: Mapping[str, Any]) -> NumbersState:
        """What the optimizer remembers at the start, and its numbers in the params' dtype."""
        floats = [one.dtype for one in jax.tree.leaves(params) if _is_float(one)]
        inner = _nested({slot: jnp.asarray(value) for slot, value in self.memory.items()})
        traced = {name: jnp.asarray(number, floats[0]) for name, number in numbers.items()}
        return NumbersState(jnp.zeros((), jnp.int32), traced, inner)

    def enter(self, optimizer_state: NumbersState) -> NumbersState:
        """The state with one of the values that are always equal."""
        inner: Memory = optimizer_state.inner
        kept = {(name, own): inner[name][own] for name, own in dict.fromkeys(self.shared.values())}
        return optimizer_state._replace(inner=_nested(kept))

    def leave(self, optimizer_state: NumbersState) -> NumbersState:
        """The state with all of them."""
        kept: Memory = optimizer_state.inner
        inner = {slot: kept[name][own] for slot, (name, own) in self.shared.items()}
        return optimizer_state._replace(inner=_nested(inner))

    def step(
        self,
        params: Params,
        optimizer_state: NumbersState,
        samples: Samples,
        key: Key[Array, ""],
        number: Int[Array, ""],
    ) -> tuple[Params, NumbersState, Float[Array, ""]]:
        """What the traced step gives."""
        first, following = self.pairs[len(samples.y)]
        memory: Memory = self.leave(optimizer_state).inner
        numbers = [optimizer_state.numbers[name] for name in self.numbers]

        def made(traced: Traced) -> list[Array]:
            gradients = [jnp.zeros(one.shape, one.dtype) for one in traced.gradients]
            inputs = [
                *(params[name] for name in self.held),
                *(memory[name][own] for name, own in traced.remembered),
                *numbers,
                *gradients,
                *jax.tree.leaves((samples.x, samples.y)),
            ]
            return run(traced.program, inputs, key)

        if first is None:
            loss, *values = made(following)
        else:
            loss, *values = jax.lax.cond(number == 0, lambda: made(first), lambda: made(following))
        after = dict(zip(self.held, values, strict=False))
        inner = _nested(dict(zip(self.memory, values[len(self.held) :], strict=True)))
        with jax_promotion():
            made_steps = optimizer_state.step + 1
        state = self.enter(NumbersState(made_steps, optimizer_state.numbers, inner))
        return after, state, loss


def interned(step: TracedStep) -> TracedStep:
    """The step that was given here first of all that are equal to this one and still live."""
    return _KNOWN.setdefault(step.digest, step)


_KNOWN: weakref.WeakValueDictionary[str, TracedStep] = weakref.WeakValueDictionary()


def _nested(values: Mapping[Slot, Any]) -> Memory:
    """What is remembered, by parameter."""
    memory: Memory = {}
    for (name, own), value in values.items():
        memory.setdefault(name, {})[own] = value
    return memory


def _is_float(array: AnyArray) -> bool:
    return bool(jnp.issubdtype(array.dtype, jnp.floating))


def _digest(content: Any) -> str:
    """The SHA-256 of names, numbers and arrays, however they are nested."""
    digest = hashlib.sha256()

    def add(part: Any) -> None:
        if isinstance(part, np.ndarray):
            digest.update(f"{part.dtype}{part.shape}".encode() + np.ascontiguousarray(part).data)
        elif isinstance(part, Mapping):
            add(tuple(part.items()))
        elif isinstance(part, (tuple, list)):
            digest.update(b"(")
            for one in part:
                add(one)
            digest.update(b")")
        else:
            digest.update(f"{part!r},".encode())

    add(content)
    return digest.hexdigest()
