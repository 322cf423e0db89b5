"""A sweep from its folder, of which nothing is read before it is asked for."""

from __future__ import annotations

import functools
import itertools
import os
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from funcnn.core import ArgumentError, Params
from funcnn.runs.divergence import NEVER
from funcnn.runs.observers.losses import kept_steps
from funcnn.runs.predictor import Predictor, predictor_of
from funcnn.runs.preparation import Preparation
from funcnn.runs.sweeps.folder import as_path, read_manifest, read_part, read_rungs
from funcnn.runs.sweeps.folds import ranked
from funcnn.runs.sweeps.tables import rows_of
from funcnn.runs.sweeps.tasks import Part

__all__ = ["SavedSweep", "load_sweep"]


class _Group(NamedTuple):
    """A group of a sweep.

    Attributes:
        number: which.
        kind: the number of its members' kind.
        members: which of the sweep's members they are.
        steps: how many steps they have made.
    """

    number: int
    kind: int
    members: Sequence[int]
    steps: int


class SavedSweep:
    """The finished groups of a sweep in a folder; those still to be trained are left out.

    Of a sweep with ``halving`` these are all members, as they were at the end of the last rung
    that is finished; where the first is not, its finished groups.

    Where all are finished, the same call of ``sweep`` trains nothing and gives the
    ``SweepResult``, with the predictions of its members.

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
        self._rungs = read_rungs(self.folder)
        self._groups = _finished(_groups(self._words, self._rungs), numbers, bool(self._rungs))
        # Who has gone on after a halving stands in several: the last counts.
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
        logged = [self._logged_steps(steps) for steps in self._all_steps()]
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
        order = ranked(self.settings, self.scores, self.diverged, higher, self._ends())
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
        whole = self.members[member]
        group, _ = self._place[whole]
        recipe = self._words["shown"][group.kind]["recipe"]
        if recipe is None:
            raise ArgumentError(
                f"{self.folder} holds the params of a model of one's own: params() reads them"
            )
        preparation = Preparation.of_json(self._told(group.kind, whole)["preparation"])
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
            own = self._logged_steps(group.steps)
            # The last loss of a rung is none of those that are kept of a longer run.
            there = np.isin(own, self.logged_steps)
            columns = np.searchsorted(self.logged_steps, own[there])
            losses[np.ix_(rows, columns)] = part.losses[:, there]
            diverged[rows], scores[rows] = part.diverged, part.score
        return losses, diverged, scores

    def _all_steps(self) -> list[int]:
        """How many steps there are to be told of; of several kinds each its own."""
        if self._rungs:
            return [max((group.steps for group in self._groups), default=self._rungs[0][0])]
        return [kind["steps"] for kind in self._words["kinds"].values()]

    def _ends(self) -> Float[np.ndarray, " members"]:
        """After how many steps each member was dropped; infinity where it was not."""
        if not self._rungs:
            return np.full(len(self.members), np.inf)
        going = {member for own in self._rungs[-1][1] for member in own}
        steps = [self._place[member][0].steps for member in self.members]
        return np.where(np.isin(self.members, list(going)), np.inf, steps)

    def _told(self, kind: int, member: int) -> dict[str, Any]:
        """What the manifest tells of the samples of a member of the whole sweep."""
        told, shown = self._words["kinds"][str(kind)], self._words["shown"][kind]
        if shown.get("samples") is None:
            return told
        number = shown["samples"][_members(self._words, kind).index(member)]
        return told["samples"][str(number)]

    def _logged_steps(self, steps: int) -> Int[np.ndarray, " losses"]:
        return kept_steps(steps, self._words["keep_every"])

    def _part(self, group: _Group) -> Part:
        return read_part(self.folder, group.number, group.steps)


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


def _groups(words: Mapping[str, Any], rungs: Sequence[tuple[int, list[list[int]]]]) -> list[_Group]:
    """All groups of a sweep, from its manifest; of a halving those of the rungs that have begun."""
    whole = [_members(words, kind) for kind in range(len(words["shown"]))]
    steps = [words["kinds"][str(kind)]["steps"] for kind in range(len(whole))]
    asked = [([until] * len(whole), members) for until, members in rungs]
    found: list[_Group] = []
    for until, members in [(steps, whole)] if words.get("halving") is None else asked:
        for kind, own in enumerate(members):
            width = min(words["group"], len(whole[kind]))
            for first in range(0, len(own), width):
                found.append(_Group(len(found), kind, own[first : first + width], until[kind]))
    return found


def _finished(groups: list[_Group], numbers: Collection[int], in_rungs: bool) -> list[_Group]:
    """Those groups that are there; of rungs, those of the rungs of which all are."""
    if not in_rungs:
        return [group for group in groups if group.number in numbers]
    whole: list[_Group] = []
    for steps, rung in itertools.groupby(groups, lambda group: group.steps):
        own = list(rung)
        there = [group for group in own if group.number in numbers]
        if len(there) < len(own):
            return there if steps == groups[0].steps else whole
        whole += own
    return whole


def _members(words: Mapping[str, Any], kind: int) -> Sequence[int]:
    """The members of a kind."""
    return words["shown"][kind]["members"] or range(words["members"])


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
