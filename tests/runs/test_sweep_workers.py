"""Groups of a sweep in threads and on devices: a member's bits follow from the width alone."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading

import jax
import numpy as np
import pytest
from helpers import Cut

import funcnn
from funcnn.core.threads import settings_of_this_thread
from funcnn.runs.sweeps import workers as workers_
from funcnn.runs.sweeps.groups import in_groups

X = np.random.default_rng(0).standard_normal((12, 3))
Y = X @ np.array([[1.0, -2.0], [0.5, 3.0], [-1.0, 1.0]])


def swept(**arguments):
    shared = {"model": "mlp_linear", "data": (X, Y), "hidden": 4, "steps": 40, "batch_size": 5}
    return funcnn.sweep(**shared | {"seed": range(7), "group": 2} | arguments)


def assert_same_bits(found, expected):
    assert found.settings == expected.settings
    for one, other in zip(
        jax.tree.leaves((found.losses, found.diverged, found.state)),
        jax.tree.leaves((expected.losses, expected.diverged, expected.state)),
        strict=True,
    ):
        np.testing.assert_array_equal(one, other)


@pytest.fixture(scope="module")
def alone():
    """What one worker makes."""
    return swept(workers=1)


@pytest.mark.parametrize("workers", [2, 5, None])
def test_the_number_of_workers_changes_no_bit(workers, alone):
    assert_same_bits(swept(workers=workers), alone)


# In bad weather: other cuts, and threads that begin in another order.
def test_neither_cuts_nor_the_order_change_a_bit(alone, monkeypatch):
    turns = iter([7, 1, 13, 40])
    lock, waited = threading.Lock(), threading.Barrier(2)

    class Uneven(Cut):
        def __init__(self, paces, sizes):
            del paces, sizes
            with lock:
                number = next(turns)
            super().__init__(number)
            if number == 7:
                waited.wait()  # The first group goes on when the third has begun.
            if number == 13:
                waited.wait()

    monkeypatch.setattr("funcnn.runs.run.ClockPace", Uneven)
    assert_same_bits(swept(workers=2), alone)


def test_a_thread_computes_in_the_dtype_of_its_run():
    double = swept(workers=2, dtype="float64")
    assert double.losses.dtype == double.params["w1"].dtype == np.float64
    assert_same_bits(double, swept(workers=1, dtype="float64"))
    assert not (double.losses == double.losses.astype(np.float32)).all()


def test_the_width_is_told_and_gives_the_bits_again(alone):
    assert alone.group == 2
    chosen = swept(group=None, workers=3)
    assert chosen.group == 3
    assert_same_bits(swept(group=chosen.group, workers=1), chosen)
    assert swept(group=100).group == 7


def test_nothing_compiles_twice_where_threads_begin_together(compiles):
    def model():
        return funcnn.Model(
            lambda key: {"w": jax.random.normal(key, (3, 2))}, lambda params, x: x @ params["w"]
        )

    found = []
    for workers in (1, 4):
        with compiles() as compiled:
            swept(model=model(), hidden=None, workers=workers)
        found.append(len(compiled))
    assert found[0] == found[1] <= 5


def test_an_error_in_a_thread_is_the_caller_s(monkeypatch):
    def fail(*_):
        raise OSError("no more")

    monkeypatch.setattr("funcnn.runs.sweeps.tasks.run", fail)
    with pytest.raises(OSError, match="no more"):
        swept(workers=2)
    assert not [thread for thread in threading.enumerate() if "funcnn" in thread.name]


def test_ctrl_c_ends_all_threads_and_keeps_the_finished_groups(alone, monkeypatch):
    # A group is two segments. The signal comes in the sixth: some groups are done, not all.
    monkeypatch.setattr("funcnn.runs.run.ClockPace", Cut(20, interrupted=[6]))
    with pytest.raises(funcnn.TrainingInterrupted) as caught:
        swept(workers=2, seed=range(40), steps=40)
    result = caught.value.result
    assert caught.value.signal is signal.SIGINT
    assert 2 <= len(result.settings) < 40
    assert (result.state.step == 40).all()
    for member, settings in enumerate(result.settings):
        if settings["seed"] < 6:
            np.testing.assert_array_equal(result.losses[member], alone.losses[settings["seed"]])
    assert not [thread for thread in threading.enumerate() if "funcnn" in thread.name]


def test_ctrl_c_before_any_group_is_done_keeps_the_steps_of_one(monkeypatch):
    monkeypatch.setattr("funcnn.runs.run.ClockPace", Cut(5, interrupted=[3]))
    with pytest.raises(funcnn.TrainingInterrupted) as caught:
        swept(workers=2, steps=2**31 - 1, keep_every=2**20)
    assert len(caught.value.result.settings) == 2
    assert (caught.value.result.state.step >= 5).all()


def test_what_a_user_has_set_holds_in_the_threads(monkeypatch):
    seen = []
    with jax.threefry_partitionable(False), jax.disable_jit(True):
        inherited = settings_of_this_thread()

    def look():
        with inherited():
            seen.append((jax.config.jax_threefry_partitionable, jax.config.jax_disable_jit))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert seen == [(False, True)]
    monkeypatch.setattr(workers_.jax, "local_devices", lambda: pytest.fail("one was chosen"))
    monkeypatch.setattr(
        workers_, "carry_out", lambda *_: seen.append(jax.config.jax_default_device)
    )
    with (
        jax.default_device(jax.devices("cpu")[0]),
        workers_.here(2, [None], [in_groups([{}], 1)[0]], []) as threads,
    ):
        threads.submit(0, 0).result()
    assert seen[1:] == [jax.devices("cpu")[0]]


DEVICES = """
import sys, numpy, jax
jax.config.update("jax_num_cpu_devices", int(sys.argv[1]))
import funcnn
from funcnn.runs.sweeps import workers
used, carry_out = set(), workers.carry_out
def spy(*arguments):
    used.add(jax.config.jax_default_device)
    return carry_out(*arguments)
workers.carry_out = spy
x = numpy.random.default_rng(0).standard_normal((12, 3))
result = funcnn.sweep("mlp_linear", (x, x @ numpy.ones((3, 2))), hidden=4, steps=9, group=2,
                      seed=range(13), workers=int(sys.argv[2]) or None)
numpy.save(sys.argv[3], numpy.concatenate([result.losses.ravel(), result.params["w1"].ravel()]))
print(len(used - {None}))
"""


@pytest.mark.slow
def test_groups_are_spread_over_the_devices_with_the_same_bits(tmp_path):
    found, used = [], []
    for devices, workers in ((1, 1), (4, 0)):
        path = tmp_path / f"{devices}.npy"
        command = [sys.executable, "-c", DEVICES, str(devices), str(workers), str(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        used.append(int(done.stdout))
        found.append(np.load(path))
    assert used == [0, 4]
    np.testing.assert_array_equal(*found)
