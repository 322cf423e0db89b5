"""The words of funcnn: a model, the state of a run, and the errors.

Everything else stands on this file; it imports nothing of the package.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Array, Float, Int, Key, PyTree

    Params: TypeAlias = PyTree[Array]
    Loss: TypeAlias = Callable[[Array, Array], Float[Array, ""]]
    Data: TypeAlias = tuple[Array, Array]

__all__ = [
    "ArgumentError",
    "ArgumentTypeError",
    "DivergenceError",
    "MissingExtraError",
    "Model",
    "TrainState",
    "TrainingInterrupted",
    "remembered",
]


remembered = functools.lru_cache(maxsize=32)
"""Makes a function give the same result again for the same arguments.

What is compiled for a function is found again by that function itself, so the
functions of a model, a loss or an optimizer must be made once, not at each call.
"""


class Model(NamedTuple):
    """A model: two pure functions, and what is known about them.

    Attributes:
        init: ``init(key) -> params``, a nested dict of arrays.
        apply: ``apply(params, x) -> prediction``; ``apply(params, x, key)``
            where ``stochastic`` is true.
        value_and_grad: ``value_and_grad(params, x, y) -> (loss, gradient)``,
            derived by hand for the sum of squared errors; None where the model
            has no such rule.
        formula: ``formula(params) -> str``, the fitted function as text; None
            where it would not fit on a line.
        stochastic: whether ``apply`` draws random numbers, and so takes a key.
        linear: whether the prediction is linear in the params: twice the params, twice
            the prediction.
        head: ``head(params, h) -> prediction`` from the first layer's h = x·w1, where
            the network starts so and uses x and ``params["w1"]`` nowhere else.
        input_axes: 1 where a sample is a number and x is (samples,), 2 where it is
            a row and x is (samples, features); None to take x and y as they come.
    """

    init: Callable[[Key[Array, ""]], Params]
    apply: Callable[..., Array]
    value_and_grad: Callable[[Params, Array, Array], tuple[Array, Params]] | None = None
    formula: Callable[[Params], str] | None = None
    stochastic: bool = False
    linear: bool = False
    head: Callable[[Params, Array], Array] | None = None
    input_axes: int | None = None


class TrainState(NamedTuple):
    """All that a run needs to go on, and nothing else.

    Attributes:
        params: the model's parameters.
        optimizer_state: what the optimizer remembers, its hyperparameters among it.
        step: the number of updates made, a scalar int32.
        key: the key from which every step derives its random numbers.
    """

    params: Params
    optimizer_state: Any
    step: Int[Array, ""]
    key: Key[Array, ""]


class ArgumentError(ValueError):
    """An argument has a value that cannot be used; nothing was compiled."""


class ArgumentTypeError(ArgumentError, TypeError):
    """An argument is not of a kind that can be used; nothing was compiled."""


class MissingExtraError(ImportError):
    """An optional package is not installed.

    >>> raise MissingExtraError("matplotlib", "plot")
    Traceback (most recent call last):
    ...
    funcnn.core.MissingExtraError: matplotlib is not installed: pip install 'funcnn[plot]'
    """

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(package, extra)

    def __str__(self) -> str:
        package, extra = self.args
        return f"{package} is not installed: pip install 'funcnn[{extra}]'"


class DivergenceError(ArithmeticError):
    """A run stopped being finite.

    Attributes:
        step: the first step whose loss is NaN or infinite (the number of steps
            asked for, when the loss stayed finite but the final params are not).
        state: the last state whose loss is finite (the first state, where there
            is none): ``state.params`` can be used, or trained on at a smaller rate.
        losses: the finite losses, one for each step before ``step``.
    """

    def __init__(self, step: int, state: TrainState, losses: np.ndarray) -> None:
        super().__init__(step, state, losses)
        self.step = step
        self.state = state
        self.losses = losses

    def __str__(self) -> str:
        return (
            f"the run diverged: after {self.step} steps it is not finite any more; a smaller "
            f"learning_rate may help (the state of step {int(self.state.step)} is attached)"
        )


class TrainingInterrupted(KeyboardInterrupt):
    """Ctrl-C stopped a run, or a sweep; ``result`` holds what was finished."""

    def __init__(self, result: Any) -> None:
        super().__init__(result)
        self.result = result

    def __str__(self) -> str:
        return f"interrupted; what was finished is attached: {self.result!r}"
