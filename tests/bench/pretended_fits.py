"""Libraries that pretend to fit: they are told the answers."""

from __future__ import annotations

SEEDS = []


def right(task):
    """Predicts what is true."""

    def fit(seed):
        SEEDS.append(seed)
        return lambda _: task.y_test

    return fit


def elsewhere(task):
    """Predicts the same for all."""
    return lambda _: lambda _: 0 * task.y_test


def failing(_):
    """Does not fit."""
    raise RuntimeError("it broke")
