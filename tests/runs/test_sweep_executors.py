"""Groups of a sweep on the workers of other processes, and what happens where these are lost."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import threading
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor

import jax
import numpy as np
import pytest

import funcnn
from funcnn.runs.planning import make_plan
from funcnn.runs.sweeps import executors
from funcnn.runs.sweeps.parcels import carry_out_parcel, packed

X = np.random.default_rng(0).standard_normal((12, 3))
Y = X @ np.array([[1.0, -2.0], [0.5, 3.0], [-1.0, 1.0]])


def net(scale=1.0):
    """A network of one's own, of functions that pickle does not take."""
    return funcnn.Model(
        lambda key: {"w": jax.random.normal(key, (3, 2))},
        lambda params, x: scale * (x @ params["w"]),
    )


MODEL = net()


def swept(**arguments):
    shared = {"model": MODEL, "data": (X, Y), "steps": 30, "learning_rate": 1e-2}
    return funcnn.sweep(**shared | {"seed": range(7), "group": 2} | arguments)


def assert_same_bits(found, expected):
    assert found.settings == expected.settings
    np.testing.assert_array_equal(found.losses, expected.losses)
    np.testing.assert_array_equal(found.params["w"], expected.params["w"])
    assert jax.tree.structure(found.state) == jax.tree.structure(expected.state)


@pytest.fixture(scope="module")
def alone():
    return swept(workers=1)


def pool(workers=2):
    return ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"))


@pytest.fixture(scope="module")
def processes():
    with pool() as made:
        yield made


class AtOnce:
    """An executor of somebody's that does a task when it is submitted, and copies what comes."""

    def __init__(self, fails=lambda *_: False):
        self.submitted, self._fails = [], fails

    def submit(self, function, parcel, task, attempt):
        number = task.members[0]["seed"] // 2
        self.submitted.append((number, attempt))
        future = Future()
        try:
            if self._fails(number, attempt):
                raise OSError(f"lost {number}")
            future.set_result(function(parcel._replace(sender=os.getpid()), task, attempt))
        except OSError as error:
            future.set_exception(error)
        return future


# Plain values travel, and the bits are the same.


@pytest.mark.slow
def test_processes_give_the_same_bits(processes, alone):
    assert executors.workers_of(processes) == 2
    assert_same_bits(swept(executor=processes), alone)
    # In float64, and by named functions.
    shared = {
        "model": "mlp",
        "hidden": 4,
        "form": "gram",
        "gradient": "autodiff",
        "dtype": "float64",
    }
    shared |= {"optimizer": "momentum", "learning_rate": 1e-3, "seed": range(3)}
    found, expected = swept(**shared, executor=processes), swept(**shared)
    assert found.losses.dtype == np.float64
    for one, other in zip(
        jax.tree.leaves((found.losses, found.state)),
        jax.tree.leaves((expected.losses, expected.state)),
        strict=True,
    ):
        np.testing.assert_array_equal(one, other)


def test_threads_of_the_user_s_are_used_and_left(alone):
    with ThreadPoolExecutor(2) as threads:
        assert_same_bits(swept(executor=threads), alone)
        assert threads.submit(threading.get_ident).result() != threading.get_ident()


def test_any_object_with_submit_is_an_executor(alone):
    engine = AtOnce()
    assert_same_bits(swept(executor=engine, workers=2), alone)
    assert sorted(engine.submitted) == [(0, 0), (1, 0), (2, 0), (3, 0)]


def test_a_process_opens_a_parcel_once(compiles):
    plan = make_plan(net(), (X, Y), steps=7)
    parcel = packed([plan])._replace(sender=os.getpid())
    tasks = executors_tasks(2)
    first = carry_out_parcel(parcel, tasks[0], 0)
    with compiles() as compiled:
        again = carry_out_parcel(parcel, tasks[0], 1)
    assert compiled == []
    np.testing.assert_array_equal(first.losses, again.losses)


def executors_tasks(width):
    from funcnn.runs.sweeps.groups import in_groups

    return in_groups([{"seed": seed} for seed in range(2 * width)], width)


def test_what_cannot_travel_is_named_before_anything_compiles(compiles):
    lock = threading.Lock()

    def apply(params, x):
        return x @ params["w"] if lock else x

    model = funcnn.Model(MODEL.init, apply)
    with compiles() as compiled, pytest.raises(funcnn.ArgumentTypeError) as caught:
        swept(model=model, executor=AtOnce())
    assert str(caught.value).startswith("model cannot be sent to another process: TypeError")
    assert compiled == []


def test_without_cloudpickle_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "cloudpickle", None)
    with pytest.raises(funcnn.MissingExtraError, match=r"pip install 'funcnn\[processes\]'"):
        swept(executor=AtOnce())


# A group that fails.


def test_a_group_whose_worker_is_lost_is_trained_again(alone):
    engine = AtOnce(lambda number, attempt: number in (1, 2) and attempt < 2)
    assert_same_bits(swept(executor=engine, workers=2), alone)
    assert sorted(engine.submitted)[1:7] == [(1, 0), (1, 1), (1, 2), (2, 0), (2, 1), (2, 2)]
    # The last time it is alone, after all others.
    assert engine.submitted[-2:] == [(1, 2), (2, 2)]


def test_a_group_that_always_fails_is_named_and_all_others_are_kept(alone):
    with pytest.raises(funcnn.SweepError) as caught:
        swept(executor=AtOnce(lambda number, _: number in (1, 3)), workers=2)
    error = caught.value
    assert error.settings == [{"seed": 2}, {"seed": 3}, {"seed": 6}]
    assert [one["seed"] for one in error.result.settings] == [0, 1, 4, 5]
    np.testing.assert_array_equal(error.result.losses, alone.losses[[0, 1, 4, 5]])
    assert isinstance(error.__cause__, OSError)
    assert "3 members could not be trained, {'seed': 2} to {'seed': 6}: OSError: lost" in str(error)


