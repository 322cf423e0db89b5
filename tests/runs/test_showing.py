"""What one sees of a run: the scores in the log and the bar, plots, and results in notebooks."""

from __future__ import annotations

import re
import sys

import matplotlib as mpl
import numpy as np
import pytest

import funcnn
from funcnn.runs.observers import Bar, Evaluations, Log, Segment

mpl.use("Agg")

RUN = {"hidden": 3, "steps": 12, "validation_fraction": 0.25, "metrics": "r2", "evaluate_every": 4}


@pytest.fixture(scope="module")
def result():
    x = np.linspace(-1, 1, 40)
    return funcnn.train("mlp_linear", (x, 2 * x + 1), monitor="validation_loss", **RUN)


def segments(*lengths):
    """Segments of so many steps, whose loss is the step's number."""
    first = 0
    for length in lengths:
        yield Segment(first, np.arange(first, first + length, dtype=float)[None], lambda: None)
        first += length


class Scored(Evaluations):
    """Knows the score of every third step, and needs no model."""

    def __init__(self):
        super().__init__(3, 100, 10, lambda _: {}, ["validation_loss"])
        self.rows = [{"step": step, "validation_loss": step / 100} for step in (3, 6, 9)]


def test_a_line_of_the_log_has_the_scores_that_were_known_then():
    lines = []
    log = Log(range(0, 10, 2), lines.append, Scored())
    for segment in segments(3, 5, 2):
        log.see(segment)
    heading, *rows = "\n".join(lines).splitlines()
    assert heading.split() == ["step", "loss", "validation_loss"]
    assert [row.split()[2:] for row in rows] == [[], [], ["0.03"], ["0.06"], ["0.06"]]
    assert {len(row) for row in rows[2:]} == {len(heading)}


def test_some_twenty_lines(capsys, line):
    funcnn.train(data=line, model="polynomial", degree=1, steps=45, log_every=True)
    lines = capsys.readouterr().out.splitlines()
    assert [int(row.split()[0]) for row in lines[1:]] == list(range(0, 45, 3))


@pytest.fixture
def seen(monkeypatch, capsys):
    """What a run of 10 steps writes on stdout and stderr, with a bar that appears at once."""

    def see(progress, *, delay=0.0):
        monkeypatch.setattr("funcnn.runs.observers.bar.DELAY", delay)
        monkeypatch.setenv("TQDM_MININTERVAL", "0")
        with Bar(100, progress, per_epoch=10, evaluations=Scored()) as bar:
            for segment in segments(5, 5):
                bar.see(segment)
            bar.write("a line")
        return capsys.readouterr()

    return see


def test_the_bar_has_the_epoch_the_loss_and_the_score(seen):
    out, err = seen(True)
    assert out == "a line\n"
    assert "10/100 [" in err
    assert "epoch 1.0, loss 9, validation_loss 0.09]" in err


def test_there_is_no_bar_where_nobody_looks_or_a_run_is_short(seen):
    assert seen(None) == ("a line\n", "")
    assert seen(False) == ("a line\n", "")
    assert seen(True, delay=1e9) == ("a line\n", "")


def test_a_notebook_shows_a_bar(seen, monkeypatch):
    monkeypatch.setitem(sys.modules, "ipykernel.zmqshell", None)
    out, err = seen(None)
    assert err == ""  # A box of its own in a notebook.
    assert "10/100 [" in out
    assert "a line\n" in out


def test_the_record_of_the_params(result):
    row = result.history["step"].tolist().index(result.best.step)
    assert result.record == {name: column[row] for name, column in result.history.items()}
    plain = funcnn.train("polynomial", steps=3)
    assert plain.record == {"step": 3, "epoch": 3.0, "loss": plain.losses[-1]}
    reproduced = funcnn.sweep("polynomial", seed=[0, 1], steps=3, keep_every=2).result(0)
    assert reproduced.record["step"] == 3


def test_training_and_validation_are_drawn_together(result):
    import matplotlib.pyplot as plt

    ax = result.plot()
    training, validation, best = ax.lines
    np.testing.assert_array_equal(training.get_ydata(), result.losses)
    np.testing.assert_array_equal(validation.get_xdata(), [4, 8, 12])
    np.testing.assert_array_equal(validation.get_ydata(), result.history["validation_loss"])
    assert set(best.get_xdata()) == {result.best.step}
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == ["training", "validation", f"best: step {result.best.step}"]
    plt.close(ax.figure)


def test_a_result_shows_itself_in_a_notebook(result, monkeypatch):
    import matplotlib.pyplot as plt

    before = plt.get_fignums(), dict(mpl.rcParams)
    shown = result._repr_html_()
    assert (plt.get_fignums(), dict(mpl.rcParams)) == before
    assert "mlp_linear" in shown
    assert f"{result.record['validation_r2']:.6g}" in shown
    assert f'<td style="text-align:left">{result.best.step}</td>' in shown
    assert shown.count("<img") == 1
    assert "image/png;base64,iVBOR" in shown
    for module in ("matplotlib", "matplotlib.figure"):
        monkeypatch.setitem(sys.modules, module, None)
    assert re.sub("<img.*?>", "", shown) == result._repr_html_()


def test_names_are_text_and_no_html(line):
    x, y = line
    metrics = {"<b>&": lambda prediction, _: prediction.mean()}
    options = {"degree": 1, "steps": 2, "metrics": metrics}
    shown = funcnn.train("polynomial", (x, y), **options)._repr_html_()
    assert "&lt;b&gt;&amp;" in shown
    assert "<b>" not in shown


def test_a_sweep_shows_its_best_members():
    sweep = funcnn.sweep("polynomial", seed=range(3), learning_rate=[1e-6, 1e-1], steps=50)
    shown = sweep._repr_html_()
    assert shown.count("<tr>") == 1 + len(sweep.ranking) == 4
    assert "6 members of 50 steps, 3 diverged" in shown
    assert shown.count("<img") == 1
    assert "<img" not in sweep.__class__._repr_html_(
        funcnn.sweep("polynomial", learning_rate=[1.0, 2.0], steps=50)
    )
