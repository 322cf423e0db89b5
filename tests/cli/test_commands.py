"""The command line: its output, its exit codes, and Ctrl-C."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shlex
import subprocess
import sys
import threading
import warnings

import numpy as np
import pytest

import funcnn
from funcnn import cli
from funcnn.atlas.reference import numpy_loops
from funcnn.experiments import EXPERIMENTS
from funcnn.runs import DEFAULTS


def logged(out):
    """The steps of the log, which stands under a heading and before the rest."""
    heading, *lines = out.splitlines()
    assert heading.split() == ["step", "loss"]
    rows = [line.split() for line in lines if line.startswith(" ")]
    assert np.isfinite([float(loss) for _, loss in rows]).all()
    return [int(step) for step, _ in rows]


def test_the_log_has_the_tutorial_s_form(run):
    code, out, err = run("train", "legendre")
    assert (code, err) == (0, "")
    assert logged(out) == list(range(99, 2000, 100))
    lines = out.splitlines()
    assert float(lines[1].split()[1]) == pytest.approx(209.95834350585938, rel=1e-5)
    assert lines[21].startswith("Result: y = ")
    assert " * P3(" in lines[21]
    first, last = lines[22].removeprefix("Loss: ").split(" -> ")
    result = funcnn.train("legendre")
    np.testing.assert_allclose([float(first), float(last)], result.losses[[0, -1]], rtol=1e-5)
    assert lines[23].startswith("Time: ")
    assert "µs a step" in lines[23]
    assert len(lines) == 24


def test_a_tutorial_that_prints_every_step_is_thinned_unless_asked(run):
    arguments = ("train", "--experiment", "random-data/numpy")
    assert logged(run(*arguments)[1]) == list(range(0, 100, 5))
    assert logged(run(*arguments, "--log-every", 1)[1]) == list(range(100))


def test_log_every(run):
    _, out, _ = run("train", "mlp", "--steps", 45, "--log-every", 20)
    assert logged(out) == [0, 20, 40]


@pytest.mark.parametrize(("steps", "spacing"), [(7, 1), (45, 3), (1000, 50)])
def test_a_run_on_one_s_own_data_prints_a_twentieth_of_its_steps(steps, spacing, run, table):
    _, out, _ = run("train", "mlp_linear", "--data", table, "--target", "y", "--steps", steps)
    assert logged(out) == list(range(0, steps, spacing))


def test_what_is_not_given_on_one_s_own_data(run, table):
    code, out, _ = run("train", "mlp_linear", "--data", table, "--target", "y", "--json")
    assert code == 0
    rows = np.loadtxt(table, delimiter=",", skiprows=1)
    result = funcnn.train(
        "mlp_linear", (np.delete(rows, 2, axis=1), rows[:, 2]), optimizer="adam", steps=1000,
        loss="mean_squared_error",
    )  # fmt: skip
    assert json.loads(out)["last_loss"] == result.losses[-1]
    _, text, _ = run("train", "--help")
    for default in (DEFAULTS.loss, DEFAULTS.optimizer, DEFAULTS.steps):
        assert f"{default} on your data" in " ".join(text.split())


def test_more_outputs_than_classes(run, table, tmp_path):
    path = tmp_path / "w.npz"
    code, _, err = run(
        "train", "mlp_linear", "--data", table, "--target", "kind", "--loss", "cross_entropy",
        "--hidden", 4, "--out-features", 5, "--steps", 3, "--save", path,
    )  # fmt: skip
    assert (code, err) == (0, "")
    assert funcnn.load_params(path)["w2"].shape == (4, 5)


def test_a_rising_loss_is_a_line_on_stderr(run, table):
    arguments = ("train", "mlp_linear", "--data", table, "--target", "y", "--steps", 3)
    code, out, err = run(*arguments, "--optimizer", "sgd", "--learning-rate", 5)
    assert (code, logged(out)) == (0, [0, 1, 2])
    assert err.startswith("funcnn: the loss ended at ")
    assert err.count("\n") == 1
    assert run(*arguments)[2] == ""


def test_other_warnings_are_python_s(run, monkeypatch):
    def train(**_):
        warnings.warn("something else", UserWarning, stacklevel=1)
        return result

    result = funcnn.train(steps=1)
    monkeypatch.setattr(funcnn, "train", train)
    with pytest.warns(UserWarning, match="something else"):
        assert run("train", "mlp", "--steps", 1)[0] == 0


def test_json_is_one_object_and_nothing_else(run, tmp_path):
    path = tmp_path / "w.npz"
    code, out, err = run(
        "train", "polynomial", "--degree", 2, "--steps", 250, "--dtype", "float64", "--seed", 3,
        "--gradient", "manual", "--json", "--save", path,
    )  # fmt: skip
    assert (code, err) == (0, "")
    facts = json.loads(out)
    result = funcnn.train(
        "polynomial", degree=2, steps=250, dtype="float64", seed=3, gradient="manual"
    )
    assert facts["steps"] == 250
    assert facts["last_loss"] == result.losses[-1]
    assert facts["losses"] == [[99, result.losses[99]], [199, result.losses[199]]]
    assert facts["formula"] == result.formula
    assert facts["interrupted"] is False
    np.testing.assert_array_equal(funcnn.load_params(path)["c"], result.params["c"])


def test_options_reach_the_run(run, table):
    code, out, _ = run(
        "train", "mlp_linear", "--data", table, "--target", "y", "--hidden", "5,4",
        "--optimizer", "momentum", "--learning-rate", 1e-3, "--set", "momentum=0.5", "--set",
        "nesterov=true", "--batch-size", 8, "--loss", "sum_squared_error", "--steps", 60, "--json",
        "--activation", "tanh", "--dropout", 0.25,
    )  # fmt: skip
    assert code == 0
    result = funcnn.train(
        "mlp_linear", table, target="y", hidden=(5, 4), optimizer="momentum", learning_rate=1e-3,
        momentum=0.5, nesterov=True, batch_size=8, loss="sum_squared_error", steps=60,
        activation="tanh", dropout=0.25,
    )  # fmt: skip
    assert json.loads(out)["last_loss"] == result.losses[-1]


BAD = {
    "no-model": (["train"], "a MODEL or --experiment NAME is needed"),
    "experiment": (["train", "--experiment", "sine/dynamik"], "did you mean 'sine/dynamic'?"),
    "reproduce": (["reproduce", "sine/numpy", "sine/numpi"], "experiment='sine/numpi'"),
    "reproduce-nothing": (["reproduce"], "either the NAMEs of experiments or --all"),
    "reproduce-both": (["reproduce", "sine/nn", "--all"], "either the NAMEs of experiments or"),
    "reproduce-dtype": (["reproduce", "sine/numpy", "--dtype", "float16"], "dtype='float16'"),
    "model": (["train", "mpl"], "model='mpl' is not known; did you mean 'mlp'?"),
    "steps": (["train", "mlp", "--steps", "many"], "'many' is not a valid integer"),
    "rate": (["train", "mlp", "--learning-rate", "-1"], "learning_rate=-1.0 must be a positive"),
    "data": (["train", "mlp", "--data", "none.csv"], "none.csv: there is no such file"),
    "hidden": (["train", "mlp", "--hidden", "5,x"], "--hidden 5,x must be"),
    "form": (["train", "legendre", "--form", "gram"], "form='gram': the model is not linear"),
    "set": (["train", "mlp", "--set", "momentum"], "--set momentum must be NAME=NUMBER"),
    "set-steps": (["train", "mlp", "--set", "steps=5"], "steps is set elsewhere"),
    "set-unknown": (["train", "mlp", "--set", "beta1=0.5"], "sgd takes no beta1"),
    "save": (["train", "mlp", "--save", "weights.pt"], "'.pt' is not known"),
    "log-every": (["train", "mlp", "--log-every", "0"], "'--log-every': 0 is not in the range"),
    "resume": (["train", "mlp", "--resume", "maybe"], "'maybe' is not one of 'auto', 'true'"),
    "resume-where": (["train", "mlp", "--resume", "auto"], "resume is for checkpoints="),
    "data-thrice": (["train", "mlp", *["--data", "x.npy"] * 3], "--data is given 3 times"),
    "metrics": (["train", "mlp", "--metrics", "r3"], "metrics='r3' is not known"),
    "weights": (["predict", "none.npz", "--data", "d.csv"], "none.npz: there is no such file"),
    "output": (["predict", "w", "--data", "d", "--output", "p.txt"], "'.txt' is not known"),
    "output-array": (
        ["predict", "w", "--data", "d", "--output", "p.npy", "--probabilities"],
        "a .npy file holds one array",
    ),
    "option": (["train", "mlp", "--stepz", "5"], "No such option"),
    "command": (["trane"], "No such command"),
    "sweep-nothing": (["sweep", "mlp"], "nothing is swept"),
    "sweep-model": (["sweep", "--seed", "0:3"], "a MODEL or --experiment NAME is needed"),
    "sweep-seed": (["sweep", "mlp", "--seed", "0:3:5"], "--seed 0:3:5 must be a number, several"),
    "sweep-values": (["sweep", "mlp", "--seed", "1,x"], "--seed 1,x must be a number, several"),
    "sweep-empty": (["sweep", "mlp", "--seed", "3:3"], "seed=range(3, 3) holds no values"),
    "sweep-log": (["sweep", "mlp", "--learning-rate", "0:1:log:3"], "for log, ends above 0"),
    "sweep-count": (["sweep", "mlp", "--learning-rate", "0:1:lin:0"], "with N from 1 and"),
    "sweep-nan": (["sweep", "mlp", "--learning-rate", "nan,1"], "learning_rate=nan must be a"),
    "sweep-set": (["sweep", "mlp", "--set", "momentum"], "--set momentum must be NAME=VALUES"),
    "sweep-twice": (
        ["sweep", "mlp", "--seed", "1", "--seed", "2"],
        "--seed is given twice; several values are one text: 1,2,3",
    ),
    "sweep-steps-twice": (
        ["sweep", "mlp", "--seed", "0:2", "--steps", "1", "--steps", "2"],
        "--steps is given twice",
    ),
    "sweep-activations": (
        ["sweep", "mlp_linear", "--activation", "tanh", "--activation", "than"],
        "activation='than' is not known",
    ),
    "sweep-zip": (
        ["sweep", "mlp", "--seed", "0:2", "--learning-rate", "1,2,3", "--mode", "zip"],
        "mode='zip' needs as many values of each",
    ),
    "sweep-group": (
        ["sweep", "mlp", "--seed", "0:2", "--set", "group=3"],
        "group is set elsewhere",
    ),
    "sweep-save": (
        ["sweep", "mlp", "--seed", "0:2", "--keep", "losses", "--save", "best.npz"],
        "--save: --keep losses keeps no params",
    ),
    "sweep-plot": (["sweep", "mlp", "--seed", "0:2", "--plot", "p.bmp"], "'.bmp' is not known"),
    "sweep-csv": (["sweep", "mlp", "--seed", "0:2", "--csv", "/proc/t.csv"], "cannot be written"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_line_and_exit_code_2(name, run):
    arguments, message = BAD[name]
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith("funcnn: ")
    assert message in err
    assert err.count("\n") == 1


def test_a_missing_extra_is_named(run, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "safetensors", None)
    code, out, err = run("train", "mlp", "--save", tmp_path / "w.safetensors")
    assert (code, out) == (2, "")
    assert err == "funcnn: safetensors is not installed: pip install 'funcnn[safetensors]'\n"


def test_a_place_that_cannot_be_written_is_refused_before_the_run(run):
    code, out, err = run("train", "polynomial", "--save", "/proc/w.npz")
    assert (code, out) == (2, "")
    assert err.startswith("funcnn: /proc/w.npz cannot be written")


@pytest.mark.parametrize("as_json", [False, True])
def test_a_disk_that_is_full_is_named_and_the_losses_are_printed(
    as_json, run, tmp_path, monkeypatch
):
    def fsync(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fsync)
    path = tmp_path / "w.npz"
    json_or_text = ["--json"] if as_json else []
    code, out, err = run("train", "polynomial", "--steps", 3, "--save", path, *json_or_text)
    assert code == 1
    assert err == f"funcnn: [Errno {errno.ENOSPC}] No space left on device: '{path}'\n"
    assert not list(tmp_path.iterdir())
    if as_json:
        assert (json.loads(out)["steps"], json.loads(out)["saved"]) == (3, None)
    else:
        assert "Loss: " in out
        assert "Weights: " not in out


def test_settings_that_are_true_or_false(run):
    arguments = ("train", "polynomial", "--steps", 3, "--optimizer", "momentum", "--json")
    losses = set()
    for setting in ("nesterov=true", "nesterov=True", "nesterov=false"):
        code, out, _ = run(*arguments, "--set", setting)
        assert code == 0
        losses.add(json.loads(out)["last_loss"])
    assert len(losses) == 2


def test_a_terminal_that_lacks_letters():
    code, out, err = done("models", env={"PYTHONIOENCODING": "ascii"})
    assert (code, err) == (0, "")
    assert "legendre" in out


def test_without_documentation():
    code, out, err = done("models", env={"PYTHONOPTIMIZE": "2"})
    assert (code, err) == (0, "")
    assert out.splitlines()[::2] == list(funcnn.models.MODELS)


@pytest.mark.parametrize("platform", ["foo", "cuda,foo"])
def test_a_device_that_is_not_there_is_one_line(platform):
    code, out, err = done("train", "mlp", env={"JAX_PLATFORMS": platform})
    assert (code, out) == (2, "")
    assert err.startswith("funcnn: ")
    assert "foo" in err
    assert err.count("\n") == 1


def test_an_error_of_the_program_keeps_its_traceback(monkeypatch):
    def fail():
        raise RuntimeError("a defect")

    monkeypatch.setattr(cli.training.models, "callback", fail)
    monkeypatch.setattr(sys, "argv", ["funcnn", "models"])
    with pytest.raises(RuntimeError, match="a defect"):
        cli.main()


def test_divergence_is_exit_code_1_and_saves_nothing(run, tmp_path):
    path = tmp_path / "w.npz"
    code, _, err = run("train", "mlp", "--learning-rate", 1.0, "--save", path)
    assert code == 1
    assert err.startswith("funcnn: the run diverged: after 2 steps ")
    assert not path.exists()


def test_an_experiment_by_name(run):
    code, out, _ = run("train", "--experiment", "random-data/numpy", "--steps", 4, "--json")
    assert code == 0
    facts = json.loads(out)
    result = funcnn.train(experiment="random-data/numpy", steps=4)
    assert facts["losses"] == [[step, loss] for step, loss in enumerate(result.losses)]
    assert (facts["model"], facts["dtype"], facts["form"]) == ("mlp", "float64", "direct")


def test_the_form(run):
    for form, used in (("auto", "gram"), ("gram", "gram"), ("direct", "direct")):
        code, out, _ = run("train", "polynomial", "--form", form, "--json")
        assert code == 0
        assert json.loads(out)["form"] == used


def test_the_experiments_are_listed(run):
    code, out, _ = run("experiments")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()] == list(EXPERIMENTS)
    assert "PyTorch learning notes 5, section 9" in out


def test_reproduce_prints_a_row_for_each_and_writes_a_report(run, tmp_path):
    code, out, err = run(
        "reproduce", "sine/numpy", "random-data/numpy", "--steps", 30, "--report", tmp_path / "r"
    )
    assert (code, err) == (0, "")
    head, first, second, end, report = out.splitlines()
    assert head.split()[:2] == ["experiment", "compared"]
    assert first.split()[:2] == ["sine/numpy", "30"]
    assert first.endswith("agrees")
    assert second.split()[0] == "random-data/numpy"
    assert end == "2 of 2 agree, in float64"
    assert report == f"Report: {tmp_path / 'r' / 'index.html'}"
    assert "2 of 2 experiments" in (tmp_path / "r" / "index.html").read_text()


def test_reproduce_takes_a_seed_and_every_experiment(run, monkeypatch):
    asked = []

    def reproduce(record, dtype, steps, seed):
        asked.append((record.name, dtype, steps, seed))
        return done

    done = funcnn.reproduce("sine/numpy", steps=3)
    monkeypatch.setattr(cli.atlas, "find_reference", lambda _: None)  # PyTorch may be missing.
    monkeypatch.setattr(cli.atlas, "reproduce_one", reproduce)
    code, out, _ = run("reproduce", "--all", "--seed", 7, "--dtype", "float32", "--steps", 3)
    assert code == 0
    assert asked == [(name, "float32", 3, 7) for name in EXPERIMENTS]
    assert out.splitlines()[-1] == "27 of 27 agree, in float32"


def test_reproduce_exits_with_1_where_losses_differ(run, monkeypatch):
    right = numpy_loops.cubic

    def with_a_wrong_loss(*arguments):
        losses, params = right(*arguments)
        return np.concatenate([losses[:3], 1.001 * losses[3:]]), params

    monkeypatch.setattr(numpy_loops, "cubic", with_a_wrong_loss)
    code, out, err = run("reproduce", "sine/numpy", "random-data/numpy", "--steps", 5)
    assert (code, err) == (1, "")
    rows = [line.split() for line in out.splitlines()[1:3]]
    assert float(rows[0][2]) == pytest.approx(1e-3, rel=0.1)
    assert rows[0][3:6] == ["at", "step", "3"]
    assert [row[-1] for row in rows] == ["DIFFERS", "agrees"]
    assert out.splitlines()[-1] == "1 of 2 agree, in float64"


def test_sweep_prints_the_best_and_writes_a_table_and_a_picture(run, tmp_path):
    table, picture = tmp_path / "t.csv", tmp_path / "p.svg"
    code, out, err = run(
        "sweep", "polynomial", "--seed", "0:3", "--learning-rate", "1e-7:1e-3:log:3",
        "--steps", 200, "--dtype", "float64", "--keep-every", 50, "--group", 4,
        "--csv", table, "--plot", picture,
    )  # fmt: skip
    assert (code, err) == (0, "")
    result = funcnn.sweep(
        "polynomial", seed=range(3), learning_rate=[1e-7, 1e-5, 1e-3], steps=200, dtype="float64"
    )
    lines = out.splitlines()
    assert lines[0].split() == ["seed", "learning_rate", "first", "loss", "last", "loss"]
    last = [float(row.split()[-1]) for row in lines[1:6]]
    np.testing.assert_allclose(last, sorted(result.losses[result.ranking, -1])[:5], rtol=1e-5)
    assert lines[6] == f"{9 - len(result.ranking)} of 9 members diverged"
    assert lines[7].startswith("Result: y = ")
    assert lines[8].endswith("for 9 members of 200 steps")
    assert lines[9:] == [f"Plot: {picture}", f"Table: {table}"]
    rows = [line.split(",") for line in table.read_text().splitlines()]
    assert rows[0] == ["seed", "learning_rate", "first_loss", "last_loss", "diverged"]
    assert [row[0] for row in rows[1:4]] == ["0", "0", "0"]
    assert [float(row[1]) for row in rows[1:4]] == [1e-7, 1e-5, 1e-3]
    assert float(rows[1][3]) == pytest.approx(result.losses[0, -1], rel=1e-10)
    assert [row[4] for row in rows[1:4]] == ["", "", str(result.diverged[2])]
    assert "<svg" in picture.read_text()


def test_sweep_goes_on_in_a_folder_and_keeps_the_best(run, tmp_path):
    command = ["sweep", "polynomial", "--seed", "0:4", "--steps", 20, "--workers", 2, "--keep", 1]
    code, first, err = run(*command, "--folder", tmp_path / "sweep")
    assert (code, err) == (0, "")
    code, again, err = run(*command, "--folder", tmp_path / "sweep")
    assert (code, err) == (0, "")
    lines = first.splitlines()
    assert lines[-1] == f"Folder: {tmp_path / 'sweep'}"
    assert lines[:-2] == again.splitlines()[:-2]  # Not the time.
    assert lines[-3].startswith("Result: y =")
    saved = funcnn.load_sweep(tmp_path / "sweep")
    assert len(saved.settings) == 4
    assert sorted(saved.best().params) == ["a", "b", "c", "d"]


def test_sweep_of_other_numbers_and_of_an_experiment(run, tmp_path):
    table = tmp_path / "t.csv"
    code, _, err = run(
        "sweep", "--experiment", "random-data/numpy", "--optimizer", "momentum", "--steps", 5,
        "--learning-rate", "1e-6", "--set", "momentum=0.5:0.9:lin:3", "--set", "nesterov=true",
        "--set", "weight_decay=0,0.1,0.2", "--mode", "zip", "--csv", table,
    )  # fmt: skip
    assert (code, err) == (0, "")
    rows = [line.split(",") for line in table.read_text().splitlines()]
    assert rows[0][:2] == ["momentum", "weight_decay"]
    numbers = [[float(number) for number in row[:2]] for row in rows[1:]]
    assert numbers == [[0.5, 0], [0.7, 0.1], [0.9, 0.2]]
    alone = funcnn.train(
        experiment="random-data/numpy", optimizer="momentum", steps=5, learning_rate=1e-6,
        momentum=0.7, nesterov=True, weight_decay=0.1,
    )  # fmt: skip
    assert float(rows[2][3]) == pytest.approx(alone.losses[-1], rel=1e-10)


def test_a_sweep_in_which_all_diverge_is_exit_code_1(run, tmp_path):
    table = tmp_path / "t.csv"
    code, out, err = run("sweep", "mlp", "--learning-rate", "1,2", "--csv", table)
    assert (code, err) == (1, "funcnn: every member diverged; a smaller learning_rate may help\n")
    assert "2 of 2 members diverged" in out
    assert [row.split(",")[-1] for row in table.read_text().splitlines()[1:]] == ["2", "2"]


def test_a_picture_without_matplotlib_is_refused_before_the_sweep(run, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    code, out, err = run("sweep", "mlp", "--seed", "0:2", "--plot", tmp_path / "p.png")
    assert (code, out) == (2, "")
    assert err == "funcnn: matplotlib is not installed: pip install 'funcnn[plot]'\n"


def test_help_version_and_models(run):
    for arguments in ([], ["--help"]):
        code, out, _ = run(*arguments)
        assert code == 0
        assert "train" in out
    assert run("--version")[:2] == (0, f"funcnn {funcnn.__version__}\n")
    code, out, _ = run("models")
    assert code == 0
    assert [line.split(":")[0] for line in out.splitlines()[::2]] == list(funcnn.models.MODELS)


def start(*arguments, env=None, **options):
    command = [sys.executable, "-m", "funcnn", *map(str, arguments)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    environment = os.environ | (env or {})
    return subprocess.Popen(command, text=True, env=environment, **pipes | options)


def done(*arguments, **options):
    """The exit code, stdout and stderr of a command in a process of its own."""
    process = start(*arguments, **options)
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


def test_as_a_process():
    code, out, err = done("train", "polynomial", "--steps", 300)
    assert (code, err) == (0, "")
    assert logged(out) == [99, 199, 299]
    assert [line.split()[0] for line in out.splitlines()[4:]] == ["Result:", "Loss:", "Time:"]


@pytest.mark.parametrize("as_json", [False, True])
def test_ctrl_c_keeps_and_saves_the_finished_steps(as_json, run_interrupted, tmp_path):
    path = tmp_path / "w.npz"
    code, out, err = run_interrupted(
        "train", "polynomial", "--log-every", 100, "--save", path, *(["--json"] if as_json else [])
    )
    assert code == 130
    assert err == f"funcnn: interrupted; {path} holds the weights after 300 steps\n"
    if as_json:
        facts = json.loads(out)
        assert (facts["interrupted"], facts["steps"]) == (True, 300)
    else:
        assert logged(out) == [0, 100, 200]
        assert out.splitlines()[-1] == f"Weights: {path}"
    whole = funcnn.train("polynomial", steps=300)
    np.testing.assert_array_equal(funcnn.load_params(path)["a"], whole.params["a"])


def test_ctrl_c_in_a_sweep_keeps_what_is_finished(run_interrupted, tmp_path):
    path = tmp_path / "t.csv"
    code, out, err = run_interrupted(
        "sweep", "polynomial", "--seed", "0:4", "--workers", "1", "--csv", path
    )
    assert (code, err) == (130, "funcnn: interrupted\n")
    assert out.splitlines()[-2].endswith("for 4 members of 300 steps")
    assert out.splitlines()[-1] == f"Table: {path}"
    assert len(path.read_text().splitlines()) == 5


INTERRUPTED = """
import signal
import funcnn.cli, funcnn.runs.run

