"""Whether a sweep survives kills: ``python -m funcnn.bench.sweep_kills --workers dask``.

Of workers: a sweep is trained by two processes behind an executor (Dask, or a pool of processes),
and one of them is sent SIGKILL at a random moment; again and again, a sweep each. What is right:
the result is that of one process, to the bit.

Of a folder (``--workers folder``): a process that trains into a folder is sent SIGKILL at a random
moment, started again, and so on, until the sweep comes to its end. What is right: the result is
that of a sweep that was never killed, to the bit; no finished group is lost or trained again; and
none is damaged. It exits with 1 where anything else was seen.
"""

from __future__ import annotations

import concurrent.futures
import hashlib
import multiprocessing
import os
import signal
import sys
import tempfile
import threading
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import jax
import numpy as np
from tqdm import tqdm

from funcnn.runs import SweepResult, sweep

__all__ = ["main"]

MEMBERS, WIDTH, STEPS = 12, 2, 4000
"""Six groups, of tenths of a second each."""

LONGEST = 0.8
"""Seconds within which a worker is killed: longer than a sweep whose workers are warm."""

COLUMNS = ("sweeps", "kills", "lost", "again", "damaged", "other bits", "errors")
WRONG = COLUMNS[2:]


@click.command()
@click.option("--kills", type=click.IntRange(1), default=100, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True)
@click.option(
    "--workers", type=click.Choice(["dask", "processes", "folder"]), default="dask",
    help="Who is killed: a worker of Dask or of a pool, or the process that writes a folder.",
)  # fmt: skip
def main(kills: int, seed: int, workers: str) -> None:
    """Kill workers at random moments, and compare what comes of the sweep."""
    rng = np.random.default_rng(seed)
    whole = digest(trained())
    with tqdm(total=kills, unit="kill", leave=False) as bar:
        if workers == "folder":
            seen = _folders(kills, whole, rng, bar)
        else:
            seen = _workers(ENGINES[workers], kills, whole, rng, bar)
    click.echo(f"| killed | {' | '.join(COLUMNS)} |\n|{'---|' * (1 + len(COLUMNS))}")
    click.echo(f"| {workers} | {' | '.join(str(seen[column]) for column in COLUMNS)} |")
    sys.exit(any(seen[column] for column in WRONG))


def trained(**more: Any) -> SweepResult:
    """The sweep."""
    rng = np.random.default_rng(0)
    return sweep(
        "mlp_linear",
        (rng.standard_normal((17, 4)), rng.standard_normal((17, 2))),
        hidden=6,
        steps=STEPS,
        batch_size=5,
        keep_every=100,
        progress=False,
        seed=range(MEMBERS),
        group=WIDTH,
        **more,
    )


def digest(result: SweepResult) -> str:
    """The SHA-256 of all that a sweep came to."""
    content = hashlib.sha256()
    for leaf in jax.tree.leaves((result.losses, result.diverged, result.state)):
        content.update(np.ascontiguousarray(leaf).tobytes())
    return content.hexdigest()


def _workers(
    engine: Callable[[], Any], kills: int, whole: str, rng: np.random.Generator, bar: tqdm
) -> Counter:
    seen = Counter()
    while seen["kills"] < kills:
        with engine() as (executor, processes):
            trained(executor=executor)  # The workers compile.
            # The next kill is of fresh workers.
            while seen["kills"] < kills:
                victims = processes()
                if len(victims) < 2:
                    time.sleep(0.1)
                    continue
                kill = threading.Timer(
                    rng.uniform(0, LONGEST), _kill, [int(rng.choice(victims)), seen]
                )
                before = seen["kills"]
                kill.start()
                try:
                    seen["other bits"] += digest(trained(executor=executor)) != whole
                except Exception as error:
                    click.echo(f"\n{type(error).__name__}: {error}", err=True)
                    seen["errors"] += 1
                kill.cancel()
                kill.join()
                seen["sweeps"] += 1
                bar.update(seen["kills"] - before)
                if seen["kills"] > before:
                    break
    return seen


def _kill(process: int, seen: Counter) -> None:
    try:
        os.kill(process, signal.SIGKILL)
    except ProcessLookupError:
        return
    seen["kills"] += 1


@contextmanager
def _dask() -> Iterator[Any]:
    import logging

    import dask.config
    from distributed import Client, LocalCluster

    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # It tells of every lost worker.
    options: dict[str, Any] = {"host": "127.0.0.1", "dashboard_address": None}
    # Who asks a killed worker for its results waits that long for an answer: 30 s in Dask's own.
    quick = {"distributed.comm.timeouts.connect": "3s"}
    with (
        dask.config.set(quick),
        LocalCluster(n_workers=2, threads_per_worker=1, **options) as cluster,
        Client(cluster) as client,
    ):
        workers: dict[Any, Any] = getattr(cluster, "workers")  # noqa: B009
        yield client, lambda: [one.pid for one in workers.values() if one.pid]


@contextmanager
def _processes() -> Iterator[Any]:
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(2, context) as pool:
        yield pool, lambda: [one.pid for one in multiprocessing.active_children()]
        # One that was killed may have held a lock of the pool, for which the other waits for ever.
        for one in multiprocessing.active_children():
            one.kill()


ENGINES = {"dask": _dask, "processes": _processes}


def _folders(kills: int, whole: str, rng: np.random.Generator, bar: tqdm) -> Counter:
    """Sweeps into folders, each begun again until it ends."""
    # Children are forked from a process that has imported what they need, and done no more.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["funcnn.bench", "tqdm"])
    seen = Counter()
    while seen["kills"] < kills:
        seen["sweeps"] += 1
        with tempfile.TemporaryDirectory() as parent:
            _one_folder(context, Path(parent, "sweep"), kills, whole, rng, bar, seen)
    return seen


def _one_folder(
    context: Any,
    folder: Path,
    kills: int,
    whole: str,
    rng: np.random.Generator,
    bar: tqdm,
    seen: Counter,
) -> None:
    finished: dict[str, int] = {}  # The groups that stood there, with the files' inode numbers.
    while True:
        ours, theirs = context.Pipe(duplex=False)
        process = context.Process(target=_into_folder, args=(folder, theirs), daemon=True)
        process.start()
        theirs.close()
        moment = rng.uniform(0, 4 * LONGEST) if seen["kills"] < kills else None
        ours.recv()  # It has imported what it needs.
        process.join(moment)
        killed = process.is_alive()
        process.kill()
        process.join()
        now = {path.name: path.stat().st_ino for path in folder.glob("group-*.npz")}
        seen["lost"] += len(finished.keys() - now.keys())
        seen["again"] += sum(now.get(name, number) != number for name, number in finished.items())
        finished = now
        with ours:
            said = ours.recv() if not killed and ours.poll() else None
        if said is not None:
            seen["damaged"] += said[1]
            seen["other bits"] += said[0] != whole
            return
        if not killed:
            seen["errors"] += 1
            return
        seen["kills"] += 1
        bar.update()


def _into_folder(folder: Path, connection: Any) -> None:
    """What a process does: train, and say what it comes to, with how many warnings."""
    connection.send("begun")
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        result = trained(folder=folder, workers=2)
    connection.send((digest(result), len(warned)))


if __name__ == "__main__":
    main()
