"""Some members of one tree of arrays, and the others of another."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool

__all__ = ["merged"]


@jax.jit
def merged(
    chosen: Any, others: Any, members: Bool[Array, " members"] | Bool[np.ndarray, " members"]
) -> Any:
    """A tree of arrays with a leading axis (members,), row by row of one tree or the other.

    Args:
        chosen: gives the rows of ``members``.
        others: gives all other rows.
        members: which.
    """

    def choose(one: Any, other: Any) -> Any:
        return jnp.where(members.reshape(-1, *(1,) * (one.ndim - 1)), one, other)

    return jax.tree.map(choose, chosen, others)
