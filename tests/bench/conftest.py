"""Fixtures of the benchmark's tests."""

from __future__ import annotations

import functools
import sys

import pytest
from bench_helpers import SMALL

from funcnn import cli
from funcnn.bench import floors, peers, tasks, timing


@pytest.fixture
def small_tasks(monkeypatch):
    """The tasks by their names, but small."""
    made = {name: functools.partial(tasks.TASKS[name], **sizes) for name, sizes in SMALL.items()}
    monkeypatch.setattr(tasks, "TASKS", made)


@pytest.fixture
def short_samples(monkeypatch):
    """Samples of a hundredth of a second."""
    monkeypatch.setattr(timing, "SAMPLE_SECONDS", 0.01)


@pytest.fixture
def quick(short_samples, monkeypatch):
    """No floors, and short samples."""
    del short_samples
    monkeypatch.setattr(floors, "FLOORS", ())


@pytest.fixture
def numpy_as_funcnn(monkeypatch):
    """What does not depend on funcnn's own runs is tested without compiling any."""
    monkeypatch.setitem(peers.PEERS, "funcnn", peers.PEERS["numpy"])


@pytest.fixture
def run(monkeypatch, capsys):
    """Run a command in this process: its exit code, stdout and stderr."""

    def command(*arguments):
        monkeypatch.setattr(sys, "argv", ["funcnn", "bench", *map(str, arguments)])
        with pytest.raises(SystemExit) as exit_:
            cli.main()
        shown = capsys.readouterr()
        return exit_.value.code, shown.out, shown.err

    return command
