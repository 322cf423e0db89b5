"""Which function of a model predicts: the one without noise."""

from __future__ import annotations

from collections.abc import Callable

from jaxtyping import Array

from funcnn.core.errors import ArgumentError
from funcnn.core.words import Model, Params

__all__ = ["predictor"]


def predictor(model: Model) -> Callable[[Params, Array], Array]:
    """The function ``(params, x) -> prediction`` of a model that draws no random numbers.

    It is the model's ``predict``; without one, ``apply`` itself, where that draws nothing.

    Raises:
        ArgumentError: for a stochastic model without ``predict``.
    """
    if model.predict is not None:
        return model.predict
    if model.stochastic:
        raise ArgumentError(
            "this model draws random numbers and does not say what it predicts without them: give "
            "it predict=, funcnn.Model(init, apply, stochastic=True, predict=predict), a function "
            "(params, x) -> prediction"
        )
    return model.apply