class Interrupted(funcnn.runs.run.ClockPace):
    def length(self):
        return 100

    def took(self, steps, seconds):
        signal.raise_signal(signal.SIGINT)

signal.signal(signal.SIGINT, signal.default_int_handler)
funcnn.runs.run.ClockPace = Interrupted
funcnn.cli.main()
"""


def test_ctrl_c_in_a_process():
    command = [sys.executable, "-c", INTERRUPTED, "train", "polynomial", "--log-every", "100"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (130, "funcnn: interrupted\n")
    assert logged(ended.stdout) == [0]
    assert ended.stdout.splitlines()[-1].split()[0] == "Time:"


BAR = """
import funcnn.cli, funcnn.runs.observers.bar

funcnn.runs.observers.bar.DELAY = 0
funcnn.cli.main()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_the_bar_stands_on_stderr_when_it_is_a_terminal():
    import pty
    import termios

    ours, theirs = pty.openpty()
    termios.tcsetwinsize(ours, (24, 80))
    process = subprocess.Popen(
        [sys.executable, "-c", BAR, "train", "polynomial"],
        env=os.environ | {"TQDM_MININTERVAL": "0"},
        stdout=subprocess.PIPE,
        stderr=theirs,
        text=True,
    )
    os.close(theirs)
    shown = bytearray()

    def read():
        with contextlib.suppress(OSError):  # Linux's word for the end of a terminal.
            while part := os.read(ours, 4096):
                shown.extend(part)

    reader = threading.Thread(target=read)
    reader.start()
    out, _ = process.communicate(timeout=120)
    reader.join(timeout=120)
    os.close(ours)
    assert process.returncode == 0
    assert b"/2000 [" in shown
    assert b"loss" in shown
    assert "step/s" not in out
    assert logged(out)[0] == 99


