"""Where the arrays of a run lie: over several devices, by placement alone.

A step computes what it computes on one device. XLA divides the work by where the arrays lie,
and adds up what the devices come to: once a step, where each has its part of the batch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, Int

from funcnn.core import Params, Samples, Structs, TrainState

__all__ = ["AXES", "Placement", "divided_axes", "put_everywhere"]

AXES = ("batch", "hidden")
"""What can be divided: the samples of a step, or the hidden units of a network."""


class Placement(NamedTuple):
    """The devices of a run, and which axis of its arrays is divided among them.

    Attributes:
        devices: JAX's devices, in order.
        axis: one of ``AXES``.
    """

    devices: tuple[Any, ...]
    axis: str

    @property
    def processes(self) -> set[int]:
        """The processes whose devices they are."""
        return {device.process_index for device in self.devices}

    def samples(self, samples: Samples, chosen: bool) -> Samples:
        """Samples on the devices.

        Args:
            samples: NumPy arrays.
            chosen: whether each step chooses its samples among them: then every device has
                all of them.
        """
        divided = None if chosen or self.axis != "batch" else 0
        return jax.tree.map(lambda array: _put(array, self._over(divided)), samples)

    def rows(self, rows: Int[Array, " batch"]) -> tuple[Int[Array, " batch"], Int[Array, " batch"]]:
        """The samples of a step by number, as every device has them, and divided among them.

        In the step's program. Each device draws all of them by itself: if they divided the
        drawing, they would wait for one another twice a step.
        """
        rows = jax.lax.with_sharding_constraint(rows, self.replicated)
        if self.axis != "batch":
            return rows, rows
        return rows, jax.lax.with_sharding_constraint(rows, self._over(0))

    def state(self, state: TrainState) -> TrainState:
        """A state on the devices."""
        return jax.tree.map(_put, state, self._shardings(state))

    def constrained(self, state: TrainState) -> TrainState:
        """A state, in the program that makes it, as :meth:`state` would put it."""
        return jax.lax.with_sharding_constraint(state, self._shardings(state))

    def gathered(self, program: Callable[..., TrainState]) -> Callable[..., TrainState]:
        """The program, compiled, with what it gives on one device of this process."""
        compiled = jax.jit(program, out_shardings=self.replicated)
        return lambda *given: jax.tree.map(lambda leaf: leaf.addressable_data(0), compiled(*given))

    @property
    def replicated(self) -> NamedSharding:
        """The sharding of what every device has whole."""
        return self._over(None)

    def _shardings(self, state: TrainState) -> TrainState:
        """The sharding of each array; what mirrors a parameter lies as the parameter does."""
        divided = divided_axes(state.params) if self.axis == "hidden" else {}

        def of(path: Any, leaf: Any) -> NamedSharding:
            name = str(getattr(path[-1], "key", ""))
            mirrors = name in divided and leaf.shape == state.params[name].shape
            return self._over(divided[name] if mirrors else None)

        return jax.tree.map_with_path(of, state)

    def _over(self, divided: int | None) -> NamedSharding:
        """The sharding of an array of which one axis is divided; none for None."""
        mesh = Mesh(np.array(self.devices), (self.axis,), axis_types=(AxisType.Auto,))
        spec = () if divided is None else (*[None] * divided, self.axis)
        return NamedSharding(mesh, PartitionSpec(*spec))


def divided_axes(params: Params | Structs) -> dict[str, int]:
    """The axis of each parameter of a network that has hidden units, where these are divided.

    Those of the layers 1, 3, ... are: they stand in the columns of the layer's weights, and
    in the rows of the next layer's.

    >>> divided_axes({"w1": np.zeros((3, 4)), "b1": np.zeros(4), "w2": np.zeros((4, 2))})
    {'w1': 1, 'b1': 0, 'w2': 0}
    """
    axes, layer = {}, 1
    while isinstance(params, Mapping) and (following := f"w{layer + 1}") in params:
        layer_axes = {f"w{layer}": 1, f"b{layer}": 0, following: 0}
        axes |= {name: axis for name, axis in layer_axes.items() if name in params}
        layer += 2
    return axes


def put_everywhere(placement: Placement | None, arrays: Any) -> Any:
    """NumPy arrays as the loop is handed them: on every device of a run, each whole."""
    if placement is None:
        return jax.tree.map(jnp.asarray, arrays)
    return jax.tree.map(lambda array: _put(array, placement.replicated), arrays)


def _put(leaf: Any, sharding: NamedSharding) -> jax.Array:
    """An array on devices, of which some may be other processes'; these put their own parts."""
    if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        words = _put(jax.random.key_data(leaf), sharding)
        return jax.random.wrap_key_data(words, impl=jax.random.key_impl(leaf))
    array = np.asarray(leaf)
    return jax.make_array_from_callback(array.shape, sharding, lambda index: array[index])
