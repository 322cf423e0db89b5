"""Workers of other processes, behind an executor of the user's.

An executor is whatever has ``submit(function, *arguments)`` and gives a future, something with
``done()``, ``result()`` and ``cancel()``: pools of ``concurrent.futures``, Dask's ``Client``,
``mpi4py.futures.MPIPoolExecutor`` and ``submitit.AutoExecutor`` are such. Ray has no ``submit``,
and two lines make one of it::

    call = ray.remote(lambda function, *arguments: function(*arguments))
    executor = types.SimpleNamespace(submit=lambda *given: call.remote(*given).future())

It does not tell how many workers it has: ``sweep(executor=executor, workers=...)`` does. Ray
itself trains a task again whose worker is lost. Its processes listen on all addresses of the
machine, whatever they are told, and do what anybody asks of them who reaches these: it is for a
network of its own, behind a firewall.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from concurrent.futures import BrokenExecutor, Executor
from typing import Any

from funcnn.core import ArgumentError, ArgumentTypeError
from funcnn.runs.plan import Plan
from funcnn.runs.sweeps.parcels import carry_out_parcel, packed
from funcnn.runs.sweeps.tasks import Task
from funcnn.runs.sweeps.workers import default_workers

__all__ = ["Elsewhere", "check_executor", "elsewhere", "workers_of"]

ATTEMPTS = 3
"""How often a group is begun: a worker may be killed, or lose its machine."""


def check_executor(executor: Any) -> Any:
    """The executor, where tasks can be submitted to it.

    Raises:
        ArgumentTypeError: for what has no ``submit``.
        ArgumentError: for processes that are forked.
    """
    if isinstance(executor, type) or not callable(getattr(executor, "submit", None)):
        raise ArgumentTypeError(
            f"executor={executor!r:.60} has no submit: give a pool of concurrent.futures, a Dask "
            f"Client, an MPIPoolExecutor of mpi4py.futures, or an AutoExecutor of submitit"
        )
    context = getattr(executor, "_mp_context", None)  # Pools of processes have one.
    if isinstance(executor, Executor) and context and context.get_start_method() == "fork":
        raise ArgumentError(
            "executor= starts its processes by fork, which hangs once JAX has begun: "
            "ProcessPoolExecutor(mp_context=multiprocessing.get_context('spawn'))"
        )
    return executor


def workers_of(executor: Any) -> int:
    """How many tasks an executor does at a time; as many as this machine, where it does not tell.

    Pools of ``concurrent.futures``, those of mpi4py, and Dask's clients tell.
    """
    for name in ("_max_workers", "num_workers"):
        if isinstance(number := getattr(executor, name, None), int):
            return max(1, number)
    if hasattr(executor, "nthreads"):
        return max(1, sum(executor.nthreads().values()))
    return default_workers()


class Elsewhere:
    """Workers of other processes.

    Args:
        executor: what reaches them.
        workers: how many there are.
        plans: what the members of each kind do.
        tasks: the groups.
    """

    attempts, drained = ATTEMPTS, False

    def __init__(
        self, executor: Any, workers: int, plans: Sequence[Plan], tasks: Sequence[Task]
    ) -> None:
        self.at_once = 2 * workers  # One more for each lies ready.
        self._executor, self._tasks = executor, tasks
        self._parcel = packed(plans)
        self._own: Executor | None = None

    def submit(self, number: int, attempt: int) -> Any:
        """Train a group somewhere."""
        arguments = carry_out_parcel, self._parcel, self._tasks[number], attempt
        try:
            return self._executor.submit(*arguments)
        except BrokenExecutor:
            self._renew()
            return self._executor.submit(*arguments)

    def mend(self, error: Exception) -> None:
        """A pool that a dead worker broke takes no more tasks: take a fresh one like it."""
        if isinstance(error, BrokenExecutor) and getattr(self._executor, "_broken", False):
            self._renew()

    def _renew(self) -> None:
        from concurrent.futures import ProcessPoolExecutor  # It costs import time.

        broken = self._executor
        if not isinstance(broken, ProcessPoolExecutor):
            return
        self.close()
        self._executor = self._own = ProcessPoolExecutor(
            *(getattr(broken, name) for name in ("_max_workers", "_mp_context")),
            *(getattr(broken, name) for name in ("_initializer", "_initargs")),
        )

    def close(self) -> None:
        """Let go of a pool that was made here; that of the user stays."""
        if self._own is not None:
            self._own.shutdown(wait=False, cancel_futures=True)


@contextlib.contextmanager
def elsewhere(
    executor: Any, workers: int, plans: Sequence[Plan], tasks: Sequence[Task]
) -> Iterator[Elsewhere]:
    """Workers of other processes; see :class:`Elsewhere`."""
    reached = Elsewhere(executor, workers, plans, tasks)
    try:
        yield reached
    finally:
        reached.close()
