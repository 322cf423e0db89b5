"""The command line: its output, its exit codes, and Ctrl-C."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import funcnn
from funcnn import cli
from funcnn.experiments import EXPERIMENTS
from funcnn.atlas.reference import numpy_loops


@pytest.fixture
def run(monkeypatch, capsys):
    """Run a command in this process: its exit code, stdout and stderr."""

    def command(*arguments):
        monkeypatch.setattr(sys, "argv", ["funcnn", *map(str, arguments)])
        with pytest.raises(SystemExit) as exit_:
            cli.main()
        shown = capsys.readouterr()
        return exit_.value.code, shown.out, shown.err

    return command


def test_the_log_has_the_seed_s_form(run):
    code, out, err = run("train", "legendre")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert [line.split()[0] for line in lines[:20]] == [str(t) for t in range(99, 2000, 100)]
    assert float(lines[0].split()[1]) == pytest.approx(209.95834350585938, rel=1e-5)
    assert lines[20].startswith("Result: y = ")
    assert " * P3(" in lines[20]
    assert lines[21].startswith("Loss: 461.90")
    assert lines[22].startswith("Time: ")
    assert "µs a step" in lines[22]
    assert len(lines) == 23


def test_log_every(run):
    _, out, _ = run("train", "mlp", "--steps", 45, "--log-every", 20)
    assert [line.split()[0] for line in out.splitlines()[:3]] == ["0", "20", "40"]


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


def test_options_reach_the_run(run, tmp_path):
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((40, 3)), rng.standard_normal((40, 1))
    table = np.column_stack([x, y])
    np.savetxt(tmp_path / "d.csv", table, delimiter=",", header="p,q,r,y", comments="", fmt="%.17g")
    code, out, _ = run(
        "train", "mlp_linear", "--data", tmp_path / "d.csv", "--target", "y", "--hidden", "5,4",
        "--optimizer", "momentum", "--learning-rate", 1e-3, "--set", "momentum=0.5", "--set",
        "nesterov=true", "--batch-size", 8, "--loss", "mean_squared_error", "--steps", 60, "--json",
    )  # fmt: skip
    assert code == 0
    result = funcnn.train(
        "mlp_linear", (x, y), hidden=(5, 4), optimizer="momentum", learning_rate=1e-3,
        momentum=0.5, nesterov=True, batch_size=8, loss="mean_squared_error", steps=60,
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
    "form": (["train", "legendre", "--form", "gram"], "form='gram': the model must be linear"),
    "set": (["train", "mlp", "--set", "momentum"], "--set momentum must be NAME=NUMBER"),
    "set-steps": (["train", "mlp", "--set", "steps=5"], "steps is set elsewhere"),
    "set-unknown": (["train", "mlp", "--set", "beta1=0.5"], "sgd takes no beta1"),
    "save": (["train", "mlp", "--save", "weights.pt"], "'.pt' is not known"),
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
    "sweep-zip": (
        ["sweep", "mlp", "--seed", "0:2", "--learning-rate", "1,2,3", "--mode", "zip"],
        "mode='zip' needs as many values of each",
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


def test_settings_that_are_true_or_false(run):
    arguments = ("train", "polynomial", "--steps", 3, "--optimizer", "momentum", "--json")
    losses = set()
    for setting in ("nesterov=true", "nesterov=True", "nesterov=false"):
        code, out, _ = run(*arguments, "--set", setting)
        assert code == 0
        losses.add(json.loads(out)["last_loss"])
    assert len(losses) == 2


def test_a_terminal_that_lacks_letters():
    process = start("models", env=os.environ | {"PYTHONIOENCODING": "ascii"})
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    assert "legendre" in out


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
    code, out, _ = run("train", "polynomial", "--form", "auto", "--steps", 4, "--json")
    assert code == 0
    assert json.loads(out)["form"] == "gram"


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
    assert "1.0e-03 at step     3" in out
    assert [line.split()[-1] for line in out.splitlines()[1:3]] == ["DIFFERS", "agrees"]
    assert out.splitlines()[-1] == "1 of 2 agree, in float64"


def test_sweep_prints_the_best_and_writes_a_table_and_a_picture(run, tmp_path):
    table, picture = tmp_path / "t.csv", tmp_path / "p.svg"
    code, out, err = run(
        "sweep", "polynomial", "--seed", "0:3", "--learning-rate", "1e-7:1e-3:log:3",
        "--steps", 200, "--dtype", "float64", "--log-every", 50, "--group", 4,
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
    assert [row[:2] for row in rows[1:4]] == [["0", "1e-07"], ["0", "1e-05"], ["0", "0.001"]]
    assert float(rows[1][3]) == pytest.approx(result.losses[0, -1], rel=1e-10)
    assert [row[4] for row in rows[1:4]] == ["", "", str(result.diverged[2])]
    assert "<svg" in picture.read_text()


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
    assert [row[:2] for row in rows[1:]] == [["0.5", "0"], ["0.7", "0.1"], ["0.9", "0.2"]]
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


def start(*arguments, **options):
    command = [sys.executable, "-m", "funcnn", *map(str, arguments)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, text=True, **pipes | options)


def test_as_a_process():
    process = start("train", "polynomial", "--steps", 300)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    assert [line.split()[0] for line in out.splitlines()] == ["99", "199", "299", "Result:",
                                                              "Loss:", "Time:"]  # fmt: skip


@pytest.mark.parametrize("as_json", [False, True])
def test_ctrl_c_keeps_and_saves_the_finished_steps(as_json, tmp_path):
    path = tmp_path / "w.npz"
    begin = time.monotonic()
    start("train", "polynomial", "--steps", 1).communicate(timeout=60)
    cold_start = time.monotonic() - begin
    process = start("train", "polynomial", "--steps", 2**31 - 1, "--log-every", 10**5, "--save",
                    path, *(["--json"] if as_json else []))  # fmt: skip
    if as_json:
        time.sleep(2 * cold_start)
    else:
        assert process.stdout.readline().startswith("0 ")
    begin = time.monotonic()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert time.monotonic() - begin < 5
    assert (process.returncode, err) == (130, "funcnn: interrupted\n")
    if as_json:
        facts = json.loads(out)
        assert facts["interrupted"] is True
        assert 0 < facts["steps"] < 2**31 - 1
    else:
        assert out.splitlines()[-1] == f"Weights: {path}"
    assert sorted(funcnn.load_params(path)) == ["a", "b", "c", "d"]


def test_ctrl_c_in_a_sweep_keeps_what_is_finished(run, tmp_path):
    table = tmp_path / "t.csv"
    arguments = ("sweep", "polynomial", "--seed", "0:4", "--log-every", 10**6, "--csv", table)
    run(*arguments, "--steps", 1)  # Compiled, so that the signal meets the steps.
    threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGINT)).start()
    code, out, err = run(*arguments, "--steps", 2**31 - 1)
    assert (code, err) == (130, "funcnn: interrupted\n")
    assert out.splitlines()[-1] == f"Table: {table}"
    assert len(table.read_text().splitlines()) == 5


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_the_bar_stands_on_stderr_when_it_is_a_terminal():
    import pty
    import termios

    ours, theirs = pty.openpty()
    termios.tcsetwinsize(ours, (24, 80))
    process = start("train", "polynomial", "--steps", 400_000, stderr=theirs)
    os.close(theirs)
    shown = bytearray()

    def read():
        with contextlib.suppress(OSError):  # Linux's word for the end of a terminal.
            while part := os.read(ours, 4096):
                shown.extend(part)

    reader = threading.Thread(target=read)
    reader.start()
    out, _ = process.communicate(timeout=60)
    reader.join(timeout=10)
    os.close(ours)
    assert process.returncode == 0
    assert b"/400000 [" in shown
    assert b"loss" in shown
    assert "step/s" not in out
    assert out.splitlines()[0].startswith("99 ")


def test_a_reader_that_leaves_early_is_no_traceback():
    process = start("train", "polynomial", "--steps", 50000, "--log-every", 1)
    process.stdout.readline()
    process.stdout.close()
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert err == ""
