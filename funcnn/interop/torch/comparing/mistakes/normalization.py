"""Mistakes in normalization."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from funcnn.interop.torch.comparing.mistakes.mistake import Mistake

__all__ = ["KNOWN", "running"]

EPSILONS = (1e-5, 1e-6, 1e-3, 1e-12, 1e-8, 1e-7, 1e-2, 0.0)
"""What libraries take by default: PyTorch 1e-5, Flax 1e-6 (1e-5 for BatchNorm), Keras 1e-3."""


def layer_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Iterator[Mistake]:
    """Mistakes of LayerNorm."""
    shape, axes = list(normalized_shape), tuple(range(-len(normalized_shape), 0))

    def scaled(normal: Tensor) -> Tensor:
        normal = normal if weight is None else normal * weight
        return normal if bias is None else normal + bias

    centred = input - input.mean(axes, keepdim=True)
    unbiased = input.var(axes, keepdim=True)
    biased = input.var(axes, keepdim=True, correction=0)
    yield from _epsilons(
        eps, "LayerNorm", lambda other: functional.layer_norm(input, shape, weight, bias, other)
    )
    yield from _parts(weight, bias, lambda w, b: functional.layer_norm(input, shape, w, b, eps))
    yield Mistake(
        "the unbiased variance, divided by n - 1",
        "divide the variance by n, as jnp.var does without ddof",
        lambda: scaled(centred / torch.sqrt(unbiased + eps)),
    )
    yield Mistake(
        "eps outside of the root, added to the deviation",
        "divide by sqrt(variance + eps)",
        lambda: scaled(centred / (torch.sqrt(biased) + eps)),
    )
    yield Mistake(
        "the unbiased deviation, with eps outside of the root",
        "divide by sqrt(variance + eps), the variance divided by n",
        lambda: scaled(centred / (torch.sqrt(unbiased) + eps)),
    )
    yield Mistake(
        "the mean not taken away (RMSNorm)",
        "subtract the mean before",
        lambda: scaled(input * torch.rsqrt((input**2).mean(axes, keepdim=True) + eps)),
    )
    every = tuple(range(1, input.ndim))
    if len(every) > len(axes):
        yield Mistake(
            "normalized over all axes but the samples",
            f"normalize over the last {len(axes)} alone",
            lambda: scaled(
                (input - input.mean(every, keepdim=True))
                / torch.sqrt(input.var(every, keepdim=True, correction=0) + eps)
            ),
        )


def rms_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    eps: float | None = None,
) -> Iterator[Mistake]:
    """Mistakes of RMSNorm."""
    shape = list(normalized_shape)
    own = torch.finfo(input.dtype).eps if eps is None else eps
    yield from _epsilons(
        own, "RMSNorm", lambda other: functional.rms_norm(input, shape, weight, other)
    )
    yield Mistake(
        "the mean taken away (LayerNorm)",
        "RMSNorm subtracts nothing",
        lambda: functional.layer_norm(input, shape, weight, None, own),
    )


def batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Iterator[Mistake]:
    """Mistakes of BatchNorm."""
    del momentum

    def normal(
        mode: bool, w: Tensor | None = weight, b: Tensor | None = bias, e: float = eps
    ) -> Tensor:
        means = (None, None) if mode else (running_mean, running_var)
        return functional.batch_norm(input, *means, w, b, mode, 0.0, e)

    if running_mean is not None:
        yield Mistake(
            "the running values where the batch's are due (eval for train)"
            if training
            else "the batch's mean and variance where the running ones are due (train for eval)",
            f"the module is in {'train' if training else 'eval'} mode: use_running_average="
            f"{not training} in Flax",
            lambda: normal(not training),
        )
    yield from _epsilons(eps, "BatchNorm", lambda other: normal(training, e=other))
    yield from _parts(weight, bias, lambda w, b: normal(training, w, b))
    if training:
        axes = (0, *range(2, input.ndim))
        column = (-1, *[1] * (input.ndim - 2))
        scale, shift = (
            None if one is None else one.reshape(column) if input.ndim > 1 else one
            for one in (weight, bias)
        )

        def over(axes: tuple[int, ...], correction: int) -> Tensor:
            centred = input - input.mean(axes, keepdim=True)
            result = centred / torch.sqrt(
                input.var(axes, keepdim=True, correction=correction) + eps
            )
            result = result if scale is None else result * scale
            return result if shift is None else result + shift

        yield Mistake(
            "the unbiased variance in the normalization",
            "normalize by the variance divided by n; only the running one is unbiased",
            lambda: over(axes, 1),
        )
        if input.ndim > 2:
            yield Mistake(
                "a mean of each place, over the samples alone",
                "take the mean over the samples and all places, for each channel",
                lambda: over((0,), 0),
            )
        yield Mistake(
            "a mean of each sample (LayerNorm)",
            "take the mean over the samples, for each channel",
            lambda: over(tuple(range(1, input.ndim)), 0),
        )


def group_norm(
    input: Tensor,
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Iterator[Mistake]:
    """Mistakes of GroupNorm."""
    yield from _epsilons(
        eps,
        "GroupNorm",
        lambda other: functional.group_norm(input, num_groups, weight, bias, other),
    )
    yield from _parts(
        weight, bias, lambda w, b: functional.group_norm(input, num_groups, w, b, eps)
    )
    channels = input.shape[1]
    mixed = torch.arange(channels).reshape(-1, num_groups).T.reshape(-1)
    back = torch.argsort(mixed)
    column = (-1, *[1] * (input.ndim - 2))

    def interleaved() -> Tensor:
        result = functional.group_norm(input[:, mixed], num_groups, None, None, eps)[:, back]
        result = result if weight is None else result * weight.reshape(column)
        return result if bias is None else result + bias.reshape(column)

    yield Mistake(
        "groups of every n-th channel",
        "a group is of neighbouring channels: reshape them as (groups, channels of a group)",
        interleaved,
    )
    for groups in (1, channels, 32):
        if groups != num_groups:
            yield Mistake(
                f"{groups} groups in place of {num_groups}",
                f"num_groups={num_groups}",
                lambda groups=groups: functional.group_norm(input, groups, weight, bias, eps),
            )


def instance_norm(
    input: Tensor,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Iterator[Mistake]:
    """Mistakes of InstanceNorm."""
    del running_mean, running_var, use_input_stats, momentum
    yield from _epsilons(
        eps,
        "InstanceNorm",
        lambda other: functional.instance_norm(input, None, None, weight, bias, eps=other),
    )


def normalize(
    input: Tensor, p: float = 2.0, dim: int = 1, eps: float = 1e-12, out: Any = None
) -> Iterator[Mistake]:
    """Mistakes of dividing by a norm."""
    del out
    for axis in range(input.ndim):
        if axis != dim % input.ndim:
            yield Mistake(
                f"over axis {axis} in place of {dim}",
                f"axis={dim}",
                lambda axis=axis: functional.normalize(input, p, axis, eps),
            )
    yield Mistake(
        "the square of the norm", "take the root", lambda: input / (input**2).sum(dim, keepdim=True)
    )


def _deviation(root: bool) -> Callable[..., Iterator[Mistake]]:
    def spread(
        input: Tensor,
        dim: Any = None,
        unbiased: bool = True,
        keepdim: bool = False,
        *,
        correction: int | None = None,
    ) -> Iterator[Mistake]:
        own = int(unbiased) if correction is None else correction
        kind = torch.std if root else torch.var
        yield Mistake(
            "divided by n in place of n - 1" if own else "divided by n - 1 in place of n",
            f"give jnp.{'std' if root else 'var'} ddof={own}",
            lambda: kind(input, dim, correction=1 - own, keepdim=keepdim),
        )

    return spread


def running(
    batch: tuple[Tensor, Tensor, Tensor], before: tuple[Tensor, Tensor], momentum: float
) -> Iterator[Mistake]:
    """Mistakes of BatchNorm's running values; the replays give its mean or its variance.

    Args:
        batch: the mean of the batch, its variance divided by n - 1, and that divided by n.
        before: the running mean and variance before the step.
        momentum: PyTorch's, the part of the new values.
    """
    mean, unbiased, biased = batch
    old_mean, old_variance = before

    def mixed(new: float, old_value: Tensor, new_value: Tensor) -> Callable[[], Tensor]:
        return lambda: (1 - new) * old_value + new * new_value

    advice = f"PyTorch's momentum is the part of the new values: momentum={1 - momentum:g} in Flax"
    for value in (
        mixed(1 - momentum, old_mean, mean),
        mixed(1 - momentum, old_variance, unbiased),
        mixed(1 - momentum, old_variance, biased),
    ):
        yield Mistake(f"momentum {momentum} as the part of the old values", advice, value)
    yield Mistake(
        "the running variance from the variance divided by n",
        "PyTorch divides it by n - 1 in the running variance: multiply by n / (n - 1)",
        mixed(momentum, old_variance, biased),
    )
    for old in before:
        yield Mistake(
            "running values that are not moved",
            "give back the new running values",
            lambda old=old: old,
        )
    for other in (0.01, 0.1):
        if other != momentum:
            for old, new in ((old_mean, mean), (old_variance, unbiased), (old_variance, biased)):
                yield Mistake(
                    f"momentum {other} in place of {momentum}", advice, mixed(other, old, new)
                )


def _epsilons(eps: float, layer: str, with_eps: Callable[[float], Tensor]) -> Iterator[Mistake]:
    for other in EPSILONS:
        if other != eps:
            yield Mistake(
                f"eps {other:g} in place of {eps:g}",
                f"give {layer} epsilon={eps:g}: Flax's is 1e-6, or 1e-5 for BatchNorm",
                lambda other=other: with_eps(other),
            )


def _parts(
    weight: Tensor | None,
    bias: Tensor | None,
    with_parts: Callable[[Tensor | None, Tensor | None], Tensor],
) -> Iterator[Mistake]:
    for kept, name in (
        ((None, bias), "the scale left out"),
        ((weight, None), "the shift left out"),
        ((None, None), "scale and shift left out"),
    ):
        if any(one is not own for one, own in zip(kept, (weight, bias), strict=True)):
            yield Mistake(
                name,
                "multiply by the weight, and add the bias",
                lambda kept=kept: with_parts(*kept),
                on_the_way=True,
            )


KNOWN = {
    "layer_norm": layer_norm,
    "rms_norm": rms_norm,
    "batch_norm": batch_norm,
    "group_norm": group_norm,
    "instance_norm": instance_norm,
    "normalize": normalize,
    "std": _deviation(True),
    "var": _deviation(False),
}
"""Of a function of PyTorch, by its name, the mistakes of its port, from the same arguments."""
