"""Mistakes in recurrent layers and attention, which PyTorch computes in one call."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from funcnn.interop.torch.comparing.mistakes.mistake import Mistake

__all__ = ["KNOWN"]

Step = Callable[[Tensor, tuple[Tensor, ...]], tuple[Tensor, ...]]


def gru(
    input: Tensor,
    hidden: Tensor,
    weights: Sequence[Tensor],
    has_biases: bool,
    num_layers: int,
    dropout: float,
    train: bool,
    bidirectional: bool,
    batch_first: bool,
) -> Iterator[Mistake]:
    """Mistakes of a GRU of one layer and direction."""
    del dropout, train
    if num_layers > 1 or bidirectional:
        return
    w_ih, w_hh, b_ih, b_hh = _weights(weights, has_biases)

    def before(x: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        (h,) = state
        r, z = _reset_and_update(x, h)
        _, _, w_n = w_hh.chunk(3)
        n = torch.tanh((x @ w_ih.T + b_ih).chunk(3, -1)[2] + (r * h) @ w_n.T + b_hh.chunk(3)[2])
        return ((1 - z) * n + z * h,)

    def exchanged(x: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        (h,) = state
        r, z = _reset_and_update(x, h)
        n = torch.tanh(
            (x @ w_ih.T + b_ih).chunk(3, -1)[2] + r * (h @ w_hh.T + b_hh).chunk(3, -1)[2]
        )
        return (z * n + (1 - z) * h,)

    def swapped(x: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        (h,) = state
        z, r = _reset_and_update(x, h)
        n = torch.tanh(
            (x @ w_ih.T + b_ih).chunk(3, -1)[2] + r * (h @ w_hh.T + b_hh).chunk(3, -1)[2]
        )
        return ((1 - z) * n + z * h,)

    def _reset_and_update(x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        a, b = (x @ w_ih.T + b_ih).chunk(3, -1), (h @ w_hh.T + b_hh).chunk(3, -1)
        return torch.sigmoid(a[0] + b[0]), torch.sigmoid(a[1] + b[1])

    known: tuple[tuple[str, str, Step], ...] = (
        (
            "the reset gate applied before the product with the hidden state",
            "PyTorch's new gate is tanh(x·W_in + b_in + r * (h·W_hn + b_hn))",
            before,
        ),
        (
            "the update gate's parts exchanged",
            "PyTorch's new state is (1 - z) * n + z * h",
            exchanged,
        ),
        ("reset and update gate exchanged", "PyTorch stacks reset, update, new", swapped),
    )
    for name, advice, step in known:
        yield _unrolled(name, advice, step, input, (hidden[0],), batch_first)


def lstm(
    input: Tensor,
    hidden: Sequence[Tensor],
    weights: Sequence[Tensor],
    has_biases: bool,
    num_layers: int,
    dropout: float,
    train: bool,
    bidirectional: bool,
    batch_first: bool,
) -> Iterator[Mistake]:
    """Mistakes of an LSTM of one layer and direction."""
    del dropout, train
    if num_layers > 1 or bidirectional:
        return
    w_ih, w_hh, b_ih, b_hh = _weights(weights, has_biases)

    def step(
        order: tuple[int, int, int, int] = (0, 1, 2, 3), forget: float = 0.0, both: float = 1.0
    ) -> Step:
        def of(x: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
            h, c = state
            gates = (x @ w_ih.T + b_ih + h @ w_hh.T + both * b_hh).chunk(4, -1)
            i, f, g, o = (gates[number] for number in order)
            c = torch.sigmoid(f + forget) * c + torch.sigmoid(i) * torch.tanh(g)
            return torch.sigmoid(o) * torch.tanh(c), c

        return of

    known = [
        ("1 added to the forget gate", "PyTorch adds nothing to it", step(forget=1.0)),
        ("the bias of the hidden state left out", "add bias_hh as well", step(both=0.0)),
    ]
    for order, gates in {
        (0, 2, 1, 3): "input, new, forget, output",
        (1, 0, 2, 3): "forget, input, new, output",
        (0, 1, 3, 2): "input, forget, output, new",
    }.items():
        known.append(
            (
                f"gates in the order {gates}",
                "PyTorch stacks the gates as input, forget, new (g), output",
                step(order),
            )
        )
    start = tuple(one[0] for one in hidden)
    for name, advice, one in known:
        yield _unrolled(name, advice, one, input, start, batch_first)


def attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    **_: Any,
) -> Iterator[Mistake]:
    """Mistakes of scaled dot-product attention; (..., positions, size)."""
    del dropout_p
    size = query.shape[-1]
    positions = query.shape[-2], key.shape[-2]
    bias = torch.zeros(positions, dtype=query.dtype)
    if is_causal:
        bias = bias.masked_fill(~torch.ones(positions, dtype=torch.bool).tril(), -math.inf)
    if attn_mask is not None:
        if attn_mask.dtype == torch.bool:
            bias = torch.zeros_like(attn_mask, dtype=query.dtype).masked_fill(~attn_mask, -math.inf)
        else:
            bias = attn_mask

    def other(
        factor: float = scale or 1 / math.sqrt(size), axis: int = -1, added: Tensor = bias
    ) -> Tensor:
        scores = query @ key.transpose(-1, -2) * factor + added
        return functional.softmax(scores, axis) @ value

    yield from _of_attention(other, size, bias)


def multi_head_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    embed_dim_to_check: int,
    num_heads: int,
    in_proj_weight: Tensor | None,
    in_proj_bias: Tensor | None,
    bias_k: Any,
    bias_v: Any,
    add_zero_attn: bool,
    dropout_p: float,
    out_proj_weight: Tensor,
    out_proj_bias: Tensor | None,
    *,
    key_padding_mask: Tensor | None = None,
    attn_mask: Tensor | None = None,
    **_: Any,
) -> Iterator[Mistake]:
    """Mistakes of ``nn.MultiheadAttention``; (positions, samples, size)."""
    del embed_dim_to_check, dropout_p
    if in_proj_weight is None or bias_k is not None or bias_v is not None or add_zero_attn:
        return
    biases = (0.0, 0.0, 0.0) if in_proj_bias is None else in_proj_bias.chunk(3)
    positions, samples, size = query.shape

    def heads(x: Tensor, w: Tensor, b: Any, last: bool = False) -> Tensor:
        projected = (x @ w.T + b).transpose(0, 1)
        if last:
            split = projected.reshape(samples, -1, size // num_heads, num_heads)
            return split.permute(0, 3, 1, 2)
        split = projected.reshape(samples, -1, num_heads, size // num_heads)
        return split.transpose(1, 2)

    def joined(x: Tensor) -> Tensor:
        out = x.transpose(1, 2).reshape(samples, positions, size)
        return functional.linear(out, out_proj_weight, out_proj_bias).transpose(0, 1).contiguous()

    bias = torch.zeros(1, dtype=query.dtype)
    if attn_mask is not None:
        bias = _added(attn_mask, query.dtype)
    if key_padding_mask is not None:
        bias = bias + _added(key_padding_mask, query.dtype)[:, None, None, :]

    def other(
        factor: float = 1 / math.sqrt(size // num_heads),
        axis: int = -1,
        added: Tensor = bias,
        last: bool = False,
    ) -> Tensor:
        q, k, v = (
            heads(x, w, b, last)
            for x, w, b in zip((query, key, value), in_proj_weight.chunk(3), biases, strict=True)
        )
        return joined(functional.softmax(q @ k.transpose(-1, -2) * factor + added, axis) @ v)

    yield from _of_attention(other, size // num_heads, bias)
    yield Mistake(
        "scores divided by the root of the whole size",
        "divide by the root of the size of one head",
        lambda: other(1 / math.sqrt(size)),
    )
    yield Mistake(
        "heads taken from the last axis, every n-th number",
        "reshape the projection as (..., heads, size of a head)",
        lambda: other(last=True),
    )


def _of_attention(other: Callable[..., Tensor], size: int, bias: Tensor) -> Iterator[Mistake]:
    yield Mistake(
        "scores not divided by the root of their size",
        "divide the product of queries and keys by sqrt(size of a head)",
        lambda: other(1.0),
    )
    yield Mistake(
        "scores divided by their size in place of its root",
        "divide the product of queries and keys by sqrt(size of a head)",
        lambda: other(1 / size),
    )
    yield Mistake(
        "softmax over the queries in place of the keys",
        "softmax over the last axis of (..., queries, keys)",
        lambda: other(axis=-2),
    )
    if bias.isinf().any():
        yield Mistake(
            "no mask",
            "mask the scores before the softmax",
            lambda: other(added=torch.zeros_like(bias)),
        )
        yield Mistake(
            "the mask the wrong way round",
            "PyTorch's bool mask of nn.MultiheadAttention is True where nothing is looked at",
            lambda: other(added=torch.zeros_like(bias).masked_fill(bias == 0, -math.inf)),
        )


def _added(mask: Tensor, dtype: torch.dtype) -> Tensor:
    """A mask as what is added to the scores: a bool one is True where nothing is looked at."""
    if mask.dtype != torch.bool:
        return mask
    return torch.zeros_like(mask, dtype=dtype).masked_fill(mask, -math.inf)


def _weights(weights: Sequence[Tensor], has_biases: bool) -> tuple[Tensor, ...]:
    if has_biases:
        return tuple(weights[:4])
    zeros = torch.zeros(len(weights[0]), dtype=weights[0].dtype)
    return weights[0], weights[1], zeros, zeros


def _unrolled(
    name: str,
    advice: str,
    step: Step,
    input: Tensor,
    start: tuple[Tensor, ...],
    batch_first: bool,
) -> Mistake:
    def outputs() -> Tensor:
        state, made = start, []
        for x in input.unbind(1 if batch_first else 0):
            state = step(x, state)
            made.append(state[0])
        return torch.stack(made)

    return Mistake(name, advice, outputs)


KNOWN = {
    "gru": gru,
    "lstm": lstm,
    "scaled_dot_product_attention": attention,
    "multi_head_attention_forward": multi_head_attention,
}
"""Of a function of PyTorch, by its name, the mistakes of its port, from the same arguments."""
