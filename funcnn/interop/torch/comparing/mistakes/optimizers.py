"""Mistakes in optimizers: transformations of optax that are not what PyTorch's optimizer does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import optax
import torch

from funcnn.interop.torch.comparing.mistakes.mistake import Mistake

__all__ = ["of_optimizer"]

Options = dict[str, Any]


def of_optimizer(optimizer: torch.optim.Optimizer) -> Iterator[Mistake]:
    """What a port may have in place of an optimizer of one group, as transformations of optax."""
    options = {name: value for name, value in optimizer.param_groups[0].items() if name != "params"}
    options["lr"] = float(options["lr"])
    for kind, mistakes in KNOWN.items():
        if type(optimizer) is kind:
            yield from mistakes(options)
    yield from _elsewhere(type(optimizer), options)


def _sgd(options: Options) -> Iterator[Mistake]:
    rate, momentum, decay = options["lr"], options["momentum"], options["weight_decay"]
    nesterov, dampening = options["nesterov"], options["dampening"]

    def sgd(
        momentum: float = momentum, nesterov: bool = nesterov, decay: float = decay
    ) -> optax.GradientTransformation:
        return optax.chain(
            optax.add_decayed_weights(decay), optax.sgd(rate, momentum or None, nesterov)
        )

    if momentum:
        yield Mistake("no momentum", f"momentum={momentum}", lambda: sgd(momentum=0.0))
        yield Mistake(
            "no Nesterov momentum" if nesterov else "Nesterov momentum",
            f"nesterov={nesterov}",
            lambda: sgd(nesterov=not nesterov),
        )
    if decay:
        yield Mistake("no weight decay", f"decay the weights by {decay}", lambda: sgd(decay=0.0))
    if dampening:
        yield Mistake(
            "no dampening",
            f"multiply the gradient by {1 - dampening:g} from the second step on: optax has none",
            sgd,
        )
    for other in (0.9, 0.99):
        if other != momentum:
            yield Mistake(
                f"momentum {other} in place of {momentum}",
                f"momentum={momentum}",
                lambda other=other: sgd(momentum=other),
            )
    yield Mistake(
        "a mean of the gradients (optax.ema) in place of momentum",
        "PyTorch adds the gradient whole: optax.trace",
        lambda: optax.chain(
            optax.add_decayed_weights(decay), optax.ema(momentum, debias=False), optax.sgd(rate)
        ),
    )
    yield Mistake(
        "weight decay apart from the gradient and the momentum",
        "add it to the gradient: optax.chain(optax.add_decayed_weights(...), optax.sgd(...))",
        lambda: optax.chain(
            optax.trace(momentum, nesterov) if momentum else optax.identity(),
            optax.add_decayed_weights(decay),
            optax.scale(-rate),
        ),
    )


def _adam(options: Options) -> Iterator[Mistake]:
    rate, (b1, b2), eps = options["lr"], options["betas"], options["eps"]
    decay = options["weight_decay"]
    decoupled = options.get("decoupled_weight_decay", False)
    amsgrad = options["amsgrad"]

    def adam(
        decay: float = decay, decoupled: bool = decoupled, scale: Any = None, **other: Any
    ) -> optax.GradientTransformation:
        settings = {"b1": b1, "b2": b2, "eps": eps} | other
        added = optax.add_decayed_weights(decay)
        parts = [(scale or optax.scale_by_adam)(**settings)]
        return optax.chain(*([*parts, added] if decoupled else [added, *parts]), optax.scale(-rate))

    if amsgrad:
        yield Mistake(
            "optax.amsgrad, which keeps the largest of the corrected second moments",
            "PyTorch keeps the largest of the uncorrected ones: write it by hand",
            lambda: adam(scale=optax.scale_by_amsgrad),
        )
        yield Mistake("Adam without amsgrad", "amsgrad=True in PyTorch", adam)
    else:
        yield Mistake(
            "AMSGrad in place of Adam", "optax.adam", lambda: adam(scale=optax.scale_by_amsgrad)
        )
    if decay:
        yield Mistake(
            "weight decay added to the gradient (Adam) where PyTorch's AdamW decays apart from it"
            if decoupled
            else "weight decay apart from the gradient (AdamW) where PyTorch's Adam adds it to it",
            f"optax.adamw(..., weight_decay={decay})"
            if decoupled
            else f"optax.chain(optax.add_decayed_weights({decay}), optax.adam(...))",
            lambda: adam(decoupled=not decoupled),
        )
        yield Mistake("no weight decay", f"weight_decay={decay}", lambda: adam(decay=0.0))
    for other in (1e-4, 1e-2):
        if other != decay:
            yield Mistake(
                f"weight decay {other:g} in place of {decay:g}"
                + (", optax.adamw's own" if other == 1e-4 else ""),
                f"weight_decay={decay:g}",
                lambda other=other: adam(decay=other, decoupled=True),
            )
    for other in (1e-7, 1e-6, 1e-10, 1e-5, 0.0):
        if other != eps:
            yield Mistake(
                f"eps {other:g} in place of {eps:g}",
                f"eps={eps:g}",
                lambda other=other: adam(eps=other),
            )
    yield Mistake(
        "eps inside the root",
        f"eps={eps:g} and eps_root=0",
        lambda: adam(eps=0.0, eps_root=eps),
    )
    for other in (0.99, 0.95, 0.98, 0.999):
        if other != b2:
            yield Mistake(
                f"b2 {other} in place of {b2}", f"b2={b2}", lambda other=other: adam(b2=other)
            )
    for other in (0.5, 0.0, 0.9):
        if other != b1:
            yield Mistake(
                f"b1 {other} in place of {b1}", f"b1={b1}", lambda other=other: adam(b1=other)
            )
    yield Mistake(
        "Nesterov momentum (NAdam)",
        "nesterov=False",
        lambda: adam(nesterov=True),
    )
    yield Mistake(
        "no correction of the moments' start",
        "divide the moments by 1 - beta**step, as optax.adam does",
        lambda: optax.chain(_uncorrected(b1, b2, eps), optax.scale(-rate)),
    )


def _rmsprop(options: Options) -> Iterator[Mistake]:
    rate, alpha, eps = options["lr"], options["alpha"], options["eps"]
    shared = {"centered": options["centered"], "momentum": options["momentum"] or None}
    right = f"funcnn.optimizers.rmsprop({rate:g}), or optax.rmsprop(decay={alpha}, eps={eps:g}, "
    right += "eps_in_sqrt=False)"
    for decay, inside in ((0.9, True), (alpha, True), (0.9, False)):
        parts = [f"decay {decay} in place of {alpha}"] if decay != alpha else []
        parts += ["eps inside the root"] if inside else []
        yield Mistake(
            " and ".join(parts) + (", optax's defaults" if inside else ""),
            right,
            lambda decay=decay, inside=inside: optax.rmsprop(
                rate, decay=decay, eps=eps, eps_in_sqrt=inside, **shared
            ),
        )
    yield Mistake(
        "an average that starts from 1",
        "initial_scale=0",
        lambda: optax.rmsprop(rate, alpha, eps, initial_scale=1.0, eps_in_sqrt=False, **shared),
    )


def _adagrad(options: Options) -> Iterator[Mistake]:
    rate, start, eps = options["lr"], options["initial_accumulator_value"], options["eps"]
    right = (
        f"optax.adagrad(..., initial_accumulator_value={start:g}, eps={eps:g}) still has eps "
        "inside the root: write it by hand"
    )
    for first, small in ((0.1, 1e-7), (0.1, eps), (start, 1e-7), (start, eps)):
        yield Mistake(
            "optax.adagrad"
            + (f", whose sum starts from {first:g} in place of {start:g}" if first != start else "")
            + (", with eps inside the root" if first == start else ""),
            right,
            lambda first=first, small=small: optax.adagrad(rate, first, small),
        )


def _nadam(options: Options) -> Iterator[Mistake]:
    rate, (b1, b2), eps = options["lr"], options["betas"], options["eps"]
    yield Mistake(
        "optax.nadam, which has no momentum decay",
        f"PyTorch's momentum grows with the step (momentum_decay={options['momentum_decay']:g}): "
        "write it by hand",
        lambda: optax.nadam(rate, b1, b2, eps),
    )
    yield Mistake("Adam in place of NAdam", "use NAdam", lambda: optax.adam(rate, b1, b2, eps))


def _radam(options: Options) -> Iterator[Mistake]:
    rate, (b1, b2), eps = options["lr"], options["betas"], options["eps"]
    yield Mistake(
        "optax.radam, whose threshold and eps are others",
        "write it by hand, as torch.optim.RAdam's documentation has it",
        lambda: optax.radam(rate, b1, b2, eps),
    )
    yield Mistake("Adam in place of RAdam", "use RAdam", lambda: optax.adam(rate, b1, b2, eps))


def _elsewhere(kind: type, options: Options) -> Iterator[Mistake]:
    """Another optimizer with its own numbers, at PyTorch's rate."""
    rate = options["lr"]
    own = f"torch.optim.{kind.__name__}"
    others: dict[str, Callable[[], optax.GradientTransformation]] = {
        "optax.sgd": lambda: optax.sgd(rate),
        "optax.adam": lambda: optax.adam(rate),
        "optax.adamw": lambda: optax.adamw(rate),
        "optax.rmsprop": lambda: optax.rmsprop(rate),
        "optax.adagrad": lambda: optax.adagrad(rate),
        "optax.nadam": lambda: optax.nadam(rate),
        "optax.nadamw": lambda: optax.nadamw(rate),
        "optax.amsgrad": lambda: optax.amsgrad(rate),
        "optax.radam": lambda: optax.radam(rate),
        "optax.adamax": lambda: optax.adamax(rate),
        "optax.adadelta": lambda: optax.adadelta(rate),
        "optax.lion": lambda: optax.lion(rate),
        "optax.rprop": lambda: optax.rprop(rate),
    }
    for name, function in others.items():
        yield Mistake(
            f"{name} with its own numbers in place of {own}",
            f"do what {own} does with {_numbers(options)}",
            function,
        )


