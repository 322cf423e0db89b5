"""Whether the port's losses are PyTorch's, as far as roundings allow it."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Float

from funcnn.core import Model
from funcnn.interop.torch.comparing.comparison import Parting, Trajectory, relative
from funcnn.interop.torch.comparing.port import Port
from funcnn.interop.torch.comparing.stages.found import Found, differs, same
from funcnn.interop.torch.comparing.stages.optimizer import optimizer
from funcnn.interop.torch.comparing.truth import Truth
from funcnn.loop import fit, initial_state, make_update

__all__ = ["trajectory"]

RUNS = 3
"""How many runs of PyTorch start one rounding away."""

TIMES = 1e3
"""How much further than these a port may be away: it rounds at each step, they at the first."""

LEAST = 1e-9
"""What is allowed where roundings are not enlarged, as a share of the loss."""


def trajectory(
    port: Port, truth: Truth, transformation: optax.GradientTransformation, steps: int
) -> Found:
    """Compare the losses of so many steps.

    What roundings may do is told by runs of PyTorch that start one rounding away: the port parts
    where it is further away than they are, and not where they part as well.
    """
    own = list(truth.steps(steps))
    losses = np.array([step.loss for step in own])
    spread = np.zeros(steps)
    for seed in range(RUNS):
        other = truth.steps(steps, truth.one_rounding_away(seed))
        away = relative(np.array([step.loss for step in other]), losses)
        spread = np.maximum(spread, np.where(np.isnan(away), np.inf, away))
    allowed = np.maximum(LEAST, TIMES * np.maximum.accumulate(spread))
    both = Trajectory(losses, _losses(port, transformation, steps), allowed)
    beyond = both.difference > allowed
    compared = f"{steps} losses; {RUNS} runs of PyTorch from one rounding away part by "
    compared += f"{np.max(spread):.1e}"
    if not beyond.any():
        return same("trajectory", float(np.max(both.difference)), compared)._replace(
            trajectory=both
        )
    step = int(np.argmax(beyond))
    where = (
        f"the loss of step {step} differs by {both.difference[step]:.1e}, and runs of PyTorch from "
        f"one rounding away by {spread[step]:.1e}"
    )
    size = float(both.difference[step])
    # The steps before it moved the params; the first of them that moves them otherwise tells why.
    moves = optimizer(port, truth, transformation, own[: max(step, 1)])
    if moves.parting is not None:
        parting = moves.parting._replace(where=f"{where}; {moves.parting.where}")
    else:
        advice = (
            f"its optimizer agrees up to there: look for what depends on where the params are at "
            f"step {step}, as a branch or a tie does"
        )
        parting = Parting(where, advice=advice)
    found = differs("trajectory", size if np.isfinite(size) else None, compared, parting)
    return found._replace(trajectory=both)


def _losses(
    port: Port, transformation: optax.GradientTransformation, steps: int
) -> Float[np.ndarray, " steps"]:
    """The port's losses, by funcnn's own loop."""
    model = Model(None, lambda tree, _: port.loss_of(port.floats(tree, port.values))[None])
    update = make_update(model, lambda loss, _: loss[0], transformation)
    params = port.tree(port.values, trained_only=True)
    state = initial_state(params, transformation, jax.random.key(0))
    nothing = jnp.zeros((1,))
    return np.asarray(fit(update, state, (nothing, nothing), steps)[1])
