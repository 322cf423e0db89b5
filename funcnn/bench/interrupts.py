"""How commands answer Ctrl-C and SIGTERM: ``python -m funcnn.bench.interrupts --tries 500``.

Each try starts a command as a process, sends it a signal at a random moment from its start to
its end, every second time SIGTERM, and looks at how it ends. What is right: an exit code of
130 or 143, one line on stderr, and files that are whole or absent. It exits with 1 where a try
ended otherwise.

Before Python has reached the first line of funcnn, nothing can be done about a signal. On
Linux the kernel says whether a process has a handler of SIGTERM yet; where it has none, the try
is counted apart. The moments come from a seed, but where in the program they fall depends on
the machine.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np
from tqdm import tqdm

from funcnn.data import load_params

__all__ = ["main"]

COMMANDS = {
    "train": "train polynomial",
    "train, long": "train mlp --steps 100000000",
    "train, 2048 wide": "train mlp --hidden 2048 --learning-rate 1e-8",
    "train, gram": "train mlp --form gram --steps 20000",
    "train --save": "train mlp --steps 2000 --save {folder}/weights.npz",
    "sweep": "sweep polynomial --seed 0:8 --csv {folder}/table.csv --plot {folder}/plot.png",
    "reproduce": "reproduce sine/numpy sine/autograd --steps 1000",
    "reproduce --report": "reproduce sine/numpy sine/nn --steps 300 --report {folder}",
}

LONGEST = 12.0
"""Seconds after which no signal is sent any more: a long run is interrupted before."""

PATIENCE = 60.0
"""Seconds after which a process that was sent a signal hangs."""

MOMENT = 0.05
"""Seconds that a process may take to end by itself, as it was about to when the signal came."""

RIGHT = ("answered", "finished before", "before funcnn")
WRONG = ("traceback or killed", "ignored", "crash or hang", "torn file")


class Try(NamedTuple):
    """How a process ended.

    Attributes:
        kind: one of ``RIGHT`` or ``WRONG``.
        seconds: from the signal to the end.
        said: what stands on stderr, and the exit code.
    """

    kind: str
    seconds: float
    said: str


@click.command()
@click.option("--tries", type=click.IntRange(1), default=500, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--processes", type=click.IntRange(1), default=2, help="How many at a time.")
@click.argument("names", metavar="[COMMAND]...", nargs=-1, type=click.Choice(list(COMMANDS)))
def main(tries: int, seed: int, processes: int, names: tuple[str, ...]) -> None:
    """Interrupt commands at random moments, and print how they answer."""
    # What this process ignores, its children would ignore too.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    chosen = names or tuple(COMMANDS)
    longest = {name: _seconds(COMMANDS[name]) for name in chosen}
    rng = np.random.default_rng(seed)
    plan = [
        (name, (signal.SIGINT, signal.SIGTERM)[number // len(chosen) % 2], 0.001 + moment)
        for number in range(tries)
        for name in [chosen[number % len(chosen)]]
        for moment in [rng.uniform(0, longest[name])]
    ]
    with concurrent.futures.ThreadPoolExecutor(processes) as pool:
        ends = pool.map(lambda row: _interrupt(COMMANDS[row[0]], *row[1:]), plan)
        ended = list(tqdm(ends, total=tries, unit="try", leave=False))

    columns = ("tries", *RIGHT, *WRONG, "slowest answer")
    click.echo(f"| command | {' | '.join(columns)} |\n|{'---|' * (1 + len(columns))}")
    for name in chosen:
        click.echo(
            _row(name, [end for row, end in zip(plan, ended, strict=True) if row[0] == name])
        )
    click.echo(_row("all", ended))
    wrong = [(*row, end) for row, end in zip(plan, ended, strict=True) if end.kind in WRONG]
    for name, number, moment, end in wrong:
        click.echo(f"\n{name}, {number.name} after {moment:.3f} s: {end.kind}: {end.said}")
    sys.exit(bool(wrong))


def _start(command: str, folder: str) -> subprocess.Popen[str]:
    words = command.format(folder=folder).split()
    return subprocess.Popen(
        [sys.executable, "-m", "funcnn", *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def _seconds(command: str) -> float:
    """How long a command takes if it is left alone, or ``LONGEST``."""
    with tempfile.TemporaryDirectory() as folder:
        begin = time.perf_counter()
        process = _start(command, folder)
        try:
            _, said = process.communicate(timeout=LONGEST)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            return LONGEST
        if process.returncode:
            raise click.ClickException(f"funcnn {command} does not work: {said}")
        return time.perf_counter() - begin


def _interrupt(command: str, number: signal.Signals, moment: float) -> Try:
    """Start a command, and send it a signal after a moment in seconds."""
    with tempfile.TemporaryDirectory() as folder:
        process = _start(command, folder)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(moment)
        begun, finished = _answers(process.pid), process.poll() is not None
        sent = time.perf_counter()
        process.send_signal(number)
        try:
            _, said = process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            _, said = process.communicate()
            return Try("crash or hang", PATIENCE, said)
        seconds = time.perf_counter() - sent
        kind = _kind(process.returncode, said, number)
        if kind == "ignored" and (finished or seconds < MOMENT):
            kind = "finished before"
        if kind == "traceback or killed" and not begun:
            kind = "before funcnn"
        if not all(map(_is_whole, Path(folder).iterdir())):
            kind = "torn file"
        return Try(kind, seconds, f"{process.returncode}: {said}")


def _answers(process: int) -> bool:
    """Whether a process has a handler of SIGTERM; taken for true where the system cannot say."""
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return True
    caught = re.search(r"^SigCgt:\s*(\w+)", status, flags=re.MULTILINE)
    return caught is None or bool(int(caught[1], 16) >> (signal.SIGTERM - 1) & 1)


def _kind(code: int, said: str, number: signal.Signals) -> str:
    if code == 128 + number and re.fullmatch(r"funcnn: interrupted.*\n", said):
        return "answered"
    if code < 0 and -code not in (signal.SIGINT, signal.SIGTERM):
        return "crash or hang"
    return "ignored" if code == 0 else "traceback or killed"


def _is_whole(path: Path) -> bool:
    """Whether a file has its end, under its own name."""
    content = path.read_bytes()
    match path.suffix:
        case ".npz":
            return bool(load_params(path))
        case ".csv":
            return content.count(b"\n") > 1 and content.endswith(b"\n")
        case ".png":
            return b"IEND" in content[-12:]
        case ".html":
            return content.rstrip().endswith(b"</html>")
    return False


def _row(name: str, ended: list[Try]) -> str:
    counts = [sum(end.kind == kind for end in ended) for kind in (*RIGHT, *WRONG)]
    slowest = max((end.seconds for end in ended if end.kind == "answered"), default=0)
    return f"| {name} | {len(ended)} | {' | '.join(map(str, counts))} | {slowest:.2f} s |"


if __name__ == "__main__":
    main()
