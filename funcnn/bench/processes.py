"""Whether a run of several processes ends as one: ``python -m funcnn.bench.processes --tries 8``.

Each try starts one run as processes on this machine, which listen at the loopback address alone,
and lets it come to its first checkpoint. Then at a random moment one of them is killed (the first,
or another), stopped without an end as one that hangs (SIGSTOP), or sent Ctrl-C. What is right: all
the others end within ten seconds and in words, after Ctrl-C with exit code 130; and the same
command, given again, goes on and comes to the bits of a run that was left alone. It exits with 1
where anything else was seen.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np
from tqdm import tqdm

from funcnn.data import load_params

__all__ = ["End", "begun", "commands", "ended", "first_checkpoint", "main", "started"]

RUN = "train polynomial --batch-size 100 --dtype float64 --checkpoint-every 20 --resume auto"

TRIES = {
    "first killed": (0, signal.SIGKILL),
    "another killed": (-1, signal.SIGKILL),
    "another stopped": (-1, signal.SIGSTOP),
    "another interrupted": (-1, signal.SIGINT),
}
"""What is done to a process of the run, and to which."""

SOON = 10.0
"""Seconds within which the others must end."""

PATIENCE = 120.0
"""Seconds after which a run hangs."""

COLUMNS = ("tries", "ended", "slowest (s)", "too late", "without a word", "other bits")
WRONG = COLUMNS[3:]


class End(NamedTuple):
    """How a process ended.

    Attributes:
        code: its exit code.
        words: what it wrote on stderr.
        seconds: after how long.
    """

    code: int
    words: str
    seconds: float


@click.command()
@click.option("--tries", type=click.IntRange(1), default=8, show_default=True)
@click.option("--processes", type=click.IntRange(2), default=2, show_default=True)
@click.option("--steps", type=click.IntRange(40), default=400, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True)
def main(tries: int, processes: int, steps: int, seed: int) -> None:
    """Kill, stop and interrupt one process of a run, and go on with the run."""
    rng = np.random.default_rng(seed)
    counts = {name: Counter() for name in TRIES}
    slowest = dict.fromkeys(TRIES, 0.0)
    with tempfile.TemporaryDirectory() as folder:
        whole = _whole(Path(folder, "whole"), processes, steps)
        for number in tqdm(range(tries), unit="try", leave=False):
            name = list(TRIES)[number % len(TRIES)]
            place = Path(folder, str(number))
            seen, seconds = _try(place, processes, steps, whole, rng.uniform(0, 1), *TRIES[name])
            counts[name] += seen
            slowest[name] = max(slowest[name], seconds)
    click.echo(f"| {processes} processes | {' | '.join(COLUMNS)} |\n|{'---|' * (1 + len(COLUMNS))}")
    for name, count in counts.items():
        cells = (f"{slowest[name]:.1f}" if "(s)" in one else str(count[one]) for one in COLUMNS)
        click.echo(f"| {name} | {' | '.join(cells)} |")
    sys.exit(any(count[column] for count in counts.values() for column in WRONG))


def commands(folder: Path, processes: int, steps: int) -> list[tuple[list[str], dict[str, str]]]:
    """The command of each process, and its environment: that of one which ``mpirun`` starts."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    command = [sys.executable, "-m", "funcnn", *RUN.split(), "--steps", str(steps)]
    command += ["--coordinator", address, "--checkpoints", str(folder / "run")]
    command += ["--save", str(folder / "weights.npz")]
    return [
        (
            command,
            os.environ
            | {
                "OMPI_MCA_orte_hnp_uri": "",
                "OMPI_COMM_WORLD_SIZE": str(processes),
                "OMPI_COMM_WORLD_RANK": str(rank),
                "OMPI_COMM_WORLD_LOCAL_RANK": str(rank),
            },
        )
        for rank in range(processes)
    ]


def started(folder: Path, processes: int, steps: int) -> list[subprocess.Popen[str]]:
    """Start a run."""
    folder.mkdir(exist_ok=True)
    return [begun(*one) for one in commands(folder, processes, steps)]


def begun(command: list[str], env: dict[str, str]) -> subprocess.Popen[str]:
    """Start one process."""
    return subprocess.Popen(
        command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )


def first_checkpoint(folder: Path, run: list[subprocess.Popen[str]]) -> None:
    """Wait until a run has saved its first checkpoint, or has ended."""
    while not any((folder / "run").glob("[0-9]*")) and run[0].poll() is None:
        time.sleep(0.01)


def ended(run: list[subprocess.Popen[str]]) -> list[End]:
    """Wait for processes; those that hang are killed."""
    begin, ends = time.monotonic(), []
    for process in run:
        try:
            _, words = process.communicate(timeout=max(0.1, begin + PATIENCE - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            _, words = process.communicate()
        ends.append(End(process.returncode, words, time.monotonic() - begin))
    return ends


def _whole(folder: Path, processes: int, steps: int) -> dict[str, np.ndarray]:
    """The weights that a run comes to which is left alone."""
    for end in ended(started(folder, processes, steps)):
        if end.code:
            raise click.ClickException(f"the run fails: {end.words}")
    return load_params(folder / "weights.npz")


def _try(
    folder: Path,
    processes: int,
    steps: int,
    whole: dict[str, np.ndarray],
    moment: float,
    rank: int,
    number: signal.Signals,
) -> tuple[Counter, float]:
    """Do something to a process of a run, a moment in seconds after its first checkpoint."""
    run = started(folder, processes, steps)
    first_checkpoint(folder, run)
    time.sleep(moment)
    run[rank].send_signal(number)
    others = [one for one in run if one is not run[rank] or number == signal.SIGINT]
    ends = ended(others)
    run[rank].kill()
    run[rank].wait()
    seen = Counter(tries=1, ended=sum(end.code != 0 for end in ends))
    seconds = max(end.seconds for end in ends)
    seen["too late"] += seconds > SOON
    wrong_code = number == signal.SIGINT and any(end.code not in (0, 130) for end in ends)
    seen["without a word"] += wrong_code or any(end.code and not end.words for end in ends)
    again = ended(started(folder, processes, steps))
    if any(end.code for end in again):
        click.echo(f"\n{[end.words for end in again]}", err=True)
    same = not any(end.code for end in again) and all(
        np.array_equal(value, whole[name])
        for name, value in load_params(folder / "weights.npz").items()
    )
    seen["other bits"] += not same
    return seen, seconds


if __name__ == "__main__":
    main()
