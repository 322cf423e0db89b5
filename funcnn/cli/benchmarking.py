"""The command that measures: ``funcnn bench two-layer``."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

import funcnn
from funcnn.cli.outputs import check_picture, check_place, write_picture

if TYPE_CHECKING:
    from funcnn.bench.cold import Cold
    from funcnn.bench.records import Record
    from funcnn.bench.results import Benchmark
    from funcnn.bench.scaling import Scaling

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
    if json_path is not None:
        check_place("--json", json_path, ".json")
    if plot_path is not None:
        check_picture("--plot", plot_path)
    if scaling and cold:
        raise funcnn.ArgumentError("--scaling and --cold are two measurements; ask for one")
    if cold and (names or peers is not None or device is not None):
        raise funcnn.ArgumentError("--cold takes no TASK, no --peers and no --device")
    settings: dict[str, Any] = {} if rounds is None else {"rounds": rounds}
    if not cold:
        settings |= {"peers": None if peers is None else peers.split(","), "device": device}

    def keep(measured: Record) -> None:
        if json_path is not None:
            measured.save(json_path)

    if cold:
        measured = _cold(**settings)
    else:
        measured = (_scaling if scaling else _benchmark)(names, keep, **settings)
    keep(measured)
    if plot_path is not None:
        write_picture(measured.plot(), plot_path)


def _benchmark(
    names: tuple[str, ...], keep: Callable[[Benchmark], None], **settings: Any
) -> Benchmark:
    from funcnn.bench import tables

    def show(so_far: Benchmark) -> None:
        keep(so_far)
        click.echo(f"{so_far.tasks[-1]}\n")

    measured = funcnn.benchmark(names, each=show, **settings)
    click.echo(f"{tables.summary(measured)}\n")
    click.echo(tables.footer(measured.method, measured.environment, measured.missing))
    return measured


def _scaling(names: tuple[str, ...], keep: Callable[[Scaling], None], **settings: Any) -> Scaling:
    from funcnn.bench import tables
    from funcnn.bench.scaling import scale

    def show(so_far: Scaling) -> None:
        keep(so_far)
        if len(so_far.points) == 1:  # Not before bad input would have been refused.
            click.echo(tables.POINT_HEADING)
        click.echo(tables.point(so_far.points[-1]))

    measured = scale(names, each=show, **settings)
    click.echo(f"\n{tables.footer(measured.method, measured.environment, measured.left_out)}")
    return measured


def _cold(**settings: Any) -> Cold:
    from funcnn.bench.cold import from_cold

    measured = from_cold(**settings)
    click.echo(measured)
    return measured
