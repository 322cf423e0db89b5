"""A trained model: what predicts, and what is saved of it."""

from __future__ import annotations

import dataclasses
import os
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped

from funcnn import models
from funcnn.core import ArgumentError, Model, Params, checks
from funcnn.core.precision import numerics
from funcnn.data.weights import load_weights, save_weights
from funcnn.runs.prediction import predictions
from funcnn.runs.preparation import Preparation

__all__ = ["Predictor", "load_model"]


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
        the params alone.
        """
        about = None
        if self.recipe is not None:
            about = {"model": self.recipe, "preparation": self.preparation.as_json()}
        saved = self.model.saved
        save_weights(self.params if saved is None else saved(self.params), path, about)

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
    recipe = about["model"]
    name, options = recipe["model"], {key: recipe[key] for key in recipe.keys() - {"model"}}
    checks.choice("the model's name in the file", name, models.MODELS)
    sizes = models.MODELS[name].sizes(params)
    model = models.make(name, **sizes, **options)
    return Predictor(model, params, Preparation.of_json(about["preparation"]), recipe)
