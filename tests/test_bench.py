"""The measurements measure what they say."""

from __future__ import annotations

import subprocess
import sys

import pytest

from funcnn.bench import cold


def test_a_process_that_sleeps_is_measured_at_its_sleep():
    sleeper = [sys.executable, "-c", "import time; time.sleep(0.5)"]
    idle = [sys.executable, "-c", "pass"]
    seconds = cold.measure({"sleeper": sleeper, "idle": idle}, rounds=2)
    assert len(seconds["sleeper"]) == 2
    assert min(seconds["sleeper"]) > 0.5
    assert min(seconds["sleeper"]) - min(seconds["idle"]) > 0.25


def test_a_process_that_fails_is_not_measured():
    with pytest.raises(subprocess.CalledProcessError):
        cold.measure({"broken": [sys.executable, "-c", "1 / 0"]}, rounds=1)
