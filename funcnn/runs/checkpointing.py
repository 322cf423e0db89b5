"""Where a run's checkpoints stand, whose they are, and how a run goes on from one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from funcnn.checkpoints import INFORMATIVE, Checkpoint, CheckpointFolder
from funcnn.core import ArgumentError, ArgumentTypeError, checks
from funcnn.core.precision import numerics
from funcnn.runs.manifest import manifest_of
from funcnn.runs.observers.checkpoints import Every, Remembering
from funcnn.runs.plan import Plan
from funcnn.runs.processes import first_says, is_first, is_shared

__all__ = ["Keeping", "keeping_of", "resumed"]

EVERY = "60s"
"""How often to save where nobody says."""

KEEP = 3
"""How many checkpoints stay where nobody says."""


NONE = -1
"""In place of the step of a checkpoint, where there is none."""


class Keeping(NamedTuple):
    """How a run keeps checkpoints.

    Attributes:
        folder: where.
        every: how often.
        resume: ``True`` to go on from the newest, ``False`` to begin in a folder without any,
            ``"auto"`` for whichever it is.
        other_numbers: whether the optimizer's numbers that the call gives replace those that were
            saved.
    """

    folder: CheckpointFolder
    every: Every
    resume: bool | str
    other_numbers: bool = False


def keeping_of(
    plan: Plan,
    monitored: Mapping[str, Any],
    *,
    checkpoints: Any = None,
    checkpoint_every: Any = None,
    keep: Any = None,
    resume: Any = None,
    other_data: Any = None,
    other_numbers: Any = None,
) -> Keeping | None:
    """How the arguments of ``train`` ask for checkpoints; None where they do not.

    Args:
        plan: the run.
        monitored: what the end of the run depends on beside the plan, in JSON's words.
        checkpoints: the folder.
        checkpoint_every: the steps between two, or the seconds as ``"30s"``.
        keep: how many stay.
        resume: True, False or ``"auto"``.
        other_data: whether the run may go on with other data.
        other_numbers: whether it may go on with other numbers of the optimizer.

    Raises:
        ArgumentError, ArgumentTypeError: for arguments that cannot be used.
    """
    if checkpoints is None:
        given = {
            "checkpoint_every": checkpoint_every,
            "keep": keep,
            "resume": resume,
            "other_data": other_data,
            "other_numbers": other_numbers,
        }
        for name, value in given.items():
            if value is not None:
                raise ArgumentError(f"{name} is for checkpoints=, the folder, which is not given")
        return None
    allowed = {"data": other_data, "numbers": other_numbers}
    others = {
        part
        for part, asked in allowed.items()
        if asked is not None and checks.flag(f"other_{part}", asked)
    }
    # Where there may be other samples, there may be as many as make it another step.
    informative = INFORMATIVE | others | ({"step"} if "data" in others else set())
    manifest = manifest_of(plan, monitored)
    folder = CheckpointFolder(checkpoints, KEEP if keep is None else keep, manifest, informative)
    every = _every(EVERY if checkpoint_every is None else checkpoint_every)
    asked = _resume(resume)
    if asked is True and not folder.folder.exists():
        raise _nothing_in(folder)
    return Keeping(folder, every, asked, "numbers" in others)


def resumed(plan: Plan, keeping: Keeping, remembering: Mapping[str, Remembering]) -> Plan:
    """The plan, going on from the newest checkpoint where it is to; observers recall theirs.

    To be called while the folder is open, by the first process of the run.

    Raises:
        ArgumentError: where there is none and one is needed, where there is one and none was
            expected, or where it is another run's.
    """
    folder = keeping.folder
    if not keeping.resume:
        if is_first(plan) and folder.steps():
            raise ArgumentError(
                f"checkpoints={str(folder.folder)!r} holds those of an earlier run, to step "
                f"{folder.steps()[-1]}: resume=True goes on with it; or give another folder"
            )
        return plan
    with numerics(plan.dtype):
        newest = _newest(plan, folder)
        if newest is None:
            if keeping.resume == "auto":
                return plan
            raise _nothing_in(folder)
        if newest.step > plan.steps:
            raise ArgumentError(
                f"steps={plan.steps}, and the checkpoint is of step {newest.step} already"
            )
        # Copies: JAX may read a NumPy array later.
        state = jax.tree.map(
            lambda leaf: leaf if isinstance(leaf, jax.Array) else jnp.array(leaf), newest.state
        )
        losses = newest.memory["losses"]["kept"][0]
        memory = {"evaluations": {"rows": [], "losses": losses}} | newest.memory
        for name, observer in remembering.items():
            observer.recall(memory[name])
    named = plan.named if keeping.other_numbers else frozenset()
    return plan._replace(params=None, state=state, done=newest.step, named=named)


def _nothing_in(folder: CheckpointFolder) -> ArgumentError:
    return ArgumentError(
        f"checkpoints={str(folder.folder)!r} holds none to go on from: resume='auto' begins where "
        f"there is none"
    )


def _newest(plan: Plan, folder: CheckpointFolder) -> Checkpoint | None:
    """The newest sound checkpoint; of several processes the first says which it is."""
    if not is_first(plan):
        step = first_says(NONE)
        return None if step == NONE else folder.read(step, plan.state_shapes)
    try:
        newest = folder.newest(plan.state_shapes)
    except ArgumentError as error:
        _, *lines = str(error).splitlines()
        for part in ("data", "numbers"):
            if lines and all(line.startswith(f"  {part}.") for line in lines):
                raise ArgumentError(f"{error}\n  other_{part}=True goes on with them") from None
        raise
    if is_shared(plan):
        first_says(NONE if newest is None else newest.step)
    return newest


def _resume(asked: Any) -> bool | str:
    if asked is None or isinstance(asked, (bool, np.bool_)):
        return bool(asked)
    if isinstance(asked, str) and asked == "auto":
        return asked
    kind = ArgumentError if isinstance(asked, str) else ArgumentTypeError
    raise kind(f"resume={asked!r} must be True, False or 'auto'")


def _every(asked: Any) -> Every:
    if not isinstance(asked, str):
        return Every(steps=checks.integer("checkpoint_every", asked, at_least=1))
    found = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]*)?)\s*(s|min|h)\s*", asked)
    if found is None or float(found[1]) == 0:
        raise ArgumentError(
            f"checkpoint_every={asked!r} must be a number of steps, or a time such as '30s', "
            f"'5min' or '1h'"
        )
    number, unit = found.groups()
    return Every(seconds=float(number) * {"s": 1, "min": 60, "h": 3600}[unit])
