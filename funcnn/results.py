"""What a run gives back."""

from __future__ import annotations

import dataclasses
import os
from typing import TYPE_CHECKING, Any

import numpy as np

from funcnn import data
from funcnn.core import ArgumentError
from funcnn.fitting import compiled
from funcnn.precision import numerics
from funcnn.randomness import initial_key, step_key
from funcnn.weights import save_params

if TYPE_CHECKING:
    from jaxtyping import Float
    from matplotlib.axes import Axes

    from funcnn.core import Model, Params, TrainState

__all__ = ["TrainResult"]


@dataclasses.dataclass(frozen=True, repr=False)
class TrainResult:
    """A finished run.

    Attributes:
        model: the model that was trained.
        state: the state after the last update.
        sample_shape: the shape of one sample of x, as the model takes it.
        losses: the loss before each update, (steps,), in the run's dtype.
        dtype: ``"float32"`` or ``"float64"``.
        compile_seconds: what went by before the first step: drawing the initial
            values and compiling the loop; next to nothing where both were found
            again from an earlier run.
        run_seconds: what the steps themselves took.
    """

    model: Model
    state: TrainState
    sample_shape: tuple[int, ...]
    losses: Float[np.ndarray, " steps"]
    dtype: str
    compile_seconds: float
    run_seconds: float

    @property
    def params(self) -> Params:
        """The parameters after the last update."""
        return self.state.params

    @property
    def microseconds_per_step(self) -> float:
        """The mean time of a step, in microseconds; NaN where no step was made."""
        return self.run_seconds / len(self.losses) * 1e6 if len(self.losses) else float("nan")

    @property
    def formula(self) -> str | None:
        """The fitted function as text, where the model has such a form."""
        return None if self.model.formula is None else self.model.formula(self.params)

    def predict(self, x: Any, *, seed: int | None = None) -> Float[np.ndarray, ...]:
        """The model's prediction.

        Args:
            x: inputs, as ``train`` takes them.
            seed: for a model that draws random numbers, what it draws from;
                without it, the numbers of the run's next step.

        Returns:
            The prediction, as a NumPy array in the run's dtype.

        Raises:
            ArgumentError, ArgumentTypeError: for inputs that ``train`` would refuse,
                or of another shape than those trained on.
        """
        inputs = data.prepare_inputs(data.as_array("x", x), self.model.input_axes, self.dtype)
        if inputs.shape[1:] != self.sample_shape:
            raise ArgumentError(
                f"a sample of x has shape {inputs.shape[1:]}; "
                f"the model was trained on {self.sample_shape}"
            )
        with numerics(self.dtype):
            key = ()
            if self.model.stochastic:
                next_key = step_key(self.state.key, self.state.step)
                key = (next_key if seed is None else initial_key(seed),)
            return np.asarray(compiled(self.model.apply)(self.params, inputs, *key))

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the losses over the steps; needs the extra ``plot``."""
        from funcnn import plots

        return plots.losses(self.losses, ax=ax)

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
