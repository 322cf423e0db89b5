"""Mistakes in losses, told by their value of the same prediction."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from funcnn.interop.torch.comparing.mistakes.mistake import Mistake, replays
from funcnn.interop.torch.comparing.recording import Call

__all__ = ["KNOWN", "factors", "of_loss"]


def factors(prediction: Tensor) -> dict[str, tuple[float, str]]:
    """By how much a loss is wrong for a wrong mean or sum: name -> (factor, what to change)."""
    samples = len(prediction) if prediction.ndim else 1
    outputs = prediction.numel() // max(samples, 1)
    mean, total = "take the mean over all numbers", "take the sum, and no mean"
    known = {
        "half of PyTorch's, as of optax.l2_loss": (0.5, "multiply by 2: PyTorch has no 1/2"),
        "twice PyTorch's": (2.0, "divide by 2"),
        "the negative of PyTorch's": (-1.0, "change the sign"),
        "a sum over the samples where PyTorch takes the mean": (float(samples), mean),
        "a mean over the samples where PyTorch takes the sum": (1 / samples, total),
    }
    if outputs > 1:
        known |= {
            "a sum over all numbers where PyTorch takes the mean": (samples * outputs, mean),
            "a mean over all numbers where PyTorch takes the sum": (1 / samples / outputs, total),
            "a sum over the outputs, and a mean over the samples": (
                float(outputs),
                "take the mean over both, or PyTorch's reduction='sum' divided by the samples",
            ),
            "a mean over the outputs where PyTorch takes their sum": (
                1 / outputs,
                "take the sum over the outputs",
            ),
        }
    halves = {
        f"half of {name}": (factor / 2, f"{advice}, without the 1/2")
        for name, (factor, advice) in list(known.items())[3:]
    }
    return known | halves


def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: Any = None,
    ignore_index: int = -100,
    reduce: Any = None,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Iterator[Mistake]:
    """Mistakes of the cross entropy of logits."""
    del size_average, reduce

    def entropy(logits: Tensor = input, **options: Any) -> Tensor:
        own = {
            "weight": weight,
            "ignore_index": ignore_index,
            "label_smoothing": label_smoothing,
            "reduction": reduction,
        }
        return functional.cross_entropy(logits, target, **own | options)

    axis = 1 if input.ndim > 1 else 0
    yield Mistake(
        "softmax before the cross entropy",
        "PyTorch's CrossEntropyLoss takes logits: leave the softmax out",
        lambda: entropy(input.softmax(axis)),
    )
    if weight is not None:
        yield Mistake("no class weights", "weight the classes", lambda: entropy(weight=None))
        yield Mistake(
            "the weighted losses divided by the number of samples",
            "PyTorch divides them by the sum of their weights",
            lambda: entropy(reduction="sum") / target.numel(),
        )
    if label_smoothing:
        classes = input.shape[axis]
        yield Mistake(
            "no label smoothing",
            f"smooth the labels by {label_smoothing}",
            lambda: entropy(label_smoothing=0.0),
        )
        yield Mistake(
            "the smoothing spread over the other classes alone",
            "PyTorch spreads it over all classes: (1 - s) * onehot + s / classes",
            lambda: entropy(label_smoothing=label_smoothing * classes / (classes - 1)),
        )
    if not target.is_floating_point() and (target == ignore_index).any():
        yield Mistake(
            "ignored targets counted in the mean",
            "divide by the number of targets that are not ignored",
            lambda: entropy(reduction="sum") / target.numel(),
        )
        for number in (0, input.shape[axis] - 1):
            kept = target.masked_fill(target == ignore_index, number)
            yield Mistake(
                f"targets of {ignore_index} not ignored",
                f"leave out the samples whose target is {ignore_index}",
                lambda kept=kept: functional.cross_entropy(
                    input, kept, weight, reduction=reduction
                ),
            )
    if input.ndim > 2 and not target.is_floating_point():
        yield Mistake(
            "softmax over the last axis in place of the classes",
            "PyTorch's classes are axis 1",
            lambda: -input.log_softmax(-1).gather(1, target.unsqueeze(1)).mean(),
        )


def entropy_with_logits(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
    pos_weight: Tensor | None = None,
) -> Iterator[Mistake]:
    """Mistakes of the binary cross entropy of logits."""
    del size_average, reduce
    yield Mistake(
        "a sigmoid before the loss of logits",
        "PyTorch's BCEWithLogitsLoss takes logits: leave the sigmoid out",
        lambda: functional.binary_cross_entropy_with_logits(
            input.sigmoid(), target, weight, pos_weight=pos_weight, reduction=reduction
        ),
    )
    if pos_weight is not None:
        yield Mistake(
            "no pos_weight",
            "multiply the losses of positive targets",
            lambda: functional.binary_cross_entropy_with_logits(
                input, target, weight, reduction=reduction
            ),
        )


def entropy_of_probabilities(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
) -> Iterator[Mistake]:
    """Mistakes of the binary cross entropy of probabilities."""
    del size_average, reduce
    yield Mistake(
        "a loss of logits for what are probabilities",
        "PyTorch's BCELoss takes probabilities",
        lambda: functional.binary_cross_entropy_with_logits(
            input, target, weight, reduction=reduction
        ),
    )


def divergence(
    input: Tensor,
    target: Tensor,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
    log_target: bool = False,
) -> Iterator[Mistake]:
    """Mistakes of the Kullback-Leibler divergence."""
    del size_average, reduce
    for other in ("mean", "batchmean", "sum"):
        if other != reduction:
            yield Mistake(
                f"reduction {other!r} in place of {reduction!r}",
                f"reduce as PyTorch's {reduction!r}",
                lambda other=other: functional.kl_div(
                    input, target, reduction=other, log_target=log_target
                ),
            )


def errors(name: str) -> Callable[..., Iterator[Mistake]]:
    """Mistakes of a loss of the difference: another loss in its place."""

    def of(
        input: Tensor,
        target: Tensor,
        *_: Any,
        reduction: str = "mean",
        beta: float = 1.0,
        delta: float = 1.0,
        **__: Any,
    ) -> Iterator[Mistake]:
        scale = beta if name == "smooth_l1_loss" else delta
        others: dict[str, Callable[[], Tensor]] = {
            "the squared error": lambda: functional.mse_loss(input, target, reduction=reduction),
            "the root of the mean squared error": lambda: functional.mse_loss(input, target).sqrt(),
            "the absolute error": lambda: functional.l1_loss(input, target, reduction=reduction),
            "the logarithm of cosh": lambda: torch.log(torch.cosh(input - target)).mean(),
        }
        for number in dict.fromkeys((scale, 1.0)):
            others |= {
                f"the Huber loss with delta {number:g}": lambda number=number: (
                    functional.huber_loss(input, target, reduction=reduction, delta=number)
                ),
                f"the smooth L1 loss with beta {number:g}": lambda number=number: (
                    functional.smooth_l1_loss(input, target, reduction=reduction, beta=number)
                ),
            }
        for other, function in others.items():
            yield Mistake(f"{other} in place of {name}", f"compute what {name} does", function)

    return of


def of_loss(calls: Sequence[Call], value: float) -> Iterator[tuple[Mistake, float]]:
    """Mistakes of a loss of PyTorch, with the loss that each would give.

    Args:
        calls: what the loss calls.
        value: the loss.
    """
    for call in calls:
        if call.name in KNOWN and call.outputs[0].numel() == 1:
            for mistake, other in replays(KNOWN[call.name](*call.args, **call.kwargs)):
                yield mistake, value + float(other) - float(call.outputs[0])


KNOWN = {
    "cross_entropy": cross_entropy,
    "binary_cross_entropy_with_logits": entropy_with_logits,
    "binary_cross_entropy": entropy_of_probabilities,
    "kl_div": divergence,
    **{name: errors(name) for name in ("mse_loss", "l1_loss", "huber_loss", "smooth_l1_loss")},
}
"""Of a loss of PyTorch, by its name, the mistakes of its port, from the same arguments."""
