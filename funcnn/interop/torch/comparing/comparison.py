"""What a comparison of a port with its PyTorch original found."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from funcnn.core import ArgumentError
from funcnn.interop.torch.comparing.jaxprs import Line

__all__ = ["NOT_COMPARED", "STAGES", "Comparison", "Parting", "Stage", "Trajectory", "relative"]

STAGES = (
    "parameters",
    "activations",
    "output",
    "buffers",
    "loss",
    "gradients",
    "optimizer",
    "trajectory",
)
"""What is compared, in this order: what comes later follows from what comes before."""

NOT_COMPARED = "not compared"


class Stage(NamedTuple):
    """One of the things that are compared.

    Attributes:
        name: one of ``STAGES``.
        verdict: ``"same"``, ``"differs"`` or ``"not compared"``.
        difference: the largest difference, as a share of the largest number; None where nothing
            was compared.
        compared: what was compared, in words, or why nothing was.
    """

    name: str
    verdict: str
    difference: float | None
    compared: str


class Parting(NamedTuple):
    """Where and why a port parts from its original.

    Attributes:
        where: the submodule, parameter or step, in words.
        part: the name of the submodule or parameter; empty where it is none.
        cause: the mistake, where it is a known one.
        advice: what to change; empty where the cause is not known.
        line: the line in the port; None where it cannot be told.
    """

    where: str
    part: str = ""
    cause: str | None = None
    advice: str = ""
    line: Line | None = None


class Trajectory(NamedTuple):
    """The losses of both, step by step.

    Attributes:
        losses: PyTorch's, before each step.
        port_losses: the port's.
        allowed: the relative difference that roundings explain at each step.
    """

    losses: Float[np.ndarray, " steps"]
    port_losses: Float[np.ndarray, " steps"]
    allowed: Float[np.ndarray, " steps"]

    @property
    def difference(self) -> Float[np.ndarray, " steps"]:
        """|port's − PyTorch's| / PyTorch's, at every step."""
        return relative(self.port_losses, self.losses)


@dataclasses.dataclass(frozen=True, repr=False, eq=False)
class Comparison:
    """Where a port parts from its PyTorch original, and why; or that it does not.

    ``print(comparison)`` says it in a paragraph, ``comparison.table()`` stage by stage.

    Attributes:
        stages: what was compared, in order; nothing after the first that differs.
        parting: where and why the port parts; None where it agrees.
        trajectory: the losses of both; None where it was not come to.
    """

    stages: tuple[Stage, ...]
    parting: Parting | None = None
    trajectory: Trajectory | None = None

    @property
    def agrees(self) -> bool:
        """Whether everything that was compared is the same."""
        return self.parting is None

    @property
    def stage(self) -> str | None:
        """The first stage that differs, one of ``STAGES``; None where the port agrees."""
        return next((one.name for one in self.stages if one.verdict == "differs"), None)

    @property
    def cause(self) -> str | None:
        """The mistake, where it is a known one."""
        return None if self.parting is None else self.parting.cause

    @property
    def part(self) -> str:
        """The submodule or parameter of PyTorch at which the port parts; empty if there is none."""
        return "" if self.parting is None else self.parting.part

    @property
    def line(self) -> str | None:
        """The line of the port that the difference comes from, and where it stands."""
        line = None if self.parting is None else self.parting.line
        return None if line is None else str(line)

    def table(self) -> str:
        """A line for each stage: what was compared, and how far the two are apart."""
        rows = [
            (
                one.name,
                one.verdict,
                "" if one.difference is None else f"{one.difference:.1e}",
                one.compared,
            )
            for one in self.stages
        ]
        widths = [max(len(row[column]) for row in rows) for column in range(3)]
        return "\n".join(
            f"{name:<{widths[0]}}  {verdict:<{widths[1]}}  {difference:>{widths[2]}}  {compared}"
            for name, verdict, difference, compared in rows
        )

    def plot(self, *, ax: Any = None) -> Any:
        """Draw how far the losses are apart, below what roundings explain; needs ``plot``.

        Args:
            ax: matplotlib's axes to draw on; new ones without it.

        Returns:
            The axes.

        Raises:
            ArgumentError: where the comparison did not come to the losses.
        """
        from funcnn import plots

        if self.trajectory is None:
            raise ArgumentError(
                f"the comparison has no losses to draw: it ended at the stage {self.stage!r}"
                if self.stage
                else "the comparison has no losses to draw: it was given no optimizers"
            )
        return plots.difference(self.trajectory.difference, self.trajectory.allowed, ax=ax)

    def report(self, directory: str | os.PathLike[str]) -> Path:
        """Write ``index.html``, a page that needs no network; needs the extra ``report``.

        Args:
            directory: where to write; made where it is missing.

        Returns:
            The page's path.

        Raises:
            MissingExtraError: where Jinja, Pygments or matplotlib is missing.
            ArgumentError, OSError: where the page cannot be written.
        """
        from funcnn.interop.torch.comparing.report import write

        return write(
            directory,
            str(self),
            self.stage,
            self.stages,
            None if self.parting is None else self.parting.line,
            None if self.trajectory is None else self.plot,
        )

    def __str__(self) -> str:
        return self._agreement() if self.parting is None else self._parting(self.parting)

    def __repr__(self) -> str:
        if self.agrees:
            return "Comparison(agrees)"
        return f"Comparison({self.stage}: {self.cause or 'no known mistake'})"

    def _agreement(self) -> str:
        same = [one for one in self.stages if one.verdict == "same"]
        worst = max((one.difference or 0.0 for one in same), default=0.0)
        said = f"The port agrees with PyTorch: {_listed([one.name for one in same])}, all within "
        said += f"{worst:.1e}."
        if self.trajectory is not None:
            steps = len(self.trajectory.losses)
            furthest = float(np.max(self.trajectory.difference))
            said += f" Over {steps} steps the losses are within {furthest:.1e}, as roundings "
            said += "explain."
        return said

    def _parting(self, parting: Parting) -> str:
        found = next(one for one in self.stages if one.verdict == "differs")
        size = "" if found.difference is None else f", by {found.difference:.1e}"
        said = f"The port parts from PyTorch at the {found.name}{size}: {parting.where}."
        if parting.cause:
            said += f" The cause: {parting.cause}."
        else:
            said += " No known mistake explains it."
        if parting.line is not None:
            said += f" The line: {parting.line}."
        if parting.advice:
            said += f" What to change: {parting.advice}."
        return said


def relative(found: Float[np.ndarray, " n"], right: Float[np.ndarray, " n"]) -> Any:
    """|found − right| / |right|; 0 where both are the same, not finite ones too."""
    found, right = np.asarray(found), np.asarray(right)
    same = (found == right) | (np.isnan(found) & np.isnan(right))
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.abs(found - right) / np.abs(right)
    return np.where(same, 0.0, np.where(np.isnan(share), np.inf, share))


def _listed(names: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]])) if names else "nothing"
