"""PyTorch's optimizers over optax: the meaning and the defaults of ``torch.optim``.

Each function returns a :class:`funcnn.optimizers.Optimizer`, an
``optax.GradientTransformation`` whose numbers live in its state: another learning rate
compiles nothing again, and ``jax.vmap`` over the numbers is a sweep.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import optax

from funcnn.core import ArgumentError, Number, checks
from funcnn.optimizers.optimizer import Optimizer
from funcnn.optimizers.schedules import Schedule

LearningRate: TypeAlias = Number | Schedule | Callable[[Any], Any]

__all__ = ["OPTIMIZERS", "LearningRate", "adam", "adamw", "momentum", "rmsprop", "sgd"]


def sgd(
    learning_rate: LearningRate = 1e-3,
    *,
    momentum: Number = 0.0,
    dampening: Number = 0.0,
    weight_decay: Number = 0.0,
    nesterov: bool = False,
) -> Optimizer:
    """Stochastic gradient descent, ``torch.optim.SGD``.

    Args:
        learning_rate: a positive number, one of ``funcnn.optimizers.schedules``, or any function
            from step to number.
        momentum: the share of the last move that is kept, 0 for none.
        dampening: for PyTorch's signature; anything but 0 is refused.
        weight_decay: λ of an L2 penalty, λ·params added to the gradient.
        nesterov: whether the move looks ahead by the momentum.

    Returns:
        An :class:`Optimizer`, which is an ``optax.GradientTransformation``.

    Raises:
        ArgumentError, ArgumentTypeError: for a number out of its range.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.optim.SGD.html
    """
    if _used(checks.number("dampening", dampening)) is not None:
        raise ArgumentError(
            f"dampening={dampening}: optax.trace has none; divide the learning rate instead, "
            f"or keep dampening=0"
        )
    momentum = checks.number("momentum", momentum)
    if nesterov and _used(momentum) is None:
        raise ArgumentError("nesterov=True needs a momentum above 0")
    return Optimizer.of(
        sgd_chain,
        {"nesterov": checks.flag("nesterov", nesterov)},
        linear=True,
        learning_rate=_rate(learning_rate),
        momentum=_used(momentum),
        weight_decay=_used(checks.number("weight_decay", weight_decay)),
    )


def momentum(
    learning_rate: LearningRate = 1e-3,
    *,
    momentum: Number = 0.9,
    weight_decay: Number = 0.0,
    nesterov: bool = False,
) -> Optimizer:
    """:func:`sgd` with a momentum of 0.9, the tutorials' value."""
    return sgd(learning_rate, momentum=momentum, weight_decay=weight_decay, nesterov=nesterov)


def rmsprop(
    learning_rate: LearningRate = 1e-2,
    *,
    alpha: Number = 0.99,
    eps: Number = 1e-8,
    weight_decay: Number = 0.0,
    momentum: Number = 0.0,
    centered: bool = False,
) -> Optimizer:
    """RMSprop as ``torch.optim.RMSprop`` has it: g / (√v + ε).

    optax's own defaults differ: its decay is 0.9, its ε stands under the root,
    and its momentum comes after the learning rate (the same while the rate is
    constant).

    Args:
        learning_rate: a positive number, one of ``funcnn.optimizers.schedules``, or any function
            from step to number.
        alpha: the share of the running mean of squares that is kept, below 1.
        eps: ε, added to the root.
        weight_decay: λ of an L2 penalty, λ·params added to the gradient.
        momentum: the share of the last move that is kept, 0 for none.
        centered: whether v is the variance, not the mean of squares.

    Returns:
        An :class:`Optimizer`, which is an ``optax.GradientTransformation``.

    Raises:
        ArgumentError, ArgumentTypeError: for a number out of its range.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.optim.RMSprop.html
    """
    return Optimizer.of(
        rmsprop_chain,
        {"centered": checks.flag("centered", centered)},
        learning_rate=_rate(learning_rate),
        alpha=checks.number("alpha", alpha, below=1),
        eps=checks.number("eps", eps),
        weight_decay=_used(checks.number("weight_decay", weight_decay)),
        momentum=_used(checks.number("momentum", momentum)),
    )


