"""The command line on a user's data: validation, checkpoints, records, and prediction."""

from __future__ import annotations

import errno
import io
import json
import os

import numpy as np
import pytest

import funcnn

REGRESSION = {
    "validation_fraction": 0.25,
    "standardize": True,
    "hidden": 4,
    "steps": 40,
    "evaluate_every": 10,
}
OPTIONS = ["--validation-fraction", 0.25, "--standardize", "--hidden", 4, "--steps", 40,
           "--evaluate-every", 10]  # fmt: skip


def trained(table, **more):
    options = {"target": "y", "metrics": "r2"} | REGRESSION | more
    return funcnn.train("mlp_linear", table, **options)


def rows_of(text):
    """The header of a .csv, and its numbers."""
    header, *_ = text.splitlines()
    return header.split(","), np.loadtxt(io.StringIO(text), delimiter=",", skiprows=1, ndmin=2)


def test_a_run_with_its_score_and_a_model_that_predicts(run, table, tmp_path):
    weights, history = tmp_path / "w.npz", tmp_path / "h.csv"
    code, out, err = run("train", "mlp_linear", "--data", table, "--target", "y", *OPTIONS,
                         "--save", weights, "--csv", history, "--log-every", 8)  # fmt: skip
    assert (code, err) == (0, "")
    result = trained(table)
    heading, *lines = out.splitlines()
    assert heading.split() == ["step", "loss", "validation_loss", "validation_r2"]
    shown = [line.split() for line in lines if line.startswith(" ")]
    assert [int(row[0]) for row in shown] == [0, 8, 16, 24, 32]
    assert [len(row) for row in shown] == [2, 2, 4, 4, 4]  # Nothing was known before step 10.
    scores = result.history["validation_r2"]
    known = [float(row[3]) for row in shown[2:]]
    np.testing.assert_allclose(known, scores[:3], rtol=1e-4)
    assert {len(line) for line in lines[2:5]} == {len(heading)}
    (end,) = [line for line in lines if line.startswith("Validation: ")]
    _, loss, _, r2, score, *after = end.split()
    assert (loss, r2, after) == ("loss", "r2", ["after", "40", "steps"])
    assert float(score) == pytest.approx(scores[-1], rel=1e-4)
    header, written = rows_of(history.read_text())
    assert header == list(result.history)
    np.testing.assert_allclose(written, np.stack(list(result.history.values()), axis=1), rtol=1e-5)

    code, out, err = run("predict", weights, "--data", table)
    assert (code, err) == (0, "")
    header, predicted = rows_of(out)
    assert header == ["y"]
    np.testing.assert_allclose(predicted[:, 0], result.predict(table), rtol=1e-5)
    written = tmp_path / "p.npy"
    assert run("predict", weights, "--data", table, "--output", written) == (0, "", "")
    np.testing.assert_allclose(np.load(written), result.predict(table), rtol=1e-5)
    code, out, err = run("predict", weights, "--data", table, "--probabilities")
    assert (code, out) == (2, "")
    assert "probabilities follow from" in err


def test_the_best_step_is_said(run, table):
    # Nothing can be learned of these targets, but each by heart.
    arguments = ("train", "mlp_linear", "--data", table, "--target", "kind", *OPTIONS, "--json",
                 "--learning-rate", 0.3)  # fmt: skip
    last = json.loads(run(*arguments, "--monitor", "last")[1])
    best = json.loads(run(*arguments)[1])
    whole = trained(table, target="kind", learning_rate=0.3)
    history = whole.history["validation_loss"]
    lowest = int(10 * (history.argmin() + 1))
    assert lowest < 40
    assert (last["best_step"], best["best_step"]) == (None, lowest)
    assert last["scores"]["validation_loss"] == pytest.approx(history[-1], rel=1e-5)
    assert best["scores"]["validation_loss"] == pytest.approx(history.min(), rel=1e-5)
    words = [word for word in arguments if word != "--json"]
    _, out, _ = run(*words, "--monitor", "last")
    assert f"Best: step {lowest}, and those of the last step are kept; --monitor" in out
    _, out, _ = run(*words, "--patience", 1)
    assert f"Best: step {lowest} of {lowest + 10}, whose weights are kept" in out


