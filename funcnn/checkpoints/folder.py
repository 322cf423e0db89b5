"""A folder of checkpoints: one folder a step, each put in its place when it is whole.

```
<folder>/
    .funcnn.lock       held by the run that writes here
    .temporary-…       a step that is being written or deleted; the next run removes it
    200/
        arrays/        the arrays of the state and of the memory, as Orbax writes them
        checkpoint.json  the manifest, the memory, and the name and digest of every array
        SHA256SUMS     the digest of every file
    100.damaged/       a step that was found damaged and put aside
```
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import shutil
import warnings
from collections.abc import Collection, Iterator, Mapping
from itertools import count, islice
from pathlib import Path
from typing import Any, NamedTuple

from funcnn.checkpoints import files, trees
from funcnn.checkpoints import step as steps
from funcnn.checkpoints.arrays import require_orbax
from funcnn.checkpoints.lock import LOCK, Lock
from funcnn.checkpoints.manifest import INFORMATIVE, as_json, differences
from funcnn.core import ArgumentError, ArgumentTypeError, CheckpointError, checks

__all__ = ["Checkpoint", "CheckpointFolder", "CheckpointWarning"]

TEMPORARY = ".temporary-"

NOT_DAMAGE = (errno.EACCES, errno.EPERM, errno.EMFILE, errno.ENFILE, errno.ENOMEM)
"""A file that cannot be read for one of these reasons may be sound."""


class CheckpointWarning(UserWarning):
    """A damaged checkpoint was passed over."""


class Checkpoint(NamedTuple):
    """What was saved.

    Attributes:
        step: the step it was saved at.
        state: the state, with NumPy arrays in the dtypes that were saved; random keys are
            JAX's.
        memory: what observers remembered; tuples have become lists.
    """

    step: int
    state: Any
    memory: dict[str, Any]


class CheckpointFolder:
    """The checkpoints of one run, inside ``with``: no other run writes to the folder meanwhile.

    Args:
        folder: where they stand; made on entering, with its parents. A folder that holds
            something else is refused.
        keep: how many sound checkpoints stay, the newest ones; None for all.
        manifest: what they belong to, in JSON's words. A checkpoint whose manifest differs
            is refused.
        informative: the entries of the manifest that may differ, nested ones by their path
            (``data.digest``). ``INFORMATIVE | {"data"}`` goes on with other data.

    Raises:
        ArgumentError: for a folder that holds something else, or keep below 1.
        ArgumentTypeError: for arguments of another kind.
        CheckpointError: where another run has the folder, or it cannot be written to.
        MissingExtraError: where Orbax is not installed.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        keep: int | None,
        manifest: Mapping[str, Any],
        informative: Collection[str] = INFORMATIVE,
    ) -> None:
        try:
            self.folder = Path(folder).absolute()
        except TypeError:
            raise ArgumentTypeError(f"checkpoints={folder!r} is not the path of a folder") from None
        self.keep = None if keep is None else checks.integer("keep", keep, at_least=1)
        self._manifest = as_json(manifest)
        self._informative = frozenset(informative)
        self._lock: Lock | None = None
        self._sound: set[int] = set()

    def __enter__(self) -> CheckpointFolder:
        require_orbax()
        if self._lock is not None:
            raise CheckpointError("it is open already", self.folder)
        with self._errors(None):
            self._refuse_foreign()
            files.make_folder(self.folder)
            self._lock = Lock(self.folder)
        try:
            with self._errors(None):
                self._remove_temporary()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._lock is not None:
            self._lock.release()
        self._lock = None
        self._sound.clear()

    def steps(self) -> list[int]:
        """The steps that have a checkpoint, in order; a damaged one may be among them."""
        with self._errors(None):
            names = os.listdir(self.folder)
        return sorted(int(name) for name in names if re.fullmatch(r"0|[1-9][0-9]{0,18}", name))

    def save(self, step: int, state: Any, memory: Mapping[str, Any]) -> None:
        """Write a checkpoint; on return it is on the disk. Then remove those beyond ``keep``.

        Where this step stands there already with an equal state, nothing is written.

        Args:
            step: the number of updates made, above those that were saved.
            state: a tree of arrays and random keys.
            memory: JSON, with arrays in it anywhere.

        Raises:
            ArgumentError: where a later step stands there, or this one with another state.
            ArgumentTypeError: for a state or a memory that cannot be saved.
            CheckpointError: where the disk is full, or the folder is gone or cannot be written
                to. What was saved before is whole.
        """
        step = checks.integer("step", step, at_least=0)
        content = steps.Content(self._manifest, state, memory)
        with self._errors(step):
            self._require_lock(step)
            if self._stands_there(step, content):
                return
            self._remove_temporary()
            steps.write(content, self._temporary(), self._place(step))
            self._sound.add(step)
            self._remove_old()

    def newest(self, like: Any) -> Checkpoint | None:
        """The newest sound checkpoint, or None; damaged ones are put aside with a warning.

        Args:
            like: a tree of ``jax.ShapeDtypeStruct`` (or arrays) like the state.

        Raises:
            ArgumentError: where it is another run's: what differs is listed.
            CheckpointError: where the files cannot be opened.
        """
        wanted = trees.describe(like, "state")
        self._sound.clear()
        while True:
            with self._errors(None):
                self._require_lock()
                step = next(self._sound_steps(), None)
            if step is None:
                return None
            with self._errors(step):
                index = steps.read_index(self._place(step))
                self._refuse_other(step, index, wanted)
                try:
                    return Checkpoint(step, *steps.read(self._place(step), index, like))
                except files.DamagedError as error:
                    self._put_aside(step, error)

    def read(self, step: int, like: Any) -> Checkpoint:
        """A checkpoint that another process, which has the folder open, has found sound.

        Args:
            step: its step.
            like: as for :meth:`newest`.

        Raises:
            CheckpointError: where it cannot be read.
        """
        require_orbax()
        with self._errors(step):
            index = steps.read_index(self._place(step))
            return Checkpoint(step, *steps.read(self._place(step), index, like))

    def _place(self, step: int) -> Path:
        return self.folder / str(step)

    def _temporary(self) -> Path:
        return self.folder / f"{TEMPORARY}{secrets.token_hex(8)}"

    def _sound_steps(self) -> Iterator[int]:
        """The sound steps, the newest first; the damaged ones before them are put aside."""
        for step in reversed(self.steps()):
            if step not in self._sound:
                try:
                    files.check(self._place(step))
                except (files.DamagedError, OSError) as error:
                    if isinstance(error, OSError) and error.errno in NOT_DAMAGE:
                        raise
                    self._put_aside(step, error)
                    continue
                self._sound.add(step)
            yield step

    def _put_aside(self, step: int, reason: Exception) -> None:
        names = (f"{step}.damaged{f'-{number}' if number else ''}" for number in count())
        aside = next(name for name in names if not os.path.lexists(self.folder / name))
        self._place(step).rename(self.folder / aside)
        files.sync(self.folder)
        self._sound.discard(step)
        warnings.warn(
            f"{self._place(step)} is damaged and passed over: {reason}. It is now {aside}",
            CheckpointWarning,
            stacklevel=4,
        )

    def _stands_there(self, step: int, content: steps.Content) -> bool:
        newest = next(self._sound_steps(), None)
        if newest is None or newest < step:
            return False
        if newest > step:
            raise ArgumentError(
                f"{self.folder} holds step {newest}, so step {step} is not saved: go on from the "
                "newest checkpoint, or use another folder"
            )
        if steps.read_index(self._place(step))["state"] != content.index["state"]:
            raise ArgumentError(
                f"{self._place(step)} holds another state of this step: use another folder"
            )
        return True

    def _refuse_other(self, step: int, index: dict[str, Any], wanted: dict[str, str]) -> None:
        saved = {one["name"]: one["kind"] for one in index["state"]}
        found = differences(index["manifest"], self._manifest, self._informative)
        found += differences(saved, wanted)
        if found:
            raise ArgumentError(
                "\n  ".join([f"{self._place(step)} is a checkpoint of another run:", *found])
            )

    def _remove_old(self) -> None:
        if self.keep is None:
            return
        kept = list(islice(self._sound_steps(), self.keep))
        for step in self.steps():
            if step < kept[-1] and len(kept) == self.keep:
                # Out of its place first: what is half removed must not look damaged.
                self._place(step).rename(self._temporary())
                self._sound.discard(step)
        self._remove_temporary()

    def _remove_temporary(self) -> None:
        for path in self.folder.glob(f"{TEMPORARY}*"):
            if files.is_real_folder(path):
                shutil.rmtree(path)
            else:
                path.unlink()

    def _refuse_foreign(self) -> None:
        """Refuse a folder in which something else stands than checkpoints of funcnn."""
        if not os.path.lexists(self.folder):
            return
        if not self.folder.is_dir():
            raise ArgumentError(f"checkpoints={str(self.folder)!r} is not a folder")
        visible = [path for path in self.folder.iterdir() if not path.name.startswith(".")]
        known = any((path / steps.INDEX).is_file() for path in visible)
        if visible and not known and not (self.folder / LOCK).is_file():
            raise ArgumentError(
                f"checkpoints={str(self.folder)!r} holds something else, such as "
                f"{visible[0].name!r}: use a folder that is empty, or new"
            )

    def _require_lock(self, step: int | None = None) -> None:
        if self._lock is None:
            raise CheckpointError("the folder is open only inside `with`", self.folder, step)
        if not self._lock.holds():
            raise CheckpointError("the folder was removed or replaced meanwhile", self.folder, step)

    @contextlib.contextmanager
    def _errors(self, step: int | None) -> Iterator[None]:
        """Make one error of the many that a disk and Orbax have."""
        try:
            yield
        except (ArgumentError, CheckpointError, Warning):
            raise
        except Exception as error:
            raise CheckpointError(f"{type(error).__name__}: {error}", self.folder, step) from error
