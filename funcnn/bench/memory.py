"""How much memory a part of a process takes at most."""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Callable
from pathlib import Path

import jax

__all__ = ["peak_from_here"]


def peak_from_here(device: str) -> Callable[[], int]:
    """A function that gives the bytes by which memory has grown at most since this call.

    On a GPU, those that JAX and PyTorch have taken there; on a CPU, those of the whole
    process. On Linux an earlier peak is reset; elsewhere only what exceeds it counts.
    """
    if device == "gpu":
        return _gpu_bytes
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")  # Resets the peak to what is in use.
    before = _process_peak()
    return lambda: _process_peak() - before


def _process_peak() -> int:
    with contextlib.suppress(OSError):
        status = Path("/proc/self/status").read_text(encoding="ascii")
        return int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) * 1024
    with contextlib.suppress(ImportError):
        import resource

        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    return 0


def _gpu_bytes() -> int:
    taken = (jax.devices("gpu")[0].memory_stats() or {}).get("peak_bytes_in_use", 0)
    if "torch" in sys.modules:
        taken += sys.modules["torch"].cuda.max_memory_allocated()
    return taken
