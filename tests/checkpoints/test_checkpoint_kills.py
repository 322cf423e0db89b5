"""A process that is killed while it saves loses no step that it was told is on the disk."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from funcnn.checkpoints import CheckpointFolder, files

pytest.importorskip("orbax.checkpoint")

# One process imports Orbax and forks, before JAX has started, a child for each kill. A child
# counts what it does to files, and kills itself at the number that it was given.
SAVER = """
import logging, os, signal, sys
import numpy as np
from funcnn.checkpoints import CheckpointFolder
from funcnn.checkpoints.arrays import require_orbax

EVENTS = {"open", "os.link", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.truncate"}
count = 0

def tick(deadly):
    global count
    count += 1
    if count == deadly:
        os.kill(os.getpid(), signal.SIGKILL)

def saves(place, deadly):
    fsync = os.fsync
    os.fsync = lambda file: (tick(deadly), fsync(file))
    sys.addaudithook(lambda event, _: tick(deadly) if event in EVENTS else None)
    with CheckpointFolder(place, 2, {"a": 1}) as folder:
        for step in range(1, 5):
            folder.save(step, [np.full(50, step)], {"step": step})
            os.write(1, f"saved {step}\\n".encode())
    os.write(1, f"count {count}\\n".encode())

require_orbax()
assert logging.root.handlers == []
for request in sys.stdin:
    place, deadly = request.split()
    child = os.fork()
    if not child:
        saves(place, int(deadly))
        os._exit(0)
    os.write(1, f"ended {os.waitpid(child, 0)[1]}\\n".encode())
"""


@pytest.fixture(scope="module")
def saver():
    """``saver(place, deadly)``: the lines of a child that is killed at its ``deadly``-th write."""
    one_thread = dict.fromkeys(["NPROC", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"], "1")
    with subprocess.Popen(
        [sys.executable, "-c", SAVER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | one_thread | {"JAX_PLATFORMS": "cpu"},
    ) as process:

        def ask(place, deadly):
            process.stdin.write(f"{place} {deadly}\n")
            process.stdin.flush()
            lines = []
            while not lines or lines[-1][0] != "ended":
                lines.append(process.stdout.readline().split())
            return {word: int(number) for word, number in lines}

        yield ask
        process.stdin.close()


@pytest.mark.slow
def test_twenty_kills(saver, tmp_path):
    whole = saver(tmp_path / "whole", 0)
    assert (whole["saved"], whole["ended"]) == (4, 0)
    killed = 0
    for number, deadly in enumerate(np.linspace(1, whole["count"], 20, dtype=int)):
        place = tmp_path / str(number)
        ended = saver(place, deadly)
        killed += ended["ended"] == 9
        # Warnings are errors: a kill leaves no damaged step either.
        with CheckpointFolder(place, 2, {"a": 1}) as folder:
            found = folder.newest([np.zeros(50, int)])
            step = found.step if found else 0
            assert step - ended.get("saved", 0) in (0, 1)
            if found:
                np.testing.assert_array_equal(found.state[0], np.full(50, step))
                assert found.memory == {"step": step}
            for one in folder.steps():
                files.check(place / str(one))
            folder.save(9, [np.full(50, 9)], {})
            kept = [str(one) for one in folder.steps()]
        assert sorted([*kept, ".funcnn.lock"]) == sorted(os.listdir(place))
        assert len(kept) <= 2
    assert killed >= 18
