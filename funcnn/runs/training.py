"""``train``: one call from data to a trained network."""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from funcnn.core import (
    DivergenceError,
    Loss,
    Params,
    TrainingInterrupted,
    TrainState,
    checks,
)
from funcnn.data.columns import Categories
from funcnn.experiments import Experiment
from funcnn.optimizers import Schedule
from funcnn.runs.checkpointing import keeping_of, resumed
from funcnn.runs.divergence import NEVER
from funcnn.runs.manifest import manifest_of
from funcnn.runs.monitoring import Monitoring, monitoring_of
from funcnn.runs.nonfinite import nonfinite_parameter
from funcnn.runs.observers import Bar, Callback, Interrupts, Log, Losses, Observer
from funcnn.runs.observers.checkpoints import Checkpoints
from funcnn.runs.observers.log import logged_steps
from funcnn.runs.observers.together import Together
from funcnn.runs.plan import Plan
from funcnn.runs.planning import accepted_by, make_plan
from funcnn.runs.processes import ending_with_the_others, is_first, is_shared, require_same
from funcnn.runs.result import TrainResult
from funcnn.runs.run import Outcome, run

__all__ = ["RisingLossWarning", "train"]


class RisingLossWarning(UserWarning):
    """A run ended at a higher loss than it began with."""