def test_classes_and_their_probabilities(run, table, tmp_path):
    weights, written = tmp_path / "w.npz", tmp_path / "p.npz"
    text = table.read_text().splitlines()
    words = {"0": "red", "1": "green", "2": "blue"}
    named = [",".join([*line.split(",")[:3], words[line[-1]]]) for line in text[1:]]
    table.write_text("\n".join([text[0], *named]))
    code, out, err = run("train", "mlp_linear", "--data", table, "--target", "kind", "--loss",
                         "cross_entropy", *OPTIONS, "--save", weights)  # fmt: skip
    assert (code, err) == (0, "")
    assert "Validation: loss " in out
    assert ", accuracy " in out
    result = funcnn.train("mlp_linear", table, target="kind", loss="cross_entropy", **REGRESSION)
    code, out, err = run("predict", weights, "--data", table, "--probabilities")
    assert (code, err) == (0, "")
    header, *rows = [line.split(",") for line in out.splitlines()]
    assert header == ["kind", "probability_blue", "probability_green", "probability_red"]
    assert [row[0] for row in rows] == result.predict_classes(table).tolist()
    shares = np.array([row[1:] for row in rows], float)
    np.testing.assert_allclose(shares, result.predict_proba(table), rtol=1e-4)
    arguments = ("predict", weights, "--data", table, "--probabilities", "--output", written)
    assert run(*arguments) == (0, "", "")
    with np.load(written) as arrays:
        assert arrays["prediction"].tolist() == [row[0] for row in rows]
        np.testing.assert_allclose(arrays["probability"], shares, rtol=1e-4)


def test_several_targets(run, tmp_path):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((40, 2))
    path, weights = tmp_path / "d.csv", tmp_path / "w.npz"
    columns = np.column_stack([x, x > 0])
    np.savetxt(path, columns, delimiter=",", header="p,q,right,up", comments="")
    code, _, err = run("train", "mlp_linear", "--data", path, "--target", "right", "--target",
                       "up", "--loss", "binary_cross_entropy", *OPTIONS, "--learning-rate", 0.1,
                       "--save", weights)  # fmt: skip
    assert (code, err) == (0, "")
    code, out, err = run("predict", weights, "--data", path, "--probabilities")
    assert (code, err) == (0, "")
    header, rows = rows_of(out)
    assert header == ["right", "up", "probability_right", "probability_up"]
    np.testing.assert_array_equal(rows[:, :2], rows[:, 2:] > 0.5)
    assert (rows[:, :2] == (x > 0)).mean() > 0.9


def test_arrays_in_files_have_no_names(run, tmp_path):
    x = np.random.default_rng(0).standard_normal((40, 2))
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "y.npy", x @ [[2, 1], [1, 0]])
    weights = tmp_path / "w.npz"
    code, _, err = run(
        "train", "mlp_linear", "--hidden", 4, "--steps", 20, "--batch-size", 10,
        "--data", tmp_path / "x.npy", "--data", tmp_path / "y.npy", "--save", weights,
    )  # fmt: skip
    assert (code, err) == (0, "")
    _, out, _ = run("predict", weights, "--data", tmp_path / "x.npy")
    assert out.splitlines()[0] == "prediction_0,prediction_1"
    assert len(out.splitlines()) == 41


def test_a_disk_that_is_full_leaves_no_half_of_a_prediction(run, table, tmp_path, monkeypatch):
    weights, path = tmp_path / "w.npz", tmp_path / "p.csv"
    trained(table).save(weights)

    def fsync(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fsync)
    code, out, err = run("predict", weights, "--data", table, "--output", path)
    assert (code, out) == (1, "")
    assert str(path) in err
    assert sorted(tmp_path.iterdir()) == sorted([table, weights])
    # The end of a run is printed all the same.
    code, out, err = run("train", "mlp_linear", "--data", table, "--target", "y", *OPTIONS,
                         "--csv", tmp_path / "h.csv")  # fmt: skip
    assert code == 1
    assert str(tmp_path / "h.csv") in err
    assert "Validation: " in out


def test_a_prediction_does_not_replace_what_it_is_made_from(run, table, tmp_path):
    weights = tmp_path / "w.npz"
    trained(table).save(weights)
    before = table.read_bytes(), weights.read_bytes()
    for output in (table, weights):
        code, _, err = run("predict", weights, "--data", table, "--output", output)
        assert (code, "is the file of" in err) == (2, True)
    assert (table.read_bytes(), weights.read_bytes()) == before


