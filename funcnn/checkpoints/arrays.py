"""Arrays to a folder of files and back. Orbax does it, and no other file knows it."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

import jax
import numpy as np

from funcnn.core import MissingExtraError

__all__ = ["read_arrays", "require_orbax", "write_arrays"]

T = TypeVar("T")


def require_orbax() -> ModuleType:
    """Orbax, or the error that names the extra it comes with."""
    with _quiet():
        try:
            import orbax.checkpoint
        except ImportError:
            raise MissingExtraError("orbax-checkpoint", "checkpoint") from None
    return orbax.checkpoint


def write_arrays(folder: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays, at least one and none of size 0, to a folder that is not there yet."""
    orbax = require_orbax()

    def write() -> None:
        # Params hardly get smaller: compressed, 100 MB took four times the work.
        handler = orbax.PyTreeCheckpointHandler(use_compression=False)
        with orbax.Checkpointer(handler, multiprocessing_options=_alone()) as checkpointer:
            checkpointer.save(folder, args=orbax.args.PyTreeSave(dict(arrays)))

    _in_own_thread(write)


def read_arrays(folder: Path, names: list[str]) -> dict[str, np.ndarray]:
    """The arrays that :func:`write_arrays` wrote under these names, in the dtypes they had."""
    orbax = require_orbax()
    as_numpy = orbax.RestoreArgs(restore_type=np.ndarray)
    args = orbax.args.PyTreeRestore(restore_args=dict.fromkeys(names, as_numpy))

    def read() -> dict[str, np.ndarray]:
        handler = orbax.PyTreeCheckpointHandler()
        with orbax.Checkpointer(handler, multiprocessing_options=_alone()) as checkpointer:
            return checkpointer.restore(folder, args=args)

    return _in_own_thread(read)


def _alone() -> Any:
    """Of several processes this one reads or writes, and waits for no other."""
    own = jax.process_index()
    return require_orbax().options.MultiprocessingOptions(own, {own})


def _in_own_thread(work: Callable[[], T]) -> T:
    """Run Orbax where it can do no harm.

    It removes the event loop of the thread that it runs in, and cannot run beside one that
    is running (a notebook's). A Ctrl-C reaches the main thread alone, which first waits for
    this one: Orbax is never cut off in the middle.
    """
    with _quiet(), ThreadPoolExecutor(1) as pool:
        pool.submit(int).result()  # A thread is waited for only once it has started.
        return pool.submit(work).result()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep Orbax's log to itself, and logging as it was.

    Orbax logs through absl, which gives the root logger a handler for stderr where it has
    none. Only the records of Orbax are dropped.
    """
    placeholder = logging.NullHandler()
    absl = logging.getLogger("absl")
    if not logging.root.handlers:
        logging.root.addHandler(placeholder)
    absl.addFilter(_not_of_orbax)
    try:
        yield
    finally:
        absl.removeFilter(_not_of_orbax)
        logging.root.removeHandler(placeholder)


def _not_of_orbax(record: logging.LogRecord) -> bool:
    return "orbax" not in Path(record.pathname).parts
