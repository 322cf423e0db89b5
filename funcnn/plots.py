"""Pictures of results; they need the extra ``plot``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from funcnn.core import MissingExtraError

if TYPE_CHECKING:
    from jaxtyping import Float
    from matplotlib.axes import Axes

__all__ = ["losses"]


def losses(values: Float[np.ndarray, " steps"], *, ax: Axes | None = None) -> Axes:
    """Draw losses over steps, on a log axis where all are positive.

    Args:
        values: one loss a step, (steps,).
        ax: where to draw; a new figure without it.

    Returns:
        The axes drawn on.

    Raises:
        MissingExtraError: where matplotlib is not installed.
    """
    if ax is None:
        try:
            import matplotlib.pyplot as plt
        except ImportError:
            raise MissingExtraError("matplotlib", "plot") from None
        ax = plt.subplots(layout="constrained")[1]
    ax.plot(values, color="#0072B2")
    ax.set(xlabel="step", ylabel="loss before the step")
    if len(values) and np.min(values) > 0:
        ax.set_yscale("log")
    return ax
