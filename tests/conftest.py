"""Settings and fixtures of the suite."""

from __future__ import annotations

import contextlib
import os
import signal

import hypothesis
import jax
import numpy as np
import pytest
from jax import monitoring

# The first example of a test may trace and compile; timings are no tests.
hypothesis.settings.register_profile("funcnn", deadline=None)
hypothesis.settings.load_profile("funcnn")

# What is written here and in funcnn must not lean on silent promotion.
jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")


def pytest_configure():
    """One thread in each of the processes that xdist starts, one on every core; and Ctrl-C.

    More threads would wait for one another. A shell starts what runs in the background with
    Ctrl-C ignored: a test that sends it would wait for ever.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    for variable in ("NPROC", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):  # XLA, PyTorch, NumPy
        os.environ.setdefault(variable, "1")


_COMPILATIONS: list[str] = []


def _count(event: str, duration: float, **details: object) -> None:
    del duration, details
    if event == "/jax/core/compile/backend_compile_duration":
        _COMPILATIONS.append(event)


monitoring.register_event_duration_secs_listener(_count)


@pytest.fixture
def compiles():
    """A context that counts what JAX compiles inside it: every program, the smallest too."""

    @contextlib.contextmanager
    def counting():
        start = len(_COMPILATIONS)
        counted: list[str] = []
        yield counted
        counted.extend(_COMPILATIONS[start:])

    return counting


@pytest.fixture(scope="session")
def diabetes():
    from sklearn.datasets import load_diabetes

    return load_diabetes(return_X_y=True)


@pytest.fixture(scope="session")
def digits():
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    return x / 16, y


@pytest.fixture
def line():
    """Forty points of y = 2x + 1."""
    x = np.linspace(-1, 1, 40)
    return x, 2 * x + 1
