"""The command that trains many networks at once: ``funcnn sweep polynomial --seed 0:100``."""

from __future__ import annotations

import decimal
import inspect
import math
from typing import Any

import click

import funcnn
from funcnn import signals
from funcnn.cli.options import number, of_a_run, read_hyperparameters, read_run
from funcnn.cli.outputs import check_picture, check_place, write_picture, write_table
from funcnn.cli.spacing import spaced

__all__ = ["sweep"]

BEST = 5
"""How many of the members are printed, from the lowest last loss."""

MOST = 2**20
"""The most numbers between two ends."""


@click.command()
@of_a_run
@click.option("--seed", metavar="VALUES", default="0", help="What the random numbers follow from.")
@click.option("--learning-rate", metavar="VALUES", help="Step sizes.")
@click.option("--set", "settings", metavar="NAME=VALUES", multiple=True,
              help="A further setting of the optimizer: momentum=0,0.5,0.9.")  # fmt: skip
@click.option("--mode", default="product", help="product of all values (the default), or zip.")
@click.option("--keep-every", type=int, help="Steps between losses that are kept; 1 without it.")
@click.option("--group", type=int, help="Members side by side; what fits the cache without it.")
@click.option("--workers", type=int, help="Groups at a time; one a core without it.")
@click.option(
    "--folder",
    metavar="DIR",
    help="Keep finished groups there, and go on with those that are missing.",
)
@click.option(
    "--keep",
    metavar="all|N|losses",
    default="all",
    help="Whose params are kept: all, the N best, or nobody's.",
)
@click.option("--plot", metavar="FILE", help="Draw the losses: .png, .svg or .pdf.")
@click.option("--csv", "table", metavar="FILE", help="Write a .csv with a row for each member.")
@click.pass_context
def sweep(
    context: click.Context,
    seed: str,
    learning_rate: str | None,
    settings: tuple[str, ...],
    mode: str,
    keep_every: int | None,
    group: int | None,
    workers: int | None,
    folder: str | None,
    keep: str,
    plot: str | None,
    table: str | None,
    **options: Any,
) -> None:
    """Train MODEL many times at once, with every combination of the VALUES.

    VALUES are numbers: one; several, as 1e-3,1e-2; whole ones from the first to before the
    last, as 0:100; or between two ends, in equal ratios or equal distances, as
    1e-7:1e-5:log:20 or 0:0.9:lin:10.
    """
    arguments = read_run(**options) | {"seed": _values("--seed", seed)}
    if learning_rate is not None:
        arguments["learning_rate"] = _values("--learning-rate", learning_rate)
    arguments |= read_hyperparameters(
        settings,
        lambda text: _values("--set", text),
        "NAME=VALUES",
        also=inspect.signature(funcnn.sweep).parameters,
    )
    if plot is not None:
        check_picture("--plot", plot)
    if table is not None:
        check_place("--csv", table, ".csv")
    stop = None
    with signals.keeping():
        try:
            result = funcnn.sweep(
                mode=mode,
                keep_every=keep_every,
                group=group,
                workers=workers,
                folder=folder,
                keep=int(keep) if keep.isdecimal() else keep,
                **arguments,
            )
        except funcnn.TrainingInterrupted as error:
            result, stop = error.result, error
        _print(result)
        if folder is not None:
            click.echo(f"Folder: {folder}")
        if plot is not None:
            _draw(result, plot)
            click.echo(f"Plot: {plot}")
        if table is not None:
            rows = result.rows()
            write_table(list(rows[0]), [list(row.values()) for row in rows], table)
            click.echo(f"Table: {table}")
        if stop is not None:
            raise stop
    if not len(result.ranking):
        click.echo("funcnn: every member diverged; a smaller learning_rate may help", err=True)
        context.exit(1)


def _values(option: str, text: str) -> Any:
    """What VALUES stand for: a number where it is one, otherwise a sequence.

    >>> _values("--seed", "3"), _values("--seed", "0:100"), _values("--set", "0,0.5")
    (3, range(0, 100), [0, 0.5])
    >>> _values("--learning-rate", "0.01:1:log:3"), _values("--set", "0:1:lin:3")
    ([0.01, 0.1, 1.0], [0.0, 0.5, 1.0])
    """
    try:
        match text.split(":"):
            case [single] if "," not in single:
                return number(single)
            case [several]:
                return [number(one) for one in several.split(",")]
            case [first, end]:
                return range(int(first), int(end))
            case [low, high, "log" | "lin" as spacing, count] if 0 < int(count) <= MOST:
                ends = float(low), float(high)
                if all(map(math.isfinite, ends)) and (spacing == "lin" or min(ends) > 0):
                    return spaced(low, high, spacing, int(count))
    except (ValueError, decimal.DecimalException):
        pass
    raise funcnn.ArgumentError(
        f"{option} {text} must be a number, several (1e-3,1e-2), whole numbers (0:100), or "
        f"LOW:HIGH:log:N or LOW:HIGH:lin:N with N from 1 and, for log, ends above 0"
    )


def _print(result: funcnn.SweepResult) -> None:
    names = list(result.settings[0])
    click.echo("".join(f"{name:>15}" for name in [*names, "first loss", "last loss"]))
    rows = result.rows()
    for member in result.ranking[:BEST]:
        row = rows[member]
        numbers = [*(row[name] for name in names), row["first_loss"], row["last_loss"]]
        click.echo("".join(f"{value:>15.6g}" for value in numbers))
    members, finite = len(rows), len(result.ranking)
    if finite < members:
        click.echo(f"{members - finite} of {members} members diverged")
    if finite and result.ranking[0] in result.kept and result.best().formula is not None:
        click.echo(f"Result: {result.best().formula}")
    steps = result.logged_steps[-1] + 1
    click.echo(
        f"Time: {result.compile_seconds:.2f} s to compile, {result.run_seconds:.2f} s for "
        f"{members} members of {steps} steps"
    )


def _draw(result: funcnn.SweepResult, path: str) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.5), layout="constrained")
    result.plot(figure.add_subplot())
    write_picture(figure, path)
