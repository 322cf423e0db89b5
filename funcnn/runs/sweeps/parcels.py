"""What travels to the workers of other processes: plans, once, and plain values.

A plan holds functions that pickle does not take, such as a user's lambda: cloudpickle does. A
process that has opened a parcel keeps its plans, by whose functions what is compiled is found.
"""

from __future__ import annotations

import functools
import os
import secrets
from collections.abc import Sequence
from types import ModuleType
from typing import Any, NamedTuple

import jax

from funcnn.core import ArgumentTypeError, MissingExtraError
from funcnn.runs.plan import Plan
from funcnn.runs.sweeps.tasks import Part, Task, carry_out

__all__ = ["Parcel", "carry_out_parcel", "packed"]


class Parcel(NamedTuple):
    """Plans that can travel, one a kind.

    Attributes:
        content: the plans.
        sender: the process that has packed it.
        token: tells it from every other parcel: Dask knows a task by its arguments, and would
            take that of the next sweep for one that is being forgotten.
    """

    content: bytes
    sender: int
    token: str


def packed(plans: Sequence[Plan]) -> Parcel:
    """Plans, packed together: the functions that they share stay the same.

    Raises:
        ArgumentTypeError: where a part of it cannot travel, by its name.
        MissingExtraError: where cloudpickle is not installed.
    """
    cloudpickle = _cloudpickle()
    try:
        content = cloudpickle.dumps([plan._replace(validation=None) for plan in plans])
        return Parcel(content, os.getpid(), secrets.token_hex(8))
    except Exception as error:
        parts = [
            (name, part)
            for plan in plans
            for name, part in {
                "model": plan.model,
                "loss": plan.problem.loss,
                "optimizer": plan.optimizer,
            }.items()
        ]
        for name, part in parts:
            try:
                cloudpickle.dumps(part)
            except Exception as reason:
                raise ArgumentTypeError(_refusal(name, reason)) from None
        raise ArgumentTypeError(_refusal("the sweep", error)) from None


def carry_out_parcel(parcel: Parcel, task: Task, attempt: int) -> Part:
    """Train a group in a worker's process.

    Args:
        parcel: the plans.
        task: the members.
        attempt: how often it has failed; engines that know a task by its arguments do it again.
    """
    del attempt
    if os.getpid() != parcel.sender:
        _compute_in_one_thread()
    try:
        return carry_out(_opened(parcel.content)[task.kind], task)
    except KeyboardInterrupt:  # The terminal sends Ctrl-C to all: the sender hears it too.
        raise RuntimeError("the worker was interrupted") from None


@functools.lru_cache(maxsize=2)
def _opened(content: bytes) -> list[Plan]:
    return _cloudpickle().loads(content)


@functools.cache
def _compute_in_one_thread() -> None:
    """Let XLA use one thread in this process, where it has not begun: other workers have the rest.

    It asks for the variable when it begins.
    """
    before = os.environ.get("NPROC")
    os.environ["NPROC"] = "1"
    try:
        jax.local_devices()
    finally:
        del os.environ["NPROC"]
        if before is not None:
            os.environ["NPROC"] = before


def _cloudpickle() -> ModuleType:
    try:
        import cloudpickle
    except ImportError:
        raise MissingExtraError("cloudpickle", "processes") from None
    return cloudpickle


def _refusal(name: str, reason: Any) -> str:
    return f"{name} cannot be sent to another process: {type(reason).__name__}: {reason}"
