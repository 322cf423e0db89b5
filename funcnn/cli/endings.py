"""What ``funcnn train`` says at the end of a run: lines for a person, or facts for JSON."""

from __future__ import annotations

import math
from typing import Any

import click

import funcnn

__all__ = ["place", "print_end", "summary"]

VALIDATION = "validation_"


def summary(result: funcnn.TrainResult, told: range, saved: str | None) -> dict[str, Any]:
    """The facts of a run.

    Args:
        result: the run.
        told: the steps whose losses are among them.
        saved: the path of the weights; None where they were not written.
    """
    losses, best = result.losses, result.best
    return {
        "dtype": result.dtype,
        "form": result.form,
        "steps": len(losses),
        "first_loss": float(losses[0]) if len(losses) else None,
        "last_loss": float(losses[-1]) if len(losses) else None,
        "losses": [[step, float(losses[step])] for step in told if step < len(losses)],
        "scores": {
            name: value if math.isfinite(value) else None for name, value in _scores(result).items()
        },
        "best_step": None if best is None else best.step,
        "stopped_early": result.stopped_early,
        "resumed_from": result.resumed_from,
        "formula": result.formula,
        "compile_seconds": result.compile_seconds,
        "run_seconds": result.run_seconds,
        "microseconds_per_step": _microseconds(result),
        "saved": saved,
        **place(),
    }


def place() -> dict[str, Any]:
    """The facts of the machine."""
    import jax

    return {
        "device": jax.devices()[0].device_kind,
        "versions": {"funcnn": funcnn.__version__, "jax": jax.__version__},
    }


def print_end(result: funcnn.TrainResult, saved: str | None) -> None:
    """Print the end of a run."""
    steps = len(result.losses)
    if result.formula is not None:
        click.echo(f"Result: {result.formula}")
    if steps:
        click.echo(f"Loss: {float(result.losses[0])} -> {float(result.losses[-1])}")
    if scores := _scores(result):
        click.echo(_said(result, scores))
    if result.best is not None:
        click.echo(f"Best: step {result.best.step} of {steps}, whose weights are kept")
    elif (lower := _earlier(result)) is not None:
        click.echo(
            f"Best: step {lower}, and those of the last step are kept; "
            f"--monitor {VALIDATION}loss keeps the best"
        )
    microseconds = _microseconds(result)
    pace = "" if microseconds is None else f", {microseconds:.3g} µs a step"
    made = steps - result.resumed_from
    click.echo(
        f"Time: {result.compile_seconds:.2f} s to compile, "
        f"{result.run_seconds:.2f} s for {made} steps{pace}"
    )
    if saved is not None:
        click.echo(f"Weights: {saved}")


def _scores(result: funcnn.TrainResult) -> dict[str, float]:
    """The scores of the weights that are kept, by their names."""
    return {
        name: value
        for name, value in result.record.items()
        if name not in ("step", "epoch", "loss")
    }


def _said(result: funcnn.TrainResult, scores: dict[str, float]) -> str:
    place = "Validation" if next(iter(scores)).startswith(VALIDATION) else "Scores"
    facts = (f"{name.removeprefix(VALIDATION)} {value:.6g}" for name, value in scores.items())
    return f"{place}: {', '.join(facts)} after {int(result.record['step'])} steps"


def _earlier(result: funcnn.TrainResult) -> int | None:
    """The step at which the validation loss was lower than at the last; None without one."""
    losses = result.history.get(f"{VALIDATION}loss")
    if losses is None or not len(losses) or not losses.min() < losses[-1]:
        return None
    return int(result.history["step"][losses.argmin()])


def _microseconds(result: funcnn.TrainResult) -> float | None:
    pace = result.microseconds_per_step
    return None if math.isnan(pace) else pace
