"""A run of several processes: it ends as one, and goes on to the same bits."""

from __future__ import annotations

import numpy as np
import pytest

import funcnn
from funcnn.bench.processes import begun, commands, ended, first_checkpoint, started

pytestmark = pytest.mark.slow

STEPS = 80


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    assert [(end.code, end.words) for end in ended(started(folder, 2, STEPS))] == [(0, "")] * 2
    return funcnn.load_params(folder / "weights.npz")


def test_the_losses_are_those_of_one_process(whole):
    one = funcnn.train("polynomial", batch_size=100, dtype="float64", steps=STEPS)
    for name, value in one.params.items():
        # The sums are rounded in another order.
        np.testing.assert_allclose(whole[name], value, rtol=1e-12)


def test_a_killed_process_ends_the_other_and_the_run_goes_on_to_the_same_bits(whole, tmp_path):
    run = started(tmp_path, 2, STEPS)
    first_checkpoint(tmp_path, run)
    run[1].kill()
    other, _ = ended(run)
    if other.code:  # Otherwise it had come to its end before.
        assert "another" in other.words
        assert other.seconds < 10
    assert [(end.code, end.words) for end in ended(started(tmp_path, 2, STEPS))] == [(0, "")] * 2
    found = funcnn.load_params(tmp_path / "weights.npz")
    assert all((found[name] == whole[name]).all() for name in whole)


def test_processes_that_were_asked_for_other_runs_are_refused(tmp_path):
    (first, env), (_, second_env) = commands(tmp_path, 2, STEPS)
    second = [*first, "--learning-rate", "1e-5"]
    run = [begun(command, one) for command, one in ((first, env), (second, second_env))]
    for end in ended(run):
        assert end.code == 2
        assert "the processes of this run were given other numbers" in end.words