def _uncorrected(b1: float, b2: float, eps: float) -> optax.GradientTransformation:
    """Adam with its moments as they are, which begin at 0."""

    def init(params: Any) -> Any:
        zeros = jax.tree.map(jnp.zeros_like, params)
        return zeros, zeros

    def update(updates: Any, state: Any, params: Any = None) -> Any:
        del params
        first = jax.tree.map(lambda m, g: b1 * m + (1 - b1) * g, state[0], updates)
        second = jax.tree.map(lambda v, g: b2 * v + (1 - b2) * g**2, state[1], updates)
        change = jax.tree.map(lambda m, v: m / (jnp.sqrt(v) + eps), first, second)
        return change, (first, second)

    return optax.GradientTransformation(init, update)


def _numbers(options: Options) -> str:
    shown = ("lr", "momentum", "betas", "alpha", "eps", "weight_decay")
    return ", ".join(f"{name}={options[name]}" for name in shown if name in options)


KNOWN = {
    torch.optim.SGD: _sgd,
    torch.optim.Adam: _adam,
    torch.optim.AdamW: _adam,
    torch.optim.RMSprop: _rmsprop,
    torch.optim.Adagrad: _adagrad,
    torch.optim.NAdam: _nadam,
    torch.optim.RAdam: _radam,
}
