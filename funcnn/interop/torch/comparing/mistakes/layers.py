"""Mistakes in linear layers, convolutions, pooling and embeddings."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from torch import Tensor
from torch.nn import functional

from funcnn.interop.torch.comparing.mistakes.mistake import Mistake

__all__ = ["KNOWN", "linear"]


def linear(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    before: Tensor | None = None,
) -> Iterator[Mistake]:
    """Mistakes of ``x Wᵀ + b``; ``before`` is the input before it was flattened."""
    yield Mistake(
        "the weight not transposed",
        "PyTorch computes x @ weight.T: transpose the weight, or store it as (in, out)",
        lambda: input @ weight + (0 if bias is None else bias),
    )
    if bias is not None:
        yield _without_bias(lambda: functional.linear(input, weight))
    if before is not None:
        last = before.movedim(1, -1).reshape(input.shape)
        yield Mistake(
            "flattened with the channels last",
            "PyTorch flattens (channels, height, width): move the channels to axis 1 before the "
            "reshape, or reorder the rows of this layer's weight",
            lambda: functional.linear(last, weight, bias),
        )


def convolution(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Iterator[Mistake]:
    """Mistakes of a convolution."""
    axes = weight.ndim - 2
    call = {1: functional.conv1d, 2: functional.conv2d, 3: functional.conv3d}[axes]
    spatial = tuple(range(2, weight.ndim))

    def other(
        x: Tensor = input, w: Tensor = weight, b: Tensor | None = bias, **options: Any
    ) -> Tensor:
        return call(
            x,
            w,
            b,
            **{"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
            | options,
        )

    yield Mistake(
        "padding 'SAME', which pads more at the end where the stride is above 1",
        f"pad as PyTorch does, padding=[({_first(padding)}, {_first(padding)})] * {axes}",
        lambda: other(
            _same(input, weight.shape[2:], _each(stride, axes), _each(dilation, axes)), padding=0
        ),
    )
    yield Mistake(
        "no padding ('VALID')", f"pad by {padding} on both sides", lambda: other(padding=0)
    )
    yield Mistake(
        "the kernel flipped",
        "PyTorch's convolution is a cross-correlation: leave the kernel as it is",
        lambda: other(w=weight.flip(spatial)),
    )
    if axes >= 2:
        yield Mistake(
            "the kernel's height and width exchanged",
            "transpose the kernel by (2, 3, 1, 0) for HWIO; (3, 2, 1, 0) exchanges them",
            lambda: other(w=weight.transpose(-1, -2)),
        )
    if bias is not None:
        yield _without_bias(lambda: other(b=None))
    yield Mistake("no stride", f"give it the stride {stride}", lambda: other(stride=1))
    yield Mistake("no dilation", f"give it the dilation {dilation}", lambda: other(dilation=1))


def transposed(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> Iterator[Mistake]:
    """Mistakes of a transposed convolution."""
    axes = weight.ndim - 2
    call = {
        1: functional.conv_transpose1d,
        2: functional.conv_transpose2d,
        3: functional.conv_transpose3d,
    }[axes]
    flipped = weight.flip(tuple(range(2, weight.ndim)))
    yield Mistake(
        "the kernel not flipped",
        "flip its spatial axes, or give jax.lax.conv_transpose transpose_kernel=True",
        lambda: call(input, flipped, bias, stride, padding, output_padding, groups, dilation),
    )
    if bias is not None:
        yield _without_bias(
            lambda: call(input, weight, None, stride, padding, output_padding, groups, dilation)
        )


def average_pool(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    *_: Any,
) -> Iterator[Mistake]:
    """Mistakes of a mean over windows."""
    axes = input.ndim - 2
    call = {1: functional.avg_pool1d, 2: functional.avg_pool2d, 3: functional.avg_pool3d}[axes]
    yield Mistake(
        "the padding counted in the mean" if not count_include_pad else "the padding not counted",
        f"PyTorch's count_include_pad is {count_include_pad} here",
        lambda: call(input, kernel_size, stride, padding, ceil_mode, not count_include_pad),
    )
    window, step = _each(kernel_size, axes), _each(stride or kernel_size, axes)
    yield Mistake(
        "padding 'SAME', which pads more at the end where the stride is above 1",
        f"pad by {padding} on both sides",
        lambda: call(_same(input, window, step, [1] * axes), kernel_size, stride),
    )
    yield _maximum(input, window, stride)


def max_pool(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Iterator[Mistake]:
    """Mistakes of a maximum over windows."""
    del dilation, ceil_mode, return_indices
    axes = input.ndim - 2
    call = {1: functional.max_pool1d, 2: functional.max_pool2d, 3: functional.max_pool3d}[axes]
    mean = {1: functional.avg_pool1d, 2: functional.avg_pool2d, 3: functional.avg_pool3d}[axes]
    window, step = _each(kernel_size, axes), _each(stride or kernel_size, axes)
    sides = [side for size in reversed(_each(padding, axes)) for side in (size, size)]
    yield Mistake(
        "padding 'SAME', which pads more at the end where the stride is above 1",
        f"pad by {padding} on both sides, with -inf",
        lambda: call(_same(input, window, step, [1] * axes, -math.inf), kernel_size, stride),
    )
    yield Mistake(
        "padded with 0 in place of -inf",
        "start the maximum from -inf",
        lambda: call(functional.pad(input, sides), kernel_size, stride),
    )
    yield Mistake(
        "a mean in place of the maximum",
        "take the maximum of each window",
        lambda: mean(input, kernel_size, stride, padding),
    )
    yield Mistake("no padding ('VALID')", "pad it", lambda: call(input, kernel_size, stride))


def embedding(
    input: Tensor, weight: Tensor, padding_idx: int | None = None, *_: Any, **__: Any
) -> Iterator[Mistake]:
    """Mistakes of a table of vectors."""
    del padding_idx
    yield Mistake(
        "indices one too low, as of a table that begins at 1",
        "PyTorch's indices begin at 0",
        lambda: functional.embedding((input - 1) % len(weight), weight),
    )
    yield Mistake(
        "vectors multiplied by the root of their size",
        "nn.Embedding does not scale",
        lambda: functional.embedding(input, weight) * math.sqrt(weight.shape[1]),
    )


def padded(
    input: Tensor, pad: Sequence[int], mode: str = "constant", value: float | None = None
) -> Iterator[Mistake]:
    """Mistakes of padding."""
    del value
    for name in ("constant", "reflect", "replicate", "circular"):
        if name != mode:
            yield Mistake(
                f"padding {name!r} in place of {mode!r}",
                f"pad as PyTorch's mode {mode!r} does",
                lambda name=name: functional.pad(input, list(pad), mode=name),
            )


def interpolated(
    input: Tensor,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    *_: Any,
    **__: Any,
) -> Iterator[Mistake]:
    """Mistakes of resizing."""
    for name in ("nearest", "nearest-exact", "bilinear", "linear", "bicubic"):
        for aligned in (None,) if name.startswith("nearest") else (False, True):
            if (name, bool(aligned)) != (mode, bool(align_corners)):
                yield Mistake(
                    f"mode {name!r}{', corners aligned' if aligned else ''} in place of {mode!r}"
                    f"{', corners aligned' if align_corners else ''}",
                    "resize as PyTorch's mode does; jax.image.resize does not align corners",
                    lambda name=name, aligned=aligned: functional.interpolate(
                        input, size, scale_factor, name, aligned
                    ),
                )


def pixel_shuffle(input: Tensor, upscale_factor: int) -> Iterator[Mistake]:
    """Mistakes of moving channels into space."""
    samples, channels, height, width = input.shape
    r = upscale_factor
    split = input.reshape(samples, r, r, channels // r**2, height, width)
    yield Mistake(
        "the block's axes before the channels",
        "PyTorch splits the channels as (channels, block, block)",
        lambda: split.permute(0, 3, 4, 1, 5, 2).reshape(samples, -1, height * r, width * r),
    )


def _without_bias(replay: Callable[[], Tensor]) -> Mistake:
    return Mistake("the bias left out", "add the bias", replay, on_the_way=True)


def _maximum(input: Tensor, window: list[int], stride: Any) -> Mistake:
    call = {1: functional.max_pool1d, 2: functional.max_pool2d, 3: functional.max_pool3d}
    return Mistake(
        "a maximum in place of the mean",
        "take the mean of each window",
        lambda: call[len(window)](input, window, stride),
    )


def _same(
    x: Tensor,
    window: Sequence[int],
    stride: Sequence[int],
    dilation: Sequence[int],
    value: float = 0.0,
) -> Tensor:
    """``x`` padded as JAX's ``padding="SAME"`` does."""
    sides: list[int] = []
    for size, k, s, d in zip(x.shape[2:], window, stride, dilation, strict=True):
        total = max((math.ceil(size / s) - 1) * s + (k - 1) * d + 1 - size, 0)
        sides = [total // 2, total - total // 2, *sides]
    return functional.pad(x, sides, value=value)


def _each(value: Any, axes: int) -> list[int]:
    values = list(value) if isinstance(value, (tuple, list)) else [value]
    return values * axes if len(values) == 1 else values


def _first(value: Any) -> Any:
    return value[0] if isinstance(value, (tuple, list)) else value


KNOWN = {
    "linear": linear,
    **dict.fromkeys(("conv1d", "conv2d", "conv3d"), convolution),
    **dict.fromkeys(("conv_transpose1d", "conv_transpose2d", "conv_transpose3d"), transposed),
    **dict.fromkeys(("avg_pool1d", "avg_pool2d", "avg_pool3d"), average_pool),
    **dict.fromkeys(("max_pool1d", "max_pool2d", "max_pool3d"), max_pool),
    "embedding": embedding,
    "pad": padded,
    "interpolate": interpolated,
    "pixel_shuffle": pixel_shuffle,
}
"""Of a function of PyTorch, by its name, the mistakes of its port, from the same arguments."""