def test_a_reader_that_leaves_early_loses_no_run(tmp_path):
    path = tmp_path / "w.npz"
    options = ["--steps", 20000, "--log-every", 1, "--save", path]
    process = start("train", "polynomial", *options)
    process.stdout.readline()
    process.stdout.close()
    _, err = process.communicate(timeout=120)
    assert (process.returncode, err) == (1, "")
    assert path.exists()


@pytest.mark.skipif(sys.platform != "linux", reason="needs a shell and /dev/full")
@pytest.mark.parametrize(
    ("closed", "code"), [(">&-", 0), ("2>&-", 0), (">&- 2>&-", 0), (">/dev/full", 1)]
)
def test_streams_that_are_closed_or_full_lose_no_run(closed, code, tmp_path):
    path = tmp_path / "w.npz"
    words = [sys.executable, "-m", "funcnn", "train", "polynomial", "--steps", "3", "--log-every",
             "1", "--save", str(path)]  # fmt: skip
    ended = subprocess.run(
        f"{shlex.join(words)} {closed}", shell=True, capture_output=True, text=True, check=False
    )
    assert ended.returncode == code
    assert "Traceback" not in ended.stderr
    assert ended.stderr.count("\n") == code
    assert sorted(funcnn.load_params(path)) == ["a", "b", "c", "d"]


@pytest.mark.skipif(sys.platform != "linux", reason="needs a shell and /dev/full")
@pytest.mark.parametrize("closed", ["2>&-", "2>/dev/full"])
def test_an_error_that_nobody_can_read_keeps_its_exit_code(closed):
    words = [sys.executable, "-m", "funcnn", "train", "mpl"]
    ended = subprocess.run(
        f"{shlex.join(words)} {closed}", shell=True, capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stdout) == (2, "")
