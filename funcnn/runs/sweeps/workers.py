"""Workers of this process: threads, which share what is compiled.

XLA computes without holding Python's lock, so that as many groups go on at a time as there are
threads. Members side by side on the cores of a machine are faster than one group whose small
operations are spread over all cores.
"""

from __future__ import annotations

import contextlib
import queue
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any

import jax

from funcnn.core.cores import usable_cores
from funcnn.core.threads import settings_of_this_thread

__all__ = ["Here", "default_workers", "threads"]


def default_workers() -> int:
    """How many groups are worked on at a time: one a core, or one a device other than the CPU."""
    devices = len(_devices())
    return devices if jax.default_backend() != "cpu" else max(devices, usable_cores())


@contextlib.contextmanager
def threads(workers: int) -> Iterator[Executor]:
    """An executor of this process; one worker is the calling thread itself.

    Each thread computes on a device of its own, where there are several and the user has not
    chosen one by ``jax.default_device``. On leaving, the tasks that run are waited for.
    """
    if workers == 1:
        yield Here()
        return
    devices, inherited = _devices(), settings_of_this_thread()
    free: queue.SimpleQueue[Any] = queue.SimpleQueue()
    for number in range(workers):
        free.put(devices[number % len(devices)])

    def in_thread(function: Callable[..., Any], *arguments: Any) -> Any:
        device = free.get()
        try:
            with inherited(), _on(device):
                return function(*arguments)
        finally:
            free.put(device)

    with ThreadPoolExecutor(workers, "funcnn-sweep") as pool:
        try:
            yield _Through(pool, in_thread)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


class Here(Executor):
    """An executor that works in the calling thread: what is submitted is done on return."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Call a function."""
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


class _Through(Executor):
    """An executor that calls all functions through another function."""

    def __init__(self, pool: Executor, call: Callable[..., Any]) -> None:
        self._pool, self._call = pool, call

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        return self._pool.submit(self._call, fn, *args, **kwargs)


def _devices() -> list[Any]:
    """The devices to compute on; None for JAX's default, where there is nothing to choose."""
    if jax.config.jax_default_device is not None:  # pyright: ignore[reportAttributeAccessIssue]
        return [None]
    devices = jax.local_devices()
    return [None] if len(devices) == 1 else list(devices)


def _on(device: Any) -> contextlib.AbstractContextManager[Any]:
    return contextlib.nullcontext() if device is None else jax.default_device(device)
