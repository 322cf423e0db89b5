"""The groups of a sweep on disk: each written whole when it is finished, and never done again.

```
<folder>/
    .funcnn.lock       held by the sweep that writes here
    sweep.json         which sweep it is: everything that its bits depend on
    group-00000.npz    what came of a group, with the digest of its arrays
    rung-000.json      with halving, whose groups come next, and how many steps they make
```

The groups of a halving are numbered on from one rung to the next.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import re
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import jax
import numpy as np

from funcnn.checkpoints import CheckpointWarning, files
from funcnn.checkpoints.lock import Lock
from funcnn.checkpoints.manifest import differences
from funcnn.core import ArgumentError, ArgumentTypeError
from funcnn.data.files import is_path, opened, require_file, write_whole
from funcnn.data.numpy_files import read_npz, write_npz
from funcnn.runs.manifest import described as of_value
from funcnn.runs.manifest import digest, manifest_of, of_samples
from funcnn.runs.samples import Prepared
from funcnn.runs.sweeps.halving import Rung
from funcnn.runs.sweeps.kinds import Kind
from funcnn.runs.sweeps.tasks import Keep, Part

__all__ = ["SweepFolder", "as_path", "described", "read_manifest", "read_part", "read_rungs"]

MANIFEST = "sweep.json"

MEASURED = "measured."
"""What the names of arrays begin with that hold what was measured."""

INFORMATIVE = ("versions", "shown")
"""The entries of the manifest that may differ from those of the sweep that goes on."""

FORMAT = 2

INSTRUCTIONS = ("avx2", "avx", "sse4_2")
"""What XLA compiles for changes bits below AVX2, and above it does not."""


def described(
    kinds: Sequence[Kind],
    settings: list[dict[str, Any]],
    keep_every: int,
    keep: Keep,
    halving: int | None = None,
) -> dict[str, Any]:
    """A sweep in JSON's words, but for the width of its groups.

    Raises:
        ArgumentError: where the words cannot tell two kinds apart.
    """
    words = [_words(kind) for kind in kinds]
    _require_told_apart(kinds, [one["asked"] for one in words])
    own = [_own(kind, settings) for kind in kinds]
    return ({"numbers": own} if any(map(any, own)) else {}) | {
        "format": FORMAT,
        "settings": {name: [one[name] for one in settings] for name in settings[0]},
        "members": len(settings),
        "keep_every": keep_every,
        "keep": keep,
        "halving": halving,
        "kinds": {str(number): one["asked"] for number, one in enumerate(words)},
        "machine": {
            "jaxlib": importlib.metadata.version("jaxlib"),
            "device": jax.local_devices()[0].device_kind,
            "instructions": _instructions(),
        },
        "versions": words[0]["versions"],
        "shown": [
            one["shown"] | {"members": kind.members.tolist() if len(kinds) > 1 else None}
            for one, kind in zip(words, kinds, strict=True)
        ],
    }


def _own(kind: Kind, settings: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What the members have of their own that their settings do not say, but for samples."""
    return [
        {
            name: of_value(value)
            for name, value in one.items()
            if name != "data" and settings[member].get(name) != value
        }
        for member, one in zip(kind.members, kind.own, strict=True)
    ]


def _require_told_apart(kinds: Sequence[Kind], words: Sequence[Mapping[str, Any]]) -> None:
    """Refuse kinds that do not the same under the same words: their order would not be known."""
    known: dict[str, Any] = {}
    for kind, own in zip(kinds, words, strict=True):
        problem = kind.plan.problem
        lasting = {name: one for name, one in own.items() if name not in ("init", "step")}
        if known.setdefault(json.dumps(lasting), problem) != problem:
            raise ArgumentError(
                "folder: two functions of a list (of models, optimizers or schedules) have one "
                "name, which a folder knows them by; give each a name of its own, by def"
            )