def train(
    model: Any = None,
    data: Any = None,
    *,
    experiment: str | Experiment | None = None,
    target: str | Sequence[str] | None = None,
    params: Params | None = None,
    state: TrainState | None = None,
    hidden: int | Sequence[int] | None = None,
    activation: str | None = None,
    dropout: float | None = None,
    out_features: int | None = None,
    degree: int | None = None,
    loss: str | Loss | None = None,
    optimizer: Any = None,
    scheduler: Any = None,
    learning_rate: float | Schedule | Callable[[Any], Any] | None = None,
    gradient: str | None = None,
    form: str = "direct",
    steps: int | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    shuffle: bool | None = None,
    drop_last: bool | None = None,
    batches: Any = None,
    sample_weight: Any = None,
    standardize: bool | None = None,
    categories: Categories = None,
    clip_grad_norm: float | None = None,
    clip_grad_value: float | None = None,
    validation: Any = None,
    validation_fraction: float | None = None,
    fold: tuple[int, int] | None = None,
    resample: bool | None = None,
    metrics: Any = None,
    evaluate_every: int | None = None,
    monitor: str | None = None,
    mode: str | None = None,
    patience: int | None = None,
    min_delta: float | None = None,
    callbacks: Sequence[Callback] | None = None,
    checkpoints: str | os.PathLike[str] | None = None,
    checkpoint_every: int | str | None = None,
    keep: int | None = None,
    resume: bool | str | None = None,
    other_data: bool | None = None,
    other_numbers: bool | None = None,
    dtype: Any = None,
    devices: int | Sequence[Any] | None = None,
    sharding: str | None = None,
    seed: int | None = None,
    log_every: int | range | bool | None = None,
    progress: bool | None = None,
    **hyperparameters: Any,
) -> TrainResult:
    """Train a network in one compiled loop.

    Without data, what is not given comes from the model's own experiment (see
    ``funcnn.experiments``), so that ``train(model="mlp")`` is the first network of the
    tutorials. With your data, it is the mean squared error, Adam at ``torch.optim``'s rate,
    and 1000 steps. Another learning rate, seed, number of steps, or other data
    of the same shape compile nothing again, where the model, the loss, the
    optimizer and the schedule are given by name or are the same objects: what is
    compiled is found by them. The same call gives the same bits.

    A process that has trained must not be forked: JAX hangs there. Start others by spawn.

    Args:
        model: a name (``"mlp"``, ``"mlp_linear"``, ``"polynomial"``,
            ``"polynomial_linear"``, ``"legendre"``, ``"dynamic"``), a
            ``funcnn.Model``, a pair ``(init, apply)`` of pure functions, or a model of
            Equinox, Flax (NNX or linen), Haiku or stax as it is (see their modules in
            ``funcnn.interop``); ``"mlp"`` where neither a model nor an experiment is given. A
            model of your own needs ``data``; its ``init`` may be None where ``params`` are given.
            Or a ``torch.nn.Module``, or ``funcnn.interop.torch_step(...)``: it starts from the
            module's own values, in its dtype and modes, and changes nothing of it;
            ``result.to_torch(net, optimizer)`` writes into it.
        data: ``(x, y)`` as NumPy, JAX, PyTorch or pandas objects, or the path of
            a ``.npz`` file (arrays ``x``, ``y``) or a ``.csv`` file (with a
            header); copied. The networks take x (samples, features) and y
            (samples, outputs), the curves x and y (samples,); an axis of length
            1 is added or taken away at the end where one is missing or too many.
            Whole numbers as y, (samples,), are classes, and left as they are.
            Models of your own are given x and y in their own shape: floats in the
            run's dtype, whole numbers as int32, truth values as they are. A module of
            PyTorch that takes several inputs has ``((x1, x2), y)``, as ``predict`` then
            takes ``(x1, x2)``.
        experiment: the name of one of ``funcnn.experiments.EXPERIMENTS``
            (``"two-layer/optim"``), or a record of your own: everything that is not given
            is as it says.
        target: the name or names of the ``.csv`` columns that make y.
        params: where to start, in place of the model's initial values, in the run's
            dtype. The network's sizes follow from them. The optimizer, the count of steps
            and the order of batches start anew.
        state: a state to go on from, such as ``result.state``: the optimizer's memory and
            numbers, the count of steps and the random numbers go on, so that n steps and
            then m give the bits of one run of n + m. Numbers of the optimizer that the call
            gives replace those of the state.
        hidden: the width of the hidden layer; of each, for ``"mlp_linear"``, where ``()``
            is linear regression, or softmax regression with ``"cross_entropy"``.
        activation: for ``"mlp_linear"``, what follows each hidden layer, by PyTorch's name:
            ``"relu"`` (without it), ``"tanh"``, ``"sigmoid"``, ``"gelu"``, ``"silu"``,
            ``"elu"``, ``"leaky_relu"``, ``"softplus"`` or ``"identity"``.
        dropout: for ``"mlp_linear"``, the share of each hidden layer's outputs, after the
            activation, that a step sets to 0; from 0 (without it) to below 1. Predictions
            are made without it.
        out_features: the number of outputs of a network; without it, as many as y has
            columns, or one for each class up to the largest.
        degree: the degree of ``"polynomial"`` and ``"polynomial_linear"``.
        loss: one of ``funcnn.losses.LOSSES``, or its name in PyTorch, such as ``"MSELoss"``;
            for ``"cross_entropy"`` y holds classes from 0, or the probability of each, and
            for ``"binary_cross_entropy"`` 0 and 1, or what lies between. Or a function
            ``(prediction, target) -> scalar``; for a module of PyTorch it is one of tensors, such
            as ``nn.MSELoss()``, or of arrays where it cannot be called with tensors.
        optimizer: ``"sgd"``, ``"momentum"``, ``"rmsprop"``, ``"adam"``,
            ``"adamw"``, or any ``optax.GradientTransformation``. For a module of PyTorch also a
            ``torch.optim`` optimizer over its parameters, or over some of them: then PyTorch's
            own step is traced, and compiled.
        scheduler: for a ``torch.optim`` optimizer, one of ``torch.optim.lr_scheduler`` that
            follows from the step alone; it is stepped after every update.
        learning_rate: a positive number, one of ``funcnn.optimizers.schedules``, or any
            function from step to number, such as optax's. Without it ``torch.optim``'s
            default, or the experiment's.
        gradient: ``"autodiff"``, or ``"manual"`` for the gradient derived by hand,
            where the model has one; the experiment's without it.
        form: how the arithmetic is arranged. ``"direct"`` does what the formula says;
            ``"gram"`` makes the same steps from inner products of the inputs, for the
            polynomials (any optimizer named here) and for the networks (``"sgd"``,
            ``"momentum"``); ``"auto"`` takes whichever should be done first.
        steps: the number of updates.
        epochs: how often to go through all samples, in place of ``steps``.
        batch_size: the samples in a step, shuffled anew each epoch; all without it.
        shuffle: False takes the samples of each epoch in their own order.
        drop_last: True leaves out the last batch of an epoch where it is shorter than the
            others. Without it, as in PyTorch's ``DataLoader``, it is a step of its own, whose
            loss is that of its own samples.
        batches: the samples of each step by number, (steps, batch), in place of
            ``batch_size``: so a ``DataLoader``'s run can be followed step for step, by what
            ``list(DataLoader(range(samples), ...))`` gives for each epoch. Or a list
            of one array for each step, of which the short ones are as long as each other.
        sample_weight: how much each sample counts, (samples,): one of weight 2 counts as two.
            A loss of your own takes it as an argument of that name.
        standardize: True brings the columns of x, and in regression those of y, to mean 0 and
            spread 1, by the samples that are trained on; ``predict`` undoes it.
        categories: which columns of a table hold categories and become a column of 0 and 1
            for each value: True for every column of text, a list of names, or a dict from
            names to values.
        clip_grad_norm: the most that the norm of the whole gradient may be,
            ``torch.nn.utils.clip_grad_norm_``.
        clip_grad_value: the most that each number of the gradient may be,
            ``torch.nn.utils.clip_grad_value_``.
        validation: samples to validate on, given as data are.
        validation_fraction: the part of the samples to set aside to validate on, by the
            seed; of classes each in its own share.
        fold: ``(number, folds)``: train on all but one of so many equal parts of the samples, and
            validate on that one, counted from 0. The parts follow from the seed; each holds
            every class in its share.
        resample: whether to train on as many samples as there are, drawn by the seed with
            replacement: a bootstrap.
        metrics: what to measure beside the loss, on the validation part or without one on the
            samples that are trained on: names of ``funcnn.metrics`` (``"accuracy"``,
            ``"r2"``, ``"mean_absolute_error"``, ``"root_mean_squared_error"``,
            ``"roc_auc"``), functions ``(prediction, target) -> scalar``, or a dict of these.
            They count all samples alike; the losses go by ``sample_weight``.
        evaluate_every: the steps between two records of the history; an epoch without it.
        monitor: the score of the history that tells which params are the best: the result has
            these. ``"validation_loss"``, or ``"loss"`` without validation, where ``patience``
            is given alone.
        mode: ``"min"`` or ``"max"``, which of the monitored score is the best, for a metric
            of your own.
        patience: stop after so many records in a row without a better score.
        min_delta: by how much a score must be better to count; 0 without it.
        callbacks: functions, each called at every record with a
            ``funcnn.callbacks.Event``; one that returns True stops the run.
        checkpoints: a folder to save the run in while it goes on: a run that goes on from there
            gives the bits of one that never stopped. Needs the extra ``checkpoint``.
        checkpoint_every: the steps between two, or the time as ``"30s"``, ``"5min"`` or
            ``"1h"``; a minute without it. The last state is saved in any case.
        keep: how many of them stay, the newest; 3 without it.
        resume: True goes on from the newest sound one, ``"auto"`` begins where there is none;
            without it the folder must hold none.
        other_data: True goes on where the data are others than those of the checkpoint.
        other_numbers: True goes on with the optimizer's numbers that this call gives, such as a
            smaller ``learning_rate`` after a run that diverged.
        dtype: ``"float32"`` or ``"float64"``, for this run alone; the state's or the
            experiment's without it, otherwise ``"float32"``.
        devices: on how many of JAX's devices to train, or a list of them, as ``jax.devices()``
            gives; on its default device without it. What a step computes stays the same; the
            sums over the devices are rounded in another order.
        sharding: which axis the devices divide among them: ``"batch"`` (without it), of which
            each takes an equal part of every step's samples, as ``DistributedDataParallel``
            does; or ``"hidden"``, the hidden units of ``"mlp"`` and ``"mlp_linear"``, of every
            other layer. A short last batch is taken whole by each.
        seed: what initial values, batches and a model's own draws follow from;
            0 to 2⁶⁴ − 1, 0 without it. Another dtype draws other initial values. (The
            tutorials' data are always the same.)
        log_every: print the step, its loss and the newest scores on stdout every so many
            steps, or at the steps of a range, under a heading; True for some twenty lines.
        progress: whether to draw a bar; None where stderr is a terminal, and in a notebook.
        **hyperparameters: the optimizer's further numbers by name, such as
            ``momentum=0.9`` (see ``funcnn.optimizers``).

    Returns:
        The trained params, the loss before every update, and the times.

    Raises:
        ArgumentError, ArgumentTypeError: for arguments that cannot be used,
            before anything compiles (a ValueError; the latter a TypeError too).
        DivergenceError: where the loss stops being finite, with the step, the last finite
            state, and the parameter whose gradient was the first that was not.
        TrainingInterrupted: after Ctrl-C or SIGTERM, with the result so far.

    Warns:
        RisingLossWarning: where the loss ends above where it began.

    >>> import numpy as np
    >>> x = np.linspace(-1, 1, 50)
    >>> data = x, 1 + 2 * x + 3 * x**2
    >>> result = train("polynomial", data, degree=2, learning_rate=0.05, steps=2000)
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
        state=state,
        hidden=hidden,
        activation=activation,
        dropout=dropout,
        out_features=out_features,
        degree=degree,
        loss=loss,
        optimizer=optimizer,
        scheduler=scheduler,
        learning_rate=learning_rate,
        gradient=gradient,
        form=form,
        steps=steps,
        epochs=epochs,
        batch_size=batch_size,
        shuffle=shuffle,
        drop_last=drop_last,
        batches=batches,
        sample_weight=sample_weight,
        standardize=standardize,
        categories=categories,
        clip_grad_norm=clip_grad_norm,
        clip_grad_value=clip_grad_value,
        validation=validation,
        validation_fraction=validation_fraction,
        fold=fold,
        resample=resample,
        dtype=dtype,
        devices=devices,
        sharding=sharding,
        seed=seed,
        **hyperparameters,
    )
    monitoring = monitoring_of(
        plan,
        metrics=metrics,
        evaluate_every=evaluate_every,
        monitor=monitor,
        mode=mode,
        patience=patience,
        min_delta=min_delta,
        callbacks=callbacks,
    )
    recorded = Losses()
    keeping = keeping_of(
        plan,
        monitoring.words,
        checkpoints=checkpoints,
        checkpoint_every=checkpoint_every,
        keep=keep,
        resume=resume,
        other_data=other_data,
        other_numbers=other_numbers,
    )
    remembering = {"losses": recorded} | monitoring.remembering
    logged = logged_steps(log_every, plan.steps)
    shared, first = is_shared(plan), is_first(plan)
    if not first:
        logged, progress = range(0), False
    with contextlib.ExitStack() as stack:
        if shared:
            stack.enter_context(ending_with_the_others())
            asked = {"resume": None if keeping is None else keeping.resume}
            require_same(manifest_of(plan, monitoring.words) | asked)
        saving = []
        if keeping is not None:
            if first:
                stack.enter_context(keeping.folder)
            plan = resumed(plan, keeping, remembering)
            if first:
                saving = [Checkpoints(keeping.folder, keeping.every, remembering, plan.first)]
        interrupts = stack.enter_context(Interrupts())
        scored = monitoring.evaluations
        bar = stack.enter_context(Bar(plan.steps, progress, plan.done, plan.per_epoch, scored))
        log = Log(logged, bar.write, scored)
        watching: list[Observer] = [recorded, *monitoring.observers, log, bar, interrupts, *saving]
        together = Together(watching, interrupts) if shared else None
        observers = watching if together is None else [together]
        # A run that was stopped early before is over.
        over = plan._replace(steps=plan.done) if monitoring.is_over else plan
        outcome = run(over, observers=observers, pace=together)
        if saving and outcome.diverged == NEVER:
            saving[0].save(outcome.steps, outcome.state)
    return _result(plan, outcome, recorded, monitoring, interrupts)


def _result(
    plan: Plan,
    outcome: Outcome,
    recorded: Losses,
    monitoring: Monitoring,
    interrupts: Interrupts,
) -> TrainResult:
    """What a run has come to, or the error that it ended in."""
    (losses,), (diverged,) = recorded.losses(), outcome.diverged
    if diverged != NEVER:
        parameter = nonfinite_parameter(plan, outcome.state, plan.first + int(diverged))
        raise DivergenceError(int(diverged), outcome.state, losses[:diverged], parameter)
    result = TrainResult.of(plan, outcome, losses, monitoring.history, monitoring.best)
    if interrupts.came is not None:
        raise TrainingInterrupted(result, interrupts.came)
    _warn_of_a_rising_loss(plan, losses)
    stopping = monitoring.early_stopping
    if stopping is not None and stopping.best is None:
        warnings.warn(
            f"{stopping.patience.monitor} was never a finite number: no params are the best, and "
            f"the result has the last",
            UserWarning,
            stacklevel=3,
        )
    return result


def _warn_of_a_rising_loss(plan: Plan, losses: np.ndarray) -> None:
    """Compare the last epoch with the first, whose batches differ among themselves."""
    epoch = plan.per_epoch
    first, last = losses[:epoch], losses[-epoch:].mean()
    noise = first.std() + 1e-4 * abs(first.mean())  # The second is what roundings may make.
    if len(losses) >= 2 * epoch and last > first.mean() + noise and not plan.model.stochastic:
        warnings.warn(
            f"the loss ended at {last:.6g}, above the {first.mean():.6g} where it began: a smaller "
            f"learning_rate may help",
            RisingLossWarning,
            stacklevel=4,
        )
