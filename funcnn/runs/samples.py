"""From a user's data to the samples of a run: prepared, split, standardized."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Float, Int, Shaped

from funcnn.core import ArgumentError, ArgumentTypeError, Loss, Samples, checks
from funcnn.data import splits
from funcnn.data.arrays import (
    LARGEST_CLASS,
    as_array,
    is_mapped,
    is_whole,
    prepare_inputs,
    prepare_targets,
    with_axes,
)
from funcnn.data.columns import Table
from funcnn.data.labels import encode, is_text
from funcnn.data.mapped import Mapped, require_finite_file
from funcnn.data.scaling import Scale, scale_of
from funcnn.data.several import load_several
from funcnn.data.sources import load
from funcnn.losses import binary_cross_entropy, cross_entropy, weighted, without_options
from funcnn.runs.preparation import Preparation

__all__ = ["Prepared", "prepare"]

LINKS = {cross_entropy: "softmax", binary_cross_entropy: "sigmoid"}


class Prepared(NamedTuple):
    """The samples of a run.

    Attributes:
        training: those to train on.
        validation: those to validate on; None where there are none.
        preparation: what was done to them.
    """

    training: Samples
    validation: Samples | None
    preparation: Preparation


def prepare(
    table: Table,
    axes: int | None,
    loss: Loss,
    dtype: str,
    seed: int,
    *,
    sample_weight: Any = None,
    validation: Any = None,
    validation_fraction: Any = None,
    fold: Any = None,
    resample: Any = None,
    standardize: Any = None,
) -> Prepared:
    """The samples that the arguments of ``train`` ask for.

    Args:
        table: the data as they were read.
        axes: ``Model.input_axes``.
        loss: the run's loss.
        dtype: the run's arithmetic.
        seed: what the choice of the validation part follows from.
        sample_weight: how much each sample counts.
        validation: the samples to validate on, from whatever ``train`` takes as data.
        validation_fraction: the part of the samples to validate on, in place of these.
        fold: the number of the fold to validate on, and how many there are, in place of both.
        resample: whether to train on as many samples, drawn with replacement.
        standardize: whether to bring x, and y in regression, to mean 0 and spread 1.

    Raises:
        ArgumentError, ArgumentTypeError: for data that cannot be trained on as asked.
    """
    standardized = standardize is not None and checks.flag("standardize", standardize)
    # What is standardized is so in float64, and fits afterwards.
    several = isinstance(table.x, tuple)
    if several and standardized:
        raise ArgumentError("standardize: x is several arrays; standardize each before")
    for name, array in (*(("x", one) for one in jax.tree.leaves(table.x)), ("y", table.y)):
        require_finite_file(name, array, "float64" if standardized else dtype)
    weight = _weights(sample_weight, loss, len(table.y), dtype)
    y, classes = _encoded(table.y, loss)
    ways = {"validation": validation, "validation_fraction": validation_fraction, "fold": fold}
    if len(given := [name for name, way in ways.items() if way is not None]) > 1:
        raise ArgumentError(f"{' and '.join(given)}: give one of them")
    aside = None
    if validation is not None:
        try:
            if several:
                aside = load_several(validation)
            else:
                aside = load(validation, table.targets, table.categories or None)
        except ArgumentError as error:
            raise type(error)(f"validation: {error}") from error
        aside = _like(aside, table)
    # What is learned of the data is learned of the part that is trained on.
    strata = y if y.ndim == 1 and (classes is not None or is_whole(y)) else None
    rows, rows_aside = _split(len(y), validation_fraction, fold, seed, strata)

    x_scale = _scale("x", with_axes("x", table.x, axes), rows, "float64") if standardized else None
    link = LINKS.get(without_options(loss))
    is_regression = link is None and not is_whole(y) and y.dtype != bool
    shaped = with_axes("y", y, axes) if is_regression else y
    y_scale = _scale("y", shaped, rows, dtype) if standardized and is_regression else None

    def inputs(x: np.ndarray) -> np.ndarray:
        x = with_axes("x", x, axes)
        return prepare_inputs(x if x_scale is None else x_scale.standardized(x), axes, dtype)

    def targets(y: np.ndarray) -> np.ndarray:
        if y_scale is None:
            return prepare_targets(y, axes, loss, dtype)
        # In float64 as far as here: a large mean would take the digits of the spread.
        y = prepare_targets(y.astype(np.float64), axes, loss, "float64")
        return y_scale.standardized(y).astype(dtype)

    x_all = jax.tree.map(lambda array: _ready(array, inputs), table.x)
    y_all = _ready(y, targets)
    _require_targets(y_all)
    training = _of_rows(Samples(x_all, y_all, weight), rows)
    if resample is not None and checks.flag("resample", resample):
        training = _of_rows(training, splits.resampled(len(training.y), seed))
    held_out = None
    if aside is not None:
        labels = aside.y if classes is None else _known(aside.y, classes)
        own = jax.tree.map(lambda array: _ready(array, inputs), aside.x)
        held_out = Samples(own, _ready(labels, targets))
    elif rows_aside is not None:
        held_out = _of_rows(Samples(x_all, y_all, weight), rows_aside)
    for part in (training, held_out):
        _require_weight(part)
    preparation = Preparation(
        dtype=dtype,
        axes=axes,
        sample=jax.tree.map(
            lambda array: jax.ShapeDtypeStruct(array.shape[1:], array.dtype), training.x
        ),
        target_axes=None if axes is None or is_whole(training.y) else table.y.ndim,
        columns=table.columns,
        targets=table.targets,
        categories=dict(table.categories),
        classes=classes,
        x_scale=x_scale,
        y_scale=y_scale,
        link=link,
    )
    return Prepared(training, held_out, preparation)


def _split(
    samples: int, fraction: Any, fold: Any, seed: int, classes: np.ndarray | None
) -> tuple[Int[np.ndarray, " rows"] | None, Int[np.ndarray, " rows"] | None]:
    """The samples to train on, None for all, and those set aside, None for none."""
    if fold is not None:
        return splits.fold(samples, *_fold_of(fold), seed, classes)
    if fraction is None:
        return None, None
    fraction = checks.number("validation_fraction", fraction, positive=True, below=1)
    return splits.split(samples, fraction, seed, classes)


def _fold_of(given: Any) -> tuple[int, int]:
    """The number of a fold, and how many folds there are."""
    if not isinstance(given, (list, tuple)) or len(given) != 2:
        raise ArgumentTypeError(
            f"fold={given!r:.60} must be the number of a fold and how many there are, as (0, 5)"
        )
    folds = checks.integer("fold's second number", given[1], at_least=2)
    return checks.integer("fold's first number", given[0], at_least=0, below=folds), folds


def _weights(
    sample_weight: Any, loss: Loss, samples: int, dtype: str
) -> Float[np.ndarray, " samples"] | None:
    if sample_weight is None:
        return None
    weight = as_array("sample_weight", sample_weight)
    if weight.shape != (samples,):
        raise ArgumentError(f"sample_weight has shape {weight.shape}; ({samples},) is needed")
    if weight.dtype == bool or weight.min() < 0:
        raise ArgumentError(
            f"sample_weight must hold numbers of 0 or more; it holds {weight.dtype}, from "
            f"{weight.min()} on"
        )
    if not weighted(loss):
        raise ArgumentError(
            "sample_weight: a loss of your own takes it as an argument of that name, "
            "loss(prediction, target, sample_weight)"
        )
    with np.errstate(over="ignore", under="ignore"):
        cast = weight.astype(dtype)
        # XLA takes numbers below the smallest normal one for 0; a loss divides by the sum.
        vanishes = cast.max() < np.finfo(dtype).tiny and weight.any()
        if vanishes or not np.isfinite(cast.sum(dtype=dtype)):
            raise ArgumentError(
                f"sample_weight holds numbers up to {weight.max():.6g}: {dtype} cannot hold them, "
                f"or not their sum"
            )
    return cast


def _require_weight(samples: Samples | None) -> None:
    """Refuse samples of which none counts: their loss would be 0 whatever is predicted."""
    if samples is not None and samples.weight is not None and not samples.weight.any():
        raise ArgumentError(
            "sample_weight is zero for all samples to train on, or for all to validate on"
        )


def _encoded(y: np.ndarray, loss: Loss) -> tuple[np.ndarray, Shaped[np.ndarray, " classes"] | None]:
    """Labels as the numbers of their classes, and the classes; other targets as they are."""
    own = without_options(loss)
    is_label = y.ndim == 1 or y.shape[1:] == (1,)
    if own not in LINKS or not is_label:
        if is_text(y):
            raise ArgumentTypeError(
                f"y holds text, such as {str(y.flat[0])!r}: labels are for loss='cross_entropy', "
                f"or loss='binary_cross_entropy' where there are two"
            )
        return y, None
    flat = np.asarray(y).reshape(len(y))
    if not is_text(flat) and flat.dtype != bool:
        numbered = flat.min() >= 0 and flat.max() <= (LARGEST_CLASS if own is cross_entropy else 1)
        if numbered or not is_whole(flat):
            return y, None
    codes, classes = encode(flat)
    if own is binary_cross_entropy and len(classes) != 2:
        raise ArgumentError(
            f"y holds {len(classes)} labels, and loss='binary_cross_entropy' is for two; "
            f"loss='cross_entropy' is for any number"
        )
    return codes, classes


def _known(
    y: Shaped[np.ndarray, "samples ..."], classes: Shaped[np.ndarray, " classes"]
) -> Int[np.ndarray, " samples"]:
    """Labels to validate on, as the numbers of the classes that the training knows."""
    number = {label: code for code, label in enumerate(classes.tolist())}
    labels = np.asarray(y).reshape(len(y)).tolist()
    unknown = [label for label in labels if label not in number]
    if unknown:
        raise ArgumentError(
            f"validation holds the label {unknown[0]!r}, which the samples to train on do not"
        )
    return np.array([number[label] for label in labels], np.int32)


def _like(table: Table, training: Table) -> Table:
    """The table, where its columns are those of the training."""
    if table.columns != training.columns:
        raise ArgumentError(
            f"validation has the columns {', '.join(table.columns or ['without names'])}; the "
            f"samples to train on have {', '.join(training.columns or ['none'])}"
        )
    own, trained = (
        [np.shape(one) for one in jax.tree.leaves((t.x, t.y))] for t in (table, training)
    )
    if [one[1:] for one in own] != [one[1:] for one in trained]:
        *x, y = own
        *x_trained, y_trained = trained
        raise ArgumentError(
            f"validation has x of shape {_listed(x)} and y of {y}; the samples to train on have "
            f"{_listed(x_trained)} and {y_trained}"
        )
    return table


def _listed(shapes: list[tuple[int, ...]]) -> str:
    return ", ".join(map(str, shapes))


def _scale(
    name: str, array: np.ndarray, rows: Int[np.ndarray, " rows"] | None, dtype: str
) -> Scale:
    """By what to standardize, where ``dtype`` holds it: predictions are brought back in it."""
    if array.dtype.kind not in "fiub":
        raise ArgumentError(f"standardize: {name} is of {array.dtype}")
    with np.errstate(over="ignore", invalid="ignore"):
        if is_mapped(array):
            scale = scale_of(Mapped(array, np.asarray, rows))
        else:
            scale = scale_of(array if rows is None else array[rows])
        if not all(np.isfinite(part.astype(dtype)).all() for part in scale):
            raise ArgumentError(f"standardize: the values of {name} are too large for {dtype}")
    return scale


def _ready(array: np.ndarray, prepare: Callable[[np.ndarray], np.ndarray]) -> Any:
    """The array as the model takes it: prepared now, or row by row where it lies in a file."""
    if not is_mapped(array):
        return prepare(array)
    return prepare(np.array(array)) if is_whole(array) else Mapped(array, prepare)


def _require_targets(y: Any) -> None:
    """Prepare targets in a file once, a part at a time, so that what is wrong is said now."""
    if isinstance(y, Mapped):
        for part in y.chunks():
            del part


def _of_rows(samples: Samples, rows: Int[np.ndarray, " rows"] | None) -> Samples:
    if rows is None:
        return samples
    return jax.tree.map(
        lambda array: array.take(rows) if isinstance(array, Mapped) else array[rows], samples
    )
