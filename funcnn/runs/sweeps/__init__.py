"""``sweep``: many runs at once, compiled once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from inspect import signature
from typing import Any

from funcnn import checks
from funcnn.core import Model
from funcnn.plans import accepted_by, choose_optimizer, make_plan, model_and_experiment
from funcnn.randomness import check_seed
from funcnn.sweeps.groups import run
from funcnn.sweeps.members import MODES, combined, swept_values
from funcnn.sweeps.results import SweepResult

__all__ = ["SweepResult", "sweep"]

STAND_IN = 0.5
"""For a number that is swept, in the plan that all members share: any value that every optimizer
takes but 0, which would leave the number's term out of the program."""


def sweep(
    model: str | Model | tuple[Callable[..., Any], Callable[..., Any]] | None = None,
    data: Any = None,
    *,
    mode: str = "product",
    log_every: int | None = None,
    group: int | None = None,
    progress: bool | None = None,
    **arguments: Any,
) -> SweepResult:
    """Train many networks at once, side by side in one compiled loop.

    The loop is that of ``train`` under ``jax.vmap``: each member is the run that
    ``train`` would give it, up to the order of roundings. However many values there
    are, the loop compiles once, and not again for other values as many.

    What can be swept is the seed, and every number of the optimizer:
    ``learning_rate``, ``momentum``, ``weight_decay``, ``alpha``, ``eps``, ``beta1``
    and ``beta2``. Any of them is swept if it is given as a list, a tuple, a range or an
    array of one axis.

    Args:
        model: as for ``train``.
        data: as for ``train``; the same for all members.
        mode: ``"product"`` for all combinations of the values, in the order in which
            they are given, the last changing fastest; ``"zip"`` for the first values,
            then the second, and so on.
        log_every: keep the loss of every so many steps, and of the last; of all
            steps without it.
        group: how many members go side by side; without it, as many as fit into the
            cache of a CPU, or 1 GiB on any other device. The members are the same.
        progress: whether to draw a bar on stderr; None where it is a terminal.
        **arguments: the values to sweep, and whatever else ``train`` takes.

    Returns:
        The losses, params and settings of all members.

    Raises:
        ArgumentError, ArgumentTypeError: for arguments that cannot be used, before
            anything compiles.
        TrainingInterrupted: after Ctrl-C, with the members that are finished, or the
            steps that are, where these are of the first group.

    A member that diverges is marked in the result, and the others go on.

    >>> result = sweep("polynomial", seed=range(4), learning_rate=[1e-6, 1e-7], steps=100)
    >>> result.losses.shape, result.params["a"].shape
    ((8, 100), (8,))
    >>> result.settings[:2]
    [{'seed': 0, 'learning_rate': 1e-06}, {'seed': 0, 'learning_rate': 1e-07}]
    >>> result.settings[result.ranking[0]]["learning_rate"]
    1e-06
    """
    checks.keywords(sweep, arguments, accepted_by(sweep, make_plan))
    checks.choice("mode", mode, MODES)
    every = 1 if log_every is None else checks.integer("log_every", log_every, at_least=1)
    if group is not None:
        group = checks.integer("group", group, at_least=1)
    if progress is not None:
        checks.flag("progress", progress)
    swept = swept_values(arguments)
    settings = combined(swept, mode)
    shared: dict[str, Any] = arguments | dict.fromkeys(swept, STAND_IN)
    if "seed" in swept:
        shared["seed"] = 0
    _check_values(model, swept, shared)
    return run(make_plan(model, data, **shared), settings, every, group, progress)


def _check_values(model: Any, swept: Mapping[str, Sequence[Any]], shared: dict[str, Any]) -> None:
    """Refuse every value that ``train`` would refuse, in its words."""
    _, own = model_and_experiment(model, shared.get("experiment"))
    numbers = {name: shared[name] for name in shared.keys() - signature(make_plan).parameters}
    for name, values in swept.items():
        for value in values:
            if name == "seed":
                check_seed(value)
            else:
                checks.number(name, value, positive=name == "learning_rate")
        if name != "seed":
            # What an optimizer takes has a lower and an upper end, and no gaps.
            for value in (min(values), max(values)):
                given = {"learning_rate": shared.get("learning_rate"), **numbers, name: value}
                choose_optimizer(shared.get("optimizer"), given.pop("learning_rate"), given, own)
