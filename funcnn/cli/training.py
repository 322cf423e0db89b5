"""The commands that train: ``funcnn train mlp``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

import funcnn
from funcnn.cli.options import of_a_run, read_hyperparameters, read_run
from funcnn.experiments import OF_MODEL, Experiment, find
from funcnn.reporting import logged_steps
from funcnn.weights import check_destination

if TYPE_CHECKING:
    from funcnn.results import TrainResult

__all__ = ["models", "train"]


@click.command()
def models() -> None:
    """List the models that can be trained by name."""
    for name, module in funcnn.models.MODELS.items():
        own = OF_MODEL[name]
        click.echo(f"{name}: {(module.__doc__ or '').splitlines()[0]}")
        click.echo(f"    {own.steps} steps of {own.optimizer} at {own.learning_rate:g}")


@click.command()
@of_a_run
@click.option("--learning-rate", type=float, help="Step size.")
@click.option("--set", "settings", metavar="NAME=NUMBER", multiple=True,
              help="A further setting of the optimizer: momentum=0.9, nesterov=true.")  # fmt: skip
@click.option("--seed", type=int, default=0, help="What the random numbers follow from.")
@click.option("--log-every", type=int, help="Steps between printed losses.")
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

    What is not given is as in the experiment, or in the tutorial that the model comes from.
    """
    arguments = read_run(**options)
    model, experiment = arguments["model"], arguments["experiment"]
    if save is not None:
        check_destination(save)
    own = find(experiment) if experiment is not None else OF_MODEL.get(model or "")
    logged = _logged(own, arguments["steps"], log_every)
    interrupted = False
    try:
        result = funcnn.train(
            log_every=None if as_json else logged,
            **arguments,
            **read_hyperparameters(settings, float, "NAME=NUMBER (or true, false)"),
        )
    except funcnn.TrainingInterrupted as stop:
        result, interrupted = stop.result, True
    if save is not None:
        result.save(save)
    if as_json:
        facts = {
            "model": model or (own and own.model),
            "seed": arguments["seed"],
            "interrupted": interrupted,
        }
        click.echo(json.dumps(facts | _summary(result, logged, save)))
    else:
        _print_end(result, save)
    if interrupted:
        raise KeyboardInterrupt


def _logged(own: Experiment | None, steps: int | None, log_every: int | None) -> range:
    """The steps to print: as asked, or those that the tutorial prints."""
    if own is None:  # An unknown model, which train will refuse.
        return range(0)
    steps = own.steps if steps is None else steps
    if log_every is not None:
        return logged_steps(log_every, steps)
    return range(own.printed.start, steps, own.printed.step)


def _summary(result: TrainResult, logged: range, saved: str | None) -> dict[str, Any]:
    import jax

    losses = result.losses
    return {
        "dtype": result.dtype,
        "form": result.form,
        "steps": len(losses),
        "first_loss": float(losses[0]) if len(losses) else None,
        "last_loss": float(losses[-1]) if len(losses) else None,
        "losses": [[step, float(losses[step])] for step in logged if step < len(losses)],
        "formula": result.formula,
        "compile_seconds": result.compile_seconds,
        "run_seconds": result.run_seconds,
        "microseconds_per_step": result.microseconds_per_step if len(losses) else None,
        "saved": saved,
        "device": jax.devices()[0].device_kind,
        "versions": {"funcnn": funcnn.__version__, "jax": jax.__version__},
    }


def _print_end(result: TrainResult, saved: str | None) -> None:
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
