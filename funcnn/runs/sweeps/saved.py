"""A sweep from its folder, of which nothing is read before it is asked for."""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from funcnn.core import ArgumentError, Params
from funcnn.runs.divergence import NEVER
from funcnn.runs.observers.losses import kept_steps
from funcnn.runs.predictor import Predictor, predictor_of
from funcnn.runs.preparation import Preparation
from funcnn.runs.sweeps.folder import as_path, read_manifest, read_part
from funcnn.runs.sweeps.folds import ranked
from funcnn.runs.sweeps.tables import rows_of
from funcnn.runs.sweeps.tasks import Part

__all__ = ["SavedSweep", "load_sweep"]


class _Group(NamedTuple):
    """A group of a sweep.

    Attributes:
        number: which.
        kind: the number of its members' kind.
        first: which of the members of that kind is its first.
        members: which of the sweep's members they are.
    """

    number: int
    kind: int
    first: int
    members: Sequence[int]


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
        stems = (path.stem for path in self.folder.glob("group-*.npz"))
        numbers = {int(stem.removeprefix("group-")) for stem in stems}
        self._groups = [one for one in _groups(self._words) if one.number in numbers]
        self._place = {
            member: (group, row)
            for group in self._groups
            for row, member in enumerate(group.members)
        }
        self.members: list[int] = sorted(self._place)
        columns = self._words["settings"]
        self.settings = [
            {name: _value(column[member]) for name, column in columns.items()}
            for member in self.members
        ]
        logged = [self._logged_steps(kind) for kind in range(len(self._words["kinds"]))]
        self.logged_steps: Int[np.ndarray, " losses"] = np.unique(np.concatenate(logged))

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
        """The members that did not diverge, from the best to the worst, as in ``SweepResult``.

        Those with folds are ranked by the mean of those of their folds that are finished.
        """
        higher = self._words["shown"][0]["higher_is_better"]
        order = ranked(self.settings, self.scores, self.diverged, higher)
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
        group, place = self._place[self.members[member]]
        part = self._part(group)
        if place not in part.kept:
            raise ArgumentError(
                f"the params of member {member} were not kept: the sweep was made with "
                f"keep={self._words['keep']!r}"
            )
        (row,) = np.flatnonzero(part.kept == place)
        shown = self._words["shown"][group.kind]
        # The best params stand at the end, where a score tells them.
        first = len(part.state) - len(shown["params"]) if shown["has_best"] else 0
        leaves = [leaf[row] for leaf in part.state[first : first + len(shown["params"])]]
        return _tree(shown["params"], leaves)

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
        group, place = self._place[self.members[member]]
        recipe = self._words["shown"][group.kind]["recipe"]
        if recipe is None:
            raise ArgumentError(
                f"{self.folder} holds the params of a model of one's own: params() reads them"
            )
        preparation = Preparation.of_json(self._told(group, place)["preparation"])
        return predictor_of(self.params(member), recipe, preparation)

    def __repr__(self) -> str:
        whole, steps = self._words["members"], self.logged_steps[-1] + 1
        return f"SavedSweep({len(self.members)} of {whole} members, {steps} steps)"

    @functools.cached_property
    def _read(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        count, dtype = len(self.members), self._words["kinds"]["0"]["dtype"]
        losses = np.full((count, len(self.logged_steps)), np.nan, dtype)
        diverged, scores = np.empty(count, np.int64), np.empty(count)
        for group in self._groups:
            part, rows = self._part(group), np.searchsorted(self.members, group.members)
            columns = np.searchsorted(self.logged_steps, self._logged_steps(group.kind))
            losses[np.ix_(rows, columns)] = part.losses
            diverged[rows], scores[rows] = part.diverged, part.score
        return losses, diverged, scores

    def _told(self, group: _Group, place: int) -> dict[str, Any]:
        """What the manifest tells of the samples of a member of a group."""
        kind, numbers = self._words["kinds"][str(group.kind)], self._words["shown"][group.kind]
        if numbers.get("samples") is None:
            return kind
        return kind["samples"][str(numbers["samples"][group.first + place])]

    def _logged_steps(self, kind: int) -> Int[np.ndarray, " losses"]:
        return kept_steps(self._words["kinds"][str(kind)]["steps"], self._words["keep_every"])

    def _part(self, group: _Group) -> Part:
        steps = self._words["kinds"][str(group.kind)]["steps"]
        return read_part(self.folder, group.number, steps)


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


def _groups(words: Mapping[str, Any]) -> list[_Group]:
    """All groups of a sweep, from its manifest."""
    found: list[_Group] = []
    for kind, shown in enumerate(words["shown"]):
        members = shown["members"] or range(words["members"])
        width = min(words["group"], len(members))
        for first in range(0, len(members), width):
            found.append(_Group(len(found), kind, first, members[first : first + width]))
    return found


def _value(told: Any) -> Any:
    """The value of a setting: JSON has no tuples."""
    return tuple(told) if isinstance(told, list) else told


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
