"""The peers: each library as its own users would write it well, from the same arrays.

A peer is a name and ``prepare(task, device) -> Prepared``. Preparing places the
arrays and is not timed; ``Prepared.run(steps)`` starts from the task's params, makes
that many updates, computes the loss at each of them, and returns when the device is
done; ``Prepared.params`` turns what it returned into funcnn's tree of NumPy arrays.

Each file here is for one library (or one way of using it) and imports that library. It
is itself imported only when one of its peers is asked for.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np

from funcnn.bench.drawing import Task
from funcnn.core import ArgumentError, checks

__all__ = ["OWN", "PEERS", "NotServedError", "Peer", "Prepared", "find", "missing_package"]


class NotServedError(Exception):
    """A peer cannot do a task, or not on this device; the text says why."""


class Prepared(NamedTuple):
    """A peer, ready to run a task.

    Attributes:
        run: ``run(steps)`` trains anew from the task's params and waits for the end.
        params: from what ``run`` returned to funcnn's params.
    """

    run: Callable[[int], Any]
    params: Callable[[Any], dict[str, np.ndarray]]


class Peer(NamedTuple):
    """A way to do the tasks.

    Attributes:
        name: as the command line has it.
        prepare: ``prepare(task, device)``, the device being ``"cpu"`` or ``"gpu"``;
            raises ``NotServedError`` where the peer cannot do the task.
    """

    name: str
    prepare: Callable[[Task, str], Prepared]


OWN = "funcnn"
"""The peer that all others are held to."""

PEERS = {
    OWN: "own:direct_form",
    "funcnn-gram": "own:gram_form",
    "funcnn-call": "own:whole_call",
    "funcnn-processes": "own:in_processes",
    "numpy": "numpy_loops:by_hand",
    "torch-tutorial": "tutorials:pytorch",
    "torch-manual": "pytorch_by_hand:by_hand",
    "torch-autograd": "pytorch:autograd",
    "torch-compile": "pytorch:compiled",
    "torch-func": "pytorch:vmapped",
    "torch-cuda-graphs": "pytorch:cuda_graphs",
    "jax-loop": "jax_loops:loop",
    "jax-scan": "jax_loops:scan",
    "nnx-loop": "flax_nnx:loop",
    "nnx-scan": "flax_nnx:scan",
    "equinox-loop": "equinox_modules:loop",
    "equinox-scan": "equinox_modules:scan",
    "keras-loop": "keras_on_jax:loop",
    "keras-scan": "keras_on_jax:scan",
    "scikit-learn": "scikit_learn:regressor",
}
"""Where each peer's ``prepare`` is: the module here, and the function in it."""


def find(peers: Iterable[str | Peer] | None) -> tuple[list[Peer], dict[str, str]]:
    """The peers, funcnn first; and those that are not installed, with the reason.

    Args:
        peers: names of ``PEERS``, or peers of your own; None for all of ``PEERS``.

    Raises:
        ArgumentError, ArgumentTypeError: for a name that is none, or is taken twice.
    """
    asked: dict[str, str | Peer] = {OWN: OWN}
    for peer in PEERS if peers is None else peers:
        if not isinstance(peer, Peer):
            asked[checks.choice("peer", peer, PEERS)] = peer
        elif peer.name in {*PEERS, *asked}:
            raise ArgumentError(f"a peer of your own is named {peer.name!r}, which is taken")
        else:
            asked[peer.name] = peer
    found, missing = [], {}
    for name, peer in asked.items():
        try:
            found.append(peer if isinstance(peer, Peer) else Peer(name, _prepare(name)))
        except ImportError as error:
            missing[name] = missing_package(error)
    return found, missing


def missing_package(error: ImportError) -> str:
    """Which package is missing, and how to get it."""
    return f"{error.name or error} is not installed: pip install 'funcnn[bench]'"


def _prepare(name: str) -> Callable[[Task, str], Prepared]:
    return pkgutil.resolve_name(f"{__name__}.{PEERS[name]}")
