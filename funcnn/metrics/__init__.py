"""Metrics: ``metric(prediction, target) -> scalar``, which is reported and not trained on.

Every loss is a metric, too. As for the losses, nothing broadcasts.
"""

from funcnn.metrics.naming import METRICS, Metric, find, named_all
from funcnn.metrics.scores import accuracy, r2, roc_auc, root_mean_squared_error

__all__ = [
    "METRICS",
    "Metric",
    "accuracy",
    "find",
    "named_all",
    "r2",
    "roc_auc",
    "root_mean_squared_error",
]
