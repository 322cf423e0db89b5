"""Whether the port's optimizer, given PyTorch's gradients, moves the params as PyTorch's does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Float

from funcnn.core.tracing import plain_errors
from funcnn.interop.torch.comparing.comparison import Parting
from funcnn.interop.torch.comparing.matching import NOWHERE
from funcnn.interop.torch.comparing.mistakes import optimizers, replays
from funcnn.interop.torch.comparing.port import Port
from funcnn.interop.torch.comparing.stages.found import Found, differs, same
from funcnn.interop.torch.comparing.truth import Step, Truth

__all__ = ["optimizer"]

CLOSE = 1e-8
"""How far a movement may be away, as a share of PyTorch's largest."""

ROUNDINGS = 16 * float(np.finfo(np.float64).eps)
"""How far a parameter may be away by its own roundings, as a share of its size."""

Numbers = Float[np.ndarray, "steps all"]


def optimizer(
    port: Port,
    truth: Truth,
    transformation: optax.GradientTransformation,
    steps: Sequence[Step],
) -> Found:
    """Compare the params after each of some steps.

    Args:
        port: the port.
        truth: PyTorch's side.
        transformation: the port's optimizer.
        steps: PyTorch's own, whose gradients the port's optimizer is given.
    """
    compared = f"{len(steps)} steps on PyTorch's gradients"
    found = _moved(port, truth, transformation, steps)
    right = np.stack([step.numbers for step in steps])
    start = truth.tensors.numbers
    trained = truth.trained & _covered(port, len(start))
    frozen = truth.parameters & ~truth.trained
    if np.any(found[:, frozen] != start[frozen]):
        (first, *_) = np.flatnonzero(np.any(found != start, axis=0) & frozen)
        name = truth.tensors.name(int(first))
        where = f"{name!r} moves, and PyTorch's optimizer leaves it"
        advice = "optax.masked or optax.multi_transform with optax.set_to_zero for it"
        parting = Parting(where, name, "a parameter trained that PyTorch does not train", advice)
        return differs("optimizer", None, compared, parting)
    shares = _shares(found[:, trained], right[:, trained], start[trained])
    if np.max(shares, initial=0) <= CLOSE:
        return same("optimizer", float(np.max(shares, initial=0)), compared)
    first = int(np.argmax(np.max(shares, axis=1) > CLOSE))
    worst = np.flatnonzero(trained)[np.argmax(shares[first])]
    name = truth.tensors.name(int(worst))
    where = f"{name!r} moves otherwise at step {first + 1} of PyTorch's gradients"
    parting = _cause(truth, steps, found, right, trained)
    parting = Parting(where, name) if parting is None else parting._replace(where=where, part=name)
    largest = float(np.max(shares))
    return differs("optimizer", largest if np.isfinite(largest) else None, compared, parting)


def _moved(
    port: Port, truth: Truth, transformation: optax.GradientTransformation, steps: Sequence[Step]
) -> Numbers:
    """PyTorch's numbers as the port's optimizer moves them."""
    values, update = port.put(truth.tensors.numbers), _update(transformation)
    numbers, moved = truth.tensors.numbers.copy(), []
    with plain_errors("port_optimizer"):
        state = transformation.init(port.tree(values, trained_only=True))
    for step in steps:
        # What PyTorch does not train has the port's own gradient.
        gradients = [
            jnp.asarray(
                np.where((places == NOWHERE) | ~truth.trained[places], own, step.gradient[places])
            )
            for places, own in zip(port.places, port.gradient, strict=True)
        ]
        with plain_errors("port_optimizer"):
            tree = port.tree(values, trained_only=True)
            tree, state = update(port.tree(gradients, trained_only=True), state, tree)
        values = port.floats(tree, values)
        numbers = numbers.copy()
        for places, value in zip(port.places, values, strict=True):
            known = places != NOWHERE
            numbers[places[known]] = np.asarray(value)[known]
        moved.append(numbers)
    return np.stack(moved)


