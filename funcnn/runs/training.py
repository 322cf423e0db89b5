"""``train``: one call from data to a trained network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import optax

from funcnn import checks
from funcnn.core import Model
from funcnn.plans import accepted_by, make_plan
from funcnn.reporting import logged_steps
from funcnn.results import TrainResult
from funcnn.running import run

if TYPE_CHECKING:
    from funcnn.core import Loss, Params
    from funcnn.experiments import Experiment

__all__ = ["train"]


def train(
    model: str | Model | tuple[Callable[..., Any], Callable[..., Any]] | None = None,
    data: Any = None,
    *,
    experiment: str | Experiment | None = None,
    target: str | Sequence[str] | None = None,
    params: Params | None = None,
    hidden: int | Sequence[int] | None = None,
    degree: int | None = None,
    loss: str | Loss | None = None,
    optimizer: str | optax.GradientTransformation | None = None,
    learning_rate: float | Callable[[Any], Any] | None = None,
    gradient: str | None = None,
    form: str = "direct",
    steps: int | None = None,
    batch_size: int | None = None,
    dtype: Any = None,
    seed: int = 0,
    log_every: int | range | None = None,
    progress: bool | None = None,
    **hyperparameters: Any,
) -> TrainResult:
    """Train a network in one compiled loop.

    What is not given comes from the experiment (see ``funcnn.experiments``), or
    from the model's own, so that ``train(model="mlp")`` is the first network of the
    tutorials. Another learning rate, seed, number of steps, or other data
    of the same shape compile nothing again, where the model, the loss, the
    optimizer and the schedule are given by name or are the same objects: what is
    compiled is found by them. The same call gives the same bits.

    Args:
        model: a name (``"mlp"``, ``"mlp_linear"``, ``"polynomial"``,
            ``"polynomial_linear"``, ``"legendre"``, ``"dynamic"``), a
            ``funcnn.Model``, or a pair ``(init, apply)`` of pure functions;
            ``"mlp"`` where neither a model nor an experiment is given. For a model
            of your own without an experiment ``data`` and ``steps`` are needed, the
            loss is ``"sum_squared_error"`` and the optimizer ``"adam"`` unless given.
        data: ``(x, y)`` as NumPy, JAX, PyTorch or pandas objects, or the path of
            a ``.npz`` file (arrays ``x``, ``y``) or a ``.csv`` file (with a
            header); copied. The networks take x (samples, features) and y
            (samples, outputs), the curves x and y (samples,); an axis of length
            1 is added or taken away at the end where one is missing or too many.
            Models of your own are given x and y in their own shape: floats in the
            run's dtype, whole numbers as int32, truth values as they are.
        experiment: the name of one of ``funcnn.experiments.EXPERIMENTS``
            (``"two-layer/optim"``), or a record of your own.
        target: the name or names of the ``.csv`` columns that make y.
        params: where to start, in place of the model's initial values: the same
            tree, shapes and dtype.
        hidden: the width of the hidden layer; of each, for ``"mlp_linear"``.
        degree: the degree of ``"polynomial"`` and ``"polynomial_linear"``.
        loss: ``"sum_squared_error"``, ``"mean_squared_error"``,
            ``"cross_entropy"`` (y holds classes from 0), or a function
            ``(prediction, target) -> scalar``.
        optimizer: ``"sgd"``, ``"momentum"``, ``"rmsprop"``, ``"adam"``,
            ``"adamw"``, or any ``optax.GradientTransformation``.
        learning_rate: a positive number or an optax schedule. Without it, the
            experiment's for the experiment's optimizer, and ``torch.optim``'s
            default for any other.
        gradient: ``"autodiff"``, or ``"manual"`` for the gradient derived by hand,
            where the model has one; the experiment's without it.
        form: how the arithmetic is arranged. ``"direct"`` does what the formula says;
            ``"gram"`` makes the same steps from inner products of the inputs, for the
            polynomials (any optimizer named here) and for ``"mlp"`` (``"sgd"``,
            ``"momentum"``); ``"auto"`` takes it where it is exact and cheaper.
        steps: the number of updates.
        batch_size: the samples in a step, shuffled anew each epoch; all without it.
        dtype: ``"float32"`` or ``"float64"``, for this run alone; the experiment's
            without it, ``"float32"`` for all but those in NumPy.
        seed: what initial values, batches and a model's own draws follow from;
            0 to 2⁶⁴ − 1. Another dtype draws other initial values. (The data of the
            model's own are always the same.)
        log_every: print the step and its loss on stdout every so many steps, or
            at the steps of a range.
        progress: whether to draw a bar on stderr; None where it is a terminal.
        **hyperparameters: the optimizer's further numbers by name, such as
            ``momentum=0.9`` (see ``funcnn.optimizers``).

    Returns:
        The trained params, the loss before every update, and the times.

    Raises:
        ArgumentError, ArgumentTypeError: for arguments that cannot be used,
            before anything compiles (a ValueError; the latter a TypeError too).
        DivergenceError: where the loss stops being finite, with the step and the
            last finite state.
        TrainingInterrupted: after Ctrl-C, with the result so far.

    >>> import numpy as np
    >>> x = np.linspace(-1, 1, 50)
    >>> data = x, 1 + 2 * x + 3 * x**2
    >>> result = train("polynomial", data, degree=2, learning_rate=1e-3, steps=3000)
    >>> {name: round(float(value), 3) for name, value in result.params.items()}
    {'a': 1.0, 'b': 2.0, 'c': 3.0}
    """
    checks.keywords(train, hyperparameters, accepted_by(train))
    if progress is not None:
        checks.flag("progress", progress)
    plan = make_plan(
        model,
        data,
        experiment=experiment,
        target=target,
        params=params,
        hidden=hidden,
        degree=degree,
        loss=loss,
        optimizer=optimizer,
        learning_rate=learning_rate,
        gradient=gradient,
        form=form,
        steps=steps,
        batch_size=batch_size,
        dtype=dtype,
        seed=seed,
        **hyperparameters,
    )
    return run(plan, logged_steps(log_every, plan.steps), progress)
