"""Commands in this process, and a small table to train on."""

from __future__ import annotations

import signal
import sys

import numpy as np
import pytest

from funcnn import cli
from funcnn.runs.pace import ClockPace


@pytest.fixture
def run(monkeypatch, capsys):
    """Run a command in this process: its exit code, stdout and stderr."""

    def command(*arguments):
        monkeypatch.setattr(sys, "argv", ["funcnn", *map(str, arguments)])
        with pytest.raises(SystemExit) as exit_:
            cli.main()
        shown = capsys.readouterr()
        return exit_.value.code, shown.out, shown.err

    return command


class Interrupted(ClockPace):
    """Segments of 100 steps; Ctrl-C comes in the third."""

    made = 0

    def length(self):
        return 100

    def took(self, steps, seconds):
        del seconds
        self.made += steps
        if self.made == 300:
            signal.raise_signal(signal.SIGINT)


@pytest.fixture
def run_interrupted(run, monkeypatch):
    """Run a command in this process; Ctrl-C comes after 300 steps."""

    def command(*arguments):
        with monkeypatch.context() as patch:
            patch.setattr("funcnn.runs.run.ClockPace", Interrupted)
            return run(*arguments)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield command
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def table(tmp_path):
    """A .csv file of y = 2p + q and a class, in 40 rows."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((40, 2))
    columns = np.column_stack([x, x @ [2, 1], np.arange(40) % 3])
    path = tmp_path / "d.csv"
    np.savetxt(path, columns, delimiter=",", header="p,q,y,kind", comments="", fmt="%.17g")
    return path