@pytest.mark.slow
def test_a_worker_that_is_killed_costs_nothing_but_time(tmp_path, alone):
    flag = tmp_path / "killed"

    def init(key):
        return {"w": jax.random.normal(key, (3, 2))}

    def apply(params, x):  # It is traced in the worker: the first that traces it dies of it.
        if os.getpid() != parent and not flag.exists():
            flag.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return x @ params["w"]

    parent = os.getpid()
    with pool() as processes:
        found = swept(model=(init, apply), executor=processes)
    assert flag.exists()
    assert_same_bits(found, alone)


# Ctrl-C.


def test_ctrl_c_gives_up_what_has_not_begun(alone):
    cancelled = []

    class Engine(AtOnce):
        def submit(self, function, parcel, task, attempt):
            future = super().submit(function, parcel, task, attempt)
            if len(self.submitted) == 3:
                signal.raise_signal(signal.SIGINT)
                future = Future()  # It is never done.
                future.cancel = lambda: cancelled.append(True)
            return future

    with pytest.raises(funcnn.TrainingInterrupted) as caught:
        swept(executor=Engine(), workers=2)
    assert cancelled
    assert [one["seed"] for one in caught.value.result.settings] == [0, 1, 2, 3]
    np.testing.assert_array_equal(caught.value.result.losses, alone.losses[:4])


# The engines, for real, each with two workers.


def script(code):
    """Run a program that sweeps MODEL by an engine, and compares the bits with one worker's."""
    start = """
import numpy, jax, funcnn
def init(key): return {"w": jax.random.normal(key, (3, 2))}
def apply(params, x): return x @ params["w"]
def main():
    x = numpy.random.default_rng(0).standard_normal((12, 3))
    shared = dict(model=(init, apply), data=(x, x @ numpy.ones((3, 2))))
    shared |= dict(steps=30, seed=range(3), group=2)
    alone = funcnn.sweep(**shared)
    def compare(**more):
        found = funcnn.sweep(**shared | more)
        assert found.settings == alone.settings
        assert (found.losses == alone.losses).all()
        assert (found.params["w"] == alone.params["w"]).all()
        print("the same bits")
"""
    end = '\nif __name__ == "__main__": main()\n'
    return start + code + end


def ended(command, path, code):
    path.write_text(script(code))
    root = os.path.dirname(os.path.dirname(funcnn.__file__))
    environment = os.environ | {"PYTHONPATH": root}
    return subprocess.run(
        [*command, str(path)], capture_output=True, text=True, check=False, timeout=120,
        env=environment, cwd=path.parent,
    )  # fmt: skip


def ran(command, path, code):
    done = ended(command, path, code)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.slow
def test_dask(tmp_path):
    pytest.importorskip("distributed")
    code = """
    from distributed import Client, LocalCluster
    local = dict(host="127.0.0.1", dashboard_address=None)
    with LocalCluster(n_workers=2, threads_per_worker=1, **local) as cluster:
        with Client(cluster) as client:
            compare(executor=client)
"""
    assert ran([sys.executable], tmp_path / "main.py", code) == ["the same bits"]


MPIRUN = ["mpirun", "-n", "3", "--allow-run-as-root", "--oversubscribe", sys.executable]
MPIRUN += ["-m", "mpi4py.futures"]


def require_mpi():
    pytest.importorskip("mpi4py")
    if shutil.which("mpirun") is None:
        pytest.skip("no mpirun")


@pytest.mark.slow
def test_mpi(tmp_path):
    require_mpi()
    code = """
    from mpi4py.futures import MPIPoolExecutor
    with MPIPoolExecutor() as executor:
        assert executor.num_workers == 2
        compare(executor=executor)
"""
    assert ran(MPIRUN, tmp_path / "main.py", code) == ["the same bits"]


@pytest.mark.slow
def test_where_mpi_ends_the_job_the_same_command_goes_on_from_the_folder(tmp_path):
    require_mpi()
    code = """
    import os, pathlib, signal, time
    from mpi4py import MPI
    from mpi4py.futures import MPIPoolExecutor
    kept, flag = pathlib.Path("kept"), pathlib.Path("killed")
    def dying(params, x):  # The second worker dies once another has finished a group.
        if MPI.COMM_WORLD.Get_rank() == 2 and not flag.exists():
            while not list(kept.glob("group-*.npz")):
                time.sleep(0.01)
            flag.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return x @ params["w"]
    with MPIPoolExecutor() as executor:
        compare(executor=executor, model=(init, dying), folder=kept)
"""
    first = ended(MPIRUN, tmp_path / "main.py", code)
    assert first.returncode != 0
    assert "the same bits" not in first.stdout
    finished = {path.name: path.stat().st_ino for path in (tmp_path / "kept").glob("group-*.npz")}
    assert finished
    assert ran(MPIRUN, tmp_path / "main.py", code) == ["the same bits"]
    for name, number in finished.items():
        assert (tmp_path / "kept" / name).stat().st_ino == number


@pytest.mark.slow
def test_submitit(tmp_path):
    pytest.importorskip("submitit")
    code = """
    import submitit
    executor = submitit.AutoExecutor("jobs", cluster="local")
    executor.update_parameters(timeout_min=5)
    compare(executor=executor, workers=2)
"""
    assert ran([sys.executable], tmp_path / "main.py", code) == ["the same bits"]
