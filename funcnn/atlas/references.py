"""Eager references: found by name, run on one thread, and their answers checked."""

from __future__ import annotations

import contextlib
import pkgutil
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Float

from funcnn.core import ArgumentError, MissingExtraError, Params
from funcnn.experiments import Experiment
from funcnn.runs.observers import Interrupts

__all__ = ["Eager", "find_reference", "run_reference"]


class Eager(NamedTuple):
    """What a reference gave.

    Attributes:
        losses: the loss before each update, (steps,).
        params: the params after the last.
        seconds: how long it took.
    """

    losses: Float[np.ndarray, " steps"]
    params: Params
    seconds: float


def find_reference(experiment: Experiment) -> Callable[..., Any]:
    """The function that an experiment names as its reference.

    Raises:
        ArgumentError: where there is none of that name.
        MissingExtraError: where it is in PyTorch, and that is missing.
        KeyboardInterrupt: after Ctrl-C, which an import by itself may lose.
    """
    with Interrupts() as interrupts:
        try:
            function = pkgutil.resolve_name(experiment.reference)
        except (AttributeError, ImportError, ValueError) as error:
            if getattr(error, "name", None) == "torch":
                raise MissingExtraError("torch", "torch") from None
            raise ArgumentError(
                f"{experiment.name}: reference={experiment.reference!r} is not found: {error}"
            ) from error
    interrupts.pass_on()
    return function


def run_reference(
    experiment: Experiment,
    data: tuple[np.ndarray, np.ndarray],
    initial: Params,
    steps: int,
    draws: tuple[np.ndarray, ...],
) -> Eager:
    """Run an experiment's reference on one thread, on which arrays this small are quickest.

    Args:
        experiment: names the reference and the learning rate.
        data: x and y.
        initial: where to start; NumPy arrays.
        steps: the number of updates.
        draws: the numbers of extra terms, for a model that draws them.

    Raises:
        ArgumentError: where it does not give a loss for each step, and params like the
            initial ones.
    """
    reference = find_reference(experiment)
    begin = time.perf_counter()
    with _one_thread():
        losses, params = reference(*data, initial, steps, experiment.learning_rate, *draws)
    seconds = time.perf_counter() - begin
    losses, params = np.asarray(losses), jax.tree.map(np.asarray, params)
    if losses.shape != (steps,):
        raise ArgumentError(
            f"{experiment.reference} gave losses of shape {losses.shape}, not one for each of "
            f"{steps} steps"
        )
    found, wanted = (
        {jax.tree_util.keystr(path): leaf.shape for path, leaf in jax.tree.leaves_with_path(tree)}
        for tree in (params, initial)
    )
    if found != wanted:
        raise ArgumentError(f"{experiment.reference} gave params {found}, not {wanted}")
    return Eager(losses, params, seconds)


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """PyTorch on one thread, where it is loaded at all."""
    torch = sys.modules.get("torch")
    if torch is None:
        yield
        return
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
