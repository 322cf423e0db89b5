"""The options for what is watched and kept of a run while it goes on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from funcnn import callbacks
from funcnn.cli.options import Command, added, one_or_pair
from funcnn.data import require_place
from funcnn.losses import LOSSES, binary_cross_entropy, cross_entropy, named, without_options
from funcnn.metrics import METRICS

__all__ = ["of_scores", "of_what_is_watched", "read_scores", "read_watched", "recording"]

RESUME = {"auto": "auto", "true": True, "false": False}

_SCORES = (
    click.option("--validation", metavar="FILE", multiple=True,
                 help="Samples to validate on, given as --data is."),
    click.option("--validation-fraction", metavar="PART", type=float,
                 help="The part of the samples to validate on, and not to train on: 0.2."),
    click.option("--metrics", metavar="NAME[,NAME...]",
                 help="What to measure beside the loss: "
                      f"{', '.join(name for name in METRICS if name not in LOSSES)}, or a loss. "
                      "With validation r2, or accuracy of classes, without it."),
    click.option("--evaluate-every", metavar="STEPS", type=int,
                 help="Steps between two measurements; an epoch without it."),
    click.option("--monitor", metavar="SCORE",
                 help="Keep the weights of the step at which this score is the best; with "
                      "validation and without it validation_loss; last: those of the last step."),
    click.option("--patience", metavar="N", type=int,
                 help="Stop after N measurements without a better one, and keep the best weights."),
    click.option("--min-delta", type=float, help="By how much a score must be better to count."),
)  # fmt: skip

_KEPT = (
    click.option("--mode", help="min or max: which of --monitor is the best."),
    click.option("--checkpoints", metavar="DIR", help="Save the run in DIR while it goes on."),
    click.option("--checkpoint-every", metavar="STEPS|TIME",
                 help="Steps between two, or time: 30s, 5min, 1h; a minute without it."),
    click.option("--keep", metavar="N", type=int, help="How many of them stay; 3 without it."),
    click.option("--resume", type=click.Choice(list(RESUME)),
                 help="Go on from the newest of DIR: true; auto: or begin where there is none."),
    click.option("--other-data", is_flag=True, default=None,
                 help="Go on although the data are others than before."),
    click.option("--other-numbers", is_flag=True, default=None,
                 help="Go on with the --learning-rate given now, and the like."),
    click.option("--json-lines", metavar="FILE",
                 help="Write each measurement as a line of JSON at once; --resume adds to FILE."),
    click.option("--tensorboard", metavar="DIR", help="Write each for TensorBoard."),
)  # fmt: skip


def of_what_is_watched(command: Command) -> Command:
    """Give a command these options."""
    return added((*_SCORES, *_KEPT), command)


def of_scores(command: Command) -> Command:
    """Give a command those of them that say what is measured."""
    return added(_SCORES, command)


def read_watched(options: Mapping[str, Any], usual_loss: str) -> dict[str, Any]:
    """The options of a run, as ``funcnn.train`` takes them.

    Args:
        options: all of them, as ``read_run`` gives them.
        usual_loss: the name of the loss where the options name none.
    """
    every = options["checkpoint_every"]
    return {
        **read_scores(options, usual_loss),
        "checkpoint_every": int(every) if every is not None and every.isdecimal() else every,
        "resume": RESUME.get(options["resume"]),
    }


def read_scores(options: Mapping[str, Any], usual_loss: str) -> dict[str, Any]:
    """The same, of those that say what is measured."""
    validation, metrics = one_or_pair("--validation", options["validation"]), options["metrics"]
    if metrics is not None:
        metrics = metrics.split(",")
    monitor = options["monitor"]
    parts = (validation, options["validation_fraction"], options.get("folds"))
    if any(part is not None for part in parts):
        if options["metrics"] is None:
            metrics = _usual_metric(options["loss"] or usual_loss, options["target"])
        if monitor is None:
            monitor = "validation_loss"
    return {
        **options,
        "validation": validation,
        "metrics": metrics,
        "monitor": None if monitor == "last" else monitor,
    }


def _usual_metric(loss: str, target: Any) -> str | None:
    """The metric that most people would ask for."""
    if without_options(named(loss)) not in (cross_entropy, binary_cross_entropy):
        return "r2"
    # Several targets are probabilities, or labels beside one another.
    return "accuracy" if target is None or isinstance(target, str) else None


def recording(json_lines: str | None, tensorboard: str | None) -> list[callbacks.Callback] | None:
    """The callbacks that write down each measurement; None where nobody asks for them."""
    wanted: list[callbacks.Callback] = []
    if tensorboard is not None:
        wanted.append(callbacks.TensorBoard(tensorboard))
    if json_lines is not None:
        wanted.append(callbacks.JsonLines(require_place(json_lines)))
    return wanted or None
