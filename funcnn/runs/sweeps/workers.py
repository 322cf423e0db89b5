"""Workers of this process: threads, which share what is compiled.

XLA computes without holding Python's lock, so that as many groups go on at a time as there are
threads. Members side by side on the cores of a machine are faster than one group whose small
operations are spread over all cores.
"""

from __future__ import annotations

import contextlib
import queue
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any

import jax

from funcnn.core.cores import usable_cores
from funcnn.core.threads import settings_of_this_thread
from funcnn.runs.observers import Observer
from funcnn.runs.plan import Plan
from funcnn.runs.sweeps.tasks import Task, carry_out

__all__ = ["Here", "default_workers", "here"]


def default_workers() -> int:
    """How many groups are worked on at a time: one a core, or one a device other than the CPU."""
    devices = len(_devices())
    return devices if jax.default_backend() != "cpu" else max(devices, usable_cores())


class Here:
    """Workers of this process, for tasks.

    Args:
        executor: the threads.
        workers: how many there are.
        plans: what the members of each kind do.
        tasks: the groups.
        observers: what looks on; several threads call them.
    """

    attempts, drained = 1, True

    def __init__(
        self,
        executor: Executor,
        workers: int,
        plans: Sequence[Plan],
        tasks: Sequence[Task],
        observers: Sequence[Observer],
    ) -> None:
        # One more for each thread lies ready; in the calling thread it would be done at once.
        self.at_once = 2 * workers if workers > 1 else 1
        self._executor, self._plans = executor, plans
        self._tasks, self._observers = tasks, observers

    def submit(self, number: int, attempt: int) -> Future[Any]:
        """Train a group in a thread."""
        del attempt
        task = self._tasks[number]
        return self._executor.submit(carry_out, self._plans[task.kind], task, self._observers)

    def mend(self, error: Exception) -> None:
        """A thread goes on after an error."""


@contextlib.contextmanager
def here(
    workers: int,
    plans: Sequence[Plan],
    tasks: Sequence[Task],
    observers: Sequence[Observer],
    pool: ThreadPoolExecutor | None = None,
) -> Iterator[Here]:
    """Workers of this process; one is the calling thread itself.

    Each thread computes on a device of its own, where there are several and the user has not
    chosen one by ``jax.default_device``. On leaving, the tasks that run are waited for.

    Args:
        workers: how many.
        plans: what the members of each kind do.
        tasks: the groups.
        observers: what looks on.
        pool: threads of the user's, which stay; new ones without it.
    """
    with contextlib.ExitStack() as stack:
        if workers == 1 and pool is None:
            executor: Executor = _AtOnce()
        else:
            if pool is None:
                pool = stack.enter_context(ThreadPoolExecutor(workers, "funcnn-sweep"))
            executor = _OnDevices(pool, workers)
        yield Here(executor, workers, plans, tasks, observers)


class _AtOnce(Executor):
    """An executor that works in the calling thread: what is submitted is done on return."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


class _OnDevices(Executor):
    """Threads that compute under the settings of the thread that made this, on all devices."""

    def __init__(self, pool: Executor, workers: int) -> None:
        self._pool, self._settings = pool, settings_of_this_thread()
        self._free: queue.SimpleQueue[Any] = queue.SimpleQueue()
        devices = _devices()
        for number in range(workers):
            self._free.put(devices[number % len(devices)])

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        return self._pool.submit(self._call, fn, *args, **kwargs)

    def _call(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        device = self._free.get()
        try:
            with self._settings(), _on(device):
                return fn(*args, **kwargs)
        finally:
            self._free.put(device)


def _devices() -> list[Any]:
    """The devices to compute on; None for JAX's default, where there is nothing to choose."""
    if jax.config.jax_default_device is not None:  # pyright: ignore[reportAttributeAccessIssue]
        return [None]
    devices = jax.local_devices()
    return [None] if len(devices) == 1 else list(devices)


def _on(device: Any) -> contextlib.AbstractContextManager[Any]:
    return contextlib.nullcontext() if device is None else jax.default_device(device)
