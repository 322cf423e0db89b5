"""How much memory a run takes whose data stay in their files, however large these are.

``python -m funcnn.bench.mapped --rows 10000000`` writes a table of that many rows of 20
numbers in single precision, and a target for each, to a temporary folder, and trains a network
on them. ``RssAnon`` is what the process holds of its own; ``ru_maxrss`` counts the pages of the
files too that the system keeps in memory as long as nobody else needs it.
"""

from __future__ import annotations

import re
import resource
import sys
import tempfile
import time
from pathlib import Path

import click
import numpy as np

from funcnn.runs import train

__all__ = ["main"]

COLUMNS = 20
BATCH = 1024
AT_ONCE = 2**16
"""The rows that are drawn and written at once."""


@click.command()
@click.option("--rows", type=click.IntRange(BATCH), default=1_000_000, show_default=True)
@click.option("--steps", type=click.IntRange(1), default=500, show_default=True)
@click.option("--standardize", is_flag=True, help="Bring all columns to mean 0 and spread 1.")
def main(rows: int, steps: int, standardize: bool) -> None:
    """Train on two files of many rows, and say how much memory it took."""
    with tempfile.TemporaryDirectory() as folder:
        x, y = Path(folder) / "x.npy", Path(folder) / "y.npy"
        _write(x, y, rows)
        size = x.stat().st_size + y.stat().st_size
        click.echo(f"{rows} rows, {_megabytes(size)} in two files")
        _say("before the run")
        begin = time.perf_counter()
        result = train(
            "mlp_linear", (x, y), hidden=64, batch_size=BATCH, steps=steps, standardize=standardize
        )
        seconds = time.perf_counter() - begin
        _say("after it")
    click.echo(
        f"{steps} steps of {BATCH} samples: {result.microseconds_per_step:.0f} µs a step; "
        f"{seconds:.1f} s with compiling and looking through the files\n"
        f"loss {result.losses[0]:.4g} -> {result.losses[-1]:.4g}"
    )


def _write(x: Path, y: Path, rows: int) -> None:
    rng = np.random.default_rng(0)
    weights = rng.standard_normal((COLUMNS, 1), np.float32)
    with x.open("wb") as inputs, y.open("wb") as targets:
        for stream, columns in ((inputs, COLUMNS), (targets, 1)):
            header = {"descr": "<f4", "fortran_order": False, "shape": (rows, columns)}
            np.lib.format.write_array_header_1_0(stream, header)
        for first in range(0, rows, AT_ONCE):
            drawn = rng.standard_normal((min(AT_ONCE, rows - first), COLUMNS), np.float32)
            drawn.astype("<f4").tofile(inputs)
            np.tanh(drawn @ weights).astype("<f4").tofile(targets)


def _say(when: str) -> None:
    unit = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    click.echo(f"{when}: {_anonymous()}ru_maxrss {_megabytes(peak)}")


def _anonymous() -> str:
    """What the process holds of its own; nothing where the system does not say."""
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:
        return ""
    found = re.search(r"RssAnon:\s+(\d+) kB", status)
    return "" if found is None else f"RssAnon {_megabytes(int(found[1]) * 1024)}, "


def _megabytes(count: int) -> str:
    return f"{count / 1e6:.0f} MB"


if __name__ == "__main__":
    main()