def _covered(port: Port, size: int) -> np.ndarray:
    covered = np.zeros(size, bool)
    for places in port.places:
        covered[places[places != NOWHERE]] = True
    return covered


def _shares(found: Numbers, right: Numbers, start: np.ndarray) -> Numbers:
    """How far each movement is away, as a share of the step's largest."""
    movement = np.max(np.abs(right - start), axis=1, keepdims=True, initial=1e-300)
    beyond = np.abs(found - right) - ROUNDINGS * (np.abs(right) + np.abs(start))
    shares = np.maximum(beyond, 0) / movement
    return np.where(np.isnan(shares) & ~np.isnan(right), np.inf, np.nan_to_num(shares))


def _cause(
    truth: Truth, steps: Sequence[Step], found: Numbers, right: Numbers, trained: np.ndarray
) -> Parting | None:
    theirs = truth.optimizer()
    start = truth.tensors.numbers[trained]
    gradients = np.stack([step.gradient for step in steps])[:, trained]
    if len(theirs.param_groups) == 1:
        for mistake, transformation in replays(optimizers.of_optimizer(theirs)):
            other = _replayed(transformation, start, gradients)
            if np.max(_shares(found[:, trained], other, start), initial=0) <= CLOSE:
                return Parting("", "", mistake.name, mistake.advice)
    return _of_rate(found[:, trained], right[:, trained], start, gradients)


def _replayed(
    transformation: optax.GradientTransformation, start: np.ndarray, gradients: np.ndarray
) -> Numbers:
    """What an optimizer makes of a vector, step by step."""
    vector, moved, update = jnp.asarray(start), [], _update(transformation)
    state = transformation.init(vector)
    for gradient in gradients:
        vector, state = update(jnp.asarray(gradient), state, vector)
        moved.append(np.asarray(vector))
    return np.stack(moved)


def _update(transformation: optax.GradientTransformation) -> Callable[..., tuple[Any, Any]]:
    """``update(gradient, state, params) -> (params, state)`` of a transformation, compiled."""

    @jax.jit
    def update(gradient: Any, state: Any, params: Any) -> tuple[Any, Any]:
        change, state = transformation.update(gradient, state, params)
        return optax.apply_updates(params, change), state

    return update


def _of_rate(
    found: Numbers, right: Numbers, start: np.ndarray, gradients: np.ndarray
) -> Parting | None:
    """What movements tell that are PyTorch's but for a factor in each step."""
    own = np.diff(found, axis=0, prepend=start[None])
    theirs = np.diff(right, axis=0, prepend=start[None])
    sizes = np.sum(theirs**2, axis=1)
    if not np.all(sizes) or not np.isfinite(own).all():
        return None
    ratios = np.sum(own * theirs, axis=1) / sizes
    largest = np.max(np.abs(own), axis=1)
    if np.any(np.max(np.abs(own - ratios[:, None] * theirs), axis=1) > 1e-7 * largest + 1e-15):
        return None
    if np.allclose(ratios, ratios[0], rtol=1e-6):
        name = f"a learning rate {ratios[0]:.6g} times PyTorch's"
        return Parting("", "", name, "give it PyTorch's learning rate")
    norms, cut = np.linalg.norm(gradients, axis=1), ratios < 1 - 1e-6
    limit = float(np.max((ratios * norms)[cut], initial=0))
    if np.sum(cut) > 1 and np.allclose(ratios * norms, np.minimum(norms, limit), rtol=1e-5):
        name = f"the gradient clipped to a norm of {limit:.4g}"
        return Parting("", "", name, "clip it in PyTorch too, or not at all")
    first = int(np.argmax(np.abs(ratios - 1) > 1e-6))
    name = f"a learning rate that changes: {ratios[first]:.4g} times PyTorch's at step {first + 1}"
    return Parting("", "", name, "give it PyTorch's schedule")
