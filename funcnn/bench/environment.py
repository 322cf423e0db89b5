"""Where a measurement is made: the device, the settings, and what is recorded about both."""

from __future__ import annotations

import contextlib
import datetime
import importlib.metadata
import os
import platform
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import jax

from funcnn.core import ArgumentError, checks
from funcnn.core.cores import usable_cores
from funcnn.core.precision import jax_promotion, numerics

__all__ = ["DEVICES", "check_device", "described", "last_of", "measurement", "settings"]

Result = TypeVar("Result")

DEVICES = ("cpu", "gpu")

PACKAGES = (
    "funcnn",
    "jax",
    "jaxlib",
    "optax",
    "numpy",
    "torch",
    "flax",
    "equinox",
    "keras",
    "scikit-learn",
    "skorch",
)

VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "XLA_FLAGS",
    "CUDA_VISIBLE_DEVICES",
)


def check_device(device: str | None) -> str:
    """``"cpu"`` or ``"gpu"``, where JAX finds one; JAX's own choice for None.

    Raises:
        ArgumentError: for any other, or one that is not there.
    """
    if device is None:
        return "gpu" if jax.default_backend() == "gpu" else "cpu"
    checks.choice("device", device, DEVICES)
    try:
        jax.devices(device)
    except RuntimeError as error:
        raise ArgumentError(f"device={device!r}: JAX finds none here") from error
    return device


def last_of(
    results: Callable[[str, dict[str, Any], int, str], Iterator[Result]],
    method: str,
    rounds: int,
    device: str | None,
    each: Callable[[Result], object] | None,
) -> Result:
    """The complete result of a measurement.

    Args:
        results: from the method, the environment, the rounds and the device, gives the
            result so far after each of its parts.
        method: how it is measured, ``{rounds}`` to be filled in.
        rounds: how often each part is timed.
        device: ``"cpu"`` or ``"gpu"``; JAX's own choice without it.
        each: called with the result so far.

    Raises:
        ArgumentError, ArgumentTypeError: for rounds or a device that cannot be used.
    """
    rounds = checks.integer("rounds", rounds, at_least=1)
    device = check_device(device)
    facts = described(device)
    so_far = []
    with settings(device):
        for result in results(method.format(rounds=rounds), facts, rounds, device):
            so_far.append(result)
            if each is not None:
                each(result)
    return so_far[-1]


def measurement(
    results: Callable[[str, dict[str, Any], int, str], Iterator[Result]],
    method: str,
    usual_rounds: int,
) -> Callable[..., Result]:
    """The function that makes a measurement: ``measure(rounds=, device=, each=)``.

    Args:
        results: as in :func:`last_of`.
        method: as in :func:`last_of`.
        usual_rounds: the rounds where none are given.
    """

    def measure(
        *,
        rounds: int = usual_rounds,
        device: str | None = None,
        each: Callable[[Result], object] | None = None,
    ) -> Result:
        """Make the measurement that the module tells of.

        Args:
            rounds: how often each part is timed.
            device: ``"cpu"`` or ``"gpu"``; JAX's own choice without it.
            each: called after each part with the result so far.

        Raises:
            ArgumentError, ArgumentTypeError: for arguments that cannot be used, before
                anything is measured.
        """
        return last_of(results, method, rounds, device, each)

    return measure


@contextlib.contextmanager
def settings(device: str) -> Iterator[None]:
    """One device, float32 with full matrix products, and JAX's usual promotion, for all."""
    with jax.default_device(jax.devices(device)[0]), numerics("float32"), jax_promotion():
        yield


def described(device: str) -> dict[str, Any]:
    """What a measurement depends on. The versions are those of the libraries installed."""
    load = getattr(os, "getloadavg", lambda: (float("nan"),))()[0]
    return {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "processor": _processor(),
        "cores": usable_cores(),
        "load": round(load, 2),
        "device": jax.devices(device)[0].device_kind,
        "dtype": "float32",
        "matrix precision": "highest: float32 products in full, not TF32",
        "threads": _threads(),
        "variables": {name: os.environ[name] for name in VARIABLES if name in os.environ},
        "system": f"{platform.system()} {platform.machine()}",
        "versions": {"python": platform.python_version(), **_versions()},
    }


def _processor() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _threads() -> dict[str, int]:
    """The threads of the libraries that say; JAX uses every core."""
    threads = {"jax": usable_cores()}
    if "torch" in sys.modules:
        threads["torch"] = sys.modules["torch"].get_num_threads()
    with contextlib.suppress(ImportError):
        from threadpoolctl import threadpool_info

        for pool in threadpool_info():
            if "numpy" in Path(pool["filepath"]).parts or "numpy.libs" in pool["filepath"]:
                threads["numpy"] = pool["num_threads"]
    return threads


def _versions() -> dict[str, str]:
    versions = {}
    for package in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[package] = importlib.metadata.version(package)
    return versions
