"""The commands that train: ``funcnn train mlp``."""

from __future__ import annotations

import contextlib
import json
import math
import warnings
from collections.abc import Iterator
from typing import Any

import click

import funcnn
from funcnn import signals
from funcnn.cli import streams
from funcnn.cli.options import of_a_run, read_hyperparameters, read_run
from funcnn.data.weights import check_destination
from funcnn.experiments import OF_MODEL, Experiment, find
from funcnn.runs.choices import DEFAULTS
from funcnn.runs.observers.log import logged_steps

__all__ = ["models", "train"]

LINES = 20
"""The most losses that are printed, where nobody asks for more."""


@click.command()
def models() -> None:
    """List the models that can be trained by name."""
    for name, module in funcnn.models.MODELS.items():
        own, about = OF_MODEL[name], module.__doc__  # Without documentation under python -OO.
        click.echo(name if about is None else f"{name}: {about.splitlines()[0]}")
        click.echo(f"    {own.steps} steps of {own.optimizer} at {own.learning_rate:g}")


@click.command()
@of_a_run
@click.option("--learning-rate", type=float,
              help="Step size; torch.optim's default on your data.")  # fmt: skip
@click.option("--set", "settings", metavar="NAME=NUMBER", multiple=True,
              help="A further setting of the optimizer: momentum=0.9, nesterov=true.")  # fmt: skip
@click.option("--seed", type=int, default=0, help="What the random numbers follow from.")
@click.option("--log-every", type=int, help=f"Steps between losses; up to {LINES} without it.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
@click.option("--save", metavar="FILE", help="Write the weights: .npz or .safetensors.")
def train(
    settings: tuple[str, ...],
    log_every: int | None,
    as_json: bool,
    save: str | None,
    **options: Any,
) -> None:
    """Train MODEL ("funcnn models" lists them), on the tutorials' data or on yours.

    What is not given is as in the experiment, or in the tutorial that the model comes from. On
    your data it is Adam, the mean squared error and 1000 steps.
    """
    arguments = read_run(**options)
    model, experiment = arguments["model"], arguments["experiment"]
    if save is not None:
        check_destination(save)
    record = _record(model, experiment, arguments["data"])
    told = _told(record, arguments["steps"], log_every)
    printed = told if log_every is not None else told[:: max(1, math.ceil(len(told) / LINES))]
    stop, failure = None, None
    with signals.keeping():
        with streams.lasting_stdout() if save is not None else contextlib.nullcontext() as stdout:
            try:
                with _rising_loss_said():
                    result = funcnn.train(
                        log_every=None if as_json else printed,
                        **arguments,
                        **read_hyperparameters(settings, float, "NAME=NUMBER (or true, false)"),
                    )
            except funcnn.TrainingInterrupted as error:
                result, stop = error.result, error
        if save is not None:
            try:
                result.save(save)
            except OSError as error:  # The losses are printed all the same.
                save, failure = None, error
        if stdout is not None and stdout.failure is not None:
            raise failure or stdout.failure
        if as_json:
            facts = {
                "model": model or (record and record.model),
                "seed": arguments["seed"],
                "interrupted": stop is not None,
            }
            click.echo(json.dumps(facts | _summary(result, told, save)))
        else:
            _print_end(result, save)
        if failure is not None:
            raise failure
        if stop is not None:
            if save is not None:
                stop.add_note(f"{save} holds the weights after {len(result.losses)} steps")
            raise stop


@contextlib.contextmanager
def _rising_loss_said() -> Iterator[None]:
    """Say that a loss has risen in a line on stderr, in place of Python's warning."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", funcnn.RisingLossWarning)
        yield
    for warning in caught:
        if issubclass(warning.category, funcnn.RisingLossWarning):
            streams.say(str(warning.message))
        else:
            warnings.warn_explicit(
                warning.message, warning.category, warning.filename, warning.lineno
            )


def _record(model: str | None, experiment: str | None, data: str | None) -> Experiment | None:
    """The experiment that the run is of; None on a user's data."""
    if experiment is not None:
        return find(experiment)
    return OF_MODEL.get(model or "") if data is None else None


def _told(record: Experiment | None, steps: int | None, log_every: int | None) -> range:
    """The steps whose loss is told: as asked, those of the tutorial, or some of all.

    >>> _told(None, None, None), _told(None, 30, None), _told(OF_MODEL["mlp"], 120, None)
    (range(0, 1000, 50), range(0, 30, 2), range(0, 120, 50))
    """
    if steps is None:
        steps = DEFAULTS.steps if record is None else record.steps
    if log_every is not None:
        return logged_steps(log_every, steps)
    if record is not None:
        return range(record.printed.start, steps, record.printed.step)
    return range(0, steps, max(1, math.ceil(steps / LINES)))


def _summary(result: funcnn.TrainResult, told: range, saved: str | None) -> dict[str, Any]:
    import jax

    losses = result.losses
    return {
        "dtype": result.dtype,
        "form": result.form,
        "steps": len(losses),
        "first_loss": float(losses[0]) if len(losses) else None,
        "last_loss": float(losses[-1]) if len(losses) else None,
        "losses": [[step, float(losses[step])] for step in told if step < len(losses)],
        "formula": result.formula,
        "compile_seconds": result.compile_seconds,
        "run_seconds": result.run_seconds,
        "microseconds_per_step": result.microseconds_per_step if len(losses) else None,
        "saved": saved,
        "device": jax.devices()[0].device_kind,
        "versions": {"funcnn": funcnn.__version__, "jax": jax.__version__},
    }


def _print_end(result: funcnn.TrainResult, saved: str | None) -> None:
    steps = len(result.losses)
    if result.formula is not None:
        click.echo(f"Result: {result.formula}")
    if steps:
        click.echo(f"Loss: {float(result.losses[0])} -> {float(result.losses[-1])}")
    pace = f", {result.microseconds_per_step:.3g} µs a step" if steps else ""
    click.echo(
        f"Time: {result.compile_seconds:.2f} s to compile, "
        f"{result.run_seconds:.2f} s for {steps} steps{pace}"
    )
    if saved is not None:
        click.echo(f"Weights: {saved}")
