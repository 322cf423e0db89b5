"""Whether a run survives being killed: ``python -m funcnn.bench.kills --kills 300 --seed 0``.

A process trains and saves checkpoints all the time. It is sent SIGKILL at a random moment,
started again with ``resume="auto"``, killed again, and so on until it comes to its end. What is
right: the final state, the losses and the history are those of a run that was never killed, to
the bit; a step that the process said was saved is never lost; and no checkpoint is damaged. It
exits with 1 where anything else was seen.

The moments come from a seed, but where in the program they fall depends on the machine. Half of
them are counted from the start of the process, the others from its first save.
"""

from __future__ import annotations

import concurrent.futures
import hashlib
import itertools
import multiprocessing
import sys
import tempfile
import threading
import time
import traceback
import warnings
from collections import Counter
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

import click
import jax
import numpy as np
from tqdm import tqdm

from funcnn.checkpoints import CheckpointFolder, CheckpointWarning
from funcnn.runs import checkpointing, train

__all__ = ["main"]

KINDS: dict[str, dict[str, Any]] = {
    "minibatches, Adam": {"optimizer": "adam", "batch_size": 5},
    "dropout, early stopping": {
        "activation": "tanh",
        "dropout": 0.2,
        "validation_fraction": 0.25,
        "evaluate_every": 7,
        "patience": 1000,
    },
    "gram, momentum": {"optimizer": "momentum", "form": "gram", "learning_rate": 1e-3},
}

STEPS, EVERY, KEEP = 400, 10, 3
"""The steps of a run, those between two checkpoints, and how many of these stay."""

SAVING = 1.5
"""Seconds from the first save within which half of the kills come."""

COLUMNS = ("runs", "kills", "in a save", "saves", "lost steps", "damaged", "other bits", "errors")
WRONG = COLUMNS[4:]


class Life(NamedTuple):
    """What a process said until it ended.

    Attributes:
        resumed: the step of the checkpoint that it went on from; 0 where there was none.
        saved: the last step that it said was saved.
        saves: how many it said were.
        saving: whether it ended between the beginning and the end of a save.
        warned: how many warnings it gave: a damaged checkpoint is one.
        digest: of what its run came to; None where it was killed.
        error: why it ended otherwise.
    """

    resumed: int
    saved: int
    saves: int
    saving: bool
    warned: int
    digest: str | None
    error: str | None


@click.command()
@click.option("--kills", type=click.IntRange(1), default=300, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--processes", type=click.IntRange(1), default=2, help="How many at a time.")
def main(kills: int, seed: int, processes: int) -> None:
    """Kill runs at random moments, go on with them, and compare them with whole ones."""
    # Children are forked from a process that has imported what they need, and done no more.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["funcnn.bench", "orbax.checkpoint", "tqdm"])
    whole = {}
    for kind in KINDS:
        with tempfile.TemporaryDirectory() as folder:
            life = _life(context, kind, Path(folder, "run"), None, from_save=False)
        if life.digest is None:
            raise click.ClickException(f"{kind} does not run: {life.error}")
        whole[kind] = life.digest

    counts = {kind: Counter() for kind in KINDS}
    errors: list[str] = []
    ended = itertools.count()
    lock = threading.Lock()
    bar = tqdm(total=kills, unit="kill", leave=False)

    def work(number: int) -> None:
        rng = np.random.default_rng([seed, number])
        while bar.n < kills:
            with lock:
                kind = list(KINDS)[next(ended) % len(KINDS)]
            found = _killed_run(context, kind, whole[kind], rng, bar, errors)
            with lock:
                counts[kind] += found

    with bar, concurrent.futures.ThreadPoolExecutor(processes) as pool:
        list(pool.map(work, range(processes)))
    total = sum(counts.values(), Counter())
    click.echo(f"| run | {' | '.join(COLUMNS)} |\n|{'---|' * (1 + len(COLUMNS))}")
    for name, count in (counts | {"all": total}).items():
        click.echo(f"| {name} | {' | '.join(str(count[column]) for column in COLUMNS)} |")
    for error in errors:
        click.echo(f"\n{error}")
    sys.exit(any(total[column] for column in WRONG))


def _killed_run(
    context: Any,
    kind: str,
    whole: str,
    rng: np.random.Generator,
    bar: tqdm,
    errors: list[str],
) -> Counter:
    """Start a run, and kill it again and again until it ends; what was seen."""
    seen = Counter(runs=1)
    acknowledged = 0
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent, "run")
        while True:
            from_save = bool(rng.integers(2))
            moment = rng.uniform(0, SAVING if from_save else 2 * SAVING)
            if bar.n >= bar.total:
                moment = None  # Enough: it may come to its end.
            life = _life(context, kind, folder, moment, from_save)
            seen["saves"] += life.saves
            seen["damaged"] += life.warned
            if life.saved or life.resumed or life.digest:
                seen["lost steps"] += life.resumed < acknowledged
            acknowledged = max(acknowledged, life.saved)
            if life.error is not None:
                errors.append(f"{kind}: {life.error}")
                return seen + Counter(errors=1)
            if life.digest is not None:
                return seen + Counter({"other bits": int(life.digest != whole)})
            seen["kills"] += 1
            seen["in a save"] += life.saving
            bar.update()


