"""Whether the port starts from PyTorch's numbers, each parameter once."""

from __future__ import annotations

import numpy as np

from funcnn.interop.torch.comparing.comparison import Parting
from funcnn.interop.torch.comparing.matching import NOWHERE, Tensors
from funcnn.interop.torch.comparing.port import Port
from funcnn.interop.torch.comparing.stages.found import Found, apart, differs, same

__all__ = ["parameters"]

NAME = "parameters"

NO_GRADIENT = 1e-12
"""A gradient so much smaller than the largest is one of 0, but for its rounding."""


def parameters(port: Port, tensors: Tensors, trained: np.ndarray, gradient: np.ndarray) -> Found:
    """Compare the params.

    Args:
        port: the port.
        tensors: PyTorch's numbers.
        trained: which of them are trained.
        gradient: PyTorch's gradient by them.
    """
    compared = f"{len(port.leaves)} arrays of the port, {len(tensors.names)} of PyTorch"
    for check in (_other_values, _twice, _left_out):
        if (found := check(port, tensors, trained, gradient)) is not None:
            difference, parting = found
            return differs(NAME, difference, compared, parting)
    return same(NAME, 0.0, compared)


def _other_values(
    port: Port, tensors: Tensors, trained: np.ndarray, gradient: np.ndarray
) -> tuple[float | None, Parting] | None:
    """A leaf with numbers that PyTorch does not hold, and that the loss depends on."""
    del gradient
    held = np.concatenate([places.ravel() for places in port.places])
    covered = np.zeros(tensors.numbers.size, bool)
    covered[held[held != NOWHERE]] = True
    for number, (leaf, places, dtype) in enumerate(
        zip(port.leaves, port.places, port.dtypes, strict=True)
    ):
        absent = (places == NOWHERE) & ~np.isin(leaf.value, tensors.numbers)
        if not absent.any() or not _matters(port, number, absent):
            continue
        where = f"the port's {leaf.path!r}, of shape {leaf.value.shape}"
        if np.isin(leaf.value[absent], tensors.numbers.astype(dtype).astype(np.float64)).all():
            name = f"params in {dtype} where PyTorch has float64"
            advice = "make the params under jax.enable_x64(True), from float64 arrays"
            return _rounding(dtype), Parting(where, "", name, advice)
        if (pair := _sum_of(leaf.value[absent], tensors)) is not None:
            name = f"one bias where PyTorch adds two, {pair[0]!r} and {pair[1]!r}"
            advice = "keep both: each gets the whole gradient, so that their sum moves twice as far"
            return None, Parting(where, pair[0], name, advice)
        free = [
            name
            for name in tensors.names
            if tensors.places(name).size == leaf.value.size
            and not covered[tensors.places(name)].any()
        ]
        if free:
            right = tensors.numbers[tensors.places(free[0])]
            difference = apart(np.sort(leaf.value.ravel()), np.sort(right.ravel()))
            name = "other values than PyTorch's to start from"
            advice = f"copy {free[0]!r} from PyTorch's state_dict"
            return difference, Parting(f"{where}, for {free[0]!r}", free[0], name, advice)
        if np.all(absent):
            name = "a parameter that PyTorch has not"
            return None, Parting(where, "", name, "leave it out, or fix it at its value")
        owners = tensors.holders(places)
        name = "other values than PyTorch's to start from"
        return None, Parting(
            where, owners[0], name, f"copy {owners[0]!r} from PyTorch's state_dict"
        )
    del trained
    return None


def _matters(port: Port, number: int, which: np.ndarray) -> bool:
    """Whether the loss depends on these numbers of a leaf."""
    largest = max(np.max(np.abs(one), initial=0) for one in port.gradient)
    return bool(np.max(np.abs(port.gradient[number][which])) > NO_GRADIENT * largest)


def _twice(
    port: Port, tensors: Tensors, trained: np.ndarray, gradient: np.ndarray
) -> tuple[float | None, Parting] | None:
    """A parameter of PyTorch that the port holds twice, and trains apart."""
    del gradient
    holders: dict[int, str] = {}
    for number, (leaf, places) in enumerate(zip(port.leaves, port.places, strict=True)):
        for place in np.unique(places[places != NOWHERE]):
            if place in holders and trained[place] and port.gradient[number].any():
                name = tensors.name(place)
                return None, Parting(
                    f"the port's {holders[place]!r} and {leaf.path!r} are both {name!r}",
                    name,
                    "a parameter that PyTorch shares held twice",
                    "hold it once and use it in both places: its gradient is the sum of both",
                )
            holders[int(place)] = leaf.path
    return None


def _left_out(
    port: Port, tensors: Tensors, trained: np.ndarray, gradient: np.ndarray
) -> tuple[float | None, Parting] | None:
    """A parameter that moves in PyTorch, and that the port does not hold."""
    covered = np.zeros(tensors.numbers.size, bool)
    for places in port.places:
        covered[places[places != NOWHERE]] = True
    unclear = np.concatenate(
        [
            leaf.value[places == NOWHERE]
            for leaf, places in zip(port.leaves, port.places, strict=True)
        ]
    )
    largest = np.max(np.abs(gradient[np.isfinite(gradient)]), initial=0)
    for name in tensors.names:
        places = tensors.places(name)
        if (
            trained[places].all()
            and not covered[places].any()
            and not np.isin(tensors.numbers[places], unclear).all()
            and np.max(np.abs(gradient[places]), initial=0) > NO_GRADIENT * largest
        ):
            return None, Parting(
                f"nothing of the port holds {name!r}, of shape {places.shape}",
                name,
                f"{name!r} left out",
                "add it to the port's params",
            )
    return None


def _sum_of(values: np.ndarray, tensors: Tensors) -> tuple[str, str] | None:
    """Two biases of a recurrent layer whose sum holds these numbers."""
    for name in tensors.names:
        other = name.replace("bias_ih", "bias_hh")
        if "bias_ih" in name and other in tensors.names:
            sums = tensors.numbers[tensors.places(name)] + tensors.numbers[tensors.places(other)]
            if np.isin(values, sums).all() or all(
                np.min(np.abs(sums - value)) <= 1e-12 * max(abs(value), 1e-3) for value in values
            ):
                return name, other
    return None


def _rounding(dtype: np.dtype) -> float:
    import jax.numpy as jnp

    return float(jnp.finfo(dtype).eps)
