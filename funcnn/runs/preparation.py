"""What is done to a user's data before a model takes them, and undone on its predictions."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Float, Int, Shaped

from funcnn.core import ArgumentError, ArgumentTypeError
from funcnn.data.arrays import prepare_inputs, with_axes
from funcnn.data.labels import decode
from funcnn.data.scaling import Scale
from funcnn.data.several import several_inputs
from funcnn.data.sources import load_inputs

__all__ = ["Preparation"]


NO_PROBABILITIES = (
    "probabilities follow from loss='cross_entropy', or from loss='binary_cross_entropy' with one "
    "output: this model was trained on neither"
)


class Preparation(NamedTuple):
    """The way from a user's inputs to a model's, and from its predictions to the user's.

    Attributes:
        dtype: the run's arithmetic.
        axes: ``Model.input_axes``.
        sample: the shape and dtype of one sample of x, as the model takes it; a tuple of them
            where it takes several arrays.
        target_axes: the number of axes of the y that was given, and so of predictions; None
            to leave these as the model makes them.
        columns: the names of the columns that make x; None where it came without names.
        targets: the names of the columns that made y; None where it came without names.
        categories: the values of each column of categories, by name.
        classes: what was given for each class, in the order in which the model counts them;
            None where y held their numbers, or none.
        x_scale: by what the inputs were standardized; None where they were not.
        y_scale: by what the targets were.
        link: ``"softmax"`` or ``"sigmoid"``, what makes probabilities of the model's
            predictions; None where nothing does.
    """

    dtype: str
    axes: int | None
    sample: Any
    target_axes: int | None = None
    columns: tuple[str, ...] | None = None
    targets: tuple[str, ...] | None = None
    categories: Mapping[str, tuple[str, ...]] = MappingProxyType({})
    classes: Shaped[np.ndarray, " classes"] | None = None
    x_scale: Scale | None = None
    y_scale: Scale | None = None
    link: str | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        # A read-only mapping is neither copied nor sent to another process.
        return Preparation.of_json, (self.as_json(),)

    def as_json(self) -> dict[str, Any]:
        """All of it in JSON's words."""
        scales = (
            None if one is None else [one.mean.tolist(), one.spread.tolist()]
            for one in (self.x_scale, self.y_scale)
        )
        x_scale, y_scale = scales
        return self._asdict() | {
            "sample": jax.tree.map(lambda one: [list(one.shape), one.dtype.name], self.sample),
            "classes": None if self.classes is None else self.classes.tolist(),
            "x_scale": x_scale,
            "y_scale": y_scale,
        }

    @classmethod
    def of_json(cls, words: Mapping[str, Any]) -> Preparation:
        """What :meth:`as_json` gave, read again."""
        x_scale, y_scale = (
            None if one is None else Scale(*(np.array(part, np.float64) for part in one))
            for one in (words["x_scale"], words["y_scale"])
        )
        categories = {name: tuple(values) for name, values in words["categories"].items()}
        names = {
            name: None if words.get(name) is None else tuple(words[name])
            for name in ("columns", "targets")
        }
        return cls(**words)._replace(
            sample=_sample(words["sample"]),
            categories=categories,
            **names,
            classes=None if words["classes"] is None else np.array(words["classes"]),
            x_scale=x_scale,
            y_scale=y_scale,
        )

    def inputs(self, data: Any) -> Any:
        """The inputs as the model takes them, from whatever ``train`` takes as x.

        Returns:
            An array (samples, ...), or a tuple of them where the model takes several.

        Raises:
            ArgumentError, ArgumentTypeError: for inputs that ``train`` would refuse, or of
                another shape than those trained on.
        """
        if not isinstance(self.sample, tuple):
            x = load_inputs(data, self.columns, self.categories)
            return self._input("x", x, self.sample)
        arrays = several_inputs(data)
        if len(arrays) != len(self.sample):
            raise ArgumentError(
                f"x holds {len(arrays)} arrays; the model was trained on {len(self.sample)}"
            )
        pairs = zip(arrays, self.sample, strict=True)
        return tuple(self._input(f"x[{place}]", *pair) for place, pair in enumerate(pairs))

    def _input(
        self, name: str, x: np.ndarray, sample: jax.ShapeDtypeStruct
    ) -> Shaped[np.ndarray, "samples ..."]:
        x = with_axes(name, x, self.axes)
        if x.shape[1:] != sample.shape:
            raise ArgumentError(
                f"a sample of {name} has shape {x.shape[1:]}; "
                f"the model was trained on {sample.shape}"
            )
        if self.x_scale is not None:
            x = self.x_scale.standardized(x)
        x = prepare_inputs(x, self.axes, self.dtype)
        if not np.can_cast(x.dtype, sample.dtype, "same_kind"):
            raise ArgumentTypeError(
                f"{name} is of {x.dtype}; the model was trained on {sample.dtype}"
            )
        return x.astype(sample.dtype)

    def outputs(self, prediction: Shaped[np.ndarray, "samples ..."]) -> Shaped[np.ndarray, "..."]:
        """The predictions in the unit and with the axes of the targets that were given."""
        if self.y_scale is not None:
            prediction = self.y_scale.undone(prediction)
        return with_axes("the prediction", prediction, self.target_axes)

    def probabilities(
        self, prediction: Float[np.ndarray, "samples ..."]
    ) -> Float[np.ndarray, "samples classes"]:
        """The probability of each class: for one sigmoid those of the first and the second.

        Of several sigmoids it is the probability that each is 1.

        Raises:
            ArgumentError: where the loss does not say how to make them.
        """
        self.require_link()
        if self.link == "softmax":
            powers = np.exp(prediction - prediction.max(axis=-1, keepdims=True))
            return powers / powers.sum(axis=-1, keepdims=True)
        if self.link == "sigmoid":
            ones = np.exp(-np.logaddexp(0, -prediction))  # Of either sign without an overflow.
            if prediction.shape[1:] not in ((), (1,)):
                return ones
            return np.stack([1 - ones.ravel(), ones.ravel()], axis=1)
        raise ArgumentError(NO_PROBABILITIES)

    def require_link(self) -> None:
        """Refuse a model whose loss says nothing of probabilities."""
        if self.link is None:
            raise ArgumentError(NO_PROBABILITIES)

    def labels(self, codes: Int[np.ndarray, " samples"]) -> Shaped[np.ndarray, " samples"]:
        """The classes as they were given, from their numbers."""
        return codes if self.classes is None else decode(codes, self.classes)


def _sample(words: Any) -> Any:
    """The shape and dtype of a sample, from what :meth:`Preparation.as_json` makes of them."""
    *shape, dtype = words
    if isinstance(dtype, str):
        return jax.ShapeDtypeStruct(tuple(*shape), np.dtype(dtype))
    return tuple(map(_sample, words))
