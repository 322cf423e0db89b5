"""What a run gives back."""

from __future__ import annotations

import dataclasses
import os
from typing import Any

import jax
import numpy as np
from jaxtyping import Float, Shaped

from funcnn.core import ArgumentError, ArgumentTypeError, Model, Params, TrainState
from funcnn.core.caches import compiled
from funcnn.core.keys import run_key, step_key
from funcnn.core.precision import numerics
from funcnn.core.predictor import predictor
from funcnn.data.arrays import as_array, prepare_inputs, with_axes
from funcnn.data.sources import load
from funcnn.data.weights import save_params
from funcnn.plots import Axes
from funcnn.runs.plan import Plan
from funcnn.runs.run import Outcome

__all__ = ["TrainResult"]


@dataclasses.dataclass(frozen=True, repr=False, eq=False)
class TrainResult:
    """A finished run.

    Attributes:
        model: the model that was trained.
        params: the parameters after the last update, NumPy arrays in the run's dtype.
        state: the state after the last update, JAX arrays, to go on from.
        sample: the shape and dtype of one sample of x, as the model takes it.
        target_axes: the number of axes of the y that was given, and so of predictions;
            None to leave these as the model makes them.
        losses: the loss before each update, (steps,), in the run's dtype.
        dtype: ``"float32"`` or ``"float64"``.
        form: ``"direct"`` or ``"gram"``: how the arithmetic was arranged.
        compile_seconds: what went by before the first step: drawing the initial
            values, entering the form, and compiling; next to nothing where the programs
            were found again from an earlier run.
        run_seconds: what the steps took, and leaving the form after them.
    """

    model: Model
    params: Params
    state: TrainState
    sample: jax.ShapeDtypeStruct
    target_axes: int | None
    losses: Float[np.ndarray, " steps"]
    dtype: str
    form: str
    compile_seconds: float
    run_seconds: float

    @classmethod
    def of(cls, plan: Plan, outcome: Outcome, losses: Float[np.ndarray, " steps"]) -> TrainResult:
        """The result of a plan's run."""
        x = plan.data.x
        return cls(
            model=plan.model,
            params=jax.tree.map(np.array, outcome.state.params),
            state=outcome.state,
            sample=jax.ShapeDtypeStruct(x.shape[1:], x.dtype),
            target_axes=plan.target_axes,
            losses=losses,
            dtype=plan.dtype,
            form=plan.form.name,
            compile_seconds=outcome.compile_seconds,
            run_seconds=outcome.run_seconds,
        )

    @property
    def microseconds_per_step(self) -> float:
        """The mean time of a step, in microseconds; NaN where no step was made."""
        return self.run_seconds / len(self.losses) * 1e6 if len(self.losses) else float("nan")

    @property
    def formula(self) -> str | None:
        """The fitted function as text, where the model has such a form."""
        return None if self.model.formula is None else self.model.formula(self.params)

    def predict(self, x: Any, *, seed: int | None = None) -> Shaped[np.ndarray, "..."]:
        """The model's prediction.

        Args:
            x: inputs, as ``train`` takes them.
            seed: for a model that draws random numbers, the seed of a run: the
                prediction is then the one that this run's next step would draw. Without
                it, the prediction is the model's ``predict``, without noise.

        Returns:
            The prediction, as a NumPy array in the run's dtype, with the axes that
            the y of the training had: never one that would broadcast against it.

        Raises:
            ArgumentError, ArgumentTypeError: for inputs that ``train`` would refuse,
                or of another shape than those trained on; without a seed, for a
                model of your own that draws random numbers and has no ``predict``.
        """
        inputs = prepare_inputs(as_array("x", x), self.model.input_axes, self.dtype)
        if inputs.shape[1:] != self.sample.shape:
            raise ArgumentError(
                f"a sample of x has shape {inputs.shape[1:]}; "
                f"the model was trained on {self.sample.shape}"
            )
        if not np.can_cast(inputs.dtype, self.sample.dtype, "same_kind"):
            raise ArgumentTypeError(
                f"x is of {inputs.dtype}; the model was trained on {self.sample.dtype}"
            )
        inputs = inputs.astype(self.sample.dtype)
        with numerics(self.dtype):
            if seed is not None and self.model.stochastic:
                key = step_key(run_key(seed), self.state.step)
                prediction = compiled(self.model.apply)(self.params, inputs, key)
            else:
                prediction = compiled(predictor(self.model))(self.params, inputs)
        prediction = np.asarray(prediction)
        if self.target_axes is None:
            return prediction
        return with_axes("the prediction", prediction, self.target_axes)

    def plot(self, data: Any = None, *, ax: Axes | None = None) -> Axes:
        """Draw the losses over the steps; needs the extra ``plot``.

        Args:
            data: ``(x, y)``, as ``train`` takes them, one number a sample each: draws
                the prediction over the target instead.
            ax: where to draw; a new figure without it.

        Returns:
            The axes drawn on.
        """
        from funcnn import plots

        if data is None:
            return plots.losses(self.losses, ax=ax)
        table = load(data)
        return plots.prediction(table.x, table.y, self.predict(table.x), ax=ax)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the params to a ``.npz`` or ``.safetensors`` file, for ``funcnn.load_params``."""
        save_params(self.params, path)

    def __repr__(self) -> str:
        if not len(self.losses):
            return "TrainResult(no steps)"
        return (
            f"TrainResult({len(self.losses)} steps, loss {self.losses[0]:.6g} -> "
            f"{self.losses[-1]:.6g}, {self.microseconds_per_step:.3g} µs a step)"
        )
