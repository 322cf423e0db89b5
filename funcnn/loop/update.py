"""One step of training as a pure, compiled function."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import optax
from jaxtyping import Array, Float

from funcnn.core import (
    ArgumentError,
    Data,
    Loss,
    Model,
    Samples,
    TrainState,
    checks,
)
from funcnn.core.caches import remembered
from funcnn.core.tracing import calling
from funcnn.loop.forms import FORMS, NAMES, Form
from funcnn.loop.problem import Problem, drawn, make_problem
from funcnn.loop.step import checked_state, samples_of, step_of

__all__ = ["Update", "form_named", "make_update"]


UPDATE = "the update (its model, gradient, optimizer or schedule)"
"""What an error says that comes out of one."""


@dataclasses.dataclass(frozen=True)
class Update:
    """One step of training: call it for a step, give it to ``fit`` for many.

    Two updates are equal where they make the same step in the same form.

    Attributes:
        problem: the model, the loss, the optimizer less its numbers, and the rest of what
            the step is compiled for.
        form: how its arithmetic is arranged.
    """

    problem: Problem
    form: Form

    def __call__(self, state: TrainState, data: Data) -> tuple[TrainState, Float[Array, ""]]:
        """The state after one step, and the loss before it.

        Raises:
            ArgumentError, ArgumentTypeError: for a state or data that do not fit.
        """
        state, samples = checked_state(self.problem, state), samples_of(self.problem, data)
        return calling(UPDATE, _step(self.problem, self.form), state, samples)


def make_update(
    model: Model,
    loss: Loss,
    optimizer: optax.GradientTransformation,
    *,
    gradient: str = "autodiff",
    batch_size: int | None = None,
    shuffle: bool | None = None,
    drop_last: bool | None = None,
    form: str = "direct",
) -> Update:
    """One step of training as a pure, compiled function.

    Args:
        model: the model to train.
        loss: ``loss(prediction, target) -> scalar``.
        optimizer: one of ``funcnn.optimizers``, or any of optax.
        gradient: ``"autodiff"`` (``jax.value_and_grad``), or ``"manual"`` for the
            rule derived by hand, where the model has one; that rule is for
            ``sum_squared_error``.
        batch_size: how many samples a step takes, drawn by key and epoch so that
            an epoch takes each once; None for all of them.
        shuffle: whether every epoch has an order of its own; True without it.
        drop_last: whether an epoch leaves out a last batch that is shorter than the
            others; False without it, as in PyTorch's ``DataLoader``.
        form: ``"direct"``, or ``"gram"`` for the same steps from inner products of
            the inputs, where nothing speaks against it.

    Returns:
        ``update(state, data) -> (state, loss)``, the loss being the one before the step.
        Equal arguments, and optimizers of ``funcnn.optimizers`` that differ in their
        numbers alone, give equal updates, and compile once.

    Raises:
        ArgumentError, ArgumentTypeError: for an argument that does not fit.
    """
    problem = make_problem(model, loss, optimizer, gradient, drawn(batch_size, shuffle, drop_last))
    return Update(problem, form_named(form, problem))


def form_named(name: str, problem: Problem) -> Form:
    """The form of that name that makes the problem's steps.

    Raises:
        ArgumentError: where there is none, with the reasons.
    """
    checks.choice("form", name, NAMES)
    reasons = []
    for form in FORMS:
        if form.name == name:
            reason = form.why_not(problem)
            if reason is None:
                return form
            reasons.append(reason)
    raise ArgumentError(f"form={name!r}: {'; or '.join(reasons)}")


@remembered
def _step(problem: Callable[[], Problem], form: Callable[[], Form]) -> Callable[..., Any]:
    """One step of a form, entered and left."""
    form_ = form()

    def step(state: TrainState, data: Samples) -> tuple[TrainState, Float[Array, ""]]:
        kept = form_.enter(problem(), form_.begin(problem(), state, data), data)
        after, loss = step_of(problem(), form_, kept, state.step)
        return form_.leave(problem(), kept._replace(state=after))._replace(kept=None), loss

    return jax.jit(step)
