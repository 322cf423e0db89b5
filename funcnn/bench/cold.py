"""Whole processes from cold: ``funcnn train mlp`` beside the equal PyTorch scripts.

``python -m funcnn.bench.cold [ROUNDS]`` starts each in turn and prints a table.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

__all__ = ["OURS", "PROCESSES", "measure"]

HERE = Path(__file__).parent
OURS = "funcnn train mlp"
PROCESSES = {
    OURS: [sys.executable, "-m", "funcnn", "train", "mlp"],
    "PyTorch, torch.optim": [sys.executable, str(HERE / "torch_optim_script.py")],
    "PyTorch, updates by hand": [sys.executable, str(HERE / "torch_autograd_script.py")],
    "import jax, optax": [sys.executable, "-c", "import jax, optax"],
    "import torch": [sys.executable, "-c", "import torch"],
}


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


def main() -> None:
    """Measure and print."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    seconds = measure(PROCESSES, rounds)
    ours = statistics.median(seconds[OURS])
    print(f"{'process':<26} {'median':>8} {'minimum':>9} {'funcnn to it':>14}")
    for name, taken in seconds.items():
        median = statistics.median(taken)
        print(f"{name:<26} {median:>6.2f} s {min(taken):>7.2f} s {ours / median:>14.2f}")


if __name__ == "__main__":
    main()
