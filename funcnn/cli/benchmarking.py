"""The command that measures: ``funcnn bench two-layer``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import funcnn
from funcnn.bench import pictures, tables
from funcnn.files import write_whole

if TYPE_CHECKING:
    from funcnn.bench.cold import Cold
    from funcnn.bench.results import Benchmark
    from funcnn.bench.scaling import Point, Scaling

__all__ = ["bench"]


@click.command()
@click.argument("names", metavar="[TASK]...", nargs=-1)
@click.option("--peers", metavar="NAME[,NAME...]", help="Whom to measure beside funcnn.")
@click.option("--rounds", type=int, help="How often each is timed; 9 without it, 3 for --scaling.")
@click.option("--device", help="cpu or gpu; JAX's own choice without it.")
@click.option("--json", "json_path", metavar="FILE", help="Write all figures to FILE.")
@click.option("--plot", "plot_path", metavar="FILE", help="Draw them: .png, .svg or .pdf.")
@click.option("--scaling", is_flag=True, help="Measure at several sizes; TASKs are axes.")
@click.option("--cold", is_flag=True, help="Measure whole processes: funcnn train mlp.")
def bench(
    names: tuple[str, ...],
    peers: str | None,
    rounds: int | None,
    device: str | None,
    json_path: str | None,
    plot_path: str | None,
    scaling: bool,
    cold: bool,
) -> None:
    """Time funcnn beside the libraries that train the same networks.

    Without TASKs, all of them: two-layer, linear-adam, cubic-sgd, cubic-rmsprop, legendre,
    dynamic, wide, large-batch, sweep-mlp, sweep-cubic. With --scaling they are axes: steps,
    width, batch, points, members. The extra "bench" has the libraries; those that are missing
    are named and left out.
    """
    for option, path, suffixes in (
        ("--json", json_path, (".json",)),
        ("--plot", plot_path, (".png", ".svg", ".pdf")),
    ):
        if path is not None:
            _require_place(option, Path(path), suffixes)
    if scaling and cold:
        raise funcnn.ArgumentError("--scaling and --cold are two measurements; ask for one")
    if cold and (names or peers is not None or device is not None):
        raise funcnn.ArgumentError("--cold takes no TASK, no --peers and no --device")
    settings: dict[str, Any] = {} if rounds is None else {"rounds": rounds}
    if cold:
        measured = _cold(settings)
    else:
        settings |= {"peers": None if peers is None else peers.split(","), "device": device}
        measured = (_scaling if scaling else _benchmark)(names, settings)
    if json_path is not None:
        measured.save(json_path)
    if plot_path is not None:
        figure, kind = measured.plot(), Path(plot_path).suffix[1:]
        write_whole(plot_path, lambda stream: figure.savefig(stream, format=kind, dpi=150))


def _benchmark(names: tuple[str, ...], settings: dict[str, Any]) -> Benchmark:
    measured = funcnn.benchmark(names, each=lambda result: click.echo(f"{result}\n"), **settings)
    click.echo(tables.footer(measured.method, measured.environment, measured.missing))
    return measured


def _scaling(names: tuple[str, ...], settings: dict[str, Any]) -> Scaling:
    from funcnn.bench.scaling import scale

    rows = 0

    def show(point: Point) -> None:
        nonlocal rows
        if not rows:  # Not before bad input would have been refused.
            click.echo(tables.POINT_HEADING)
        rows += 1
        click.echo(tables.point(point))

    measured = scale(names, each=show, **settings)
    click.echo(f"\n{tables.footer(measured.method, measured.environment, measured.left_out)}")
    return measured


def _cold(settings: dict[str, Any]) -> Cold:
    from funcnn.bench.cold import from_cold

    measured = from_cold(**settings)
    click.echo(measured)
    return measured


def _require_place(option: str, path: Path, suffixes: tuple[str, ...]) -> None:
    """Refuse a file that could not be written, before anything is measured."""
    if path.suffix not in suffixes:
        raise funcnn.ArgumentError(f"{option} {path}: must end in {', '.join(suffixes)}")
    if path.is_dir() or not os.access(path.parent, os.W_OK):
        raise funcnn.ArgumentError(f"{option} {path} cannot be written")
    if option == "--plot":
        pictures.require_matplotlib()
