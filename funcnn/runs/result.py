"""What a run gives back."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import numpy as np
from jaxtyping import Float, Shaped

from funcnn.core import (  # noqa: F401 (__init__ is annotated by some)
    ArgumentError,
    Model,
    Params,
    TrainState,
)
from funcnn.core.keys import check_seed, run_key, step_key
from funcnn.core.precision import numerics
from funcnn.data.sources import load
from funcnn.plots import Axes
from funcnn.runs.foreign import door
from funcnn.runs.history import History, of_losses
from funcnn.runs.html import html
from funcnn.runs.observers.evaluations import Best
from funcnn.runs.plan import Plan
from funcnn.runs.prediction import predictions
from funcnn.runs.predictor import Predictor
from funcnn.runs.preparation import Preparation  # noqa: F401 (as above)
from funcnn.runs.run import Outcome

__all__ = ["TrainResult"]


@dataclasses.dataclass(frozen=True, repr=False, eq=False)
class TrainResult(Predictor):
    """A finished run, which predicts with the params that it came to.

    Attributes:
        model: the model that was trained.
        params: the parameters after the last update, or the best ones where the run was asked
            to look for them (``patience``, ``monitor``); NumPy arrays in the run's dtype.
        preparation: what was done to the data.
        recipe: the model's name and options; None for a model of one's own.
        state: the state after the last update, JAX arrays, to go on from.
        losses: the loss before each update, (steps,), in the run's dtype.
        history: what was recorded, as columns: the loss, and the scores by their names.
        best: where the run was asked to look for the best params: after how many steps they
            came, their score, and the params; otherwise None.
        resumed_from: the step of the checkpoint that the run went on from; 0 where it began.
        stopped_early: whether the run ended before its last step: by patience, by a callback, or
            by Ctrl-C.
        dtype: ``"float32"`` or ``"float64"``.
        form: ``"direct"`` or ``"gram"``: how the arithmetic was arranged.
        compile_seconds: what went by before the first step: drawing the initial
            values, entering the form, and compiling; next to nothing where the programs
            were found again from an earlier run.
        run_seconds: what the steps took, and leaving the form after them.
    """

    state: TrainState
    losses: Float[np.ndarray, " steps"]
    history: History
    best: Best | None
    resumed_from: int
    stopped_early: bool
    dtype: str
    form: str
    compile_seconds: float
    run_seconds: float

    @classmethod
    def of(
        cls,
        plan: Plan,
        outcome: Outcome,
        losses: Float[np.ndarray, " steps"],
        history: History | None = None,
        best: Best | None = None,
    ) -> TrainResult:
        """The result of a plan's run."""
        params = outcome.state.params if best is None else best.params
        return cls(
            model=plan.model,
            params=jax.tree.map(np.array, params),
            preparation=plan.preparation,
            recipe=plan.recipe,
            state=outcome.state,
            losses=losses,
            history=of_losses(losses, plan.per_epoch) if history is None else history,
            best=best,
            resumed_from=plan.done,
            stopped_early=outcome.steps < plan.steps,
            dtype=plan.dtype,
            form=plan.form.name,
            compile_seconds=outcome.compile_seconds,
            run_seconds=outcome.run_seconds,
        )

    @property
    def microseconds_per_step(self) -> float:
        """The mean time of a step, in microseconds; NaN where no step was made."""
        made = len(self.losses) - self.resumed_from
        return self.run_seconds / made * 1e6 if made else float("nan")

    @property
    def formula(self) -> str | None:
        """The fitted function as text, where the model has such a form."""
        return None if self.model.formula is None else self.model.formula(self.params)

    def predict(self, x: Any, *, seed: int | None = None) -> Shaped[np.ndarray, "..."]:
        """The model's prediction: numbers, or logits of a classifier.

        Args:
            x: inputs, as ``train`` takes them: an array, a frame, or the path of a file;
                predicted a part at a time where they are many.
            seed: for a model that draws random numbers, the seed of a run: the
                prediction is then the one that this run's next step would draw. Without
                it, the prediction is the model's ``predict``, without noise.

        Returns:
            The prediction, as a NumPy array in the run's dtype, in the unit and with the axes
            that the y of the training had: never one that would broadcast against it.

        Raises:
            ArgumentError, ArgumentTypeError: for inputs that ``train`` would refuse,
                or of another shape than those trained on; without a seed, for a
                model of your own that draws random numbers and has no ``predict``.
        """
        if seed is not None:
            check_seed(seed)
        if seed is None or not self.model.stochastic:
            return super().predict(x)
        inputs = self.preparation.inputs(x)
        with numerics(self.dtype):
            key = step_key(run_key(seed), self.state.step)
            drawn = np.asarray(predictions(self.model, self.params, inputs, key))
        return self.preparation.outputs(drawn)

    def to_torch(self, net: Any, optimizer: Any = None, scheduler: Any = None) -> None:
        """Write what a run of a PyTorch module has come to into the module, in place.

        PyTorch can go on from there: what the optimizer remembers and its numbers are those
        after the run's last step.

        Args:
            net: the module that was trained, or another of the same parameters and buffers.
            optimizer: its ``torch.optim`` optimizer, where the run was made by one; without it
                the weights and buffers alone are written.
            scheduler: the optimizer's scheduler, which makes as many steps as the run did.

        Raises:
            ArgumentError, ArgumentTypeError: for objects that are not the run's: nothing is
                written then. Where the weights are the best of the run and not the last, for an
                optimizer.
        """
        if optimizer is not None and self.best is not None and self.best.step < len(self.losses):
            raise ArgumentError(
                f"optimizer: the weights are the best, of step {self.best.step}, and what the "
                f"optimizer remembers is of step {len(self.losses)}: leave it out"
            )
        door("torch").give_back(self.params, self.state, net, optimizer, scheduler)

    @property
    def record(self) -> dict[str, float]:
        """The row of the history that belongs to the params: of the best step, or the last.

        It is empty where nothing was recorded. ``record["validation_loss"]``
        """
        rows = len(self.history["step"])
        if not rows:
            return {}
        found = self.history["step"].tolist().index(self.best.step) if self.best else rows - 1
        return {name: column[found].item() for name, column in self.history.items()}

    def plot(self, data: Any = None, *, ax: Axes | None = None) -> Axes:
        """Draw the losses over the steps; needs the extra ``plot``.

        The loss on the validation part is drawn with them, and the best step marked, where
        there are such.

        Args:
            data: ``(x, y)``, as ``train`` takes them, one number a sample each: draws
                the prediction over the target instead.
            ax: where to draw; a new figure without it.

        Returns:
            The axes drawn on.
        """
        from funcnn import plots

        if data is None:
            return plots.losses(self._curves(), best=self.best and self.best.step, ax=ax)
        table = load(data)
        return plots.prediction(table.x, table.y, self.predict(table.x), ax=ax)

    def _curves(self) -> dict[str, Float[np.ndarray, " steps"]]:
        """The losses by their label; those of the validation part at the steps of the history."""
        if "validation_loss" not in self.history:
            return {"": self.losses}
        validation = np.full(len(self.losses) + 1, np.nan)
        validation[self.history["step"]] = self.history["validation_loss"]
        return {"training": self.losses, "validation": validation}

    def _repr_html_(self) -> str:
        """What a notebook shows: the most important facts, and the curve of the losses."""
        made = f"{len(self.losses)}{' (stopped early)' if self.stopped_early else ''}"
        facts = {"model": (self.recipe or {}).get("model", "a model of your own"), "steps": made}
        if len(self.losses):
            facts["loss"] = f"{self.losses[0]:.6g} → {self.losses[-1]:.6g}"
        facts |= {
            name: f"{value:.6g}"
            for name, value in self.record.items()
            if name not in ("step", "epoch", "loss")
        }
        if self.best is not None:
            facts["best step"] = str(self.best.step)
        facts["time"] = f"{self.compile_seconds:.2f} s to compile, {self.run_seconds:.2f} s to run"
        return html(list(facts.items()), self.plot if len(self.losses) else None)

    def __repr__(self) -> str:
        if not len(self.losses):
            return "TrainResult(no steps)"
        return (
            f"TrainResult({len(self.losses)} steps, loss {self.losses[0]:.6g} -> "
            f"{self.losses[-1]:.6g}, {self.microseconds_per_step:.3g} µs a step)"
        )