def _words(kind: Kind) -> dict[str, Any]:
    """What the members of a kind do, which versions do it, and what is shown of it."""
    plan = kind.plan
    problem = manifest_of(plan, plan.watched.words)
    paths = jax.tree.leaves_with_path(plan.shapes.state.params)
    asked = {name: one for name, one in problem.items() if name != "versions"}
    asked["params"] = {".".join(map(str, map(_key, path))): leaf.shape for path, leaf in paths}
    samples = _numbered([own["data"] for own in kind.own if "data" in own])
    if samples:
        del asked["data"]
        asked["samples"] = {str(number): _of_one(one) for one, number in samples.values()}
    else:
        asked["preparation"] = plan.preparation.as_json()
    if plan.starts:
        asked["starts"] = digest(plan.starts)
    if plan.resampled:
        asked["resampled"] = True
    return {
        "asked": asked,
        "versions": problem["versions"],
        "shown": {
            "params": [[_key(one) for one in path] for path, _ in paths],
            "recipe": plan.recipe,
            "per_epoch": plan.per_epoch,
            "monitor": plan.watched.monitor,
            "higher_is_better": plan.watched.higher_is_better,
            "has_best": plan.watched.patience is not None,
            "samples": [samples[id(own["data"])][1] for own in kind.own] if samples else None,
        },
    }


def _numbered(sets: Sequence[Prepared]) -> dict[int, tuple[Prepared, int]]:
    """The samples of members, of which several may have the same, each once, with its number."""
    numbered: dict[int, tuple[Prepared, int]] = {}
    for one in sets:
        numbered.setdefault(id(one), (one, len(numbered)))
    return numbered


def _of_one(samples: Prepared) -> dict[str, Any]:
    data = of_samples(samples.training, samples.validation)
    return {"data": data, "preparation": samples.preparation.as_json()}


class SweepFolder:
    """The finished groups of one sweep, inside ``with``: no other sweep writes there meanwhile.

    Args:
        folder: where they stand; made on entering, with its parents.
        words: the sweep, as ``described`` gives it.
        group: the width that the call asks for; None for that of the folder.

    Raises:
        ArgumentError: for a folder that holds something else, or another sweep: what differs is
            listed.
        ArgumentTypeError: for what is no path.
        CheckpointError: where another sweep has the folder.
    """

    def __init__(
        self, folder: str | os.PathLike[str], words: Mapping[str, Any], group: int | None
    ) -> None:
        self.folder, self._group = as_path(folder), group
        self._words = json.loads(json.dumps(words))
        self._lock: Lock | None = None
        self._saved = self._require_same()

    @property
    def group(self) -> int | None:
        """The width that the folder's groups have; None where there are none yet."""
        return None if self._saved is None else self._saved["group"]

    def __enter__(self) -> SweepFolder:
        files.make_folder(self.folder)
        self._lock = Lock(self.folder)
        try:
            self._saved = self._require_same()
            for left in self.folder.glob(".*.part"):  # Of a process that was killed.
                left.unlink()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._lock is not None:
            self._lock.release()
        self._lock = None

    def begin(self, group: int) -> None:
        """Say which sweep it is, where nothing says so yet."""
        if self._saved is None:
            self._saved = self._words | {"group": group}
            self._write(MANIFEST, self._saved)

    def begin_rung(self, rung: Rung) -> None:
        """Say whose groups are the next."""
        members = [own.tolist() for own in rung.members]
        self._write(f"rung-{rung.number:03d}.json", {"steps": rung.steps, "members": members})

    def _write(self, name: str, words: dict[str, Any]) -> None:
        content = json.dumps(words).encode()
        write_whole(self.folder / name, lambda stream: stream.write(content))
        files.sync(self.folder)

    def put(self, number: int, part: Part) -> None:
        """Write what came of a finished group; on return it is on the disk."""
        arrays = {name: getattr(part, name) for name in ("losses", "diverged", "score", "kept")}
        arrays |= {MEASURED + name: column for name, column in part.measured.items()}
        arrays |= {f"state.{place}": leaf for place, leaf in enumerate(part.state)}
        arrays["sha256"] = np.frombuffer(bytes.fromhex(digest(arrays) or ""), np.uint8)
        write_whole(_place(self.folder, number), lambda stream: write_npz(stream, arrays))
        files.sync(self.folder)

    def finished(self, number: int, steps: int) -> Part | None:
        """What came of a group; None where it is not there, or damaged, which warns."""
        place = _place(self.folder, number)
        if not place.is_file():
            return None
        try:
            return read_part(self.folder, number, steps)
        except ArgumentError as error:
            place.rename(place.with_suffix(".damaged"))
            warnings.warn(f"{error}. Its group is trained again", CheckpointWarning, stacklevel=6)
            return None

    def _require_same(self) -> dict[str, Any] | None:
        """The manifest that stands there; None where there is none."""
        if not os.path.lexists(self.folder):
            return None
        if not self.folder.is_dir():
            raise ArgumentError(f"folder={str(self.folder)!r} is not a folder")
        if not (self.folder / MANIFEST).exists():
            others = [one.name for one in self.folder.iterdir() if not one.name.startswith(".")]
            if others:
                raise ArgumentError(
                    f"folder={str(self.folder)!r} holds something else, such as {others[0]!r}: "
                    f"use a folder that is empty, or new"
                )
            return None
        saved = read_manifest(self.folder)
        group = saved["group"] if self._group is None else self._group
        wanted = self._words | {"group": group}
        if found := differences(saved, wanted, INFORMATIVE, "the folder"):
            lines = [f"folder={str(self.folder)!r} holds another sweep:", *map(_short, found)]
            raise ArgumentError("\n  ".join(lines))
        return saved


