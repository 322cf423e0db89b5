"""A sample of the modules of ``python -m funcnn.bench.modules``."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")

from funcnn.bench.modules.cases import CASES
from funcnn.bench.modules.drawing import DRAWING
from funcnn.bench.modules.held_out import HELD_OUT
from funcnn.bench.modules.table import ALL, rows
from funcnn.bench.modules.ties import OPERATIONS, ties

SAMPLE = ("corners", "buffers", "mask of -inf", "cumulative norm")

REFUSED = {
    "counter (refused)": "'calls'",
    "branch (refused)": "decides by a tensor's values",
    "seed (refused)": "it seeds PyTorch's random numbers",
}

TIES = ("abs", "norm", "max", "sort", "median", "max pool 2-d")


@pytest.mark.slow
def test_a_sample_of_the_modules_gives_pytorch_s_losses():
    found = list(rows(SAMPLE, steps=20))
    assert {row.name for row in found} == set(SAMPLE)
    for row in found:
        assert row.verdict == "same", row
        assert row.compared == 20
        assert row.difference < 1e-8


def test_what_a_trace_would_freeze_is_refused_by_name():
    found = {row.name: row.verdict for row in rows(tuple(REFUSED), steps=2)}
    for name, words in REFUSED.items():
        assert found[name].startswith("refused: ")
        assert words in found[name]


def test_there_are_as_many_modules_and_operations_as_are_told():
    assert len(ALL) == len(CASES) + len(HELD_OUT) + len(DRAWING)
    assert len(CASES) + len(HELD_OUT) >= 95
    assert len(HELD_OUT) >= 15
    assert len(DRAWING) >= 25
    assert len(OPERATIONS) >= 82


@pytest.mark.slow
def test_operations_at_their_ties_have_pytorch_s_gradients():
    found = list(ties(TIES))
    assert len(found) == len(TIES)
    for tie in found:
        assert tie.is_same, tie


def test_another_of_equal_numbers_is_told_apart():
    (tie,) = ties(("topk",))
    assert not tie.is_same
