"""A sweep from its folder, of which nothing is read before it is asked for."""

from __future__ import annotations

import functools
import os
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from funcnn.core import ArgumentError, Params
from funcnn.runs.divergence import NEVER
from funcnn.runs.observers.losses import kept_steps
from funcnn.runs.predictor import Predictor, predictor_of
from funcnn.runs.preparation import Preparation
from funcnn.runs.sweeps.folder import as_path, read_manifest, read_part
from funcnn.runs.sweeps.result import rows_of
from funcnn.runs.sweeps.tasks import Part, order_of

__all__ = ["SavedSweep", "load_sweep"]


class SavedSweep:
    """The finished groups of a sweep in a folder; those still to be trained are left out.

    Args:
        folder: the folder.

    Attributes:
        folder: the folder.
        group: how many members went side by side.
        members: which members of the whole sweep are finished, in order.
        settings: the values of what was swept, of each of them.
        logged_steps: the steps whose losses are kept.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = as_path(folder)
        self._words = read_manifest(self.folder)
        self.group: int = self._words["group"]
        columns = self._words["settings"]
        whole = [
            dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)
        ]
        stems = (path.stem for path in self.folder.glob("group-*.npz"))
        self._numbers = sorted(int(stem.removeprefix("group-")) for stem in stems)
        self.members: list[int] = [
            number * self.group + place
            for number in self._numbers
            for place in range(min(self.group, len(whole) - number * self.group))
        ]
        self.settings = [whole[member] for member in self.members]
        steps = self._words["problem"]["steps"]
        self.logged_steps: Int[np.ndarray, " losses"] = kept_steps(steps, self._words["keep_every"])

    @functools.cached_property
    def losses(self) -> Float[np.ndarray, "members losses"]:
        """The losses that are kept, NaN from where a member diverged."""
        return self._read[0]

    @functools.cached_property
    def diverged(self) -> Int[np.ndarray, " members"]:
        """The first step at which a member was not finite; -1 where it did not diverge."""
        return self._read[1]

    @functools.cached_property
    def scores(self) -> Float[np.ndarray, " members"]:
        """What ranks the members, as in ``SweepResult``."""
        return self._read[2]

    @property
    def ranking(self) -> Int[np.ndarray, " finite"]:
        """The members that did not diverge, from the best of the ``scores`` to the worst."""
        order = order_of(self.scores, self.diverged, self._words["shown"]["higher_is_better"])
        return order[self.diverged[order] == NEVER]

    def rows(self) -> list[dict[str, Any]]:
        """A table with a row a member, as ``SweepResult.rows`` gives it."""
        return rows_of(self.settings, self.losses, self.diverged)

    def params(self, member: int) -> Params:
        """The params of a member, of which nothing else is read.

        Args:
            member: its place in ``settings``.

        Returns:
            NumPy arrays in a dict, nested as the model's; by their paths, where the model's are
            no dicts.

        Raises:
            ArgumentError: where they were not kept, or the file is damaged.
            IndexError: where there is no such member.
        """
        number, place = divmod(self.members[member], self.group)
        part = self._part(number)
        if place not in part.kept:
            raise ArgumentError(
                f"the params of member {member} were not kept: the sweep was made with "
                f"keep={self._words['keep']!r}"
            )
        (row,) = np.flatnonzero(part.kept == place)
        paths = self._words["shown"]["params"]
        # The best params stand at the end, where a score tells them.
        first = len(part.state) - len(paths) if self._words["shown"]["has_best"] else 0
        leaves = [leaf[row] for leaf in part.state[first : first + len(paths)]]
        return _tree(paths, leaves)

    def best(self) -> Predictor:
        """What predicts with the params of the best score.

        Raises:
            ArgumentError: where every member diverged; as :meth:`predictor`.
        """
        if not len(self.ranking):
            raise ArgumentError("every member diverged")
        return self.predictor(int(self.ranking[0]))

    def predictor(self, member: int) -> Predictor:
        """What predicts with the params of a member.

        Raises:
            ArgumentError: for a model of one's own, which no folder can hold; as :meth:`params`.
        """
        shown = self._words["shown"]
        if shown["recipe"] is None:
            raise ArgumentError(
                f"{self.folder} holds the params of a model of one's own: params() reads them"
            )
        preparation = Preparation.of_json(shown["preparation"])
        return predictor_of(self.params(member), shown["recipe"], preparation)

    def __repr__(self) -> str:
        whole = len(next(iter(self._words["settings"].values())))
        steps = self.logged_steps[-1] + 1
        return f"SavedSweep({len(self.members)} of {whole} members, {steps} steps)"

    @functools.cached_property
    def _read(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        parts = [self._part(number) for number in self._numbers]
        losses = [part.losses for part in parts] or [np.empty((0, len(self.logged_steps)))]
        diverged = [part.diverged for part in parts] or [np.empty(0, np.int64)]
        scores = [part.score for part in parts] or [np.empty(0)]
        return np.concatenate(losses), np.concatenate(diverged), np.concatenate(scores)

    def _part(self, number: int) -> Part:
        return read_part(self.folder, number, self._words["problem"]["steps"])


def load_sweep(folder: str | os.PathLike[str]) -> SavedSweep:
    """A sweep from the ``folder=`` that it was trained into, finished or not.

    Args:
        folder: the folder.

    Returns:
        What reads losses and params as they are asked for.

    Raises:
        ArgumentError, ArgumentTypeError: where the folder holds no sweep.
    """
    return SavedSweep(folder)


def _tree(paths: list[list[str | int]], leaves: list[np.ndarray]) -> Params:
    if not all(path and all(isinstance(key, str) for key in path) for path in paths):
        return {
            "".join(f"[{key!r}]" for key in path): leaf
            for path, leaf in zip(paths, leaves, strict=True)
        }
    tree: dict[str, Any] = {}
    for path, leaf in zip(paths, leaves, strict=True):
        node = tree
        for key in path[:-1]:
            node = node.setdefault(str(key), {})
        node[str(path[-1])] = leaf
    return tree
