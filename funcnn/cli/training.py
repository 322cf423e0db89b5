"""The commands that train: ``funcnn train mlp``."""

from __future__ import annotations

import contextlib
import json
import math
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import click

import funcnn
from funcnn import signals
from funcnn.cli import processes, streams
from funcnn.cli.endings import print_end, summary
from funcnn.cli.options import number, of_a_run, read_hyperparameters, read_run, record_of
from funcnn.cli.outputs import check_place, write_table
from funcnn.cli.watching import of_what_is_watched, read_watched, recording
from funcnn.data import check_destination
from funcnn.experiments import OF_MODEL, Experiment
from funcnn.runs import DEFAULTS, logged_steps

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
@click.option("--set", "settings", metavar="NAME=NUMBER[,...]", multiple=True,
              help="A further setting of the optimizer or the loss: momentum=0.9, nesterov=true, "
                   "class_weight=1,5.")  # fmt: skip
@click.option("--seed", type=int, default=0, help="What the random numbers follow from.")
@click.option("--devices", type=int, metavar="N", help="How many of JAX's devices to train on.")
@click.option("--coordinator", metavar="HOST:PORT",
              help="Train with the other processes that mpirun or srun starts, on the devices of "
                   "all; the first one listens there.")  # fmt: skip
@click.option("--sharding",
              help="What they divide: the batch (without it), or the hidden units.")  # fmt: skip
@of_what_is_watched
@click.option("--log-every", type=click.IntRange(1),
              help=f"Steps between losses; up to {LINES} without it.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
@click.option(
    "--csv", "table", metavar="FILE", help="Write all measurements as a .csv, at the end."
)
@click.option("--save", metavar="FILE", help="Write the weights: .npz or .safetensors.")
def train(
    settings: tuple[str, ...],
    log_every: int | None,
    as_json: bool,
    table: str | None,
    save: str | None,
    json_lines: str | None,
    tensorboard: str | None,
    coordinator: str | None,
    **options: Any,
) -> None:
    """Train MODEL ("funcnn models" lists them), on the tutorials' data or on yours.

    What is not given is as in the experiment, or in the tutorial that the model comes from. On
    your data it is Adam, the mean squared error and 1000 steps. "funcnn predict" uses what
    --save has written.
    """
    arguments = read_run(**options)
    record = record_of(arguments)
    arguments = read_watched(arguments, DEFAULTS.loss if record is None else record.loss)
    arguments |= read_hyperparameters(settings, _numbers, "NAME=NUMBER (or true, false)")
    if save is not None:
        check_destination(save)
    if table is not None:
        check_place("--csv", table, ".csv")
    callbacks = recording(json_lines, tensorboard)
    checkpoints, stop = arguments["checkpoints"], None
    is_kept = (save, table, checkpoints) != (None, None, None)
    with signals.keeping(), processes.joined(coordinator) as others:
        if others is not None:
            arguments["devices"] = arguments["devices"] or others.devices
            if not others.is_first:
                funcnn.train(**arguments)
                return
        with (
            streams.lasting_stdout() if is_kept else contextlib.nullcontext() as stdout,
            _warnings_said(),
        ):
            try:
                result = funcnn.train(
                    log_every=None if as_json else _printed(record, log_every, arguments),
                    callbacks=callbacks,
                    **arguments,
                )
            except funcnn.TrainingInterrupted as error:
                result, stop = error.result, error
        # What cannot be written is said at the end: the losses are printed all the same.
        unsaved = _failure(save, result.save)
        failures = [*unsaved, *_failure(table, lambda path: _write_history(result, path))]
        saved = None if unsaved else save
        if stdout is not None and stdout.failure is not None:
            raise [*failures, stdout.failure][0]
        if as_json:
            facts = {
                "model": arguments["model"] or (record and record.model),
                "seed": arguments["seed"],
                "interrupted": stop is not None,
            }
            told = _told(record, len(result.losses), log_every)
            click.echo(json.dumps(facts | summary(result, told, saved)))
        else:
            print_end(result, saved)
        for failure in failures:
            raise failure
        if stop is not None:
            steps = len(result.losses)
            if saved is not None:
                stop.add_note(f"{saved} holds the weights after {steps} steps")
            if checkpoints is not None:
                stop.add_note(f"--resume auto goes on from step {steps} in {checkpoints}")
            raise stop


@contextlib.contextmanager
def _warnings_said() -> Iterator[None]:
    """Say funcnn's own warnings in a line on stderr each, in place of Python's way."""
    own = (funcnn.RisingLossWarning, funcnn.CheckpointWarning)
    with warnings.catch_warnings(record=True) as caught:
        for category in own:
            warnings.simplefilter("always", category)
        yield
    for warning in caught:
        if issubclass(warning.category, own):
            streams.say(str(warning.message))
        else:
            warnings.warn_explicit(
                warning.message, warning.category, warning.filename, warning.lineno
            )


def _numbers(text: str) -> Any:
    """A number, or a list of them."""
    return [number(one) for one in text.split(",")] if "," in text else number(text)


def _failure(path: str | None, write: Callable[[str], None]) -> list[OSError]:
    """Write to a path, where there is one; what kept it from being written, if anything did."""
    try:
        if path is not None:
            write(path)
    except OSError as error:
        return [error]
    return []


def _write_history(result: funcnn.TrainResult, path: str) -> None:
    columns = [column.tolist() for column in result.history.values()]
    write_table(list(result.history), list(zip(*columns, strict=True)), path)


def _printed(record: Experiment | None, log_every: int | None, run: Mapping[str, Any]) -> Any:
    """The steps whose loss is printed, as ``funcnn.train`` takes them: as asked, or some."""
    if log_every is not None:
        return log_every
    if record is None or run["epochs"] is not None:
        return True
    told = _told(record, record.steps if run["steps"] is None else run["steps"], None)
    return told[:: max(1, math.ceil(len(told) / LINES))]


def _told(record: Experiment | None, steps: int, log_every: int | None) -> range:
    """The steps whose loss is told: as asked, those of the tutorial, or some of all.

    >>> _told(None, 30, None), _told(OF_MODEL["mlp"], 120, None), _told(None, 30, 10)
    (range(0, 30, 2), range(0, 120, 50), range(0, 30, 10))
    """
    if record is None or log_every is not None:
        return logged_steps(True if log_every is None else log_every, steps)
    return range(record.printed.start, steps, record.printed.step)