def adam(
    learning_rate: LearningRate = 1e-3,
    *,
    beta1: Number = 0.9,
    beta2: Number = 0.999,
    eps: Number = 1e-8,
    weight_decay: Number = 0.0,
) -> Optimizer:
    """Adam, ``torch.optim.Adam``.

    Args:
        learning_rate: a positive number, one of ``funcnn.optimizers.schedules``, or any function
            from step to number.
        beta1: the share of the running mean of gradients that is kept, below 1.
        beta2: the share of the running mean of squares that is kept, below 1.
        eps: ε, added to the root.
        weight_decay: λ of an L2 penalty, λ·params added to the gradient.

    Returns:
        An :class:`Optimizer`, which is an ``optax.GradientTransformation``.

    Raises:
        ArgumentError, ArgumentTypeError: for a number out of its range.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.optim.Adam.html
    """
    return Optimizer.of(
        adam_chain,
        learning_rate=_rate(learning_rate),
        beta1=checks.number("beta1", beta1, below=1),
        beta2=checks.number("beta2", beta2, below=1),
        eps=checks.number("eps", eps),
        weight_decay=_used(checks.number("weight_decay", weight_decay)),
    )


def adamw(
    learning_rate: LearningRate = 1e-3,
    *,
    beta1: Number = 0.9,
    beta2: Number = 0.999,
    eps: Number = 1e-8,
    weight_decay: Number = 1e-2,
) -> Optimizer:
    """Adam with a weight decay apart from the gradient, ``torch.optim.AdamW``.

    Args, Returns and Raises as for :func:`adam`, but that ``weight_decay``
    shrinks the params by ``learning_rate * weight_decay`` a step.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.optim.AdamW.html
    """
    return Optimizer.of(
        adamw_chain,
        learning_rate=_rate(learning_rate),
        beta1=checks.number("beta1", beta1, below=1),
        beta2=checks.number("beta2", beta2, below=1),
        eps=checks.number("eps", eps),
        weight_decay=checks.number("weight_decay", weight_decay),
    )


OPTIMIZERS = {function.__name__: function for function in (sgd, momentum, rmsprop, adam, adamw)}


def sgd_chain(learning_rate: Any, momentum: Any, weight_decay: Any, nesterov: bool) -> Any:
    return optax.chain(
        _l2(weight_decay),
        _trace(momentum, nesterov),
        optax.scale_by_learning_rate(learning_rate),
    )


def rmsprop_chain(
    learning_rate: Any, alpha: Any, eps: Any, weight_decay: Any, momentum: Any, centered: bool
) -> Any:
    scale = optax.scale_by_stddev if centered else optax.scale_by_rms
    return optax.chain(
        _l2(weight_decay),
        scale(decay=alpha, eps=eps, eps_in_sqrt=False),
        _trace(momentum),
        optax.scale_by_learning_rate(learning_rate),
    )


def adam_chain(learning_rate: Any, beta1: Any, beta2: Any, eps: Any, weight_decay: Any) -> Any:
    return optax.chain(
        _l2(weight_decay),
        optax.scale_by_adam(b1=beta1, b2=beta2, eps=eps),
        optax.scale_by_learning_rate(learning_rate),
    )


def adamw_chain(learning_rate: Any, beta1: Any, beta2: Any, eps: Any, weight_decay: Any) -> Any:
    return optax.adamw(learning_rate, b1=beta1, b2=beta2, eps=eps, weight_decay=weight_decay)


def _l2(weight_decay: Any) -> optax.GradientTransformation:
    return optax.identity() if weight_decay is None else optax.add_decayed_weights(weight_decay)


def _trace(momentum: Any, nesterov: bool = False) -> optax.GradientTransformation:
    return optax.identity() if momentum is None else optax.trace(momentum, nesterov)


def _rate(learning_rate: LearningRate) -> LearningRate:
    if callable(learning_rate):
        return checks.function("learning_rate", learning_rate)
    return checks.number("learning_rate", learning_rate, positive=True)


def _used(value: Number) -> Number | None:
    """None for a plain 0, which leaves the whole transformation out."""
    return None if isinstance(value, float) and value == 0 else value
