"""JAX's settings that hold in one thread, taken along into another."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import jax

__all__ = ["settings_of_this_thread"]

SETTINGS: dict[str, Callable[[object], AbstractContextManager]] = {
    "jax_default_device": jax.default_device,
    "jax_disable_jit": jax.disable_jit,
    "jax_numpy_dtype_promotion": jax.numpy_dtype_promotion,
    "jax_numpy_rank_promotion": jax.numpy_rank_promotion,
    "jax_threefry_partitionable": jax.threefry_partitionable,
}
"""What a user may have set by a ``with``, by its name in ``jax.config``. ``numerics`` sets the
others that matter to a run."""


def settings_of_this_thread() -> Callable[[], AbstractContextManager[None]]:
    """A context that sets in another thread what holds in this one now."""
    values = {name: getattr(jax.config, name) for name in SETTINGS}

    @contextlib.contextmanager
    def taken_along() -> Iterator[None]:
        with contextlib.ExitStack() as stack:
            for name, value in values.items():
                stack.enter_context(SETTINGS[name](value))
            yield

    return taken_along
