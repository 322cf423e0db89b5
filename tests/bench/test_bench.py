"""The benchmark measures what it says."""

from __future__ import annotations

import functools
import itertools
import json
import math
import sys

import numpy as np
import pytest
from bench_helpers import SMALL, result_of, sleeper, small

import funcnn
from funcnn.bench import (
    arrays,
    environment,
    floors,
    measuring,
    peers,
    scaling,
    tables,
    tasks,
)
from funcnn.bench.peers import NotServedError, Peer, Prepared, own
from funcnn.bench.peers.numpy_loops import by_hand
from funcnn.bench.results import Benchmark, Scaling


def peer(name, run=lambda _: None, ends=lambda params: params):
    """A peer that runs a function, and ends where funcnn does unless told otherwise."""

    def prepare(task, device):
        prepared = by_hand(task, device)

        def with_own(steps):
            run(steps)
            return prepared.run(steps)

        return Prepared(with_own, lambda ended: ends(prepared.params(ended)))

    return Peer(name, prepare)


@pytest.mark.usefixtures("quick", "numpy_as_funcnn")
def test_a_sleep_in_a_benchmark():
    task = tasks.make("cubic-sgd", samples=50, steps=100)
    run = sleeper(0.002, first=0.4)
    (result,) = funcnn.benchmark(task, peers=peer("sleeper", run), rounds=2).tasks
    own, slept = result.timings
    assert (own.peer, slept.peer) == ("funcnn", "sleeper")
    assert 1900 < slept.microseconds < 8000
    assert own.microseconds < slept.microseconds
    assert slept.compile_seconds > 0.35
    assert slept.run_steps == 100
    assert len(slept.step_seconds) == 2


@pytest.mark.usefixtures("quick", "numpy_as_funcnn")
def test_a_peer_that_ends_elsewhere_is_refused_with_both_losses():
    task = small("cubic-sgd")

    def scaled(factor):
        return lambda params: {name: np.asarray(value) * factor for name, value in params.items()}

    wrong = [peer("elsewhere", ends=scaled(1.01)), peer("nowhere", ends=scaled(np.nan))]
    (result,) = funcnn.benchmark(task, peers=wrong, rounds=1).tasks
    assert [one.peer for one in result.timings] == ["funcnn"]
    prepared = by_hand(task, "cpu")
    ended = prepared.params(prepared.run(2))
    loss, moved = arrays.loss(task, ended), arrays.loss(task, scaled(1.01)(ended))
    assert result.left_out["elsewhere"] == (
        f"refused: after 2 steps its loss is {moved:.6g}, funcnn's {loss:.6g}"
    )
    assert "its loss is nan" in result.left_out["nowhere"]
    assert result.left_out["elsewhere"] in str(result)


@pytest.mark.usefixtures("quick", "numpy_as_funcnn")
def test_one_member_that_ends_elsewhere_refuses_a_sweep():
    def elsewhere(params):
        return params | {"a": params["a"] + np.float32([0, 0.1, 0])}

    wrong = peer("elsewhere", ends=elsewhere)
    (result,) = funcnn.benchmark([small("sweep-cubic")], peers=[wrong], rounds=1).tasks
    assert "its loss of member 1 is" in result.left_out["elsewhere"]


@pytest.mark.usefixtures("quick", "numpy_as_funcnn")
def test_a_peer_that_fails_or_cannot_is_named():
    def broken(_):
        raise RuntimeError("no compiler\nand more")

    def unable(*_):
        raise NotServedError("not with these shoes")

    both = [peer("broken", broken), Peer("unable", unable)]
    (result,) = funcnn.benchmark(small("legendre"), peers=both, rounds=1).tasks
    assert result.left_out == {
        "broken": "failed: RuntimeError: no compiler",
        "unable": "not with these shoes",
    }


@pytest.mark.usefixtures("quick")
def test_a_task_that_diverges_is_refused():
    task = tasks.make("cubic-sgd", samples=50, steps=50, rate=1.0)
    with pytest.raises(funcnn.ArgumentError, match="task='cubic-sgd' diverges"):
        funcnn.benchmark(task, peers=[], rounds=1)


