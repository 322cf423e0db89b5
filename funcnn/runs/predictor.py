"""A trained model: what predicts, and what is saved of it."""

from __future__ import annotations

import dataclasses
import importlib
import os
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped

from funcnn import models
from funcnn.core import ArgumentError, Model, Params, checks
from funcnn.core.precision import numerics
from funcnn.data.files import require_place, write_whole
from funcnn.data.weights import load_weights, save_weights
from funcnn.runs.prediction import predictions
from funcnn.runs.preparation import Preparation

__all__ = ["Predictor", "load_model", "predictor_of"]

EXPORTS = {".stablehlo": "stablehlo", ".onnx": "onnx"}
"""The module of ``funcnn.interop`` that writes each kind of file, imported when it is asked for."""


@dataclasses.dataclass(frozen=True, repr=False, eq=False)
class Predictor:
    """A trained model.

    Attributes:
        model: the model.
        params: its parameters, NumPy arrays in the run's dtype.
        preparation: what was done to the data before the model took them, and is undone on
            its predictions.
        recipe: the model's name and options; None for a model of one's own.
    """

    model: Model
    params: Params
    preparation: Preparation
    recipe: dict[str, Any] | None

    @property
    def classes(self) -> Shaped[np.ndarray, " classes"] | None:
        """What y held for each class, in the order of the model's outputs; None for numbers."""
        return self.preparation.classes

    def predict(self, x: Any) -> Shaped[np.ndarray, "..."]:
        """The model's prediction: numbers, or logits of a classifier.

        Args:
            x: inputs, as ``train`` takes them: an array, a frame, or the path of a file;
                predicted a part at a time where they are many.

        Returns:
            The prediction, as a NumPy array in the run's dtype, in the unit and with the axes
            that the y of the training had: never one that would broadcast against it.

        Raises:
            ArgumentError, ArgumentTypeError: for inputs that ``train`` would refuse, or of
                another shape than those trained on; for a model of your own that draws random
                numbers and has no ``predict``.
        """
        return self.preparation.outputs(self._raw(x))

    def predict_proba(self, x: Any) -> Float[np.ndarray, "samples classes"]:
        """The probability of every class, (samples, classes), in the order of ``classes``.

        Of several outputs with ``binary_cross_entropy`` it is the probability that each is 1.

        Raises:
            ArgumentError: where the model was trained on neither ``cross_entropy`` nor
                ``binary_cross_entropy``; and as :meth:`predict`.
        """
        self.preparation.require_link()  # Before anything is computed.
        return self.preparation.probabilities(self._raw(x))

    def predict_classes(self, x: Any) -> Shaped[np.ndarray, " samples"]:
        """The likeliest class of each sample, as it was given in y.

        Of several outputs with ``binary_cross_entropy`` each is 0 or 1: (samples, outputs).

        Raises:
            ArgumentError: for a model with one output that was not trained on
                ``binary_cross_entropy``; and as :meth:`predict`.
        """
        raw = self._raw(x)
        if self.preparation.link == "sigmoid":
            codes = (raw > 0).astype(np.int32)
            codes = codes.ravel() if codes.shape[1:] == (1,) else codes
        elif raw.ndim == 2 and raw.shape[1] > 1:
            codes = raw.argmax(axis=1).astype(np.int32)
        else:
            raise ArgumentError(
                f"predictions of shape {raw.shape} say no classes: loss='cross_entropy' trains a "
                f"classifier"
            )
        return self.preparation.labels(codes)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the params to a ``.npz`` or ``.safetensors`` file.

        ``funcnn.load_model`` reads them with all that predicting needs, ``funcnn.load_params``
        the params alone. Of a module of PyTorch it is the whole ``state_dict``, buffers too.
        """
        if self.model.saved is not None:
            save_weights(self.model.saved(self.params), path, flat=True)
            return
        about = None
        if self.recipe is not None:
            about = {"model": self.recipe, "preparation": self.preparation.as_json()}
        save_weights(self.params, path, about)

    def export(self, path: str | os.PathLike[str], *, samples: int | None = None) -> None:
        """Write the model to a file that predicts without funcnn, as :meth:`predict` does.

        What was done to the data is part of it, up to numbers: it takes x as an array in the
        run's dtype, (samples, features) or as the model takes it, standardizes it where the run
        did, and gives numbers in the unit of y, or logits in the order of ``classes``. Names of
        columns, categories and classes are not in it.

        - ``.stablehlo`` is read by JAX alone, from the bytes of the file:
          ``jax.export.deserialize(bytearray(content)).call(x)``. It gives the bits of ``predict``;
          where the run standardized, one prediction in many may differ by a rounding. float64
          needs ``jax.enable_x64``. Needs the extra ``export``, and flatbuffers where it is read.
        - ``.onnx`` is for ONNX Runtime and its like, for ``mlp`` and ``mlp_linear`` in float32:
          input ``"x"``, output ``"prediction"``. Needs the extra ``onnx``.

        Args:
            path: of the ``.stablehlo`` or ``.onnx`` file.
            samples: how many samples it takes at once; any number without it. A module of
                PyTorch is traced for 1, 2, 33 and 16384 samples, and is one program for all where
                these do not part: give ``samples`` for one that decides by another number alone.

        Raises:
            ArgumentError, ArgumentTypeError: for another ending, and for a model that cannot be
                written so: one that draws random numbers and has no ``predict``; in ``.stablehlo``
                without ``samples``, one that is seen to decide by their number.
            MissingExtraError: where what writes it is not installed.
        """
        place = require_place(path)
        kind = checks.choice("the ending of the exported file", place.suffix, EXPORTS)
        if samples is not None:
            samples = checks.integer("samples", samples, at_least=1)
        exporter = importlib.import_module(f"funcnn.interop.{EXPORTS[kind]}")
        content = exporter.content(self, samples)
        write_whole(place, lambda stream: stream.write(content))

    def _raw(self, x: Any) -> Shaped[np.ndarray, "samples ..."]:
        inputs = self.preparation.inputs(x)
        with numerics(self.preparation.dtype):
            return np.asarray(predictions(self.model, self.params, inputs))


def load_model(path: str | os.PathLike[str]) -> Predictor:
    """A trained model from the file that :meth:`Predictor.save` wrote.

    Args:
        path: of the ``.npz`` or ``.safetensors`` file.

    Returns:
        What predicts as the run's result did.

    Raises:
        ArgumentError: where the file is absent or damaged, or holds the params of a model of
            one's own, which no file can hold: ``funcnn.load_params`` reads these.
    """
    params, about = load_weights(path)
    if about is None:
        raise ArgumentError(
            f"{os.fspath(path)} holds params and does not say of which model: "
            f"funcnn.load_params reads them"
        )
    return predictor_of(params, about["model"], Preparation.of_json(about["preparation"]))


def predictor_of(params: Params, recipe: dict[str, Any], preparation: Preparation) -> Predictor:
    """What predicts with params of one of funcnn's models.

    Raises:
        ArgumentError: for a model that is not known.
    """
    name, options = recipe["model"], {key: recipe[key] for key in recipe.keys() - {"model"}}
    checks.choice("the model's name in the file", name, models.MODELS)
    sizes = models.MODELS[name].sizes(params)
    model = models.make(name, **sizes, **options)
    return Predictor(model, params, preparation, recipe)
