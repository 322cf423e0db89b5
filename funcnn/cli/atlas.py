"""The commands for the tutorials' experiments: ``funcnn reproduce --all``."""

from __future__ import annotations

import click

import funcnn
from funcnn.atlas import Reproduction, find_reference
from funcnn.atlas import report as reports
from funcnn.atlas import reproduce as reproduce_one
from funcnn.experiments import EXPERIMENTS, find

__all__ = ["experiments", "reproduce"]


@click.command()
def experiments() -> None:
    """List the tutorials' experiments."""
    for record in EXPERIMENTS.values():
        click.echo(f"{record.name:<28}{record.tutorial}, {record.section}")


@click.command()
@click.argument("names", metavar="[NAME]...", nargs=-1)
@click.option("--all", "every", is_flag=True, help="Reproduce every experiment.")
@click.option("--dtype", default="float64", help="float64 or float32.", show_default=True)
@click.option("--steps", type=int, help="Number of updates; the experiment's without it.")
@click.option("--seed", type=int, default=0, help="What the initial values follow from.")
@click.option("--report", metavar="DIR", help="Write DIR/index.html: code, curves, differences.")
@click.pass_context
def reproduce(
    context: click.Context,
    names: tuple[str, ...],
    every: bool,
    dtype: str,
    steps: int | None,
    seed: int,
    report: str | None,
) -> None:
    """Run experiments beside their references and compare the losses at every step.

    "funcnn experiments" lists the names. Exits with 1 where any pair differs by more than
    the experiment allows.
    """
    if bool(names) == every:
        raise funcnn.ArgumentError("either the NAMEs of experiments or --all is needed")
    records = list(EXPERIMENTS.values()) if every else [find(name) for name in dict.fromkeys(names)]
    for record in records:
        find_reference(record)  # What is missing is said before any has run.
    if report is not None:
        reports.check_destination(report)
    reproductions = []
    for record in records:
        reproductions.append(reproduce_one(record, dtype=dtype, steps=steps, seed=seed))
        if len(reproductions) == 1:  # Not before bad input would have been refused.
            click.echo(HEADER)
        click.echo(_row(reproductions[-1]))
    agreeing = sum(reproduction.agrees for reproduction in reproductions)
    click.echo(f"{agreeing} of {len(reproductions)} agree, in {dtype}")
    if report is not None:
        click.echo(f"Report: {reports.write(reproductions, report)}")
    if agreeing < len(reproductions):
        context.exit(1)


HEADER = (
    f"{'experiment':<28}{'compared':>13}{'largest difference':>27}{'of allowed':>12}"
    f"{'params':>10}{'reference':>11}{'funcnn':>9}"
)


def _row(reproduction: Reproduction) -> str:
    difference = f"{reproduction.largest_difference:.1e} at step {reproduction.worst_step:>5}"
    return (
        f"{reproduction.experiment.name:<28}{reproduction.compared:>13}{difference:>27}"
        f"{reproduction.share_of_tolerance:>12.2g}{reproduction.params_difference:>10.1e}"
        f"{reproduction.reference_seconds:>9.2f} s{reproduction.seconds:>7.2f} s"
        f"  {'agrees' if reproduction.agrees else 'DIFFERS'}"
    )
