"""Each module with an optimizer and a scheduler of the lists, beside PyTorch's own loop."""

from __future__ import annotations

import itertools
import time
import warnings
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch.optim import Optimizer, lr_scheduler

from funcnn.atlas import reproduce
from funcnn.bench.modules.cases import CASES
from funcnn.bench.modules.drawing import DRAWING
from funcnn.bench.modules.held_out import HELD_OUT
from funcnn.core import ArgumentError

__all__ = ["ALL", "OPTIMIZERS", "SCHEDULERS", "STEPS", "Row", "print_table", "rows"]

STEPS = 100

OPTIMIZERS = {
    "SGD": lambda params: torch.optim.SGD(params, lr=0.01),
    "momentum": lambda params: torch.optim.SGD(params, lr=0.01, momentum=0.9, dampening=0.1),
    "nesterov": lambda params: torch.optim.SGD(
        params, lr=0.01, momentum=0.8, nesterov=True, weight_decay=1e-3
    ),
    "Adam": lambda params: torch.optim.Adam(params, lr=3e-3, weight_decay=1e-2),
    "AdamW": lambda params: torch.optim.AdamW(params, lr=3e-3, amsgrad=True),
    "NAdam": lambda params: torch.optim.NAdam(params, lr=3e-3),
    "Adamax": lambda params: torch.optim.Adamax(params, lr=3e-3),
    "RMSprop": lambda params: torch.optim.RMSprop(params, lr=1e-3, momentum=0.5),
    "Adagrad": lambda params: torch.optim.Adagrad(params, lr=0.01, lr_decay=0.01),
    "RAdam": lambda params: torch.optim.RAdam(params, lr=3e-3),
    "ASGD": lambda params: torch.optim.ASGD(params, lr=0.01, t0=20.0),
    "Adafactor": lambda params: torch.optim.Adafactor(params, lr=0.01),
    "Rprop": lambda params: torch.optim.Rprop(params, lr=1e-3),
    "Adadelta": lambda params: torch.optim.Adadelta(params, lr=0.5),
}

SCHEDULERS = {
    "none": lambda _: None,
    "StepLR": lambda optimizer: lr_scheduler.StepLR(optimizer, 20, 0.5),
    "cosine": lambda optimizer: lr_scheduler.CosineAnnealingLR(optimizer, STEPS),
    "exponential": lambda optimizer: lr_scheduler.ExponentialLR(optimizer, 0.97),
    "one cycle": lambda optimizer: lr_scheduler.OneCycleLR(
        optimizer, max_lr=0.02, total_steps=STEPS + 1, cycle_momentum=False
    ),
    "lambda": lambda optimizer: lr_scheduler.LambdaLR(optimizer, lambda step: 1 / (1 + 0.1 * step)),
    "warm-up": lambda optimizer: lr_scheduler.LinearLR(optimizer, 0.1, total_iters=10),
}


ALL = CASES | HELD_OUT | DRAWING

HEADINGS = {next(iter(HELD_OUT)): "held out:", next(iter(DRAWING)): "that draw:"}


class Row(NamedTuple):
    """A module's line of the table.

    Attributes:
        name: of the module.
        optimizer: of ``OPTIMIZERS``.
        scheduler: of ``SCHEDULERS``.
        difference: the largest of any step's loss, of those compared; NaN where it is refused.
        compared: how many steps are compared.
        verdict: ``"same"``, ``"DIFFERS"``, or why it is refused.
        seconds: what both loops took.
    """

    name: str
    optimizer: str
    scheduler: str
    difference: float
    compared: int
    verdict: str
    seconds: float


def rows(names: Sequence[str] = (), steps: int = STEPS) -> Iterator[Row]:
    """The lines of the modules of these names; of all without any."""
    pairs = zip(itertools.cycle(OPTIMIZERS), itertools.cycle(SCHEDULERS), strict=False)
    for (name, make), (optimizer, scheduler) in zip(ALL.items(), pairs, strict=False):
        if names and name not in names:
            continue
        torch.manual_seed(0)
        case = make()
        trained = [one for one in case.net.parameters() if one.requires_grad]
        own: Optimizer = OPTIMIZERS[optimizer](trained)
        begin = time.perf_counter()
        difference, compared = float("nan"), 0
        try:
            with warnings.catch_warnings(action="ignore"):
                found = reproduce(
                    case.net,
                    (case.x, case.y),
                    loss=case.loss,
                    optimizer=own,
                    scheduler=SCHEDULERS[scheduler](own),
                    steps=steps,
                )
        except ArgumentError as refusal:
            verdict = f"refused: {refusal}"
        else:
            compared = found.compared_steps
            away = np.abs(found.losses - found.reference_losses)[:compared]
            difference, verdict = float(away.max()), "same" if found.agrees else "DIFFERS"
        yield Row(
            name, optimizer, scheduler, difference, compared, verdict, time.perf_counter() - begin
        )


def print_table(names: Sequence[str]) -> None:
    """Print the table, a line when it is there."""
    print(f"{'module':<26}{'optimizer':<11}{'scheduler':<13}{'difference':>11}{'steps':>6}")
    kinds: dict[str, int] = {}
    for row in rows(names):
        if row.name in HEADINGS:
            print(HEADINGS[row.name])
        kind = row.verdict.split(":")[0]
        kinds[kind] = kinds.get(kind, 0) + 1
        print(
            f"{row.name:<26}{row.optimizer:<11}{row.scheduler:<13}{row.difference:>11.1e}"
            f"{row.compared:>6}  {row.verdict} ({row.seconds:.1f} s)",
            flush=True,
        )
    print(", ".join(f"{count} {kind}" for kind, count in kinds.items()))
