"""The measurement of kills of sweeps, as small as it can be: of the folder, which loses nothing."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.slow
def test_a_killed_sweep_goes_on(tmp_path):
    command = [sys.executable, "-m", "funcnn.bench.sweep_kills", "--workers", "folder"]
    done = subprocess.run(
        [*command, "--kills", "2"], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    row = done.stdout.splitlines()[-1].strip("| ").split(" | ")
    assert row[0] == "folder"
    assert row[2:] == ["2", "0", "0", "0", "0", "0"]
