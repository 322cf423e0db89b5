"""What was recorded of a run, as columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Shaped

from funcnn.core import MissingExtraError

if TYPE_CHECKING:
    from pandas import DataFrame
else:
    DataFrame = Any  # pandas may be missing, and takes long to import.

__all__ = ["History", "of_losses"]


class History(Mapping[str, Shaped[np.ndarray, " rows"]]):
    """A table of what was recorded of a run: ``history["validation_loss"]``.

    Its columns are ``step`` (how many steps were made), ``epoch`` (how often they went
    through all samples), ``loss`` (the mean of the losses since the row before), and the
    scores by their names; those on the validation part begin with ``validation_``.

    Args:
        rows: a dict for each row, all with the same keys.
    """

    def __init__(self, rows: Sequence[Mapping[str, Any]]) -> None:
        names = rows[0] if rows else {"step": 0, "epoch": 0.0, "loss": 0.0}
        kinds = {name: np.int64 if name == "step" else np.float64 for name in names}
        self._columns = {
            name: np.array([row[name] for row in rows], kind) for name, kind in kinds.items()
        }

    @classmethod
    def of_columns(cls, columns: Mapping[str, Shaped[np.ndarray, " rows"]]) -> History:
        """The history that has these columns."""
        history = cls([])
        history._columns = dict(columns)
        return history

    def __getitem__(self, name: str) -> Shaped[np.ndarray, " rows"]:
        return self._columns[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)

    def to_pandas(self) -> DataFrame:
        """The table as a pandas frame; needs pandas."""
        try:
            import pandas
        except ImportError:
            raise MissingExtraError("pandas", "pandas") from None
        return pandas.DataFrame(self._columns)

    def __repr__(self) -> str:
        return f"History({len(self['step'])} rows: {', '.join(self)})"


def of_losses(losses: Float[np.ndarray, " steps"], per_epoch: int) -> History:
    """The history of a run of which nothing but the losses was recorded: a row an epoch.

    >>> of_losses(np.array([4.0, 2.0, 1.0]), per_epoch=2)["loss"]
    array([3., 1.])
    """
    starts = np.arange(0, len(losses), per_epoch)
    ends = np.minimum(starts + per_epoch, len(losses))
    sums = np.add.reduceat(losses, starts, dtype=np.float64) if len(losses) else losses
    return History.of_columns(
        {"step": ends, "epoch": ends / per_epoch, "loss": sums / np.maximum(ends - starts, 1)}
    )
