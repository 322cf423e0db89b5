"""What callbacks are given, what they may answer, and what the ready-made ones write."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pytest

import funcnn
from funcnn.callbacks import Csv, JsonLines, TensorBoard

X = np.linspace(-1, 1, 40)
RUN = {"model": "polynomial", "data": (X, np.sin(2 * X)), "degree": 3, "learning_rate": 0.02,
       "steps": 50, "evaluate_every": 20, "validation_fraction": 0.25, "metrics": "r2",
       "dtype": "float64"}  # fmt: skip


def test_an_event_is_a_row_of_the_history():
    events, params = [], []

    def watch(event):
        events.append(event)
        params.append(event.params())

    result = funcnn.train(**RUN, callbacks=[watch])
    assert [event.step for event in events] == [20, 40, 50]
    assert {event.steps for event in events} == {50}
    for name in ("step", "epoch", "loss"):
        found = [getattr(event, name) for event in events]
        np.testing.assert_array_equal(found, result.history[name])
    for name in ("validation_loss", "validation_r2"):
        np.testing.assert_array_equal([one.scores[name] for one in events], result.history[name])
    seconds = [event.seconds for event in events]
    assert seconds == sorted(seconds)
    assert seconds[0] >= 0
    middle = funcnn.train(**RUN | {"steps": 40})
    for name, value in result.params.items():
        np.testing.assert_array_equal(params[2][name], value)
        np.testing.assert_array_equal(params[1][name], middle.params[name])


def test_without_anything_else_a_callback_is_called_every_epoch():
    steps = []
    shared = {"model": "polynomial", "data": RUN["data"], "degree": 3, "learning_rate": 0.02}
    funcnn.train(**shared, batch_size=10, steps=10, callbacks=[lambda one: steps.append(one.step)])
    assert steps == [4, 8, 10]


def test_a_callback_stops_the_run_and_the_others_see_its_end():
    seen = []
    stop = lambda event: event.step >= 40  # noqa: E731
    result = funcnn.train(**RUN, callbacks=[stop, lambda event: seen.append(event.step)])
    assert result.stopped_early
    assert len(result.losses) == int(result.state.step) == 40
    assert seen == [20, 40]
    assert not funcnn.train(**RUN, callbacks=[lambda _: False]).stopped_early


@pytest.mark.parametrize("answer", [1, "stop", np.float64(0)])
def test_what_a_callback_may_not_answer(answer):
    with pytest.raises(funcnn.ArgumentTypeError, match="must return True to stop the run"):
        funcnn.train(**RUN, callbacks=[lambda _: answer])


def test_a_truth_value_of_numpy_stops_the_run_too():
    assert funcnn.train(**RUN, callbacks=[lambda event: np.bool_(event.step >= 40)]).stopped_early


def test_a_file_of_a_second_run_is_begun_anew(tmp_path):
    for kind in (funcnn.callbacks.Csv, funcnn.callbacks.JsonLines):
        callback = kind(tmp_path / "run")
        funcnn.train(**RUN, callbacks=[callback])
        first = (tmp_path / "run").read_text()
        funcnn.train(**RUN | {"metrics": "mae"}, callbacks=[callback])
        second = (tmp_path / "run").read_text()
        assert len(second.splitlines()) == len(first.splitlines())
        assert ("r2" in first, "r2" in second) == (True, False)


def test_json_lines_and_csv(tmp_path):
    lines, stream = tmp_path / "run.jsonl", io.StringIO()
    lines.write_text("what was there before\n")
    result = funcnn.train(**RUN, callbacks=[JsonLines(lines), Csv(stream)])
    rows = [json.loads(line) for line in lines.read_text().splitlines()]
    table = list(csv.DictReader(io.StringIO(stream.getvalue())))
    names = {"step", "steps", "epoch", "loss", "seconds", "validation_loss", "validation_r2"}
    assert len(rows) == len(table) == 3
    for row, cells, number in zip(rows, table, range(3), strict=True):
        assert row.keys() == cells.keys() == names
        for name in names - {"steps", "seconds"}:
            assert row[name] == float(cells[name]) == result.history[name][number]


def test_what_is_not_finite_is_null_in_json():
    stream = io.StringIO()
    metric = {"none": lambda prediction, target: (prediction - target).sum() * float("nan")}
    funcnn.train(**RUN | {"metrics": metric}, callbacks=[JsonLines(stream)])

    def refuse(constant):
        raise AssertionError(constant)

    rows = [json.loads(line, parse_constant=refuse) for line in stream.getvalue().splitlines()]
    assert [row["validation_none"] for row in rows] == [None] * 3


def test_tensorboard_reads_what_is_written(tmp_path):
    pytest.importorskip("tensorboardX")
    reader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    result = funcnn.train(**RUN, callbacks=[TensorBoard(tmp_path / "runs")])
    events = reader.EventAccumulator(str(tmp_path / "runs")).Reload()
    assert set(events.Tags()["scalars"]) == {"loss", "validation_loss", "validation_r2"}
    for name in events.Tags()["scalars"]:
        scalars = events.Scalars(name)
        assert [one.step for one in scalars] == [20, 40, 50]
        np.testing.assert_allclose([one.value for one in scalars], result.history[name], rtol=1e-6)


@pytest.mark.parametrize("kind", [JsonLines, Csv])
def test_what_is_written_down_goes_on_with_the_run(kind, tmp_path):
    pytest.importorskip("orbax.checkpoint")
    place, whole = tmp_path / "run.txt", tmp_path / "whole.txt"
    kept = {"checkpoints": tmp_path / "kept", "checkpoint_every": 20}
    funcnn.train(**RUN | {"steps": 40}, **kept, callbacks=[kind(place)])
    # Two lines that the checkpoint knows nothing of: of a later step, and one that was cut off.
    lines = place.read_text().splitlines(keepends=True)
    place.write_text("".join([*lines, lines[-1].replace("40", "60"), lines[-1][:4]]))
    funcnn.train(**RUN | {"steps": 80}, **kept, resume=True, callbacks=[kind(place)])
    funcnn.train(**RUN | {"steps": 80}, callbacks=[kind(whole)])
    found, wanted = place.read_text().splitlines(), whole.read_text().splitlines()
    assert len(found) == len(wanted) == (4 if kind is JsonLines else 5)
    for one, other in zip(found, wanted, strict=True):
        assert _without_clock(one) == _without_clock(other)


def _without_clock(line: str) -> object:
    """A line less how many seconds the run took, and how many steps it was to make."""
    if not line.startswith("{"):
        cells = line.split(",")
        return [cells[0], *cells[2:4], *cells[5:]]
    row = json.loads(line)
    return [value for name, value in row.items() if name not in ("seconds", "steps")]


@pytest.mark.parametrize("kind", [JsonLines, Csv])
def test_a_folder_that_is_not_there_is_told_before_the_run(kind, tmp_path):
    with pytest.raises(funcnn.ArgumentError, match=r"the folder of .* is not there"):
        kind(tmp_path / "no" / "run.txt")
    kind(tmp_path / "run.txt")
    assert list(tmp_path.iterdir()) == []  # It is written at the first event.
