"""An experiment beside its reference, from the same arrays."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import jax
import numpy as np

from funcnn import models
from funcnn.atlas.pair import Pair, share
from funcnn.atlas.references import find_reference, run_reference
from funcnn.core import ArgumentError, Params, checks
from funcnn.core.precision import numerics
from funcnn.experiments import Tolerance, find
from funcnn.runs.foreign import adapter_of, door
from funcnn.runs.observers import Interrupts, Losses
from funcnn.runs.plan import Plan
from funcnn.runs.planning import make_plan
from funcnn.runs.result import TrainResult
from funcnn.runs.run import run
from funcnn.runs.start import initial_params

__all__ = ["Reproduction", "reproduce", "steps_together", "to_the_end"]


class Reproduction(Pair):
    """Two runs of one experiment, the reference's and funcnn's, with a picture and a page.

    Its attributes are those of ``Pair``.
    """

    def report(self, directory: str | os.PathLike[str]) -> Path:
        """Write ``index.html``, a page that needs no network; needs the extra ``report``.

        Args:
            directory: where to write; made where it is missing.

        Returns:
            The page's path.

        Raises:
            MissingExtraError: where Jinja, Pygments or matplotlib is missing.
            ArgumentError, OSError: where the page cannot be written.
        """
        from funcnn.atlas.report import write_one

        return write_one(self, directory)

    def __repr__(self) -> str:
        return (
            f"Reproduction({self.experiment.name}, {self.result.dtype}, "
            f"{'agrees' if self.agrees else 'DIFFERS'}: {self.largest_difference:.2g} at step "
            f"{self.worst_step}; compared {self.compared})"
        )


def reproduce(
    experiment: Any,
    data: Any = None,
    *,
    dtype: Any = None,
    steps: int | None = None,
    seed: int | None = None,
    params: Params | None = None,
    loss: Any = None,
    optimizer: Any = None,
    scheduler: Any = None,
    batch_size: int | None = None,
    batches: Any = None,
) -> Reproduction:
    """Run an experiment and its reference from the same arrays, and compare every step.

    Or a module of PyTorch, and its own eager loop: where runs of PyTorch that start one rounding
    apart part from each other, the comparison ends. A module may draw random numbers (dropout,
    noise): PyTorch's loop is then given those that funcnn draws, in the order of its draws, which
    takes it longer. A loop that draws in another order is refused. PyTorch's own generator is left
    as it is.

    Args:
        experiment: the name of one of ``funcnn.experiments.EXPERIMENTS``, or a
            record of your own. Or a ``torch.nn.Module``, or ``funcnn.interop.torch_step(...)``:
            neither is changed, nor are the optimizer and the scheduler.
        data: for a module its ``(x, y)``, or ``((x1, x2), y)``, as ``train`` takes them.
        dtype: ``"float64"`` or ``"float32"``, of both runs; ``"float64"`` without it. That of a
            module is its own.
        steps: the number of updates, 2 at least, since an update is judged by the loss
            after it; the experiment's without it.
        seed: what the initial values and a model's own draws follow from; of a module what it
            draws, and its batches. 0 without it.
        params: where both start, in place of the model's initial values.
        loss: for a module, as for ``train``.
        optimizer: for a module, its ``torch.optim`` optimizer.
        scheduler: for a module, the optimizer's scheduler.
        batch_size: for a module, how many samples a step takes, as for ``train``.
        batches: for a module, the samples of each step by number, as for ``train``.

    Returns:
        Both curves, how far they are apart at every step, and whether that is
        within the experiment's tolerance; a picture by ``plot()``, a page by ``report(directory)``.

    Raises:
        ArgumentError, ArgumentTypeError: for arguments that cannot be used, before
            anything runs; or a reference that gives no loss for each step.
        MissingExtraError: where the reference is in PyTorch and that is missing.

    A run that diverges differs from its reference; it is no error.

    >>> reproduce("sine/numpy", steps=100).agrees
    True
    """
    of_module = {"data": data, "loss": loss, "optimizer": optimizer}
    of_module |= {"scheduler": scheduler, "batch_size": batch_size, "batches": batches}
    of_experiment = {"dtype": dtype, "params": params}
    if (library := adapter_of(experiment)) == "torch":
        _refuse("a module has its own", of_experiment)
        return door(library).reproduced(experiment, steps=steps, seed=seed, **of_module)
    _refuse("an experiment has its own", of_module)
    dtype, seed = "float64" if dtype is None else dtype, 0 if seed is None else seed
    record = find(experiment)
    plan = make_plan(experiment=record, dtype=dtype, steps=steps, seed=seed, params=params)
    checks.integer("steps", plan.steps, at_least=2)
    if plan.dtype not in record.tolerances:
        raise ArgumentError(f"{record.name} has no tolerance for dtype={plan.dtype!r}")
    tolerance = record.tolerances[plan.dtype]
    if tolerance.steps is not None:
        checks.integer(f"{record.name}'s tolerance.steps", tolerance.steps, at_least=2)
    find_reference(record)
    with numerics(plan.dtype):
        initial = jax.tree.map(np.asarray, initial_params(plan))
    draws = (models.extra_terms(seed, plan.steps),) if plan.model.stochastic else ()

    data = (np.asarray(plan.data.x), np.asarray(plan.data.y))
    eager = run_reference(record, data, initial, plan.steps, draws)
    compared = len(eager.losses[: tolerance.steps])
    if tolerance.chaotic:
        one_rounding_away = jax.tree.map(lambda value: np.nextafter(value, np.inf), initial)
        other = run_reference(record, data, one_rounding_away, plan.steps, draws)
        compared = min(compared, steps_together(eager.losses, other.losses, tolerance))
    return Reproduction(
        experiment=record,
        data=data,
        seed=plan.seed,
        result=to_the_end(plan._replace(params=initial)),
        reference_losses=eager.losses,
        reference_params=eager.params,
        reference_seconds=eager.seconds,
        compared_steps=compared,
    )


def _refuse(reason: str, given: dict[str, Any]) -> None:
    for name, value in given.items():
        if value is not None:
            raise ArgumentError(f"{name}: {reason}")


def to_the_end(plan: Plan) -> TrainResult:
    """The run of a plan; where it diverges, its last finite state and NaN for the other losses."""
    recorded = Losses()
    with Interrupts() as interrupts:
        outcome = run(plan, observers=[recorded, interrupts])
    interrupts.pass_on()
    (losses,) = recorded.losses(plan.steps)
    return TrainResult.of(plan, outcome, losses)


def steps_together(losses: np.ndarray, others: np.ndarray, tolerance: Tolerance) -> int:
    """How long two runs of the reference are within the tolerance, less a tenth to be sure."""
    beyond = ~(share(others - losses, tolerance.allowed(losses)) <= 1)
    return max(1, int(0.9 * np.argmax(beyond))) if beyond.any() else len(losses)
