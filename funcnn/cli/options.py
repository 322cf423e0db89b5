"""What the commands that train have in common: what to train, and on what."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import click

import funcnn
from funcnn.experiments import OF_MODEL, Experiment, find
from funcnn.losses import LOSSES
from funcnn.models import ACTIVATIONS
from funcnn.optimizers import OPTIMIZERS
from funcnn.runs import DEFAULTS

__all__ = [
    "VALUES",
    "EachOnce",
    "added",
    "number",
    "of_a_run",
    "of_many_runs",
    "one_or_pair",
    "read_hyperparameters",
    "read_run",
    "record_of",
]

VALUES = "VALUES"
"""What stands in the help for several numbers in one text."""

Command = TypeVar("Command", bound=Callable[..., Any])

_SEVERAL: tuple[tuple[str, dict[str, Any]], ...] = (
    ("--hidden", {"metavar": "N[,N...]", "help": "Widths of the hidden layers."}),
    ("--activation", {"metavar": "NAME",
                      "help": "What follows each hidden layer of mlp_linear: "
                              f"{', '.join(ACTIVATIONS)}."}),
    ("--dropout", {"metavar": "RATE", "type": float,
                   "help": "Share of each hidden layer of mlp_linear that a step leaves out."}),
    ("--degree", {"type": int, "help": "Degree of a polynomial."}),
    ("--optimizer", {"help": f"{', '.join(OPTIMIZERS)}; {DEFAULTS.optimizer} on your data."}),
    ("--batch-size", {"type": int, "help": "Samples in a step; all without it."}),
)  # fmt: skip
"""What a sweep takes several times, for as many values."""

SEVERAL = tuple(flag.removeprefix("--").replace("-", "_") for flag, _ in _SEVERAL)
"""The names of these."""

_OPTIONS = (
    click.argument("model", required=False),
    click.option("--experiment", metavar="NAME",
                 help='One of those that "funcnn experiments" lists.'),
    click.option("--data", metavar="FILE", multiple=True,
                 help="A .csv or .parquet table, a .npz (arrays x, y), or two .npy, x and then y."),
    click.option("--target", metavar="NAME", multiple=True, help="A table's column to predict."),
    click.option("--categories", metavar="NAME[,NAME...]|all",
                 help="Columns of a table that hold categories; all: every one of text."),
    click.option("--standardize", is_flag=True, default=None,
                 help="Bring every column to mean 0 and spread 1."),
    click.option("--out-features", metavar="N", type=int,
                 help="Outputs of a network; as many as the data ask for without it."),
    click.option("--loss", help=f"{', '.join(LOSSES)}; {DEFAULTS.loss} on your data."),
    click.option("--gradient", help="autodiff, or manual: derived by hand."),
    click.option("--form", default="direct", show_default=True,
                 help="direct: as the formula says; gram: the same steps from inner products of "
                      "the inputs; auto: whichever should be done first."),
    click.option("--steps", type=int, help=f"Number of updates; {DEFAULTS.steps} on your data."),
    click.option("--epochs", type=int, help="How often to go through all samples, for --steps."),
    click.option("--shuffle/--no-shuffle", default=None,
                 help="Whether to shuffle the samples anew each epoch; they are without it."),
    click.option("--drop-last", is_flag=True, default=None,
                 help="Leave out an epoch's last batch where it is short."),
    click.option("--clip-grad-norm", type=float, help="The largest norm of the whole gradient."),
    click.option("--clip-grad-value", type=float, help="The largest number in the gradient."),
    click.option("--dtype", help="float32 or float64."),
)  # fmt: skip


class EachOnce(click.Command):
    """A command that refuses an option given twice, where it would take the last of the two."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the options, once it is sure that each stands there once."""
        _, _, given = self.make_parser(ctx).parse_args(list(args))
        for option in given:
            if isinstance(option, click.Option) and not option.multiple and given.count(option) > 1:
                several = "; several values are one text: 1,2,3" if option.metavar == VALUES else ""
                raise click.UsageError(f"{option.opts[0]} is given twice{several}", ctx)
        return super().parse_args(ctx, args)


def added(options: Sequence[Callable[[Any], Any]], command: Command) -> Command:
    """The command with these options."""
    for option in reversed(options):
        command = option(command)
    return command


def of_a_run(command: Command) -> Command:
    """Give a command the options that say what is trained, ``model`` among them."""
    return added([*_OPTIONS, *(click.option(name, **how) for name, how in _SEVERAL)], command)


def of_many_runs(command: Command) -> Command:
    """The same options, some of which may be given several times."""
    several = [click.option(name, multiple=True, **how) for name, how in _SEVERAL]
    return added([*_OPTIONS, *several], command)


def read_run(
    model: str | None,
    experiment: str | None,
    data: Sequence[str],
    target: Sequence[str],
    categories: str | None,
    hidden: Any,
    **others: Any,
) -> dict[str, Any]:
    """The options of a run, as ``funcnn.train`` and ``funcnn.sweep`` take them.

    What was given several times is a list.
    """
    if model is None and experiment is None:
        raise funcnn.ArgumentError("a MODEL or --experiment NAME is needed")
    several = {name: _one_or_several(others.pop(name)) for name in SEVERAL if name != "hidden"}
    return others | {
        "model": model,
        "experiment": experiment,
        "data": one_or_pair("--data", data),
        "target": target[0] if len(target) == 1 else target or None,
        "categories": True if categories == "all" else categories and categories.split(","),
        "hidden": _one_or_several(hidden, _widths),
        **several,
    }


def record_of(arguments: Mapping[str, Any]) -> Experiment | None:
    """The experiment that a run is of; None on a user's data."""
    if arguments["experiment"] is not None:
        return find(arguments["experiment"])
    return OF_MODEL.get(arguments["model"]) if arguments["data"] is None else None


def one_or_pair(option: str, paths: Sequence[str]) -> Any:
    """A path, or two of them as a pair; None for none."""
    if len(paths) > 2:
        raise funcnn.ArgumentError(f"{option} is given {len(paths)} times: one file, or x and y")
    return tuple(paths) if len(paths) == 2 else paths[0] if paths else None


def read_hyperparameters(
    settings: Sequence[str],
    read: Callable[[str], Any],
    expected: str,
    also: Iterable[str] = (),
) -> dict[str, Any]:
    """The NAME=VALUE of ``--set``: true, false, or what ``read`` makes of the value.

    What ``funcnn.train`` takes by name is no such setting, nor are the names in ``also``.
    """
    taken = {*inspect.signature(funcnn.train).parameters, *also}
    numbers: dict[str, Any] = {}
    for text in settings:
        name, _, value = text.partition("=")
        if name in taken or name in numbers:
            raise funcnn.ArgumentError(f"--set {text}: {name} is set elsewhere")
        try:
            truth = {"true": True, "false": False}.get(value.lower())
            numbers[name] = read(value) if truth is None else truth
        except ValueError:
            raise funcnn.ArgumentError(f"--set {text} must be {expected}") from None
    return numbers


def number(text: str) -> float:
    """A number, whole where it is written so."""
    try:
        return int(text)
    except ValueError:
        return float(text)


def _one_or_several(given: Any, read: Callable[[Any], Any] = lambda value: value) -> Any:
    """What an option says; of one that may be given several times a list, where it was."""
    if not isinstance(given, tuple):
        return None if given is None else read(given)
    values = [read(one) for one in given]
    return values if len(values) > 1 else values[0] if values else None


def _widths(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(width) for width in text.split(","))
    except ValueError:
        raise funcnn.ArgumentError(f"--hidden {text} must be one or more whole numbers") from None
