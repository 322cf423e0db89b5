"""Two runs of one experiment, and how far they are apart."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from jaxtyping import Float

from funcnn.core import Params
from funcnn.experiments import Experiment, Tolerance
from funcnn.runs.result import TrainResult

__all__ = ["Pair", "share"]


@dataclasses.dataclass(frozen=True, repr=False, eq=False)
class Pair:
    """Two runs of one experiment: the reference's and funcnn's.

    Attributes:
        experiment: what was run.
        data: x and y, which both were given; x may be a tuple of arrays, for a module of several.
        seed: what the initial values, or a module's draws, followed from.
        result: funcnn's run; where it diverged, its losses are NaN from there on.
        reference_losses: the reference's loss before each update, (steps,).
        reference_params: the reference's params after the last.
        reference_seconds: how long the reference took.
        compared_steps: how many steps are compared, from the first.
        codes: what a page shows beside the curves, Python by headings; without any the
            reference, and the call of ``train`` that the experiment stands for.
    """

    experiment: Experiment
    data: tuple[Any, np.ndarray]
    seed: int
    result: TrainResult
    reference_losses: Float[np.ndarray, " steps"]
    reference_params: Params
    reference_seconds: float
    compared_steps: int
    codes: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def losses(self) -> Float[np.ndarray, " steps"]:
        """funcnn's loss before each update."""
        return self.result.losses

    @property
    def tolerance(self) -> Tolerance:
        """How close the losses are to be."""
        return self.experiment.tolerances[self.result.dtype]

    @property
    def seconds(self) -> float:
        """How long funcnn took, compiling included."""
        return self.result.compile_seconds + self.result.run_seconds

    @property
    def relative_difference(self) -> Float[np.ndarray, " steps"]:
        """|loss − reference| / reference at every step, compared or not."""
        return share(self.losses - self.reference_losses, self.reference_losses)

    @property
    def allowed_difference(self) -> Float[np.ndarray, " compared"]:
        """The largest relative difference that is allowed, at each step compared."""
        allowed = self.tolerance.allowed(self.reference_losses)
        return share(allowed, self.reference_losses)[: self.compared_steps]

    @property
    def compared(self) -> str:
        """How many steps are compared, in words where these are not all."""
        total = len(self.losses)
        return f"{self.compared_steps}" + (f" of {total}" if self.compared_steps < total else "")

    @property
    def worst_step(self) -> int:
        """The step, of those compared, at which the relative difference is largest."""
        return int(np.argmax(self.relative_difference[: self.compared_steps]))

    @property
    def largest_difference(self) -> float:
        """The relative difference at that step."""
        return float(self.relative_difference[self.worst_step])

    @property
    def share_of_tolerance(self) -> float:
        """The largest part of what is allowed that any step takes; the runs agree up to 1."""
        allowed = self.tolerance.allowed(self.reference_losses)
        shares = share(self.losses - self.reference_losses, allowed)
        return float(np.max(shares[: self.compared_steps]))

    @property
    def agrees(self) -> bool:
        """Whether every step compared is within the tolerance."""
        return self.share_of_tolerance <= 1

    @property
    def params_difference(self) -> float:
        """The largest difference of any single final parameter; NaN where one is NaN."""
        furthest = jax.tree.map(
            lambda found, value: np.max(np.abs(np.asarray(found) - value)),
            self.result.params,
            self.reference_params,
        )
        return float(np.max(jax.tree.leaves(furthest)))

    def plot(self, *, ax: Any = None) -> Any:
        """Draw funcnn's losses over the reference's; needs the extra ``plot``.

        Args:
            ax: matplotlib's axes to draw on; new ones without it.

        Returns:
            The axes.
        """
        from funcnn import plots

        return plots.overlay(self.reference_losses, self.losses, ax=ax)


def share(difference: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """|difference| / |whole|, where nothing is no share even of nothing."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.divide(
            np.abs(difference), np.abs(whole), out=np.zeros_like(whole), where=difference != 0
        )