def _life(context: Any, kind: str, folder: Path, moment: float | None, from_save: bool) -> Life:
    """Start a process that trains, and kill it after a moment in seconds, where one is given."""
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_train, args=(kind, folder, theirs), daemon=True)
    process.start()
    theirs.close()  # The end of the process is the end of what it says.
    said: dict[str, Any] = {"resumed": 0, "saving": 0, "saved": 0}
    saves, killed = 0, False
    deadline = None if moment is None or from_save else time.monotonic() + moment
    with ours:
        while True:
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            if not killed and not ours.poll(left):
                process.kill()
                killed = True
            try:
                word, value = ours.recv()
            except EOFError:
                break
            said[word] = value
            saves += word == "saved"
            if word == "saved" and deadline is None and moment is not None:
                deadline = time.monotonic() + moment
    process.join()
    error = said.get("error")
    if error is None and "digest" not in said and not killed:
        error = f"it ended with {process.exitcode}"
    return Life(
        said["resumed"],
        said["saved"],
        saves,
        said["saving"] > said["saved"],
        said.get("warned", 0),
        said.get("digest"),
        error,
    )


def _train(kind: str, folder: Path, connection: Connection) -> None:
    """What a process does: train, and say what it saves and what it comes to."""

    class Speaking(CheckpointFolder):
        def newest(self, like: Any) -> Any:
            found = super().newest(like)
            connection.send(("resumed", 0 if found is None else found.step))
            return found

        def save(self, step: int, state: Any, memory: Any) -> None:
            connection.send(("saving", step))
            super().save(step, state, memory)
            connection.send(("saved", step))

    checkpointing.CheckpointFolder = Speaking  # of this process alone
    rng = np.random.default_rng(0)
    data = rng.standard_normal((17, 4)), rng.standard_normal((17, 2))
    try:
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always", CheckpointWarning)
            result = train(
                "mlp_linear",
                data,
                hidden=6,
                steps=STEPS,
                checkpoints=folder,
                checkpoint_every=EVERY,
                keep=KEEP,
                resume="auto",
                progress=False,
                **KINDS[kind],
            )
        connection.send(("warned", len(warned)))
        connection.send(("digest", _digest(result)))
    except Exception:
        connection.send(("error", traceback.format_exc()))


def _digest(result: Any) -> str:
    """The SHA-256 of all that a run came to."""
    state = result.state._replace(key=jax.random.key_data(result.state.key))
    everything = (result.losses, state, result.params, dict(result.history))
    content = hashlib.sha256()
    for leaf in jax.tree.leaves(everything):
        content.update(np.ascontiguousarray(leaf).tobytes())
    return content.hexdigest()


if __name__ == "__main__":
    main()
