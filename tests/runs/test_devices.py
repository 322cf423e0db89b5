"""Runs on several devices: their losses are those of one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def found():
    script = Path(__file__).with_name("devices_script.py")
    command = [sys.executable, "-W", "error", str(script)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


@pytest.mark.slow
def test_the_losses_are_those_of_one_device(found):
    # The sums over the samples are rounded in another order: in 100 steps some 1e-15.
    for case, difference in found["differences"].items():
        assert difference < 1e-12, case
    assert found["difference from files"] < 1e-12
    assert found["difference of histories"] < 1e-12


def test_a_module_of_pytorch_is_divided_too(found):
    pytest.importorskip("torch")
    # BatchNorm's mean and variance are of all samples of a step, wherever they lie.
    assert max(found["module"].values()) < 1e-12
    assert len(found["module"]) == 2


def test_a_step_adds_up_over_the_devices_once(found):
    assert found["collectives"] == {
        "adam": ["all-reduce"],
        "a short batch": ["all-reduce"],  # In the step that is divided; the short one needs none.
        "hidden": ["all-reduce"],
    }


def test_a_run_that_goes_on_gives_the_same_bits(found):
    assert found["same bits from a checkpoint"]
    assert "devices.count: 2 in the checkpoint, nothing here" in found["other devices"]


def test_one_other_device_gives_the_bits_of_the_first(found):
    assert found["second device"]


def test_a_divergence_is_told_as_on_one_device(found):
    one, batch, hidden = found["divergence"]
    assert one == batch == hidden


def test_what_the_devices_cannot_divide_is_refused(found):
    assert "4 devices cannot divide the 90 samples of a step" in found["uneven samples"]
    assert "4 devices cannot divide the 30 samples of a step" in found["uneven batch"]
    assert "4 devices cannot divide the 6 hidden units of w1" in found["uneven width"]
    assert "devices=5, and JAX sees 4: cpu:0, cpu:1, cpu:2, cpu:3" in found["too many"]
