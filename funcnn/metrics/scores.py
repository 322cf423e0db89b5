"""How good predictions are: what is no loss, since it has no useful gradient."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Shaped

from funcnn.core import AnyArray, ArgumentError, MissingExtraError
from funcnn.losses.reduction import require_equal_shapes

__all__ = ["accuracy", "r2", "require_scikit_learn", "roc_auc", "root_mean_squared_error"]


def accuracy(
    prediction: Float[AnyArray, "samples ..."], target: Shaped[AnyArray, "samples ..."]
) -> Float[Array, ""]:
    """The share of the samples whose class is predicted, ``sklearn.metrics.accuracy_score``.

    Args:
        prediction: logits: (samples, classes), of which the largest is the predicted class;
            or (samples,) or (samples, 1), which predict 1 where they are above 0.
        target: the class of each sample, (samples,) or (samples, 1): whole numbers; for one
            logit 0 and 1, which may be floats or truth values.

    Returns:
        A scalar, 0 to 1.

    Raises:
        ArgumentError: where shapes or dtypes are others.

    >>> float(accuracy(jnp.array([[1.0, 2.0], [4.0, 3.0]]), jnp.array([1, 1])))
    0.5
    """
    logits, target = jnp.asarray(prediction), jnp.asarray(target)
    labels = _labels("accuracy", logits, target)
    if _one_for_each_class(logits):
        predicted = logits.argmax(axis=1)
        return (predicted == labels.astype(predicted.dtype)).mean(dtype=logits.dtype)
    return ((logits.ravel() > 0).astype(labels.dtype) == labels).mean(dtype=logits.dtype)


def r2(
    prediction: Float[AnyArray, "*shape"], target: Float[AnyArray, "*shape"]
) -> Float[Array, ""]:
    """1 − Σ(prediction − target)² / Σ(target − its mean)², ``sklearn.metrics.r2_score``.

    Args:
        prediction: (samples,) or (samples, outputs).
        target: the same shape.

    Returns:
        A scalar: the mean over the outputs. An output whose target is constant counts 1 where
        the prediction is equal to it, and 0 otherwise. NaN for fewer than two samples.

    Raises:
        ArgumentError: where the shapes differ.

    >>> round(float(r2(jnp.array([1.0, 2.0, 2.0]), jnp.array([1.0, 2.0, 3.0]))), 6)
    0.5
    """
    residual, target = _columns(prediction, target)
    if len(target) < 2:
        return jnp.asarray(jnp.nan, residual.dtype)
    left = jnp.square(residual).sum(axis=0)
    whole = jnp.square(target - target.mean(axis=0, keepdims=True)).sum(axis=0)
    # Rounded, the mean of equal numbers may not be equal to them.
    constant = (target == target[:1]).all(axis=0)
    degenerate = jnp.where(left == 0, 1.0, 0.0).astype(left.dtype)
    return jnp.where(constant, degenerate, 1.0 - left / jnp.where(constant, 1.0, whole)).mean()


def root_mean_squared_error(
    prediction: Float[AnyArray, "*shape"], target: Float[AnyArray, "*shape"]
) -> Float[Array, ""]:
    """√ of the mean of (prediction − target)², ``sklearn.metrics.root_mean_squared_error``.

    Args:
        prediction: (samples,) or (samples, outputs).
        target: the same shape.

    Returns:
        A scalar in the target's unit. Of several outputs, each has its own root, and the mean
        of these is taken: its square is not ``mean_squared_error`` then.

    Raises:
        ArgumentError: where the shapes differ.

    >>> float(root_mean_squared_error(jnp.array([1.0, 9.0]), jnp.array([2.0, 2.0])))
    5.0
    """
    residual, _ = _columns(prediction, target)
    return jnp.sqrt(jnp.square(residual).mean(axis=0)).mean()


def roc_auc(
    prediction: Float[AnyArray, "samples ..."], target: Shaped[AnyArray, "samples ..."]
) -> float:
    """The area under the ROC curve, ``sklearn.metrics.roc_auc_score``.

    Args:
        prediction: as for :func:`accuracy`, but no tracer: scikit-learn computes with NumPy.
        target: as for :func:`accuracy`.

    Returns:
        A number from 0 to 1. Of more than two classes, each is compared with the rest by its
        softmax probability, and the mean is taken. NaN where a class has no sample, and
        where a prediction is not finite.

    Raises:
        ArgumentError: where shapes or dtypes are others, or a label is none of the classes.
        MissingExtraError: without scikit-learn.

    >>> roc_auc(np.array([0.1, 0.4, 0.35, 0.8]), np.array([0, 0, 1, 1]))
    0.75
    """
    score = require_scikit_learn()
    logits = np.asarray(prediction, np.float64)
    labels = _labels("roc_auc", logits, np.asarray(target))
    classes = np.arange(logits.shape[1] if _one_for_each_class(logits) else 2)
    if not np.isin(labels, classes).all():
        raise ArgumentError(f"roc_auc takes labels from 0 to {classes[-1]}; others were given")
    if not np.isfinite(logits).all() or len(np.unique(labels)) < len(classes):
        return float("nan")
    if len(classes) == 2:
        # Of two logits, the difference grows with the probability of the second class.
        logit = np.diff(logits) if logits.size > len(labels) else logits
        return float(score(labels.astype(int), logit.ravel()))
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    return float(score(labels, shares, multi_class="ovr", labels=classes))


def require_scikit_learn() -> Callable[..., Any]:
    """``sklearn.metrics.roc_auc_score``.

    Raises:
        MissingExtraError: where scikit-learn is not installed.
    """
    try:
        from sklearn.metrics import roc_auc_score
    except ImportError:
        raise MissingExtraError("scikit-learn", "sklearn") from None
    return roc_auc_score


def _columns(prediction: AnyArray, target: AnyArray) -> tuple[Array, Array]:
    """The errors and the target, (samples, outputs)."""
    require_equal_shapes(prediction, target)
    if prediction.ndim not in (1, 2):
        raise ArgumentError(
            f"the prediction has shape {prediction.shape}; (samples,) or (samples, outputs) is "
            f"needed"
        )
    residual, target = jnp.asarray(prediction - target), jnp.asarray(target)
    return residual.reshape(len(residual), -1), target.reshape(len(target), -1)


def _one_for_each_class(logits: Any) -> bool:
    return logits.ndim == 2 and logits.shape[1] > 1


def _labels(metric: str, logits: Any, target: Any) -> Any:
    """The labels, (samples,), where they can be compared with the logits.

    Raises:
        ArgumentError: where they cannot.
    """
    many = _one_for_each_class(logits)
    shapes = (logits.shape[:1],) if many else (logits.shape[:1], (*logits.shape[:1], 1))
    if logits.ndim not in (1, 2) or target.shape not in shapes:
        raise ArgumentError(
            f"{metric} takes logits of shape (samples, classes), or one for each sample, and a "
            f"target of shape (samples,); it was given {logits.shape} and {target.shape}"
        )
    if many and not jnp.issubdtype(target.dtype, jnp.integer):
        raise ArgumentError(f"{metric} takes integer targets for classes, not {target.dtype}")
    return target.ravel()
