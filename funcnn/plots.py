"""Pictures of results; they need the extra ``plot``.

Each function draws on the axes that it is given, or on a new figure, and returns
them. The colours are told apart with any kind of colour vision.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Int, Shaped

from funcnn.core import ArgumentError, MissingExtraError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
else:
    Axes = Any  # matplotlib may be missing, and takes long to import.

__all__ = [
    "COLORS",
    "Axes",
    "bands",
    "confusion",
    "difference",
    "losses",
    "overlay",
    "prediction",
    "residuals",
]

COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
"""Okabe and Ito's palette: https://jfly.uni-koeln.de/color/."""

MOST_CLASSES = 30
"""The most classes whose names and numbers can be read in a confusion matrix."""


def losses(
    curves: Float[np.ndarray, " steps"] | Mapping[str, Float[np.ndarray, " steps"]],
    *,
    scale: str | None = None,
    best: int | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw losses over steps.

    Args:
        curves: one loss a step, (steps,); or several such curves by their labels. A
            NaN is a step whose loss was not kept: the line goes past it.
        scale: ``"log"`` or ``"linear"``; None for a log axis where all are positive.
        best: the step to mark as the best; none without it.
        ax: where to draw; a new figure without it.

    Returns:
        The axes drawn on.

    Raises:
        ArgumentError: for an unknown scale.
        MissingExtraError: where matplotlib is not installed.
    """
    if scale not in (None, "log", "linear"):
        raise ArgumentError(f"scale={scale!r} must be 'log', 'linear' or None")
    ax = _axes(ax)
    labelled = curves if isinstance(curves, Mapping) else {"": curves}
    for index, (label, values) in enumerate(labelled.items()):
        kept = np.flatnonzero(~np.isnan(values))
        ax.plot(kept, np.asarray(values)[kept], color=COLORS[index % len(COLORS)], label=label)
    if best is not None:
        ax.axvline(best, color="0.4", linestyle=":", label=f"best: step {best}")
    positive = all(np.nanmin(values, initial=1.0) > 0 for values in labelled.values())
    ax.set(
        xlabel="step",
        ylabel="loss before the step",
        yscale=scale or ("log" if positive else "linear"),
    )
    if any(labelled) or best is not None:
        ax.legend()
    return ax


def bands(
    bundles: Mapping[str, Float[np.ndarray, "members steps"]],
    steps: Int[np.ndarray, " steps"],
    *,
    ax: Axes | None = None,
) -> Axes:
    """Draw the losses of many runs: of each bundle the median, and the range around it.

    Args:
        bundles: the losses of several runs, (members, steps), by their label; a NaN, of
            a run that diverged, counts as more than any loss.
        steps: the steps of these losses.
        ax: where to draw; a new figure without it.

    Returns:
        The axes drawn on; the loss on a log axis where all are positive.

    Raises:
        MissingExtraError: where matplotlib is not installed.
    """
    ax = _axes(ax)
    for color, (label, values) in zip(_colors(len(bundles)), bundles.items(), strict=True):
        with np.errstate(over="ignore"):  # The mean of two huge losses.
            median = np.median(np.nan_to_num(values, nan=np.inf, posinf=np.inf), axis=0)
        ax.plot(steps, np.where(np.isinf(median), np.nan, median), color=color, label=label)
        if len(values) > 1:
            low, high = np.fmin.reduce(values), np.fmax.reduce(values)
            ax.fill_between(steps, low, high, color=color, alpha=0.2, linewidth=0)
    losses = np.concatenate(list(bundles.values()))
    positive = not (losses <= 0).any()
    ax.set(xlabel="step", ylabel="loss before the step", yscale="log" if positive else "linear")
    if positive and np.isnan(losses[:, -1]).any() and not np.isnan(losses[:, 0]).all():
        # What diverges would leave the others no room.
        ax.set_ylim(np.nanmin(losses) / 2, 10 * np.nanmax(losses[:, 0]))
    if any(bundles):
        ax.legend(ncols=1 + len(bundles) // 12, fontsize="small")
    return ax


def prediction(
    x: Float[np.ndarray, " samples"],
    target: Float[np.ndarray, " samples"],
    predicted: Float[np.ndarray, " samples"],
    *,
    ax: Axes | None = None,
) -> Axes:
    """Draw a prediction over its target, for inputs of one dimension.

    Args:
        x: the inputs, (samples,) or (samples, 1), in any order.
        target: what was to be predicted, one number a sample.
        predicted: what a model predicts, one number a sample.
        ax: where to draw; a new figure without it.

    Returns:
        The axes drawn on.

    Raises:
        ArgumentError: where these are not three curves of the same length.
        MissingExtraError: where matplotlib is not installed.
    """
    curves = _one_a_sample(x=x, target=target, prediction=predicted)
    ax = _axes(ax)
    order = np.argsort(curves[0])
    inputs, targets, predictions = (values[order] for values in curves)
    ax.plot(inputs, targets, color=COLORS[5], linewidth=4, label="target")
    ax.plot(inputs, predictions, color=COLORS[1], label="prediction")
    ax.set(xlabel="x", ylabel="y")
    ax.legend()
    return ax


def residuals(
    target: Float[np.ndarray, " samples"],
    predicted: Float[np.ndarray, " samples"],
    *,
    ax: Axes | None = None,
) -> Axes:
    """Draw what a prediction misses, target − prediction, over the prediction.

    Args:
        target: what was to be predicted, (samples,) or (samples, 1).
        predicted: what a model predicts, one number a sample as well.
        ax: where to draw; a new figure without it.

    Returns:
        The axes drawn on.

    Raises:
        ArgumentError: where these are not two numbers a sample.
        MissingExtraError: where matplotlib is not installed.
    """
    target, predicted = _one_a_sample(target=target, prediction=predicted)
    missed = np.subtract(target, predicted, dtype=np.float64)
    ax = _axes(ax)
    ax.axhline(0, color="0.4", linewidth=1)
    ax.scatter(predicted, missed, s=12, color=COLORS[0], alpha=0.6, linewidths=0)
    ax.set(xlabel="prediction", ylabel="target − prediction")
    return ax


def confusion(
    target: Shaped[np.ndarray, " samples"],
    predicted: Shaped[np.ndarray, " samples"],
    *,
    classes: Sequence[Any] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw how often each class was predicted for each class: a confusion matrix.

    Args:
        target: the class of each sample, (samples,): numbers or text.
        predicted: the class that was predicted for it, such as ``predict_classes`` gives.
        classes: all classes, in the order in which to draw them; without it those that are
            there, sorted.
        ax: where to draw; a new figure without it.

    Returns:
        The axes drawn on: a row for each class, a column for each prediction, and how many
        samples there were.

    Raises:
        ArgumentError: where these are not two classes a sample, or not all among ``classes``.
        MissingExtraError: where matplotlib is not installed.
    """
    target, predicted = _one_a_sample(target=target, prediction=predicted)
    found = set(target.tolist()) | set(predicted.tolist())
    labels = sorted(found, key=_order) if classes is None else np.asarray(classes).tolist()
    place = {label: index for index, label in enumerate(labels)}
    if unknown := sorted(found - place.keys(), key=_order):
        raise ArgumentError(f"classes={labels!r:.100} lacks {unknown[0]!r}, which is there")
    if len(place) < len(labels):
        raise ArgumentError(f"classes={labels!r:.100} must hold each class once")
    counts = np.zeros((len(labels), len(labels)), int)
    rows, columns = ([place[label] for label in one.tolist()] for one in (target, predicted))
    np.add.at(counts, (rows, columns), 1)
    ax = _axes(ax)
    ax.imshow(counts, cmap="Blues")
    if len(labels) <= MOST_CLASSES:
        names = [_written(label) for label in labels]
        ax.set_xticks(range(len(labels)), names)
        ax.set_yticks(range(len(labels)), names)
        if max(map(len, names)) > 2:
            ax.tick_params(axis="x", rotation=90)
        for (row, column), count in np.ndenumerate(counts):
            if count:
                dark = count > counts.max() / 2
                ax.text(column, row, str(count), ha="center", va="center",
                        fontsize="small", color="white" if dark else "black")  # fmt: skip
    ax.set(xlabel="predicted class", ylabel="class")
    return ax


def overlay(
    reference: Float[np.ndarray, " steps"],
    found: Float[np.ndarray, " steps"],
    *,
    ax: Axes | None = None,
) -> Axes:
    """Draw funcnn's losses over a reference's, on a log axis: a thin line on a broad one.

    Args:
        reference: the reference's losses, (steps,).
        found: funcnn's losses, (steps,).
        ax: where to draw; a new figure without it.

    Returns:
        The axes drawn on.

    Raises:
        MissingExtraError: where matplotlib is not installed.
    """
    ax = _axes(ax)
    ax.plot(reference, color=COLORS[5], linewidth=4, label="reference")
    ax.plot(found, color=COLORS[1], linestyle="--", label="funcnn")
    ax.set(xlabel="step", ylabel="loss before the step", yscale="log")
    ax.legend()
    return ax


def difference(
    relative: Float[np.ndarray, " steps"],
    bound: Float[np.ndarray, " compared"],
    *,
    ax: Axes | None = None,
) -> Axes:
    """Draw the relative difference of two runs at every step, below what is allowed.

    Args:
        relative: the relative differences, (steps,); a 0 is not drawn on the log axis.
        bound: the largest that is allowed, for each of the first steps, (compared,).
        ax: where to draw; a new figure without it.

    Returns:
        The axes drawn on.

    Raises:
        MissingExtraError: where matplotlib is not installed.
    """
    ax = _axes(ax)
    ax.plot(np.where(relative > 0, relative, np.nan), color=COLORS[0], label="difference")
    ax.plot(bound, color=COLORS[1], linestyle=":", label="allowed")
    ax.set(xlabel="step", ylabel="relative difference", yscale="log")
    ax.legend()
    return ax


def _one_a_sample(**given: Any) -> list[Shaped[np.ndarray, " samples"]]:
    """Arrays of as many samples, (samples,), of what may have an axis of length 1 behind them.

    Raises:
        ArgumentError: for any other shapes.
    """
    arrays = [np.asarray(values) for values in given.values()]
    samples = arrays[0].size
    if any(array.shape not in ((samples,), (samples, 1)) for array in arrays) or not samples:
        *names, last = given
        shapes = ", ".join(str(array.shape) for array in arrays)
        raise ArgumentError(
            f"{', '.join(names)} and {last} have shapes {shapes}; one number a sample is needed"
        )
    return [array.ravel() for array in arrays]


def _order(label: Any) -> tuple[bool, Any]:
    """Numbers in their order before text in its own."""
    return isinstance(label, str), label


def _written(label: Any) -> str:
    """A class as text: 3.0, as it is read from a file, is 3."""
    return str(int(label) if isinstance(label, float) and label.is_integer() else label)


def _colors(count: int) -> Iterable[Any]:
    """So many colours that can be told apart; more than there are in order, from dark to light."""
    if count <= len(COLORS):
        return COLORS[:count]
    from matplotlib import colormaps

    return colormaps["viridis"](np.linspace(0, 0.9, count))


def _axes(ax: Axes | None) -> Axes:
    if ax is not None:
        return ax
    try:
        import matplotlib.pyplot as plt
    except ImportError:
        raise MissingExtraError("matplotlib", "plot") from None
    return plt.subplots(layout="constrained")[1]
