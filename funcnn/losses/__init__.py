"""Losses: ``loss(prediction, target, *, sample_weight=None) -> scalar``, and their options.

Nothing broadcasts: a prediction of shape (N, 1) against a target of shape (N,)
is an error, where NumPy and PyTorch would compare every pair.
"""

from funcnn.losses.classification import binary_cross_entropy, cross_entropy
from funcnn.losses.naming import LOSSES, OPTIONS, named, weighted, without_options
from funcnn.losses.regression import (
    huber,
    mean_absolute_error,
    mean_squared_error,
    smooth_l1,
    sum_squared_error,
)

__all__ = [
    "LOSSES",
    "OPTIONS",
    "binary_cross_entropy",
    "cross_entropy",
    "huber",
    "mean_absolute_error",
    "mean_squared_error",
    "named",
    "smooth_l1",
    "sum_squared_error",
    "weighted",
    "without_options",
]
