"""The command that uses what was trained: ``funcnn predict WEIGHTS --data FILE``."""

from __future__ import annotations

import io
from collections.abc import Sequence
from os.path import samefile
from pathlib import Path
from typing import Any

import click
import numpy as np

import funcnn
from funcnn.cli.outputs import check_place, table_text, write_table
from funcnn.data import write_whole

__all__ = ["predict"]


@click.command()
@click.argument("weights", metavar="WEIGHTS")
@click.option(
    "--data",
    metavar="FILE",
    required=True,
    help="What to predict from: a .csv or .parquet table, a .npz (array x) or a .npy.",
)
@click.option(
    "--output",
    metavar="FILE",
    help="Where to write it: .csv, .npz or .npy; printed as a .csv without it.",
)
@click.option("--probabilities", is_flag=True, help="Give the probability of each class, too.")
def predict(weights: str, data: str, output: str | None, probabilities: bool) -> None:
    """Predict with the WEIGHTS that "funcnn train --save" has written.

    A table may have further columns, such as the target's: they are ignored. Classes are given
    as they stood in the target.
    """
    if output is not None:
        check_place("--output", output, ".csv", ".npz", ".npy")
        for option, other in (("--data", data), ("WEIGHTS", weights)):
            if Path(other).exists() and Path(output).exists() and samefile(other, output):
                raise funcnn.ArgumentError(f"--output={output} is the file of {option}")
        if probabilities and Path(output).suffix == ".npy":
            raise funcnn.ArgumentError(
                "--probabilities: a .npy file holds one array; write a .csv or a .npz"
            )
    arrays, names = _predicted(funcnn.load_model(weights), data, probabilities)
    if output is None:
        click.echo(table_text(names, _rows(arrays)), nl=False)
    elif Path(output).suffix == ".csv":
        write_table(names, _rows(arrays), output)
    else:
        content = io.BytesIO()
        if Path(output).suffix == ".npy":
            np.save(content, arrays["prediction"], allow_pickle=False)
        else:
            np.savez(content, **arrays, allow_pickle=False)
        write_whole(output, lambda stream: stream.write(content.getvalue()))


def _predicted(
    model: funcnn.Predictor, data: str, probabilities: bool
) -> tuple[dict[str, np.ndarray], list[str]]:
    """The arrays, each with a row a sample, and the names of all of their columns."""
    is_classifier = model.preparation.link is not None
    prediction = model.predict_classes(data) if is_classifier else model.predict(data)
    arrays, names = {"prediction": prediction}, _names(model, prediction)
    if probabilities:
        arrays["probability"] = model.predict_proba(data)
        if prediction.ndim == 2:  # Several targets, each 0 or 1.
            classes = names
        elif model.classes is not None:
            classes = model.classes.tolist()
        else:
            classes = range(arrays["probability"].shape[1])
        names = [*names, *(f"probability_{label}" for label in classes)]
    return arrays, names


def _names(model: funcnn.Predictor, prediction: np.ndarray) -> list[str]:
    """The names of the columns of a prediction: the targets', where these are known."""
    count = prediction.shape[1] if prediction.ndim == 2 else 1
    targets = model.preparation.targets
    if targets is not None and len(targets) == count:
        return list(targets)
    return ["prediction"] if count == 1 else [f"prediction_{index}" for index in range(count)]


def _rows(arrays: dict[str, np.ndarray]) -> Sequence[Sequence[Any]]:
    """The arrays side by side, a list of their cells for each sample."""
    columns = [column for array in arrays.values() for column in array.reshape(len(array), -1).T]
    return list(zip(*columns, strict=True))
