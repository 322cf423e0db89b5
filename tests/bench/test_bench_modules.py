"""A sample of the modules of ``python -m funcnn.bench.modules``."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")

from funcnn.bench.modules.table import rows

SAMPLE = ("corners", "buffers", "mask of -inf")

REFUSED = {"counter (refused)": "'calls'", "branch (refused)": "decides by a tensor's values"}


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
