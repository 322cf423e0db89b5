"""On which devices a run is, and whether they can divide its work evenly."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax

from funcnn.core import ArgumentError, ArgumentTypeError, Structs, checks
from funcnn.loop.placement import AXES, Placement, divided_axes

__all__ = ["placement_of", "require_even"]


def placement_of(devices: Any, sharding: Any) -> Placement | None:
    """The placement that ``devices=`` and ``sharding=`` of ``train`` ask for; None for none.

    Raises:
        ArgumentError, ArgumentTypeError: for what is no device, or is not there.
    """
    if devices is None:
        if sharding is not None:
            raise ArgumentError("sharding is for devices=, which are not given")
        return None
    axis = checks.choice("sharding", "batch" if sharding is None else sharding, AXES)
    if isinstance(devices, (list, tuple)):
        return _reached(Placement(_chosen(devices), axis))
    known = jax.devices()  # Of all processes.
    count = checks.integer("devices", devices, at_least=1)
    if count > len(known):
        raise ArgumentError(
            f"devices={count}, and JAX sees {len(known)}: {', '.join(map(str, known))}. A CPU is "
            f"as many as jax.config.update('jax_num_cpu_devices', {count}) says before JAX is used"
        )
    return _reached(Placement(tuple(known[:count]), axis))


def require_even(placement: Placement, batch: int, params: Structs) -> None:
    """Refuse what the devices cannot divide evenly.

    Args:
        placement: the devices.
        batch: how many samples a step takes.
        params: the shapes of the model's params.

    Raises:
        ArgumentError: with the size, and what would do.
    """
    count = len(placement.devices)
    if placement.axis == "batch":
        if batch % count:
            raise ArgumentError(
                f"{count} devices cannot divide the {batch} samples of a step evenly: give a "
                f"batch_size that is a multiple of {count}, or other devices"
            )
        return
    axes = divided_axes(params)
    if not axes:
        raise ArgumentError(
            "sharding='hidden' divides the hidden layers of a network, whose params are w1, w2, "
            "...; this model has none"
        )
    for name, axis in axes.items():
        if params[name].shape[axis] % count:
            raise ArgumentError(
                f"{count} devices cannot divide the {params[name].shape[axis]} hidden units of "
                f"{name} evenly: give a width that is a multiple of {count}, or other devices"
            )


def _reached(placement: Placement) -> Placement:
    """The placement, where its devices are of this process alone, or of all processes."""
    own, count = jax.process_index(), jax.process_count()
    if placement.processes != {own} and len(placement.processes) < count:
        left_out = sorted(set(range(count)) - placement.processes)
        raise ArgumentError(
            f"devices: none of them is of process {left_out[0]}; give all that there are "
            f"(jax.device_count() is {jax.device_count()}), or those of one process"
        )
    return placement


def _chosen(devices: Sequence[Any]) -> tuple[Any, ...]:
    for device in devices:
        if not isinstance(device, jax.Device):
            raise ArgumentTypeError(
                f"devices must be a number, or a list of JAX's devices such as jax.devices(), "
                f"not of {device!r:.60}"
            )
    if not devices or len(set(devices)) < len(devices):
        raise ArgumentError(f"devices={list(devices)} must hold one device or more, each once")
    if len({device.platform for device in devices}) > 1:
        raise ArgumentError(f"devices={list(devices)} must be of one kind")
    return tuple(devices)
