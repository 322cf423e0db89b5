"""Pictures of results; they need the extra ``plot``.

Each function draws on the axes that it is given, or on a new figure, and returns
them. The colours are told apart with any kind of colour vision.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Int

from funcnn.core import ArgumentError, MissingExtraError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
else:
    Axes = Any  # matplotlib may be missing, and takes long to import.

__all__ = ["COLORS", "Axes", "bands", "difference", "losses", "overlay", "prediction"]

COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
"""Okabe and Ito's palette: https://jfly.uni-koeln.de/color/."""


def losses(
    curves: Float[np.ndarray, " steps"] | Mapping[str, Float[np.ndarray, " steps"]],
    *,
    scale: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw losses over steps.

    Args:
        curves: one loss a step, (steps,); or several such curves by their labels. A
            NaN is a step whose loss was not kept: the line goes past it.
        scale: ``"log"`` or ``"linear"``; None for a log axis where all are positive.
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
    positive = all(np.nanmin(values, initial=1.0) > 0 for values in labelled.values())
    ax.set(
        xlabel="step",
        ylabel="loss before the step",
        yscale=scale or ("log" if positive else "linear"),
    )
    if any(labelled):
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
    shapes = [np.shape(values) for values in (x, target, predicted)]
    samples = np.size(x)
    if any(shape not in ((samples,), (samples, 1)) for shape in shapes):
        raise ArgumentError(
            f"x, target and prediction have shapes {', '.join(map(str, shapes))}; "
            f"one number a sample is needed"
        )
    ax = _axes(ax)
    order = np.argsort(np.ravel(x))
    inputs, targets, predictions = (np.ravel(values)[order] for values in (x, target, predicted))
    ax.plot(inputs, targets, color=COLORS[5], linewidth=4, label="target")
    ax.plot(inputs, predictions, color=COLORS[1], label="prediction")
    ax.set(xlabel="x", ylabel="y")
    ax.legend()
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
