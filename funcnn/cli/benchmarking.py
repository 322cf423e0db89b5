"""The command that measures: ``funcnn bench two-layer``."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import click

import funcnn
from funcnn.cli.outputs import check_picture, check_place, write_picture

if TYPE_CHECKING:
    from funcnn.bench import Record

__all__ = ["bench"]

REFUSED: Mapping[str, tuple[str, ...]] = {
    "scaling": (),
    "cold": ("TASK", "--peers", "--device"),
    "auto": ("TASK", "--peers"),
    "overhead": ("TASK", "--peers"),
    "real": ("--device",),
}
"""The measurements beside that of the peers, each in a module of ``funcnn.bench`` of the same
name; and what each does not take."""


@click.command()
@click.argument("names", metavar="[TASK]...", nargs=-1)
@click.option("--peers", metavar="NAME[,NAME...]", help="Whom to measure beside funcnn.")
@click.option(
    "--rounds",
    type=int,
    help="How often each is timed; 9 without it, 3 for --scaling, --auto and --real.",
)
@click.option("--device", help="cpu or gpu; JAX's own choice without it.")
@click.option("--json", "json_path", metavar="FILE", help="Write all figures to FILE.")
@click.option("--plot", "plot_path", metavar="FILE", help="Draw them: .png, .svg or .pdf.")
@click.option("--scaling", is_flag=True, help="Measure at several sizes; TASKs are axes.")
@click.option("--cold", is_flag=True, help="Measure whole processes: funcnn train mlp.")
@click.option("--auto", is_flag=True, help="Measure what form='auto' takes, and both forms.")
@click.option("--overhead", is_flag=True, help="Measure runs beside their loops alone.")
@click.option("--real", is_flag=True, help="Measure whole fits of real data, and their scores.")
def bench(
    names: tuple[str, ...],
    peers: str | None,
    rounds: int | None,
    device: str | None,
    json_path: str | None,
    plot_path: str | None,
    **flags: bool,
) -> None:
    """Time funcnn beside the libraries that train the same networks.

    Without TASKs, all of them: two-layer, linear-adam, cubic-sgd, cubic-rmsprop, legendre,
    dynamic, wide, large-batch, sweep-mlp, sweep-adam, sweep-cubic. With --scaling they are axes:
    steps, width, batch, points, members. With --real they are digits, diabetes, regression and
    classification, and the peers scikit-learn, pytorch and skorch. The extra "bench" has the
    libraries; those that are missing are named and left out.
    """
    if json_path is not None:
        check_place("--json", json_path, ".json")
    if plot_path is not None:
        check_picture("--plot", plot_path)
    chosen = [name for name, is_set in flags.items() if is_set]
    if len(chosen) > 1:
        raise funcnn.ArgumentError(f"--{', --'.join(chosen)}: ask for one measurement at a time")
    given = {"TASK": names or None, "--peers": peers, "--device": device}
    refused = REFUSED[chosen[0]] if chosen else ()
    if any(given[name] is not None for name in refused):
        raise funcnn.ArgumentError(f"--{chosen[0]} takes no {', no '.join(refused)}")
    settings = {"peers": peers and peers.split(","), "rounds": rounds, "device": device}
    settings = {name: value for name, value in settings.items() if value is not None}
    measure = functools.partial(_function(*chosen), *([names] if names else []), **settings)
    measured = _as_it_comes(measure, json_path)
    if plot_path is not None:
        write_picture(measured.plot(), plot_path)


def _function(measurement: str | None = None) -> Callable[..., Any]:
    """The function that makes a measurement; that of the peers without a name."""
    if measurement is None:
        return funcnn.benchmark
    return importlib.import_module(f"funcnn.bench.{measurement}").measure


def _as_it_comes(measure: Callable[..., Any], json_path: str | None) -> Any:
    """The result of ``measure``; each row is printed, and all written, as soon as it is there."""
    from funcnn.bench import table

    printed = 0

    def show(so_far: Record) -> None:
        nonlocal printed
        if json_path is not None:
            so_far.save(json_path)
        rows = table(so_far).rows
        if rows[printed:]:
            click.echo("\n".join(rows[printed:]))
        printed = len(rows)

    measured = measure(each=show)
    show(measured)
    click.echo("\n".join(table(measured).end))
    return measured