def read_manifest(folder: Path) -> dict[str, Any]:
    """Which sweep a folder holds.

    Raises:
        ArgumentError: where it holds none, or one of another version of funcnn.
    """
    path = require_file(folder / MANIFEST)
    with opened(path) as stream:
        words = json.loads(stream.read())
        if words["format"] != FORMAT:
            raise ArgumentError(
                f"{folder} is of format {words['format']}, which another version of funcnn wrote; "
                f"this one reads format {FORMAT}"
            )
    return words


def read_rungs(folder: Path) -> list[tuple[int, list[list[int]]]]:
    """Of each rung of a halving how many steps it goes to, and the members of each kind.

    Raises:
        ArgumentError: where one is damaged.
    """
    rungs = []
    for path in sorted(folder.glob("rung-*.json")):
        with opened(path) as stream:
            words = json.loads(stream.read())
            rungs.append((words["steps"], words["members"]))
    return rungs


def read_part(folder: Path, number: int, steps: int) -> Part:
    """What came of a finished group.

    Raises:
        ArgumentError: where it is not there, or damaged.
    """
    place = _place(folder, number)
    arrays = read_npz(place)
    with opened(place):  # Its errors name the file.
        said = arrays.pop("sha256").tobytes().hex()
        if digest(arrays) != said:
            raise ValueError("its SHA-256 is of other arrays")
        measured = {
            name.removeprefix(MEASURED): array
            for name, array in arrays.items()
            if name.startswith(MEASURED)
        }
        leaves = sum(name.startswith("state.") for name in arrays)
        return Part(
            losses=arrays["losses"],
            diverged=arrays["diverged"],
            score=arrays["score"],
            measured=measured,
            kept=arrays["kept"],
            state=[arrays[f"state.{place}"] for place in range(leaves)],
            steps=steps,
            compile_seconds=0.0,
        )


def _place(folder: Path, number: int) -> Path:
    return folder / f"group-{number:05d}.npz"


def as_path(folder: Any) -> Path:
    """A path, whatever stands there.

    Raises:
        ArgumentTypeError: for what is none.
    """
    if not is_path(folder):
        raise ArgumentTypeError(f"folder={folder!r} is not the path of a folder")
    return Path(folder).absolute()


def _short(difference: str) -> str:
    return difference if len(difference) <= 300 else f"{difference[:297]}..."


def _key(key: Any) -> str | int:
    """A key of a path in a tree, in JSON's words."""
    for name in ("key", "idx", "name"):
        if isinstance(value := getattr(key, name, None), (str, int)):
            return value
    return str(key)


def _instructions() -> str:
    """What XLA compiles for, as far as it changes bits."""
    machine = platform.machine()
    try:
        flags = re.search(r"^flags\s*:(.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        return machine
    known = flags[1].split() if flags else []
    best = next((name for name in INSTRUCTIONS if name in known), "")
    return f"{machine} {best}".strip()
