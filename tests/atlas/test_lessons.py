"""The lessons: one for each experiment, its code found by name, and the README's table."""

from __future__ import annotations

import dataclasses
import inspect
import pkgutil
from pathlib import Path

from funcnn.atlas.lessons import LESSONS, lesson_of
from funcnn.experiments import EXPERIMENTS

TABLE = Path(__file__).parents[2] / "funcnn" / "atlas" / "README.md"


def code_of(lesson):
    return "".join(inspect.getsource(pkgutil.resolve_name(name)) for name in lesson.code)


def test_every_experiment_has_a_lesson():
    assert list(LESSONS) == list(EXPERIMENTS)
    for record in EXPERIMENTS.values():
        lesson = lesson_of(record)
        assert lesson is LESSONS[record.name]
        assert lesson.code
        assert all((lesson.pytorch, lesson.here))
        assert lesson.change.endswith((".", ".)"))
        for text in (lesson.pytorch, lesson.here, lesson.change):
            assert text.count("`") % 2 == 0
    assert len({lesson.change for lesson in LESSONS.values()}) == 27


def test_what_a_lesson_names_is_in_the_code_that_it_shows():
    for record in EXPERIMENTS.values():
        lesson = lesson_of(record)
        shown = f'"{record.model}", gradient="{record.gradient}"\n{code_of(lesson)}'
        for name in lesson.here.split("`")[1::2]:
            assert name.removeprefix("models.").split(".")[-1] in shown, record.name


def test_the_code_of_a_lesson_is_of_the_experiment_s_model():
    for record in EXPERIMENTS.values():
        module = f"funcnn.models.{record.model}"
        assert any(name.split(":")[0] == module for name in lesson_of(record).code)


def test_a_record_of_one_s_own_has_no_words_and_shows_its_model():
    record = dataclasses.replace(EXPERIMENTS["sine/nn"], name="my/line")
    lesson = lesson_of(record)
    assert (lesson.pytorch, lesson.here, lesson.change) == ("", "", "")
    assert "def apply(" in code_of(lesson)


def test_the_table_of_experiments():
    readme = TABLE.read_text()
    for record in EXPERIMENTS.values():
        lesson = lesson_of(record)
        row = (
            f"| {record.tutorial}, {record.section} | `{record.name}` "
            f"| {lesson.pytorch} | {lesson.here} |"
        )
        assert row in readme.splitlines()
