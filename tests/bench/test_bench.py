"""The measurements measure what they say."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import json
import math
import subprocess
import sys
import time

import numpy as np
import pytest

import funcnn
from funcnn import cli
from funcnn.bench import (
    arrays,
    axes,
    cold,
    environment,
    floors,
    measuring,
    peers,
    point,
    scaling,
    tables,
    tasks,
    timing,
)
from funcnn.bench.peers import NotServedError, Peer, Prepared
from funcnn.bench.results import Benchmark, TaskResult, Timing
from funcnn.bench.scaling import Scaling

NETWORK = {"samples": 8, "widths": (12, 6, 3), "rate": 1e-4, "steps": 20}
CURVE = {"samples": 50, "steps": 20}
SMALL = {
    "two-layer": NETWORK,
    "linear-adam": NETWORK,
    "cubic-sgd": CURVE,
    "cubic-rmsprop": CURVE,
    "legendre": CURVE,
    "dynamic": CURVE,
    "sweep-mlp": NETWORK | {"members": 3},
    "sweep-cubic": CURVE | {"members": 3},
}


@functools.cache
def small(name):
    return tasks.make(name, **SMALL[name])


@pytest.fixture
def small_tasks(monkeypatch):
    """The tasks by their names, but small."""
    made = {name: functools.partial(tasks.TASKS[name], **sizes) for name, sizes in SMALL.items()}
    monkeypatch.setattr(tasks, "TASKS", made)


@pytest.fixture
def quick(monkeypatch):
    """No floors, and short samples."""
    monkeypatch.setattr(floors, "FLOORS", ())
    monkeypatch.setattr(timing, "SAMPLE_SECONDS", 0.01)


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


def peer(name, run=lambda _: None, ends=lambda params: params):
    """A peer that runs a function, and ends where funcnn does unless told otherwise."""

    def prepare(task, device):
        own = peers.find([])[0][0].prepare(task, device)

        def with_own(steps):
            run(steps)
            return own.run(steps)

        return Prepared(with_own, lambda ended: ends(own.params(ended)))

    return Peer(name, prepare)


def sleeper(a_step, once=0.0, first=0.0):
    """A run that sleeps."""
    waiting = [first]

    def run(steps):
        time.sleep(once + steps * a_step + (waiting.pop() if waiting else 0))

    return run


def timed(run, steps, rounds=3, longest=math.inf):
    """Step seconds and run seconds of a bare run, as a benchmark takes them."""
    chosen = timing.lengths(run, steps, longest)
    samples = timing.interleaved({"it": (run, chosen)}, rounds)["it"]
    return chosen, [one.step_seconds for one in samples], [one.run_seconds for one in samples]


def test_a_peer_that_sleeps_is_measured_at_its_sleep():
    chosen, step_seconds, run_seconds = timed(sleeper(0.001, once=0.02), steps=100)
    assert (chosen.short, chosen.long) == (10, 100)
    assert 0.0009 < np.median(step_seconds) < 0.003
    assert 0.12 <= min(run_seconds) < 0.3


def test_what_is_paid_once_is_not_in_the_steady_state():
    run = sleeper(0.0005, first=0.5)
    first = timing.first_call(run, 10)
    assert 0.505 <= first.seconds < 1
    assert 0.45 < first.compile_seconds < first.seconds
    _, step_seconds, _ = timed(run, steps=100)
    assert np.median(step_seconds) < 0.002


def test_a_length_that_is_new_is_never_timed():
    seen = set()

    def run(steps):
        time.sleep(0 if steps in seen else 0.1)
        seen.add(steps)
        time.sleep(steps * 0.0002)

    _, step_seconds, _ = timed(run, steps=200)
    assert np.median(step_seconds) < 0.0006


def test_the_longest_run_is_not_made_again_to_choose_it():
    made = []

    def run(steps):
        made.append(steps)
        time.sleep(0.0001 * steps)

    timing.lengths(run, 100)
    assert made.count(100) == 2


def test_a_slow_peer_makes_fewer_steps():
    chosen, step_seconds, _ = timed(sleeper(0.01), steps=100_000, rounds=1, longest=0.3)
    assert 10 <= chosen.long <= 30
    assert 0.009 < step_seconds[0] < 0.03


def test_every_round_times_every_peer_and_begins_with_another():
    order = []
    runs = {
        name: (lambda _, name=name: order.append(name), timing.Lengths(1, 2, 1)) for name in "pqr"
    }
    samples = timing.interleaved(runs, rounds=4)
    assert "".join(order[::3]) == "pqrqrprpqpqr"
    assert {name: len(taken) for name, taken in samples.items()} == {"p": 4, "q": 4, "r": 4}


def test_the_fastest_is_chosen():
    slow, fast = sleeper(0.002), sleeper(0.0001)
    assert timing.fastest([slow, fast, slow]) is fast


@pytest.mark.usefixtures("quick")
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


@pytest.mark.usefixtures("quick")
def test_a_peer_that_ends_elsewhere_is_refused_with_both_losses():
    task = small("two-layer")

    def scaled(factor):
        return lambda params: {name: np.asarray(value) * factor for name, value in params.items()}

    wrong = [peer("elsewhere", ends=scaled(1.01)), peer("nowhere", ends=scaled(np.nan))]
    (result,) = funcnn.benchmark(task, peers=wrong, rounds=1).tasks
    assert [one.peer for one in result.timings] == ["funcnn"]
    own = funcnn.train(
        "mlp", (task.x, task.y), params=task.params, hidden=6, learning_rate=1e-4, steps=2
    )
    loss, moved = arrays.loss(task, own.params), arrays.loss(task, scaled(1.01)(own.params))
    assert result.left_out["elsewhere"] == (
        f"refused: after 2 steps its loss is {moved:.6g}, funcnn's {loss:.6g}"
    )
    assert "its loss is nan" in result.left_out["nowhere"]
    assert result.left_out["elsewhere"] in str(result)


@pytest.mark.usefixtures("quick")
def test_one_member_that_ends_elsewhere_refuses_a_sweep():
    def elsewhere(params):
        return params | {"a": params["a"] + np.float32([0, 0.1, 0])}

    wrong = peer("elsewhere", ends=elsewhere)
    (result,) = funcnn.benchmark([small("sweep-cubic")], peers=[wrong], rounds=1).tasks
    assert "its loss of member 1 is" in result.left_out["elsewhere"]


@pytest.mark.usefixtures("quick")
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


@pytest.mark.usefixtures("quick")
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


SWEEPS = {"sweep-mlp", "sweep-cubic"}
NOT_SERVED = {
    "funcnn-gram": {"linear-adam", "legendre", "dynamic"},
    "torch-tutorial": SWEEPS,
    "torch-func": SMALL.keys() - SWEEPS,
    "torch-cuda-graphs": SMALL.keys(),
    "scikit-learn": SMALL.keys() - {"linear-adam"},
}
# A benchmark refuses a peer that is wrong: what takes long to compile is sampled here.
WHOLE = ("funcnn-gram", "numpy", "torch", "scikit")
SAMPLED = {"linear-adam", "sweep-cubic"}


@functools.cache
def own_loss(name):
    task = small(name)
    prepared = peers.find([])[0][0].prepare(task, "cpu")
    return arrays.loss(task, prepared.params(prepared.run(20)))


@pytest.mark.filterwarnings("ignore")  # what the libraries say of themselves and each other
@pytest.mark.parametrize("name", [name for name in peers.PEERS if name != peers.OWN])
def test_a_peer_ends_at_funcnn_s_loss_in_the_tasks_that_it_serves(name, monkeypatch):
    found, missing = peers.find([name])
    if missing:
        pytest.skip(missing[name])
    if name == "torch-compile":  # Half a minute of a C++ compiler.
        monkeypatch.setattr("torch.compile", lambda **_: lambda step: step)
    chosen = SMALL.keys() if name.startswith(WHOLE) else SAMPLED
    if name.endswith("-scan"):  # The step is that of the loop.
        chosen = {"linear-adam"}
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
            np.testing.assert_allclose(loss, own_loss(task.name), rtol=1e-5, err_msg=task.name)
            assert np.all(loss < 0.999 * arrays.loss(task, task.params))


@pytest.mark.parametrize("name", ["two-layer", "linear-adam", "cubic-sgd", "legendre"])
def test_the_loss_that_is_compared_is_that_of_a_run(name):
    task = small(name)
    hidden = 6 if "w1" in task.params else None
    run = funcnn.train(task.model, (task.x, task.y), params=task.params, hidden=hidden, steps=1)
    np.testing.assert_allclose(arrays.loss(task, task.params), run.losses[0], rtol=1e-5)


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


def test_the_floors_are_timed_beside_the_peers_and_not_checked(monkeypatch):
    ways = floors._ways
    monkeypatch.setattr(floors, "_ways", lambda *given: itertools.islice(ways(*given), 3))
    (result,) = funcnn.benchmark(small("cubic-sgd"), peers=[], rounds=1).tasks
    assert [one.peer for one in result.floors] == ["floor: products", "floor: bytes"]
    assert all(math.isfinite(one.microseconds) for one in result.floors)
    with pytest.raises(NotServedError, match="no matrix product"):
        floors.FLOORS[0].prepare(small("legendre"), "cpu")


def result_of(**costs):
    """A benchmark as it might have come out."""

    def row(name, cost):
        return Timing(
            name, (cost * 1e-6, 2e-6 * cost, 3e-6 * cost), (0.1, 0.2, 0.3), 1000, 0.5, 0.4
        )

    rows = tuple(row(name, cost) for name, cost in costs.items())
    floor = (row("floor: bytes", 0.5),)
    result = TaskResult("two-layer", "a title", {200: 0.001}, rows, floor, {"keras-loop": "why"})
    facts = environment.described("cpu")
    return Benchmark("a method", facts, {"nnx-loop": "flax is not installed"}, (result, result))


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


@pytest.fixture
def one_axis(monkeypatch):
    """A single axis, of two small sizes."""
    axis = axes.Axis("points", "cubic-sgd", (20, 40), lambda n: {"samples": n, "steps": 30})
    monkeypatch.setattr(scaling, "AXES", {"points": axis})


@pytest.fixture
def answers(monkeypatch):
    """Points as they might come out; torch-func has none."""

    def answer(request):
        facts = {"environment": environment.described("cpu")}
        if request["peer"] == "torch-func":
            return facts | {"left_out": "it is for sweeps"}
        row = result_of(**{request["peer"]: request["sizes"]["samples"]}).tasks[0].timings[0]
        return facts | {"timing": dataclasses.asdict(row), "peak_bytes": 5_000_000}

    monkeypatch.setattr(scaling, "_in_a_process", answer)


@pytest.mark.usefixtures("one_axis", "answers")
def test_scaling_goes_through_sizes_and_peers(run, tmp_path):
    files = ["--json", tmp_path / "s.json", "--plot", tmp_path / "s.svg"]
    code, out, err = run("--scaling", "points", "--peers", "numpy,torch-func", *files)
    assert (code, err) == (0, "")
    result = Scaling.load(tmp_path / "s.json")
    assert out == f"{result}\n"
    assert [(one.size, one.timing.peer, one.cost) for one in result.points] == [
        (20, "funcnn", 40), (20, "numpy", 40), (40, "funcnn", 80), (40, "numpy", 80)
    ]  # fmt: skip
    assert result.left_out == {"torch-func, points": "from 20 on: it is for sweeps"}
    row = out.splitlines()[1].split()
    assert row == ["points", "20", "funcnn", "40.00", "µs", "0.40", "0.50", "5.0"]
    assert b"<svg" in (tmp_path / "s.svg").read_bytes()
    cost, first, memory = result.plot().axes
    assert {ax.get_yscale() for ax in (cost, first, memory)} == {"log"}
    assert [line.get_label() for line in cost.lines] == ["funcnn", "numpy"]
    np.testing.assert_allclose(cost.lines[1].get_ydata(), [40, 80])


def test_a_point_is_measured_in_a_process_of_its_own():
    request = {"task": "cubic-sgd", "sizes": CURVE, "rounds": 1, "device": None, "whole": True}
    answer = scaling._in_a_process(request | {"peer": "funcnn"})
    assert answer["timing"]["peer"] == "funcnn"
    assert answer["peak_bytes"] > 2**20  # What compiles takes memory.
    assert answer["environment"]["device"]


def test_a_point_that_ends_elsewhere_has_no_figures(monkeypatch):
    monkeypatch.setattr(point.measuring, "refusal", lambda *_: "refused: it is elsewhere")
    answer = point.answer("cubic-sgd", CURVE, "numpy", 1, "cpu", whole=True)
    assert answer["left_out"] == "refused: it is elsewhere"
    assert "timing" not in answer


def test_a_point_that_cannot_be_measured_is_named(monkeypatch):
    axis = axes.AXES["steps"]
    monkeypatch.setattr(scaling, "AXES", {"steps": axis._replace(sizes=(30,))})
    monkeypatch.setattr(scaling, "TIMEOUT_SECONDS", 0.01)
    result = scaling.scale(peers=[], rounds=1)
    assert result.points == ()
    assert result.left_out == {"funcnn, steps": "from 30 on: it takes more than 0.01 s"}
    monkeypatch.setattr(sys, "executable", "/bin/false")
    monkeypatch.setattr(scaling, "TIMEOUT_SECONDS", 60)
    result = scaling.scale(peers=[], rounds=1)
    assert "exit code 1" in result.left_out["funcnn, steps"]


def test_a_process_that_sleeps_is_measured_at_its_sleep():
    sleeping = [sys.executable, "-c", "import time; time.sleep(0.5)"]
    idle = [sys.executable, "-c", "pass"]
    seconds = cold.measure({"sleeper": sleeping, "idle": idle}, rounds=2)
    assert len(seconds["sleeper"]) == 2
    assert min(seconds["sleeper"]) > 0.5
    assert min(seconds["sleeper"]) - min(seconds["idle"]) > 0.25


def test_a_process_that_fails_is_not_measured():
    with pytest.raises(subprocess.CalledProcessError):
        cold.measure({"broken": [sys.executable, "-c", "1 / 0"]}, rounds=1)


def test_processes_from_cold(run, monkeypatch, tmp_path):
    waits = {cold.OURS: 0.2, "PyTorch, torch.optim": 0.0, "import jax, optax": 0.1}
    processes = {
        name: [sys.executable, "-c", f"import time; time.sleep({wait})"]
        for name, wait in waits.items()
    }
    monkeypatch.setattr(cold, "PROCESSES", processes)
    monkeypatch.setattr(cold.importlib.util, "find_spec", lambda _: None)
    code, out, err = run("--cold", "--rounds", 2, "--json", tmp_path / "c.json")
    assert (code, err) == (0, "")
    result = cold.Cold.load(tmp_path / "c.json")
    assert out == f"{result}\n"
    assert list(result.missing) == ["PyTorch, torch.optim"]
    assert list(result.seconds) == [cold.OURS, "import jax, optax"]
    assert result.ratio("import jax, optax") > 1
    assert out.splitlines()[1].split()[:3] == ["funcnn", "train", "mlp"]
    assert len(result.plot().axes[0].patches) == 2


@pytest.mark.usefixtures("small_tasks", "quick")
def test_the_command_prints_a_table_and_writes_files(run, tmp_path):
    files = ["--json", tmp_path / "b.json", "--plot", tmp_path / "b.png"]
    code, out, err = run("cubic-sgd", "--peers", "numpy", "--rounds", 1, *files)
    assert (code, err) == (0, "")
    result = Benchmark.load(tmp_path / "b.json")
    assert [one.task for one in result.tasks] == ["cubic-sgd"]
    assert out == f"{result}\n"
    assert (tmp_path / "b.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.usefixtures("small_tasks", "quick")
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
    "both": (["--cold", "--scaling"], "two measurements"),
    "cold": (["--cold", "--peers", "numpy"], "--cold takes no TASK"),
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
