"""The benchmark: funcnn beside the libraries that train the same networks.

``tasks`` says what is measured, ``peers`` by which libraries, ``timing`` how. Further
measurements are in ``scaling``, ``cold``, ``auto``, ``overhead`` and ``real``.

Imports go one way: ``records`` (plain data), ``tables`` and ``pictures`` (how a record is
shown), ``results`` (records that print and plot), and then what measures.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from funcnn.bench import environment, measuring
from funcnn.bench.drawing import Task
from funcnn.bench.peers import Peer, find
from funcnn.bench.records import Record
from funcnn.bench.results import Benchmark
from funcnn.bench.tables import table
from funcnn.bench.tasks import TASKS, make
from funcnn.bench.timing import METHOD
from funcnn.core import checks

__all__ = ["Record", "benchmark", "table"]


def benchmark(
    tasks: str | Task | Sequence[str | Task] | None = None,
    *,
    peers: str | Peer | Sequence[str | Peer] | None = None,
    rounds: int = 9,
    device: str | None = None,
    each: Callable[[Benchmark], object] | None = None,
) -> Benchmark:
    """Time funcnn beside the libraries that train the same networks.

    Every peer starts from the same arrays, and its time counts if it ends at funcnn's
    loss. Libraries that are not installed are named in the result; the extra ``bench``
    installs them all.

    Args:
        tasks: one or several of ``funcnn.bench.tasks.TASKS``, or tasks of your own; all of
            the former without it.
        peers: one or several of ``funcnn.bench.peers.PEERS``, or peers of your own; all of
            the former without it. funcnn is always among them.
        rounds: how often each peer is timed.
        device: ``"cpu"`` or ``"gpu"``; JAX's own choice without it.
        each: called after each task with the result so far.

    Returns:
        A table as ``str``; ``plot()``, ``save(path)`` and ``load(path)``; the figures
        in ``tasks``.

    Raises:
        ArgumentError, ArgumentTypeError: for arguments that cannot be used, before
            anything runs.
    """
    asked = [tasks] if isinstance(tasks, (str, Task)) else tasks or TASKS
    for task in asked:
        if not isinstance(task, Task):
            checks.choice("task", task, TASKS)
    device = environment.check_device(device)  # The next line may import for seconds.
    found, missing = find([peers] if isinstance(peers, (str, Peer)) else peers)

    def results(
        method: str, facts: dict[str, Any], rounds: int, device: str
    ) -> Iterator[Benchmark]:
        result = Benchmark(method, facts, missing, tasks=())
        for task in asked:
            made = task if isinstance(task, Task) else make(task)
            measured = measuring.measure(made, found, rounds, device)
            result = dataclasses.replace(result, tasks=(*result.tasks, measured))
            yield result

    return environment.last_of(results, METHOD, rounds, device, each)
