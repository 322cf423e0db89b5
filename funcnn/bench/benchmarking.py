"""``benchmark``: tasks and peers by name, measured one task after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from funcnn import checks
from funcnn.bench import environment, measuring, tasks
from funcnn.bench.peers import Peer, find
from funcnn.bench.results import Benchmark, TaskResult
from funcnn.bench.tasks import Task
from funcnn.bench.timing import METHOD

__all__ = ["benchmark"]

ROUNDS = 9


def benchmark(
    names: str | Task | Sequence[str | Task] | None = None,
    *,
    peers: str | Peer | Sequence[str | Peer] | None = None,
    rounds: int = ROUNDS,
    device: str | None = None,
    each: Callable[[TaskResult], object] | None = None,
) -> Benchmark:
    """Time funcnn beside the libraries that train the same networks.

    Every peer starts from the same arrays, and its time counts if it ends at funcnn's
    loss. Those that are not installed are named in the result; the extra ``bench``
    has them all.

    Args:
        names: one or several of ``funcnn.bench.tasks.TASKS``, or tasks of your own; all of
            the former without it.
        peers: one or several of ``funcnn.bench.peers.PEERS``, or peers of your own; all of
            the former without it. funcnn is always among them.
        rounds: how often each peer is timed.
        device: ``"cpu"`` or ``"gpu"``; JAX's own choice without it.
        each: called with each task's result when it is there.

    Returns:
        A table as ``str``; ``plot()``, ``save(path)`` and ``load(path)``; the figures
        in ``tasks``.

    Raises:
        ArgumentError, ArgumentTypeError: for arguments that cannot be used, before
            anything runs.
    """
    asked = [names] if isinstance(names, (str, Task)) else names or tasks.TASKS
    todo = [task if isinstance(task, Task) else tasks.make(task) for task in asked]
    rounds = checks.integer("rounds", rounds, at_least=1)
    device = environment.check_device(device)
    found, missing = find([peers] if isinstance(peers, (str, Peer)) else peers)
    results = []
    with environment.settings(device):
        for task in todo:
            results.append(measuring.measure(task, found, rounds, device))
            if each is not None:
                each(results[-1])
    method = METHOD.format(rounds=rounds)
    return Benchmark(method, environment.described(device), missing, tuple(results))
