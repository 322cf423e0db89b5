"""A trained model as StableHLO, which runs where there is JAX and no funcnn."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import export

from funcnn.core import ArgumentError, MissingExtraError
from funcnn.core.precision import jax_promotion, numerics
from funcnn.core.tracing import plain_errors
from funcnn.runs import Predictor
from funcnn.runs.prediction import predictor

__all__ = ["content"]

PLATFORMS = ("cpu", "cuda", "tpu")

LASTING = [export.DisabledSafetyCheck.custom_call("LayoutConstraint")]
"""Calls that are no part of StableHLO and that XLA knows by itself, whichever its version."""


def content(trained: Predictor, samples: int | None) -> bytes:
    """What ``Predictor.export`` writes into a ``.stablehlo`` file.

    Raises:
        ArgumentError, ArgumentTypeError: for a model that draws random numbers and does not say
            what it predicts without, and for one that cannot be traced for any number of samples.
        MissingExtraError: without flatbuffers, by which JAX writes it.
    """
    try:
        import flatbuffers  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("flatbuffers", "export") from error
    preparation: Any = trained.preparation  # Its functions take JAX's arrays as well as NumPy's.
    predict = predictor(trained.model)

    def predictions(x: Any) -> Any:
        # XLA would compute with the numbers of the params beforehand, in roundings of its own.
        params = jax.lax.optimization_barrier(jax.tree.map(jnp.asarray, trained.params))
        if preparation.x_scale is not None:
            with _float64():
                x = preparation.x_scale.standardized(x.astype(np.float64)).astype(x.dtype)
        y = predict(params, x)
        with _float64():
            return preparation.outputs(y)

    rows = export.symbolic_shape("samples") if samples is None else (samples,)
    sample = preparation.sample
    with numerics(preparation.dtype):
        x = jax.tree.map(lambda one: jax.ShapeDtypeStruct((*rows, *one.shape), one.dtype), sample)
        try:
            with plain_errors("the model's prediction"):
                writing = export.export(
                    jax.jit(predictions), platforms=PLATFORMS, disabled_checks=LASTING
                )
                exported = writing(x)
        except ArgumentError as error:
            if samples is not None:
                raise
            raise ArgumentError(
                f"the model cannot be traced for any number of samples; export it for one, such as "
                f"samples=64: {error}"
            ) from error
        return bytes(exported.serialize())


@contextlib.contextmanager
def _float64() -> Iterator[None]:
    """Where columns are standardized: in float64, as NumPy does it in ``predict``."""
    with jax.enable_x64(True), jax_promotion():
        yield
