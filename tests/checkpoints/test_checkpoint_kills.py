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
# counts what it does to files, and kills itself at the number that it was given. It saves, or
# trains as far as it gets.
SAVER = """
import hashlib, logging, os, signal, sys
import jax, numpy as np
import funcnn
from funcnn.checkpoints import CheckpointFolder
from funcnn.checkpoints.arrays import require_orbax
from funcnn.runs import checkpointing

EVENTS = {"open", "os.link", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.truncate"}
count = None

def tick(deadly):
    global count
    if count is not None:
        count += 1
        if count == deadly:
            os.kill(os.getpid(), signal.SIGKILL)

def say(word, number):
    os.write(1, f"{word} {number}\\n".encode())

def counting(deadly):
    fsync = os.fsync
    os.fsync = lambda file: (tick(deadly), fsync(file))
    sys.addaudithook(lambda event, _: tick(deadly) if event in EVENTS else None)

def saves(place):
    global count
    count = 0
    with CheckpointFolder(place, 2, {"a": 1}) as folder:
        for step in range(1, 5):
            folder.save(step, [np.full(50, step)], {"step": step})
            say("saved", step)
    say("count", count)

class Speaking(CheckpointFolder):
    def newest(self, like):
        global count
        count = 0
        found = super().newest(like)
        say("resumed", found.step if found else 0)
        return found

    def save(self, step, state, memory):
        super().save(step, state, memory)
        say("saved", step)

def trains(place):
    checkpointing.CheckpointFolder = Speaking
    x = np.linspace(-1, 1, 7)
    result = funcnn.train("polynomial", (x, np.sin(x)), degree=1, optimizer="adam", batch_size=3,
                          steps=24, seed=2, checkpoints=place, checkpoint_every=6, keep=2,
                          resume="auto")
    leaves = jax.tree.leaves((result.losses, result.params, result.state._replace(key=None)))
    digest = hashlib.sha256(b"".join(np.asarray(leaf).tobytes() for leaf in leaves))
    say("count", count)
    say("digest", int(digest.hexdigest()[:15], 16))

require_orbax()
assert logging.root.handlers == []
for request in sys.stdin:
    work, place, deadly = request.split()
    child = os.fork()
    if not child:
        counting(int(deadly))
        {"saves": saves, "trains": trains}[work](place)
        os._exit(0)
    say("ended", os.waitpid(child, 0)[1])
"""


@pytest.fixture(scope="module")
def saver():
    """``saver(work, place, deadly)``: what a child said that was killed at that write."""
    one_thread = dict.fromkeys(["NPROC", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"], "1")
    with subprocess.Popen(
        [sys.executable, "-c", SAVER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | one_thread | {"JAX_PLATFORMS": "cpu"},
    ) as process:

        def ask(work, place, deadly):
            process.stdin.write(f"{work} {place} {deadly}\n")
            process.stdin.flush()
            lines = []
            while not lines or lines[-1][0] != "ended":
                lines.append(process.stdout.readline().split())
            return {word: int(number) for word, number in lines}

        yield ask
        process.stdin.close()


@pytest.mark.slow
def test_kills_of_saves(saver, tmp_path):
    whole = saver("saves", tmp_path / "whole", 0)
    assert (whole["saved"], whole["ended"]) == (4, 0)
    killed = 0
    for number, deadly in enumerate(np.linspace(1, whole["count"], 14, dtype=int)):
        place = tmp_path / str(number)
        ended = saver("saves", place, deadly)
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
    assert killed >= 12


@pytest.mark.slow
def test_a_run_that_is_killed_again_and_again(saver, tmp_path):
    whole = saver("trains", tmp_path / "whole", 0)
    assert (whole["resumed"], whole["saved"], whole["ended"]) == (0, 24, 0)
    one_save = whole["count"] // 4
    saved, killed, ended = 0, 0, {}
    # Further and further on, so that every save is cut off somewhere and the run gets on.
    for deadly in [*np.linspace(one_save // 3, 2 * one_save, 8, dtype=int), 0]:
        ended = saver("trains", tmp_path / "run", deadly)
        assert ended["resumed"] >= saved
        saved = ended.get("saved", saved)
        killed += ended["ended"] == 9
    assert killed >= 5
    assert ended["ended"] == 0
    assert ended["digest"] == whole["digest"]
