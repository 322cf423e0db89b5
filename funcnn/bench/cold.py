"""Whole processes from cold: ``funcnn train mlp`` beside the equal PyTorch scripts."""

from __future__ import annotations

import functools
import importlib.util
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from funcnn.bench import environment
from funcnn.bench.results import Cold
from funcnn.bench.timing import side_by_side
from funcnn.core import checks

__all__ = ["PROCESSES", "measure", "process_seconds"]

HERE = Path(__file__).parent
PROCESSES = {
    "funcnn train mlp": [sys.executable, "-m", "funcnn", "train", "mlp"],
    "PyTorch, torch.optim": [sys.executable, str(HERE / "torch_optim_script.py")],
    "PyTorch, updates by hand": [sys.executable, str(HERE / "torch_autograd_script.py")],
    "import jax, optax": [sys.executable, "-c", "import jax, optax"],
    "import torch": [sys.executable, "-c", "import torch"],
}
"""The commands by name, funcnn's first."""

METHOD = (
    "Whole processes, from the interpreter's start to its end, one of each in every round "
    "({rounds}), after a first round that is not counted."
)


def measure(*, rounds: int = 9, each: Callable[[Cold], object] | None = None) -> Cold:
    """Time each of ``PROCESSES``, those that need PyTorch where it is installed.

    Args:
        rounds: how often each process is timed.
        each: called with the result, as for the other measurements.

    Raises:
        ArgumentError, ArgumentTypeError: for rounds that are no number above 0.
    """
    rounds = checks.integer("rounds", rounds, at_least=1)
    missing = {}
    if importlib.util.find_spec("torch") is None:
        reason = "torch is not installed: pip install 'funcnn[bench]'"
        missing = {name: reason for name in PROCESSES if "torch" in name.lower()}
    present = {name: command for name, command in PROCESSES.items() if name not in missing}
    seconds = process_seconds(present, rounds)
    facts = environment.described(environment.check_device(None))
    result = Cold(METHOD.format(rounds=rounds), facts, missing, seconds)
    if each is not None:
        each(result)
    return result


def process_seconds(
    processes: Mapping[str, list[str]], rounds: int
) -> dict[str, tuple[float, ...]]:
    """The seconds that each process takes in every round.

    A first round, which reads the files that are not yet in memory, is left out.

    Raises:
        subprocess.CalledProcessError: where a process fails.
    """
    run = functools.partial(subprocess.run, check=True, stdout=subprocess.DEVNULL)
    calls = {name: functools.partial(run, command) for name, command in processes.items()}
    return side_by_side(calls, rounds)
