"""What is measured in processes of its own: cost over sizes, and from cold."""

from __future__ import annotations

import dataclasses
import subprocess
import sys

import numpy as np
import pytest
from bench_helpers import CURVE, result_of

from funcnn.bench import axes, cold, environment, measuring, scaling
from funcnn.bench.records import Point, Timing, efficiency
from funcnn.bench.results import Cold, Scaling


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


@pytest.mark.usefixtures("quick", "numpy_as_funcnn")
def test_a_point_that_ends_elsewhere_has_no_figures(monkeypatch):
    monkeypatch.setattr(measuring, "refusal", lambda *_: "refused: it is elsewhere")
    answer = scaling.answer("cubic-sgd", CURVE, "numpy", 1, "cpu", whole=True)
    assert answer["left_out"] == "refused: it is elsewhere"
    assert "timing" not in answer


def test_a_point_that_cannot_be_measured_is_named(monkeypatch):
    axis = axes.AXES["steps"]
    monkeypatch.setattr(scaling, "AXES", {"steps": axis._replace(sizes=(30,))})
    monkeypatch.setattr(scaling, "TIMEOUT_SECONDS", 0.01)
    result = scaling.measure(peers=[], rounds=1)
    assert result.points == ()
    assert result.left_out == {"funcnn, steps": "from 30 on: it takes more than 0.01 s"}
    monkeypatch.setattr(sys, "executable", "/bin/false")
    monkeypatch.setattr(scaling, "TIMEOUT_SECONDS", 60)
    result = scaling.measure(peers=[], rounds=1)
    assert "exit code 1" in result.left_out["funcnn, steps"]


def test_a_process_that_sleeps_is_measured_at_its_sleep():
    sleeping = [sys.executable, "-c", "import time; time.sleep(0.5)"]
    idle = [sys.executable, "-c", "pass"]
    seconds = cold.process_seconds({"sleeper": sleeping, "idle": idle}, rounds=2)
    assert len(seconds["sleeper"]) == 2
    assert min(seconds["sleeper"]) > 0.5
    assert min(seconds["sleeper"]) - min(seconds["idle"]) > 0.25


def test_a_process_that_fails_is_not_measured():
    with pytest.raises(subprocess.CalledProcessError):
        cold.process_seconds({"broken": [sys.executable, "-c", "1 / 0"]}, rounds=1)


def test_processes_from_cold(run, monkeypatch, tmp_path):
    waits = {"funcnn train mlp": 0.2, "PyTorch, torch.optim": 0.0, "import jax, optax": 0.1}
    processes = {
        name: [sys.executable, "-c", f"import time; time.sleep({wait})"]
        for name, wait in waits.items()
    }
    monkeypatch.setattr(cold, "PROCESSES", processes)
    monkeypatch.setattr(cold.importlib.util, "find_spec", lambda _: None)
    code, out, err = run("--cold", "--rounds", 2, "--json", tmp_path / "c.json")
    assert (code, err) == (0, "")
    result = Cold.load(tmp_path / "c.json")
    assert out == f"{result}\n"
    assert list(result.missing) == ["PyTorch, torch.optim"]
    assert list(result.seconds) == ["funcnn train mlp", "import jax, optax"]
    assert result.ratio("import jax, optax") > 1
    assert out.splitlines()[1].split()[:3] == ["funcnn", "train", "mlp"]
    assert len(result.plot().axes[0].patches) == 2


@pytest.mark.slow
@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("peer", axes.AXES["workers"].peers)
def test_workers_share_a_sweep(peer):
    sizes = {"members": 4, "samples": 8, "widths": (12, 6, 3), "steps": 20, "workers": 2}
    answer = scaling.answer("sweep-mlp", sizes, peer, 1, "cpu", whole=False)
    assert "left_out" not in answer


def test_efficiency_is_the_part_of_the_workers_that_is_of_use():
    timing = Timing("funcnn", (8e-6,), (8e-3,), 1000, 0.1, 0.2)
    points = [
        Point("workers", workers, dataclasses.replace(timing, step_seconds=(seconds,)), 0)
        for workers, seconds in ((1, 8e-6), (2, 4e-6), (4, 4e-6))
    ]
    assert efficiency(points) == pytest.approx([1, 1, 0.5])
