"""Doors to other libraries."""

from typing import TYPE_CHECKING, Any

from funcnn.core import MissingExtraError
from funcnn.interop.torch import from_torch, params_of, torch_step
from funcnn.interop.torch.comparing import Comparison, compare

if TYPE_CHECKING:
    from funcnn.interop.sklearn import FuncnnClassifier, FuncnnRegressor

__all__ = [
    "Comparison",
    "FuncnnClassifier",
    "FuncnnRegressor",
    "compare",
    "from_torch",
    "params_of",
    "torch_step",
]

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        """The estimators are made of scikit-learn's classes: it is imported when one is used."""
        if name not in ("FuncnnClassifier", "FuncnnRegressor"):
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        try:
            import sklearn  # noqa: F401
        except ImportError as error:
            raise MissingExtraError("scikit-learn", "sklearn") from error
        from funcnn.interop import sklearn as estimators

        return getattr(estimators, name)
