"""The tutorials' own data."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

__all__ = ["gaussian", "sine"]


def gaussian(
    in_features: int, samples: int = 64, out_features: int = 10
) -> tuple[Float[np.ndarray, "samples inputs"], Float[np.ndarray, "samples outputs"]]:
    """The tutorials' random data: x and y N(0, 1), the same at every call."""
    generator = np.random.default_rng(0)
    x = generator.standard_normal((samples, in_features))
    return x, generator.standard_normal((samples, out_features))


def sine(
    samples: int = 2000,
) -> tuple[Float[np.ndarray, " samples"], Float[np.ndarray, " samples"]]:
    """The tutorials' curve: x from −π to π, in radians, and y = sin x."""
    x = np.linspace(-np.pi, np.pi, samples)
    return x, np.sin(x)