def test_every_option_reaches_train(run, table, monkeypatch):
    given = {}

    def train(**arguments):
        given.update(arguments)
        raise funcnn.ArgumentError("enough")

    monkeypatch.setattr(funcnn, "train", train)
    code, _, _ = run(
        "train", "mlp_linear", "--data", table, "--target", "y", "--validation", table,
        "--metrics", "r2,mae", "--evaluate-every", 5, "--monitor", "validation_r2", "--mode", "max",
        "--patience", 3, "--min-delta", 0.1, "--checkpoints", "c", "--checkpoint-every", "5min",
        "--keep", 2, "--resume", "true", "--other-data", "--other-numbers", "--standardize",
        "--categories", "p,q",
        "--epochs", 2, "--batch-size", 10, "--no-shuffle", "--drop-last", "--clip-grad-norm", 1,
        "--clip-grad-value", 2, "--set", "class_weight=1,2.5", "--seed", 7,
    )  # fmt: skip
    assert code == 2
    expected = {
        "data": str(table), "target": "y", "validation": str(table), "metrics": ["r2", "mae"],
        "evaluate_every": 5, "monitor": "validation_r2", "mode": "max", "patience": 3,
        "min_delta": 0.1, "checkpoints": "c", "checkpoint_every": "5min", "keep": 2,
        "resume": True, "other_data": True, "other_numbers": True, "standardize": True,
        "categories": ["p", "q"],
        "epochs": 2, "batch_size": 10, "shuffle": False, "drop_last": True, "clip_grad_norm": 1,
        "clip_grad_value": 2, "class_weight": [1, 2.5], "seed": 7, "log_every": True,
    }  # fmt: skip
    assert {name: given[name] for name in expected} == expected
    run("train", "mlp_linear", "--data", "x.npy", "--data", "y.npy", "--checkpoint-every", "50",
        "--categories", "all", "--resume", "auto", "--shuffle")  # fmt: skip
    expected = {
        "data": ("x.npy", "y.npy"), "checkpoint_every": 50, "categories": True, "resume": "auto",
        "shuffle": True, "metrics": None, "validation": None,
    }  # fmt: skip
    assert {name: given[name] for name in expected} == expected
    plain = ("other_data", "standardize", "drop_last", "keep", "patience")
    assert [given[name] for name in plain] == [None] * 5


def test_an_interrupted_run_goes_on(run, run_interrupted, table, tmp_path):
    pytest.importorskip("orbax.checkpoint")
    folder, lines = tmp_path / "runs", tmp_path / "h.jsonl"
    arguments = [
        "train", "mlp_linear", "--data", table, "--target", "y", *OPTIONS, "--steps", 400,
        "--evaluate-every", 100, "--checkpoints", folder, "--resume", "auto", "--json-lines", lines,
        "--json",
    ]  # fmt: skip
    code, out, err = run_interrupted(*arguments)
    assert code == 130
    assert err == f"funcnn: interrupted; --resume auto goes on from step 300 in {folder}\n"
    assert json.loads(out)["interrupted"]
    history = tmp_path / "h.csv"
    code, out, err = run(*arguments, "--csv", history)
    assert (code, err) == (0, "")
    facts = json.loads(out)
    whole = trained(table, steps=400, evaluate_every=100)
    assert (facts["resumed_from"], facts["steps"]) == (300, 400)
    assert facts["last_loss"] == whole.losses[-1]
    assert rows_of(history.read_text())[1][:, 0].tolist() == [100, 200, 300, 400]
    assert [json.loads(line)["step"] for line in lines.read_text().splitlines()] == [
        100, 200, 300, 400,
    ]  # fmt: skip
    code, out, err = run(*(word for word in arguments if word not in ("--resume", "auto")))
    assert (code, out) == (2, "")
    assert "holds those of an earlier run" in err


def test_checkpoints_that_cannot_be_written_are_one_line(run, monkeypatch):
    def train(**_):
        raise funcnn.CheckpointError("No space left on device", "runs", 300)

    monkeypatch.setattr(funcnn, "train", train)
    code, out, err = run("train", "mlp", "--checkpoints", "runs")
    assert (code, out) == (1, "")
    assert err == "funcnn: runs, step 300: No space left on device\n"