@pytest.mark.usefixtures("quick", "numpy_as_funcnn")
def test_a_missing_library_is_named_and_left_out(monkeypatch):
    monkeypatch.setitem(sys.modules, "equinox", None)
    monkeypatch.delitem(sys.modules, "funcnn.bench.peers.equinox_modules", raising=False)
    chosen = ["equinox-loop", "numpy", "equinox-scan"]
    result = funcnn.benchmark(small("cubic-sgd"), peers=chosen, rounds=1)
    reason = "equinox is not installed: pip install 'funcnn[bench]'"
    assert result.missing == {"equinox-loop": reason, "equinox-scan": reason}
    assert [one.peer for one in result.tasks[0].timings] == ["funcnn", "numpy"]
    assert f"Left out: equinox-loop, equinox-scan: {reason}" in str(result)


BAD = {
    "task-kind": ({"tasks": [3]}, "task=3 is not a name"),
    "peer-kind": ({"peers": [None]}, "peer=None is not a name"),
    "peer-name": ({"peers": [Peer("numpy", lambda *_: None)]}, "'numpy', which is taken"),
    "rounds-kind": ({"rounds": 2.5}, "rounds=2.5 is not an integer"),
    "device": ({"device": "tpu"}, "device='tpu' is not known"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_arguments_are_refused_before_anything_runs(name, monkeypatch):
    monkeypatch.setattr(measuring, "measure", None)
    arguments, message = BAD[name]
    with pytest.raises(funcnn.ArgumentError, match=message):
        funcnn.benchmark(**{"tasks": ["two-layer"], "peers": []} | arguments)


def test_a_device_that_is_not_there():
    if environment.check_device(None) == "cpu":
        with pytest.raises(funcnn.ArgumentError, match="JAX finds none here"):
            funcnn.benchmark("two-layer", device="gpu")


SWEEPS = {"sweep-mlp", "sweep-adam", "sweep-cubic"}
NOT_SERVED = {
    "funcnn-gram": {"linear-adam", "legendre", "dynamic", "sweep-adam"},
    "funcnn-processes": SMALL.keys(),  # It is for the axis of workers alone.
    "torch-tutorial": SWEEPS,
    "torch-func": SMALL.keys() - SWEEPS,
    "torch-cuda-graphs": SMALL.keys(),
    "scikit-learn": SMALL.keys() - {"linear-adam"},
}
# A benchmark refuses a peer that is wrong: what takes long to compile is sampled here.
WHOLE = ("torch", "scikit")
SAMPLED = {
    "funcnn": {"linear-adam", "cubic-rmsprop", "dynamic", "sweep-mlp"},
    "funcnn-gram": {"two-layer", "sweep-cubic", *NOT_SERVED["funcnn-gram"]},
    "funcnn-call": {"linear-adam", "sweep-mlp"},
    "funcnn-processes": {"sweep-mlp"},
}
OF_A_LIBRARY_ON_JAX = {"loop": {"linear-adam"}, "scan": {"sweep-cubic"}}  # They share a step.


@functools.cache
def loss_of_numpy(name):
    task = small(name)
    prepared = by_hand(task, "cpu")
    return arrays.loss(task, prepared.params(prepared.run(20)))


@pytest.mark.filterwarnings("ignore")  # what the libraries say of themselves and each other
@pytest.mark.parametrize("name", [name for name in peers.PEERS if name != "numpy"])
def test_a_peer_ends_at_numpy_s_loss_in_the_tasks_that_it_serves(name, monkeypatch):
    found, missing = peers.find([name])
    if missing:
        pytest.skip(missing[name])
    if name == "torch-compile":  # Half a minute of a C++ compiler.
        monkeypatch.setattr("torch.compile", lambda **_: lambda step: step)
    if name.startswith(WHOLE):
        chosen = SMALL.keys()
    else:
        chosen = SAMPLED.get(name) or OF_A_LIBRARY_ON_JAX[name.split("-")[1]]
    with environment.settings("cpu"):
        for task in map(small, sorted(chosen)):
            if task.name in NOT_SERVED.get(name, ()):
                with pytest.raises(NotServedError):
                    found[-1].prepare(task, "cpu")
                continue
            prepared = found[-1].prepare(task, "cpu")
            prepared.run(20)  # The next run begins anew.
            params = prepared.params(prepared.run(20))
            assert {key: value.shape for key, value in params.items()} == {
                key: value.shape for key, value in task.params.items()
            }
            assert {value.dtype.name for value in params.values()} == {"float32"}
            loss = arrays.loss(task, params)
            expected = loss_of_numpy(task.name)
            np.testing.assert_allclose(loss, expected, rtol=1e-5, err_msg=task.name)
            assert np.all(loss < 0.999 * arrays.loss(task, task.params))


@pytest.mark.parametrize("name", ["two-layer", "linear-adam", "cubic-sgd", "legendre"])
def test_the_loss_that_is_compared_is_the_one_that_is_trained(name):
    task = small(name)
    plan = own.plan_of(task, "direct")
    loss = plan.problem.loss(plan.model.apply(task.params, task.x), task.y)
    np.testing.assert_allclose(arrays.loss(task, task.params), loss, rtol=1e-5)


def test_the_members_of_a_sweep_differ_in_their_rates_alone():
    task = small("sweep-mlp")
    assert task.title == "3 runs of 8 × 12 → 6 → 3, 20 steps of sgd"
    np.testing.assert_array_equal(task.params["w1"][0], task.params["w1"][2])
    np.testing.assert_allclose(task.learning_rate, 1e-4 / np.geomspace(1, 10, 3), rtol=1e-6)


def test_other_steps_are_checked_where_they_end():
    assert tasks.make("two-layer").checked == {100: 1e-4, 300: 0.1}
    assert tasks.make("two-layer", steps=100).checked == {100: 1e-4}
    assert tasks.make("two-layer", steps=50).checked == {5: 1e-4, 50: 1e-4}


def test_the_products_and_bytes_of_a_step():
    task = small("two-layer")
    assert floors.products_of(task) == [
        (8, 12, 6, 1), (8, 6, 3, 1), (6, 8, 3, 1), (8, 3, 6, 1), (12, 8, 6, 1)
    ]  # fmt: skip
    weights = 12 * 6 + 6 * 3
    assert floors.bytes_moved(task) == 4 * (8 * 12 + 8 * 3 + 2 * weights)
    assert floors.bytes_moved(small("linear-adam")) == 4 * (8 * 12 + 8 * 3 + 6 * (weights + 9))
    assert floors.products_of(small("sweep-cubic")) == [(3, 4, 50, 1), (3, 50, 4, 1)]
    assert floors.products_of(small("legendre")) == []


@pytest.mark.usefixtures("short_samples", "numpy_as_funcnn")
def test_the_floors_are_timed_beside_the_peers_and_not_checked(monkeypatch):
    variants = floors._variants
    monkeypatch.setattr(floors, "_variants", lambda *given: itertools.islice(variants(*given), 2))
    (result,) = funcnn.benchmark(small("cubic-sgd"), peers=[], rounds=1).tasks
    assert [one.peer for one in result.floors] == ["floor: products", "floor: bytes"]
    assert all(math.isfinite(one.microseconds) for one in result.floors)
    with pytest.raises(NotServedError, match="no matrix product"):
        floors.FLOORS[0].prepare(small("legendre"), "cpu")


def test_a_record_is_read_back_equal(tmp_path):
    result = result_of(funcnn=10.0, numpy=25.5)
    result.save(tmp_path / "b.json")
    assert Benchmark.load(tmp_path / "b.json") == result
    assert json.loads((tmp_path / "b.json").read_text())["record"] == "Benchmark"
    with pytest.raises(funcnn.ArgumentError, match=r"holds no Scaling: .*it is a Benchmark"):
        Scaling.load(tmp_path / "b.json")
    for text in ("", "[]", '{"record": "Benchmark"}', '{"record": "Benchmark", "method": 1}'):
        (tmp_path / "bad.json").write_text(text)
        with pytest.raises(funcnn.ArgumentError, match="holds no Benchmark"):
            Benchmark.load(tmp_path / "bad.json")


def test_the_form_of_the_table():
    lines = str(result_of(funcnn=10.0, numpy=25.5)).splitlines()
    assert lines[0] == "two-layer: a title"
    assert [part.strip() for part in lines[1].split("  ") if part.strip()] == list(tables.HEADING)
    assert lines[2].split() == ["funcnn", "20.00", "10.00", "0.40", "0.50", "180.00", "1.000"]
    assert lines[3].split() == ["numpy", "51.00", "25.50", "0.40", "0.50", "149.00", "2.550"]
    assert lines[4].split() == ["floor:", "bytes", "1.000", "0.5000", "0.05000"]
    assert lines[5].split() == ["keras-loop", "why"]
    assert lines[6] == "Losses are within this share of funcnn's: 0.001 after 200 steps."
    assert lines[16].split()[:3] == ["funcnn", "gram", "form"]
    assert lines[17].split() == (
        ["two-layer", "20.00", "µs", "–", "2.55", "×", *"––––", "–", "numpy", "2.55", "×"]
    )
    assert lines[20:22] == ["Left out: nnx-loop: flax is not installed", "a method"]
    assert {line.partition(":")[0] for line in lines[22:]} >= {
        "processor", "cores", "threads", "device", "dtype", "matrix precision", "versions", "date"
    }  # fmt: skip
    assert len({line.index("20.00") for line in lines if line.startswith("funcnn")}) == 1


def test_the_picture_of_a_benchmark():
    figure = result_of(funcnn=10.0, numpy=25.5, slow=4000.0).plot()
    first, second = figure.axes
    assert first.get_xscale() == "log"
    assert [label.get_text() for label in first.get_yticklabels()] == ["slow", "numpy", "funcnn"]
    assert [bar.get_width() for bar in first.patches] == pytest.approx([8000, 51, 20])
    colors = [bar.get_facecolor() for bar in first.patches]
    assert colors[0] == colors[1] != colors[2]
    assert second.get_title() == "two-layer: a title"


@pytest.mark.usefixtures("small_tasks", "quick")
def test_the_command_prints_a_table_and_writes_files(run, tmp_path):
    files = ["--json", tmp_path / "b.json", "--plot", tmp_path / "b.png"]
    code, out, err = run("cubic-sgd", "--peers", "numpy", "--rounds", 1, *files)
    assert (code, err) == (0, "")
    result = Benchmark.load(tmp_path / "b.json")
    assert [one.task for one in result.tasks] == ["cubic-sgd"]
    assert out == f"{result}\n"
    assert (tmp_path / "b.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.usefixtures("small_tasks", "quick", "numpy_as_funcnn")
def test_the_command_has_written_what_was_measured_before_a_failure(run, tmp_path, monkeypatch):
    measure = measuring.measure

    def failing(task, *others):
        if task.name == "legendre":
            raise OSError("the lights went out")
        return measure(task, *others)

    monkeypatch.setattr(measuring, "measure", failing)
    path = tmp_path / "b.json"
    code, _, err = run("cubic-sgd", "legendre", "--peers", "numpy", "--rounds", 1, "--json", path)
    assert (code, err) == (1, "funcnn: the lights went out\n")
    assert [one.task for one in Benchmark.load(path).tasks] == ["cubic-sgd"]


BAD_COMMANDS = {
    "task": (["two-layers"], "did you mean 'two-layer'?"),
    "axis": (["--scaling", "hight"], "axis='hight' is not known"),
    "axis-peer": (["--scaling", "--peers", "nump"], "did you mean 'numpy'?"),
    "axis-device": (["--scaling", "--device", "tpu"], "device='tpu' is not known"),
    "peer": (["--peers", "numpy,jax-scam"], "did you mean 'jax-scan'?"),
    "rounds": (["--rounds", "0"], "rounds=0 must be at least 1"),
    "both": (["--cold", "--scaling"], "--cold, --scaling: ask for one measurement at a time"),
    "cold": (["--cold", "--peers", "numpy"], "--cold takes no TASK, no --peers, no --device"),
    "auto": (["--auto", "cubic-sgd"], "--auto takes no TASK, no --peers"),
    "overhead": (["--overhead", "--device", "tpu"], "device='tpu' is not known"),
    "json": (["--json", "figures.txt"], "'.txt' is not known. Known: .json"),
    "plot": (["--plot", "/nowhere/p.png"], "there is no folder /nowhere"),
}


@pytest.mark.parametrize("name", BAD_COMMANDS)
def test_bad_input_of_the_command_is_one_line_and_exit_code_2(name, run, monkeypatch):
    monkeypatch.setattr(measuring, "measure", None)
    monkeypatch.setattr(scaling, "_in_a_process", None)
    arguments, message = BAD_COMMANDS[name]
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith("funcnn: ")
    assert message in err
    assert err.count("\n") == 1
