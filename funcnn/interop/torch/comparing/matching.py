"""Where each number of a port's params stands in PyTorch's, found by its value.

All numbers of a module, its parameters' and its buffers', are laid into one vector. A port may
hold them transposed, reshaped, cut into pieces or joined: for each of its leaves is found, as an
array of the leaf's shape, the place of every number in that vector. From then on what PyTorch
holds is brought into the port's layout, and back, by indexing.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

__all__ = ["NOWHERE", "Leaf", "Places", "Tensors", "match"]

NOWHERE = -1
"""The place of a number that PyTorch does not hold."""

MOST_AXES = 5
"""Up to how many axes the arrangements of an array are tried one after the other."""

Places = Int[np.ndarray, "..."]
Gradients = Callable[[Places], tuple[np.ndarray, np.ndarray]]


class Tensors(NamedTuple):
    """The numbers of a module in one vector.

    Attributes:
        names: of its parameters and buffers, in the order of the vector.
        shapes: of each.
        numbers: all of them.
    """

    names: tuple[str, ...]
    shapes: tuple[tuple[int, ...], ...]
    numbers: Float[np.ndarray, " all"]

    @property
    def sizes(self) -> list[int]:
        """How many numbers each of them holds."""
        return [math.prod(shape) for shape in self.shapes]

    @property
    def starts(self) -> list[int]:
        """Where each of them begins."""
        return [0, *itertools.accumulate(self.sizes)][:-1]

    def places(self, name: str) -> Places:
        """The places of one of them, in its own shape."""
        number = self.names.index(name)
        start, shape = self.starts[number], self.shapes[number]
        return start + np.arange(math.prod(shape)).reshape(shape)

    def name(self, place: int) -> str:
        """The name of the parameter or buffer that holds this place."""
        return self.names[int(np.searchsorted(self.starts, place, side="right")) - 1]

    def holders(self, places: Places) -> list[str]:
        """The names of those that hold any of these places, in their order."""
        found = np.unique(places[places != NOWHERE])
        return list(dict.fromkeys(self.name(place) for place in found))


class Leaf(NamedTuple):
    """An array of a port's params.

    Attributes:
        path: where it stands among the params.
        value: the numbers.
    """

    path: str
    value: np.ndarray


def match(
    leaves: Sequence[Leaf], tensors: Tensors, agree: Callable[[int, Places], bool]
) -> list[Places]:
    """The place of each number of each leaf; ``NOWHERE`` for those that PyTorch does not hold.

    A number that PyTorch holds once is found by its value. Where it holds it several times, the
    numbers around it decide. Where all of a leaf are so, as zeros and ones are, its gradient
    decides, and for those whose gradient does not agree the submodule in which its neighbours
    stand, then its name, then the order.

    Args:
        leaves: the port's, in the order in which it uses them.
        tensors: PyTorch's.
        agree: whether the gradient of the leaf of this number is PyTorch's at these places.
    """
    order = np.argsort(tensors.numbers, kind="stable")
    ordered = tensors.numbers[order]
    found = [_by_value(leaf.value, order, ordered) for leaf in leaves]
    for leaf, places in zip(leaves, found, strict=True):
        _fill(places, leaf.value, tensors.numbers)
    taken = np.zeros(tensors.numbers.size, bool)
    for places in found:
        taken[places[places != NOWHERE]] = True
    for by_gradient in (True, False):
        for number, leaf in enumerate(leaves):
            if leaf.value.size and np.all(found[number] == NOWHERE):
                places = _whole(number, leaf, found, leaves, tensors, taken, agree, by_gradient)
                if places is not None:
                    found[number] = places
                    taken[places] = True
    return found


def _by_value(
    value: np.ndarray, order: Int[np.ndarray, " all"], ordered: Float[np.ndarray, " all"]
) -> Places:
    """The places of the numbers that PyTorch holds exactly once."""
    first = np.searchsorted(ordered, value, side="left")
    count = np.searchsorted(ordered, value, side="right") - first
    places = order[np.minimum(first, len(order) - 1)] if len(order) else np.zeros_like(first)
    return np.where(count == 1, places, NOWHERE)


def _fill(places: Places, value: np.ndarray, numbers: Float[np.ndarray, " all"]) -> None:
    """Find, in place, what PyTorch holds several times by how the others are arranged.

    Along an axis, the places of a transposed, reshaped or cut array differ by the same amount in
    each row: the place of (i, j) follows from those of (i, n), (m, j) and (m, n).
    """
    table = places.reshape(len(places) if places.ndim else 1, -1)
    values = value.reshape(table.shape)
    known = table != NOWHERE
    if not known.any() or known.all():
        return
    row = int(np.argmax(known.sum(1)))
    steps = table - table[row]
    both = known & known[row]
    offsets = _lines(
        np.array(
            [np.median(steps[i][both[i]]) if both[i].any() else np.nan for i in range(len(table))]
        )
    )
    guessed = _lines(
        np.array(
            [
                np.median((table[:, j] - offsets)[known[:, j]]) if known[:, j].any() else np.nan
                for j in range(table.shape[1])
            ]
        )
    )
    wanted = np.rint(offsets[:, None] + guessed[None, :])
    possible = np.isfinite(wanted) & (wanted >= 0) & (wanted < numbers.size) & ~known
    candidates = np.where(possible, wanted, 0).astype(int)
    possible &= numbers[candidates] == values
    table[possible] = candidates[possible]
    places[...] = table.reshape(places.shape)


def _lines(values: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """The values, the unknown ones taken from the line through their neighbours."""
    known = np.flatnonzero(np.isfinite(values))
    if len(known) < 2:
        return values
    filled = values.copy()
    for place in np.flatnonzero(~np.isfinite(values)):
        left = int(np.clip(np.searchsorted(known, place) - 1, 0, len(known) - 2))
        a, b = known[left], known[left + 1]
        filled[place] = values[a] + (values[b] - values[a]) / (b - a) * (place - a)
    return filled


def _whole(
    number: int,
    leaf: Leaf,
    found: Sequence[Places],
    leaves: Sequence[Leaf],
    tensors: Tensors,
    taken: np.ndarray,
    agree: Callable[[int, Places], bool],
    by_gradient: bool,
) -> Places | None:
    """The places of a leaf none of whose numbers PyTorch holds only once, if there are any left."""
    home = _home(leaf.path, leaves, found, tensors)
    own = leaf.path.rpartition(".")[2]
    best, best_score = None, (-1, -1)
    for name in tensors.names:
        pieces = _pieces(tensors.places(name), leaf.value.size)
        for places in itertools.chain(*(_arrangements(one, leaf.value.shape) for one in pieces)):
            if taken[places].any() or not np.array_equal(tensors.numbers[places], leaf.value):
                continue
            if by_gradient and not agree(number, places):
                continue
            part, _, last = name.rpartition(".")
            score = (int(part == home), int(own in last or last in own))
            if score > best_score:
                best, best_score = places, score
    return best


def _pieces(places: Places, size: int) -> list[Places]:
    """Equal parts of so many numbers along the first axis, as gates and heads are stacked."""
    if not size or not places.ndim or places.size % size or len(places) % (places.size // size):
        return [places]
    return np.split(places, places.size // size)


def _home(
    path: str, leaves: Sequence[Leaf], found: Sequence[Places], tensors: Tensors
) -> str | None:
    """The submodule of the leaves that stand nearest to this one; None if there are several."""
    parts = path.split(".")
    shared: dict[int, set[str]] = {}
    for leaf, places in zip(leaves, found, strict=True):
        homes = {name.rpartition(".")[0] for name in tensors.holders(places)}
        both = zip(parts[:-1], leaf.path.split(".")[:-1], strict=False)
        length = sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], both))
        shared.setdefault(length, set()).update(homes)
    nearest = shared[max(shared)] if shared else set()
    return next(iter(nearest)) if len(nearest) == 1 else None


def _arrangements(places: Places, shape: tuple[int, ...]) -> list[Places]:
    """The ways to bring an array into a shape by exchanging axes and joining or parting them.

    The exchange of all axes comes first: it is what becomes of a layer's weight.
    """
    if places.size != math.prod(shape):
        return []
    if places.ndim > MOST_AXES:
        return [places.reshape(shape)]
    orders = list(itertools.permutations(range(places.ndim)))[::-1]
    exact = [places.transpose(order) for order in orders]
    same = [one for one in exact if one.shape == shape]
    return same or [one.reshape(shape) for one in exact]
