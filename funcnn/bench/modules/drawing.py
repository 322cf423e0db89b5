"""Modules that draw random numbers: PyTorch's own loop is given those of the compiled one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from funcnn.bench.modules.cases import Case, flattened, normal, of_last, rows, ruled

__all__ = ["DRAWING"]


def between(rule: Callable[[torch.Tensor], torch.Tensor]) -> Case:
    """A function between two layers."""
    whole = lambda net, x: net.last(torch.tanh(rule(net.first(x))))  # noqa: E731
    parts = {"first": nn.Linear(5, 6), "last": nn.Linear(6, 3)}
    return ruled(whole, normal(12, 5), normal(12, 3), **parts)


def weighed() -> Case:
    """Attention whose weights are dropped, and given back."""

    def rule(net: Any, x: torch.Tensor) -> torch.Tensor:
        h, weights = net.attention(x, x, x)
        return net.last(h.mean(1)) + weights.square().mean()

    attention = nn.MultiheadAttention(8, 2, dropout=0.3, batch_first=True)
    parts = {"attention": attention, "last": nn.Linear(8, 3)}
    return ruled(rule, normal(6, 4, 8), normal(6, 3), **parts)


def whole_transformer() -> Case:
    inner = nn.Transformer(4, 2, 1, 1, 6, dropout=0.1, batch_first=True)
    rule = lambda net, x: net.last(net.inner(x, x[:, :3]).flatten(1))  # noqa: E731
    return ruled(rule, normal(6, 5, 4), normal(6, 3), inner=inner, last=nn.Linear(12, 3))


def variational() -> Case:
    """An autoencoder that draws its code, and is drawn to a standard normal one."""

    def rule(net: Any, x: torch.Tensor) -> Any:
        mean, size = net.encoder(x).chunk(2, 1)
        code = torch.distributions.Normal(mean, size.exp())
        prior = torch.distributions.Normal(torch.zeros_like(mean), 1.0)
        away = torch.distributions.kl_divergence(code, prior).mean()
        return net.decoder(code.rsample()), away

    def loss(prediction: Any, y: torch.Tensor) -> torch.Tensor:
        found, away = prediction
        return functional.mse_loss(found, y) + 0.1 * away

    x = normal(12, 5)
    parts = {"encoder": nn.Linear(5, 4), "decoder": nn.Linear(2, 5)}
    return ruled(rule, x, x, **parts)._replace(loss=loss)


def denoised() -> Case:
    """The noise is to be told from noisy samples, each of a level that is drawn."""

    def rule(net: Any, x: torch.Tensor) -> torch.Tensor:
        level = torch.randint(1, 10, (len(x), 1)).to(x.dtype) / 10.0
        noise = torch.empty_like(x).normal_()
        return (
            net.inner(torch.cat([x * (1 - level).sqrt() + noise * level.sqrt(), level], 1)) - noise
        )

    inner = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 5))
    return ruled(rule, normal(12, 5), torch.zeros(12, 5, dtype=torch.float64), inner=inner)


def mixed() -> Case:
    """Samples mixed with others."""

    def rule(net: Any, x: torch.Tensor) -> torch.Tensor:
        share = torch.empty(len(x), 1, dtype=x.dtype).uniform_(0.5, 1.0)
        return net.last(torch.tanh(net.first(share * x + (1 - share) * x[torch.randperm(len(x))])))

    parts = {"first": nn.Linear(5, 6), "last": nn.Linear(6, 3)}
    return ruled(rule, normal(12, 5), normal(12, 3), **parts)


def computed_again() -> Case:
    """What is dropped is dropped again where it is computed again."""

    def rule(net: Any, x: torch.Tensor) -> torch.Tensor:
        return net.last(checkpoint(net.inner, x, use_reentrant=False) * torch.rand_like(x))

    inner = nn.Sequential(nn.Linear(5, 5), nn.Dropout(0.3), nn.Tanh(), nn.Dropout(0.2))
    return ruled(rule, normal(12, 5), normal(12, 3), inner=inner, last=nn.Linear(5, 3))


def dropped_slopes() -> Case:
    """The slope by the inputs of a network that drops."""

    def rule(net: Any, x: torch.Tensor) -> torch.Tensor:
        x = x.detach().requires_grad_()
        with torch.enable_grad():
            (slope,) = torch.autograd.grad(net.inner(x).sum(), x, create_graph=True)
        return slope

    inner = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Dropout(0.3), nn.Linear(8, 1))
    return ruled(rule, normal(12, 3), normal(12, 3), inner=inner)


def seeded() -> Case:
    """To be refused: PyTorch draws the same at every step."""

    def rule(x: torch.Tensor) -> torch.Tensor:
        with torch.random.fork_rng():
            torch.manual_seed(0)
            return x + torch.randn_like(x)

    return between(rule)


DRAWING: dict[str, Callable[[], Case]] = {
    "dropout in place": lambda: rows(nn.Linear(5, 6), nn.Dropout(0.4, inplace=True), nn.ReLU()),
    "function of dropout": lambda: between(lambda x: functional.dropout(x, 0.3)),
    "dropout 1-d": lambda: flattened(nn.Conv1d(2, 4, 2), nn.Dropout1d(0.3), shape=(2, 5)),
    "dropout 2-d": lambda: flattened(nn.Conv2d(1, 4, 2), nn.Dropout2d(0.3), shape=(1, 3, 3)),
    "dropout 3-d": lambda: flattened(nn.Conv3d(1, 4, 2), nn.Dropout3d(0.3), shape=(1, 3, 3, 3)),
    "alpha dropout": lambda: rows(nn.Linear(5, 6), nn.SELU(), nn.AlphaDropout(0.2)),
    "feature alpha dropout": lambda: flattened(
        nn.Conv2d(1, 4, 2), nn.SELU(), nn.FeatureAlphaDropout(0.2), shape=(1, 3, 3)
    ),
    "rrelu": lambda: rows(nn.Linear(5, 6), nn.RReLU(), nn.Linear(6, 6), nn.RReLU(inplace=True)),
    "dropout and norm": lambda: rows(nn.Linear(5, 6), nn.BatchNorm1d(6), nn.Dropout(0.3)),
    "attention dropped": weighed,
    "encoder dropped": lambda: flattened(
        nn.TransformerEncoderLayer(8, 2, 12, dropout=0.2, batch_first=True), shape=(4, 8)
    ),
    "transformer dropped": whole_transformer,
    "rnn dropped": lambda: of_last(nn.RNN, num_layers=2, dropout=0.3),
    "gru dropped": lambda: of_last(nn.GRU, num_layers=2, dropout=0.3),
    "lstm dropped": lambda: of_last(nn.LSTM, num_layers=3, dropout=0.3, bidirectional=True),
    "noise": lambda: between(lambda x: x + 0.1 * torch.randn_like(x)),
    "gates": lambda: between(lambda x: x * torch.bernoulli(torch.sigmoid(x.detach()))),
    "gumbel": lambda: between(lambda x: functional.gumbel_softmax(x, 0.5, hard=True)),
    "depth": lambda: between(
        lambda x: x + torch.tanh(x) * x.new_empty(len(x), 1).bernoulli_(0.8) / 0.8
    ),
    "variational": variational,
    "denoised": denoised,
    "mixed": mixed,
    "computed again": computed_again,
    "dropped slopes": dropped_slopes,
    "seed (refused)": seeded,
    "categories (refused)": lambda: between(
        lambda x: x + torch.distributions.Categorical(logits=x).sample()[:, None]
    ),
}
