"""The command that trains many networks at once: ``funcnn sweep polynomial --seed 0:100``."""

from __future__ import annotations

import decimal
import inspect
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import click

import funcnn
from funcnn import signals
from funcnn.cli.endings import place
from funcnn.cli.options import (
    VALUES,
    EachOnce,
    number,
    of_many_runs,
    read_hyperparameters,
    read_run,
    record_of,
)
from funcnn.cli.outputs import check_picture, check_place, write_picture, write_table
from funcnn.cli.spacing import spaced
from funcnn.cli.watching import of_scores, read_scores
from funcnn.data import check_destination
from funcnn.runs import DEFAULTS

__all__ = ["sweep"]

BEST = 5
"""How many of the members are printed, from the lowest last loss."""

MOST = 2**20
"""The most numbers between two ends."""


@click.command(cls=EachOnce)
@of_many_runs
@click.option("--seed", metavar=VALUES, default="0", help="What the random numbers follow from.")
@click.option("--learning-rate", metavar=VALUES, help="Step sizes.")
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
@of_scores
@click.option("--halving", metavar="STEPS", type=int,
              help="Every so many steps the worse half of the members stops.")  # fmt: skip
@click.option("--folds", type=int, help="Train so many times, each validated on another part.")
@click.option("--resample", is_flag=True, default=None,
              help="Train each member on samples drawn by its seed, with replacement.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
@click.option("--save", metavar="FILE", help="Write the best weights: .npz or .safetensors.")
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
    as_json: bool,
    save: str | None,
    plot: str | None,
    table: str | None,
    **options: Any,
) -> None:
    """Train MODEL many times at once, with every combination of the VALUES.

    --hidden, --activation, --dropout, --degree, --optimizer and --batch-size may be given several
    times, for as many values.

    VALUES are numbers: one; several, as 1e-3,1e-2; whole ones from the first to before the
    last, as 0:100; or between two ends, in equal ratios or equal distances, as
    1e-7:1e-5:log:20 or 0:0.9:lin:10.
    """
    arguments = read_run(**options) | {"seed": _values("--seed", seed)}
    record = record_of(arguments)
    arguments = read_scores(arguments, DEFAULTS.loss if record is None else record.loss)
    if learning_rate is not None:
        arguments["learning_rate"] = _values("--learning-rate", learning_rate)
    arguments |= read_hyperparameters(
        settings,
        lambda text: _values("--set", text),
        "NAME=VALUES",
        also=inspect.signature(funcnn.sweep).parameters,
    )
    if save is not None:
        check_destination(save)
        if keep == "losses":
            raise funcnn.ArgumentError("--save: --keep losses keeps no params that it could write")
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
        written = {"folder": folder} | _write(result, save, plot, table)
        if as_json:
            model = arguments["model"] or (record and record.model)
            facts = {"model": model, "interrupted": stop is not None}
            click.echo(json.dumps(facts | _summary(result) | written))
        else:
            _print(result, written)
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


def _write(
    result: funcnn.SweepResult, save: str | None, plot: str | None, table: str | None
) -> dict[str, str | None]:
    """Write the files that are asked for; their paths, None of what was not written."""
    saved = save if len(result.ranking) else None
    if saved is not None:
        result.best().save(saved)
    if plot is not None:
        _draw(result, plot)
    if table is not None:
        rows = result.rows()
        write_table(list(rows[0]), [list(row.values()) for row in rows], table)
    return {"saved": saved, "plot": plot, "table": table}


def _summary(result: funcnn.SweepResult) -> dict[str, Any]:
    """The facts of a sweep: a row for each member, and which is the best."""
    forms = {kind.form for kind in result.kinds}
    best = int(result.ranking[0]) if len(result.ranking) else None
    return {
        "dtype": result.dtype,
        "form": forms.pop() if len(forms) == 1 else sorted(forms),
        "group": result.group,
        "steps": int(result.logged_steps[-1]) + 1,
        "monitor": result.monitor,
        "members": [
            {name: value if _is_told(value) else None for name, value in row.items()}
            for row in result.rows()
        ],
        "best": best,
        "formula": result.best().formula if best in result.kept else None,
        "compile_seconds": result.compile_seconds,
        "run_seconds": result.run_seconds,
        **place(),
    }


def _is_told(value: Any) -> bool:
    return not isinstance(value, float) or math.isfinite(value)


def _print(result: funcnn.SweepResult, written: Mapping[str, str | None]) -> None:
    if "fold" in result.settings[0]:
        rows, hidden = result.by_setting()[:BEST], ("diverged",)
    else:
        whole = result.rows()
        rows, hidden = [whole[member] for member in result.ranking[:BEST]], ("diverged", "steps")
    _print_table([{name: row[name] for name in row if name not in hidden} for row in rows], result)
    members, finite = len(result.settings), len(result.ranking)
    if finite < members:
        click.echo(f"{members - finite} of {members} members diverged")
    if finite and result.ranking[0] in result.kept and result.best().formula is not None:
        click.echo(f"Result: {result.best().formula}")
    steps = result.logged_steps[-1] + 1
    click.echo(
        f"Time: {result.compile_seconds:.2f} s to compile, {result.run_seconds:.2f} s for "
        f"{members} members of {steps} steps"
    )
    for name, path in zip(("Folder", "Weights", "Plot", "Table"), written.values(), strict=True):
        if path is not None:
            click.echo(f"{name}: {path}")


def _print_table(rows: Sequence[Mapping[str, Any]], result: funcnn.SweepResult) -> None:
    """Print rows under the names of their columns; those that are no setting's in words."""
    if not rows:
        return
    names, settings = list(rows[0]), result.settings[0]
    heads = [name if name in settings else name.replace("_", " ") for name in names]
    click.echo("".join(f"{head:>{_wide(head)}}" for head in heads))
    for row in rows:
        values = (_shown(row[name]) for name in names)
        click.echo(
            "".join(f"{value:>{_wide(head)}}" for value, head in zip(values, heads, strict=True))
        )


def _shown(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, (int, float)) else str(value)


def _wide(head: str) -> int:
    """The width of a column."""
    return max(15, len(head) + 2)


def _draw(result: funcnn.SweepResult, path: str) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.5), layout="constrained")
    result.plot(figure.add_subplot())
    write_picture(figure, path)