def test_a_sweep_takes_what_a_run_does(run, table, tmp_path):
    written = tmp_path / "t.csv"
    code, _, err = run(
        "sweep", "mlp_linear", "--data", table, "--target", "y", "--standardize", "--hidden", 4,
        "--epochs", 2, "--batch-size", 16, "--drop-last", "--no-shuffle", "--clip-grad-norm", 0.5,
        "--seed", "0:2", "--csv", written,
    )  # fmt: skip
    assert (code, err) == (0, "")
    alone = funcnn.train(
        "mlp_linear", table, target="y", standardize=True, hidden=4, epochs=2, batch_size=16,
        drop_last=True, shuffle=False, clip_grad_norm=0.5, seed=1,
    )  # fmt: skip
    rows = [line.split(",") for line in written.read_text().splitlines()]
    assert float(rows[2][2]) == pytest.approx(alone.losses[-1], rel=1e-5)


@pytest.mark.slow
def test_a_sweep_of_what_is_given_several_times(run, table):
    command = ["sweep", "mlp_linear", "--data", table, "--target", "y", "--hidden", 3, "--json"]
    command += ["--activation", "tanh", "--activation", "relu", "--dropout", 0.0, "--dropout", 0.5]
    code, out, err = run(*command, "--steps", 3)
    assert (code, err) == (0, "")
    rows = json.loads(out)["members"]
    found = [(row["activation"], row["dropout"]) for row in rows]
    assert sorted(found) == [("relu", 0.0), ("relu", 0.5), ("tanh", 0.0), ("tanh", 0.5)]
    code, out, err = run(
        "sweep", "polynomial", "--degree", 2, "--degree", 3, "--steps", 2, "--json"
    )
    assert [row["degree"] for row in json.loads(out)["members"]] == [2, 3]


def test_a_sweep_validates_halves_saves_the_best_and_prints_json(run, table, tmp_path):
    weights = tmp_path / "w.npz"
    code, out, err = run(
        "sweep", "mlp_linear", "--data", table, "--target", "y", "--hidden", 3, "--steps", 12,
        "--learning-rate", "1e-3,1e-2,0.1", "--validation-fraction", 0.25, "--evaluate-every", 4,
        "--halving", 4, "--save", weights, "--json",
    )  # fmt: skip
    assert (code, err) == (0, "")
    told = json.loads(out)
    assert told["monitor"] == "validation_loss"
    assert [row["steps"] for row in told["members"]].count(12) == 1
    best = told["members"][told["best"]]
    assert best["steps"] == 12
    assert best["validation_r2"] is not None
    assert told["saved"] == str(weights)
    assert funcnn.load_model(weights).recipe == {"model": "mlp_linear"}


@pytest.mark.slow
def test_a_sweep_of_folds_and_sizes(run, table, tmp_path):
    picture = tmp_path / "losses.png"
    options = ["--standardize", "--steps", 8, "--hidden", 4, "--hidden", "5,3",
               "--optimizer", "sgd", "--optimizer", "adam", "--folds", 2]  # fmt: skip
    command = ["sweep", "mlp_linear", "--data", table, "--target", "y", *options]
    code, out, err = run(*command, "--resample", "--plot", picture, "--json")
    assert (code, err) == (0, "")
    found = json.loads(out)
    result = funcnn.sweep(
        "mlp_linear", table, target="y", standardize=True, steps=8, hidden=[4, (5, 3)],
        optimizer=["sgd", "adam"], folds=2, resample=True, metrics="r2", seed=[0],
        monitor="validation_loss",
    )  # fmt: skip
    assert found["best"] == result.ranking[0]
    assert [one["hidden"] for one in found["members"]] == [[4]] * 4 + [[5, 3]] * 4
    assert [one["last_loss"] for one in found["members"]] == result.losses[:, -1].tolist()
    assert picture.stat().st_size > 5000
    code, out, err = run(*command)
    assert (code, err) == (0, "")
    head, first, *_ = out.splitlines()
    assert head.split() == ["hidden", "optimizer", "members", "mean", "spread"]
    best = funcnn.sweep(
        "mlp_linear", table, target="y", standardize=True, steps=8, hidden=[4, (5, 3)],
        optimizer=["sgd", "adam"], folds=2, seed=[0], monitor="validation_loss",
    ).by_setting()[0]  # fmt: skip
    assert float(first.split()[-2]) == pytest.approx(best["mean"], rel=1e-5)
