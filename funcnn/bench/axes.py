"""What grows when cost is measured over sizes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

__all__ = ["AXES", "Axis"]


class Axis(NamedTuple):
    """What grows.

    Attributes:
        label: with its unit.
        task: the name of the task.
        sizes: how large it is made.
        arguments: from a size to what ``tasks.make`` takes.
        whole: whether the cost is that of a whole run, not of a step.
        peers: those that are measured along it, whoever is asked for; none for these.
        shared: whether what grows shares the work: then the picture shows which part of it
            is of use.
    """

    label: str
    task: str
    sizes: Sequence[int]
    arguments: Callable[[int], dict[str, Any]]
    whole: bool = False
    peers: Sequence[str] = ()
    shared: bool = False


AXES: Mapping[str, Axis] = MappingProxyType(
    {
        "steps": Axis(
            "steps of the cubic",
            "cubic-sgd",
            (30, 300, 3000, 30000),
            lambda size: {"steps": size},
            whole=True,
        ),
        "width": Axis(
            "hidden units of the network",
            "two-layer",
            (25, 100, 400, 1600),
            lambda size: {"widths": (1000, size, 10)},
        ),
        "batch": Axis(
            "samples of the network",
            "two-layer",
            (16, 64, 256, 1024, 4096),
            lambda size: {"samples": size},
        ),
        "points": Axis(
            "points of the cubic",
            "cubic-sgd",
            (200, 2000, 20000, 200000),
            lambda size: {"samples": size},
        ),
        "members": Axis(
            "cubics in a sweep",
            "sweep-cubic",
            (1, 10, 100, 1000),
            lambda size: {"members": size},
        ),
        "workers": Axis(
            "workers of a sweep of 64 networks",
            "sweep-mlp",
            (1, 2, 4),
            lambda size: {"workers": size},
            peers=("funcnn", "funcnn-gram", "funcnn-processes"),
            shared=True,
        ),
    }
)
