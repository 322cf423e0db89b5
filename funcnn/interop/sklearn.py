"""Networks as estimators of scikit-learn.

>>> from sklearn.datasets import load_iris
>>> from sklearn.model_selection import cross_val_score
>>> from sklearn.pipeline import make_pipeline
>>> from sklearn.preprocessing import StandardScaler
>>> net = make_pipeline(StandardScaler(), FuncnnClassifier(hidden=10, learning_rate=0.01))
>>> bool(cross_val_score(net, *load_iris(return_X_y=True), cv=3).mean() > 0.9)
True
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import jax
import numpy as np
from jaxtyping import Float, Shaped
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, column_or_1d, validate_data

from funcnn.core import ArgumentError, ArgumentTypeError, Model
from funcnn.core.precision import check_dtype, numerics
from funcnn.data.arrays import as_given
from funcnn.runs import DEFAULTS, Predictor, train
from funcnn.runs.foreign import adapted
from funcnn.runs.prediction import predictor
from funcnn.runs.shapes import params_shapes

__all__ = ["FuncnnClassifier", "FuncnnRegressor"]

NOT_OF_TRAIN = ("options", "random_state")
"""Parameters of an estimator that are no arguments of ``train``."""


class _Network(BaseEstimator):
    """What the two estimators share: their parameters, and how they fit."""

    predictor_: Predictor

    def __init__(
        self,
        model: Any = "mlp_linear",
        *,
        hidden: int | Sequence[int] | None = None,
        activation: str | None = None,
        dropout: float | None = None,
        loss: Any = None,
        optimizer: Any = None,
        learning_rate: Any = None,
        weight_decay: float | None = None,
        steps: int | None = None,
        epochs: int | None = None,
        batch_size: int | None = None,
        standardize: bool | None = None,
        validation_fraction: float | None = None,
        patience: int | None = None,
        dtype: Any = None,
        random_state: int | np.random.RandomState | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        self.model = model
        self.hidden = hidden
        self.activation = activation
        self.dropout = dropout
        self.loss = loss
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.steps = steps
        self.epochs = epochs
        self.batch_size = batch_size
        self.standardize = standardize
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.dtype = dtype
        self.random_state = random_state
        self.options = options

    def _train(self, x: np.ndarray, y: np.ndarray, sample_weight: Any, **defaults: Any) -> Self:
        """Train, and keep what predicts, the losses and the history."""
        given = self.get_params(deep=False)
        arguments = defaults | {
            name: value
            for name, value in given.items()
            if value is not None and name not in NOT_OF_TRAIN
        }
        if self.random_state is not None:
            arguments["seed"] = _seed(self.random_state)
        arguments |= {"progress": False} | self._options()
        asked = adapted({"data": (x, y)} | arguments)
        column = _as_predicted(y, _predicted(asked, x))
        if column is not None:
            asked["data"] = x, column
        result = train(sample_weight=sample_weight, **asked)
        preparation = result.preparation
        if column is not None:
            preparation = preparation._replace(target_axes=y.ndim)
        self.predictor_ = Predictor(result.model, result.params, preparation, result.recipe)
        self.losses_ = result.losses
        self.history_ = dict(result.history)
        return self

    def _options(self) -> dict[str, Any]:
        """The further arguments of ``train``, where they are such."""
        options = {} if self.options is None else self.options
        if not isinstance(options, Mapping):
            raise ArgumentTypeError(
                f"options={options!r:.60} must be a dict of arguments of funcnn.train"
            )
        own = {*self.get_params(deep=False), "data", "sample_weight", "seed"}
        if twice := sorted(own & options.keys()):
            raise ArgumentError(
                f"options hold {', '.join(twice)}, which the estimator or its fit is given itself"
            )
        return dict(options)

    def _inputs(self, x: Any) -> np.ndarray:
        """The inputs of a prediction, where they are like those of ``fit``."""
        check_is_fitted(self)
        return np.asarray(validate_data(self, x, reset=False, allow_nd=True))


def _seed(random_state: Any) -> Any:
    """The seed of a run: the number itself, or one that a generator draws."""
    if isinstance(random_state, np.random.RandomState):
        return int(random_state.randint(2**31 - 1))
    return random_state


def _predicted(asked: Mapping[str, Any], x: np.ndarray) -> tuple[int, ...] | None:
    """The shape of what a model of one's own predicts; None where that is not known."""
    model, params = asked["model"], asked.get("params")
    if isinstance(model, str):
        return None
    try:
        dtype = check_dtype(DEFAULTS.dtype if asked.get("dtype") is None else asked["dtype"])
        model = model if isinstance(model, Model) else Model(*model)
        with numerics(dtype):
            if params is None and model.init is not None:
                params = params_shapes(model.init, dtype)
            return jax.eval_shape(predictor(model), params, as_given("x", x, dtype)).shape
    except Exception:  # The run will tell what is wrong.
        return None


