"""Whole fits of real data, of small sizes and by libraries that only pretend."""

from __future__ import annotations

import functools
import sys

import numpy as np
import pytest

from funcnn.bench import real, real_tasks
from funcnn.bench.peers import fits
from funcnn.bench.records import FitTiming
from funcnn.bench.results import Real, RealResult
from funcnn.core import MissingExtraError

pytest.importorskip("sklearn")

SIZES = {
    "digits": {"samples": 300, "epochs": 2},
    "diabetes": {"samples": 120, "epochs": 3},
    "regression": {"samples": 300, "epochs": 2},
    "classification": {"samples": 600, "epochs": 2},
}


@pytest.fixture
def small(monkeypatch):
    """The tasks by their names, but small."""
    made = {name: functools.partial(real_tasks.TASKS[name], **SIZES[name]) for name in SIZES}
    monkeypatch.setattr(real_tasks, "TASKS", made)


@pytest.fixture
def pretenders(monkeypatch):
    """Libraries that take no time: one for each way to end."""
    names = ("right", "elsewhere", "failing")
    places = {"funcnn": "pretended_fits:right"} | {name: f"pretended_fits:{name}" for name in names}
    places["absent"] = "no_such_library.fits:prepare"
    monkeypatch.setattr(fits, "LIBRARIES", places)
    monkeypatch.setattr(real, "LIBRARIES", places)


@pytest.mark.parametrize("name", SIZES)
def test_what_is_tested_on_is_not_trained_on(name):
    task = real_tasks.make(name, **SIZES[name])
    samples = SIZES[name]["samples"]
    assert len(task.x) == len(task.y) == samples - len(task.x_test)
    assert len(task.x_test) == len(task.y_test) == samples // 5
    pairs = {(*x.tolist(), float(y)) for x, y in zip(task.x, task.y, strict=True)}
    tested = {(*x.tolist(), float(y)) for x, y in zip(task.x_test, task.y_test, strict=True)}
    assert not pairs & tested
    assert task.x.dtype == np.float32
    np.testing.assert_allclose(task.x.mean(axis=0), 0, atol=1e-4)
    spread = task.x.std(axis=0)
    np.testing.assert_allclose(spread[spread > 0], 1, atol=1e-4)
    assert task.classifies == (name in ("digits", "classification"))
    assert task.steps == SIZES[name]["epochs"] * -(-len(task.x) // 64)
    again = real_tasks.make(name, **SIZES[name])
    np.testing.assert_array_equal(task.x, again.x)
    # The best score, and that of a guess.
    assert task.score(task.y_test) == 1
    if not task.classifies:
        mean = np.full_like(task.y_test, task.y_test.mean())
        np.testing.assert_allclose(task.score(mean), 0, atol=1e-5)


@pytest.mark.parametrize("library", fits.LIBRARIES)
@pytest.mark.parametrize("name", ["digits", "diabetes"])
def test_every_library_learns_the_task(library, name):
    package = {"pytorch": "torch", "skorch": "skorch"}.get(library, "sklearn")
    pytest.importorskip(package)
    task = real_tasks.make(name, samples=400, epochs=30)
    found, missing = fits.find([library])
    assert missing == {}
    predict = found[library](task)(0)
    predicted = predict(task.x_test)
    assert predicted.shape == task.y_test.shape
    assert task.score(predicted) > (0.8 if task.classifies else 0.1)
    assert np.issubdtype(predicted.dtype, np.integer) == task.classifies


def test_pytorch_is_left_as_it_was():
    torch = pytest.importorskip("torch")
    from funcnn.bench.peers.fits import pytorch

    state, threads = torch.random.get_rng_state(), torch.get_num_threads()
    task = real_tasks.make("diabetes", samples=100, epochs=1)
    fit = pytorch.prepare(task)
    first, again, other = (fit(seed)(task.x_test) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.get_num_threads() == threads


@pytest.mark.usefixtures("small", "pretenders")
def test_a_library_that_ends_elsewhere_is_shown(run, tmp_path):
    path = tmp_path / "r.json"
    files = ["--json", path, "--plot", tmp_path / "r.svg"]
    code, out, err = run("--real", "digits", "diabetes", "--rounds", 2, *files)
    assert (code, err) == (0, "")
    result = Real.load(path)
    assert out == f"{result}\n"
    assert [one.task for one in result.tasks] == ["digits", "diabetes"]
    for task in result.tasks:
        assert [timing.peer for timing in task.timings] == ["funcnn", "right", "elsewhere"]
        assert [len(timing.seconds) for timing in task.timings] == [2, 2, 2]
        assert [task.agrees(timing) for timing in task.timings] == [True, True, False]
        assert task.left_out == {"failing": "failed: RuntimeError: it broke"}
    assert result.missing == {
        "absent": "no_such_library is not installed: pip install 'funcnn[bench]'"
    }
    lines = out.splitlines()
    assert lines[0].startswith("digits: 240 samples, 64-64-10, 2 epochs of batches of 64")
    (elsewhere,) = [line for line in lines[:7] if line.startswith("elsewhere")]
    assert elsewhere.endswith("not within 0.015 of funcnn's")
    assert "1.0000  1.0000 … 1.0000" in lines[2]
    assert b"<svg" in (tmp_path / "r.svg").read_bytes()
    assert len(result.plot().axes[0].patches) == 3


@pytest.mark.usefixtures("small", "pretenders")
def test_each_fit_has_a_seed_of_its_own():
    import pretended_fits

    pretended_fits.SEEDS.clear()
    seen = []
    real.measure("diabetes", peers=[], rounds=3, each=seen.append)
    assert pretended_fits.SEEDS == [0, 1, 2, 3]
    assert len(seen) == 1


def test_figures_of_a_task():
    own = FitTiming("funcnn", 3.0, (1.0, 2.0, 3.0), (0.9, 0.9, 0.9, 0.8))
    other = FitTiming("skorch", 8.0, (8.0, 8.0, 9.0), (0.9, 0.9, 0.9, float("nan")))
    task = RealResult("digits", "a title", 1000, "accuracy", 0.1, (own, other), {})
    assert task.ratio(other) == 4
    assert not task.agrees(other)
    row = str(task).splitlines()[2].split()
    assert row == ["funcnn", "3.000", "2.000", "1.000", "2,000", "1.000", "0.8750", "0.8000", "…",
                   "0.9000"]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--real", "digit"], "did you mean 'digits'?"),
        (["--real", "--peers", "sckit-learn"], "did you mean 'scikit-learn'?"),
        (["--real", "--rounds", "0"], "rounds=0 must be at least 1"),
        (["--real", "--device", "cpu"], "--real takes no --device"),
    ],
)
def test_bad_input_is_refused_before_anything_is_measured(run, monkeypatch, arguments, message):
    monkeypatch.setattr(real, "find", None)
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert message in err


def test_tasks_need_scikit_learn(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(MissingExtraError, match="scikit-learn is not installed"):
        real_tasks.make("digits")
