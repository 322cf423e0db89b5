"""Losses of classes: how likely the model finds what is so. Predictions are logits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax.core import Tracer
from jaxtyping import Array, Float, Int, Shaped

from funcnn.core import AnyArray, ArgumentError, ArgumentTypeError, Number
from funcnn.losses.options import checked
from funcnn.losses.reduction import mean, ratio, require_equal_shapes, weights_of

__all__ = ["binary_cross_entropy", "cross_entropy"]


def binary_cross_entropy(
    prediction: Float[AnyArray, "*shape"],
    target: Shaped[AnyArray, "*shape"],
    *,
    pos_weight: Number | Sequence[Number] | AnyArray | None = None,
    sample_weight: Shaped[AnyArray, " samples"] | None = None,
) -> Float[Array, ""]:
    """The mean of −y·log σ(z) − (1 − y)·log(1 − σ(z)), ``torch.nn.BCEWithLogitsLoss()``.

    Args:
        prediction: logits z, of any shape; the first axis is the samples.
        target: y, the same shape: probabilities from 0 to 1, or 0 and 1 as whole numbers or
            truth values.
        pos_weight: a positive number by which the first term is multiplied, or one for each
            output of a prediction of shape (samples, outputs).
        sample_weight: how often each sample counts, (samples,), not negative.

    Returns:
        A scalar, in nats.

    Raises:
        ArgumentError, ArgumentTypeError: where the shapes do not fit, or a number cannot be
            used.

    >>> round(float(binary_cross_entropy(jnp.zeros(2), jnp.array([0, 1]))), 6)
    0.693147
    """
    require_equal_shapes(prediction, target)
    z = jnp.asarray(prediction)
    y = jnp.asarray(target).astype(z.dtype)
    positive = -y * jax.nn.log_sigmoid(z)
    if pos_weight is not None:
        positive = _pos_weight(pos_weight, z) * positive
    # 1 − σ(z) is σ(−z), and the logarithm of the latter keeps its digits.
    return mean(positive - (1.0 - y) * jax.nn.log_sigmoid(-z), sample_weight)


def cross_entropy(
    prediction: Float[AnyArray, "samples classes"],
    target: Int[AnyArray, " samples"] | Float[AnyArray, "samples classes"],
    *,
    label_smoothing: Number = 0.0,
    class_weight: Sequence[Number] | AnyArray | None = None,
    sample_weight: Shaped[AnyArray, " samples"] | None = None,
) -> Float[Array, ""]:
    """The mean of −log softmax(prediction)[target], ``torch.nn.CrossEntropyLoss()``.

    Args:
        prediction: logits, (samples, classes).
        target: the class of each sample, (samples,), integers from 0 to classes − 1; or the
            probability of each class, (samples, classes), floats.
        label_smoothing: the share of a target, 0 to 1, that is spread evenly over all classes.
        class_weight: a positive number for each class, (classes,): its terms of the loss are
            multiplied by it.
        sample_weight: how often each sample counts, (samples,), not negative.

    Returns:
        A scalar, in nats. The sum over the samples is divided by their number; where the
        targets are integers and ``class_weight`` is given, by the sum of the weights of the
        targets. A sample's weight multiplies it in both sums.

    Raises:
        ArgumentError: where the shapes do not fit, or a number cannot be used.
        ArgumentTypeError: where the target is neither of integers nor of probabilities.

    >>> round(float(cross_entropy(jnp.zeros((1, 2)), jnp.array([1]))), 6)
    0.693147
    >>> round(float(cross_entropy(jnp.zeros((1, 2)), jnp.array([[0.5, 0.5]]))), 6)
    0.693147
    """
    logits = jnp.asarray(prediction)
    target = jnp.asarray(target)
    labels = _are_labels(logits, target)
    smoothing = checked("label_smoothing", label_smoothing)
    weight = None if class_weight is None else _class_weight(class_weight, logits)
    count = None  # How often a sample counts, beside its sample_weight.
    if labels:
        each = optax.softmax_cross_entropy_with_integer_labels(logits, target)
        if weight is not None:
            # Out of range, a label gives NaN here as it does above.
            count = weight.at[target].get(mode="fill", fill_value=jnp.nan)
            each = count * each
    else:
        each = optax.softmax_cross_entropy(
            logits, target if weight is None else target * weight[None, :]
        )
    if isinstance(smoothing, Tracer) or smoothing > 0:
        every = jax.nn.log_softmax(logits)
        spread = every.mean(axis=1) if weight is None else every @ weight / len(weight)
        each = (1.0 - smoothing) * each - smoothing * spread
    if count is None:
        return mean(each, sample_weight)
    sample = jnp.ones_like(each) if sample_weight is None else weights_of(each, sample_weight)
    return ratio(jnp.vdot(sample, each), jnp.vdot(sample, count))


def _are_labels(prediction: Array, target: Array) -> bool:
    """Whether the target holds the class of each sample, and not probabilities of all classes.

    Raises:
        ArgumentError, ArgumentTypeError: where it is neither.
    """
    probabilities = prediction.ndim == 2 and target.shape == prediction.shape
    if prediction.ndim != 2 or not (probabilities or target.shape == prediction.shape[:1]):
        raise ArgumentError(
            f"cross_entropy takes a prediction of shape (samples, classes) and a target of shape "
            f"(samples,), or (samples, classes) for probabilities; it was given "
            f"{prediction.shape} and {target.shape}"
        )
    if not jnp.issubdtype(target.dtype, jnp.floating if probabilities else jnp.integer):
        kind = "float targets of this shape, probabilities" if probabilities else "integer targets"
        raise ArgumentTypeError(f"cross_entropy takes {kind}, not {target.dtype}")
    return not probabilities


def _class_weight(class_weight: Any, logits: Array) -> Float[Array, " classes"]:
    weight = jnp.asarray(checked("class_weight", class_weight), logits.dtype)
    if weight.shape != logits.shape[1:]:
        raise ArgumentError(
            f"class_weight holds {weight.size} numbers; the prediction has {logits.shape[1]} "
            f"classes, and each needs one"
        )
    return weight


def _pos_weight(pos_weight: Any, logits: Array) -> Float[Array, "..."]:
    """One number, or a row of them: either can be multiplied with the logits."""
    weight = jnp.asarray(checked("pos_weight", pos_weight), logits.dtype)
    if weight.ndim == 0:
        return weight
    if logits.ndim != 2 or weight.shape != logits.shape[1:]:
        raise ArgumentError(
            f"pos_weight holds {weight.size} numbers; the prediction has shape {logits.shape}, "
            f"and each of its outputs needs one: or give one number for all"
        )
    return weight[None, :]