def _as_predicted(y: np.ndarray, shape: tuple[int, ...] | None) -> np.ndarray | None:
    """Numbers in the shape of their predictions, where that is another of the same column."""
    columns = (len(y),), (len(y), 1)
    is_other = shape != y.shape and y.dtype.kind == "f"
    return y.reshape(shape) if is_other and shape in columns and y.shape in columns else None


class FuncnnRegressor(RegressorMixin, _Network):
    """A network that predicts numbers.

    Every parameter is the argument of ``funcnn.train`` of its name, and what is None is left to
    it: the mean squared error, Adam, 1000 steps. The model may be any that ``train`` takes.
    ``random_state`` is the seed, or a ``RandomState`` that draws one; None is the seed 0.
    ``options`` holds any further arguments of ``train`` by name, such as ``{"momentum": 0.9}``.

    Attributes:
        predictor_: what predicts, and what ``save`` writes: a ``funcnn.Predictor``.
        losses_: the loss before each step, (steps,).
        history_: what was recorded, as columns.

    >>> x = np.linspace(-1, 1, 40)[:, None]
    >>> net = FuncnnRegressor(hidden=8, learning_rate=0.01, random_state=0).fit(x, x[:, 0] ** 2)
    >>> bool(net.score(x, x[:, 0] ** 2) > 0.99)
    True
    """

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:  # noqa: N803
        """Train the network.

        Args:
            X: the inputs, (samples, features); of more axes for a model of one's own.
            y: the targets, (samples,) or (samples, targets). One number a sample may have a last
                axis or none, whichever of the two a model of one's own predicts.
            sample_weight: how much each sample counts, (samples,).

        Raises:
            ValueError, TypeError: for what cannot be trained on, before anything compiles.
        """
        x, y = validate_data(self, X, y, allow_nd=True, multi_output=True, y_numeric=True)
        return self._train(np.asarray(x), np.asarray(y, np.float64), sample_weight)

    def predict(self, X: Any) -> Shaped[np.ndarray, "samples ..."]:  # noqa: N803
        """The predictions, with the axes of y."""
        x = self._inputs(X)
        return self.predictor_.predict(x)


class FuncnnClassifier(ClassifierMixin, _Network):
    """A network that predicts classes, one of two or more.

    The parameters are those of ``FuncnnRegressor``. The loss is ``"cross_entropy"`` without one:
    a model of one's own has an output for each class.

    Attributes:
        classes_: the classes, sorted.
        predictor_: what predicts, and what ``save`` writes: a ``funcnn.Predictor``, whose classes
            are numbers in ``classes_``.
        losses_: the loss before each step, (steps,).
        history_: what was recorded, as columns.
    """

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:  # noqa: N803
        """Train the network.

        Args:
            X: the inputs, (samples, features); of more axes for a model of one's own.
            y: the class of each, (samples,), of any kind.
            sample_weight: how much each sample counts, (samples,).

        Raises:
            ValueError, TypeError: for what cannot be trained on, before anything compiles.
        """
        x, y = validate_data(self, X, y, allow_nd=True)
        check_classification_targets(y)
        self.classes_, codes = np.unique(column_or_1d(y, warn=True), return_inverse=True)
        if len(self.classes_) < 2:
            raise ArgumentError(
                f"y holds one class, {self.classes_.tolist()}; at least 2 are needed"
            )
        return self._train(
            np.asarray(x), codes.astype(np.int32), sample_weight, loss="cross_entropy"
        )

    def predict_proba(self, X: Any) -> Float[np.ndarray, "samples classes"]:  # noqa: N803
        """The probability of each class, in the order of ``classes_``."""
        x = self._inputs(X)
        return self.predictor_.predict_proba(x)

    def predict(self, X: Any) -> Shaped[np.ndarray, " samples"]:  # noqa: N803
        """The likeliest classes."""
        x = self._inputs(X)
        return self.classes_[self.predictor_.predict_classes(x)]
