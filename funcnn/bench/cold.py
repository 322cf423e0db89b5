"""Whole processes from cold: ``funcnn train mlp`` beside the equal PyTorch scripts."""

from __future__ import annotations

import dataclasses
import importlib.util
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from funcnn import checks
from funcnn.bench import environment
from funcnn.bench.records import Record

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["OURS", "PROCESSES", "Cold", "from_cold", "measure"]

HERE = Path(__file__).parent
OURS = "funcnn train mlp"
PROCESSES = {
    OURS: [sys.executable, "-m", "funcnn", "train", "mlp"],
    "PyTorch, torch.optim": [sys.executable, str(HERE / "torch_optim_script.py")],
    "PyTorch, updates by hand": [sys.executable, str(HERE / "torch_autograd_script.py")],
    "import jax, optax": [sys.executable, "-c", "import jax, optax"],
    "import torch": [sys.executable, "-c", "import torch"],
}
METHOD = (
    "Whole processes, from the interpreter's start to its end, one of each in every round "
    "({rounds}), after a first round that is not counted."
)


@dataclasses.dataclass(frozen=True)
class Cold(Record):
    """What the processes took; ``str`` is the table.

    Attributes:
        method: how they were measured.
        environment: on what.
        missing: the processes whose library is not installed.
        seconds: for each other process, one number a round.
    """

    method: str
    environment: dict[str, Any]
    missing: dict[str, str]
    seconds: dict[str, tuple[float, ...]]

    def ratio(self, name: str) -> float:
        """How many times as long as a process funcnn takes, median to median."""
        return statistics.median(self.seconds[OURS]) / statistics.median(self.seconds[name])

    def __str__(self) -> str:
        from funcnn.bench import tables

        return tables.cold(self)

    def plot(self) -> Figure:
        """Draw a bar for each process; needs the extra ``plot``."""
        from funcnn.bench import pictures

        return pictures.cold(self)


def from_cold(rounds: int = 9) -> Cold:
    """Time each of ``PROCESSES``, those that need PyTorch where it is installed.

    Args:
        rounds: how often each process is timed.

    Raises:
        ArgumentError, ArgumentTypeError: for rounds that are no number above 0.
    """
    rounds = checks.integer("rounds", rounds, at_least=1)
    missing = {}
    if importlib.util.find_spec("torch") is None:
        reason = "torch is not installed: pip install 'funcnn[bench]'"
        missing = {name: reason for name in PROCESSES if "torch" in name.lower()}
    present = {name: command for name, command in PROCESSES.items() if name not in missing}
    seconds = {name: tuple(taken) for name, taken in measure(present, rounds).items()}
    facts = environment.described(environment.check_device(None))
    return Cold(METHOD.format(rounds=rounds), facts, missing, seconds)


def measure(processes: dict[str, list[str]], rounds: int) -> dict[str, list[float]]:
    """The seconds that each process takes, one of each in every round.

    A first round, which finds the files not yet in memory, is left out.

    Raises:
        subprocess.CalledProcessError: where a process fails.
    """
    seconds: dict[str, list[float]] = {name: [] for name in processes}
    for counted in [False] + [True] * rounds:
        for name, command in processes.items():
            begin = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            if counted:
                seconds[name].append(time.perf_counter() - begin)
    return seconds
