"""Modules that were written down before any of them was tried, and that nothing is fitted to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils import parametrize

from funcnn.bench.modules.cases import (
    CLASSES,
    Case,
    classes,
    flattened,
    measured,
    normal,
    rows,
    ruled,
)

__all__ = ["HELD_OUT"]


def unpooled() -> Case:
    def rule(net: Any, x: torch.Tensor) -> torch.Tensor:
        h, places = functional.max_pool2d(net.first(x), 2, return_indices=True)
        return net.last(functional.max_unpool2d(torch.tanh(h), places, [2, 2]).flatten(1))

    parts = {"first": nn.Conv2d(1, 2, 3, padding=1), "last": nn.Linear(32, 3)}
    return ruled(rule, normal(6, 1, 4, 4), normal(6, 3), **parts)


def whole_transformer() -> Case:
    def rule(net: Any, x: torch.Tensor) -> torch.Tensor:
        mask = nn.Transformer.generate_square_subsequent_mask(3, dtype=torch.float64)
        h = net.inner(x, x[:, :3].tanh(), tgt_mask=mask)
        return net.last(h.flatten(1))

    inner = nn.Transformer(4, 2, 1, 1, 6, dropout=0.0, batch_first=True)
    return ruled(rule, normal(6, 5, 4), normal(6, 3), inner=inner, last=nn.Linear(12, 3))


def plain_cells() -> Case:
    def rule(net: Any, x: torch.Tensor) -> torch.Tensor:
        h = x.new_zeros(len(x), 5)
        for step in x.unbind(1):
            h = net.second(torch.relu(net.first(step, h)), h)
        return net.last(h)

    parts = {"first": nn.RNNCell(3, 5), "second": nn.RNNCell(5, 5, nonlinearity="relu")}
    return ruled(rule, normal(6, 4, 3), normal(6, 3), **parts, last=nn.Linear(5, 3))


def projected() -> Case:
    layer = nn.LSTM(3, 6, num_layers=2, proj_size=2, bidirectional=True, batch_first=True)
    rule = lambda net, x: net.last(net.layer(x)[0].flatten(1))  # noqa: E731
    return ruled(rule, normal(6, 3, 3), normal(6, 3), layer=layer, last=nn.Linear(12, 3))


def curved() -> Case:
    """The Laplacian of a network of two inputs is to be that of a harmonic function: 0."""

    def rule(net: Any, x: torch.Tensor) -> torch.Tensor:
        x = x.detach().requires_grad_()
        with torch.enable_grad():
            u = net.inner(x)
            (slope,) = torch.autograd.grad(u.sum(), x, create_graph=True)
            bent = [
                torch.autograd.grad(slope[:, axis].sum(), x, create_graph=True)[0][:, axis]
                for axis in range(2)
            ]
        return torch.stack([*bent, u[:, 0]], 1)

    inner = nn.Sequential(nn.Linear(2, 6), nn.Softplus(), nn.Linear(6, 6), nn.SiLU())
    inner.append(nn.Linear(6, 1))
    return ruled(rule, normal(8, 2), normal(8, 3), inner=inner)


def gaussian_process() -> Case:
    """The log-likelihood of a Gaussian process, by a Cholesky factor."""

    def rule(net: Any, x: torch.Tensor) -> torch.Tensor:
        h = net.first(x)
        kernel = torch.exp(-0.5 * (h[:, None] - h[None]).square().sum(-1))
        factor = torch.linalg.cholesky(kernel + torch.eye(len(x), dtype=x.dtype))
        solved = torch.cholesky_solve(x, factor)
        return (x * solved).sum() / len(x) + factor.diagonal().log().mean()

    case = ruled(rule, normal(7, 3), torch.zeros(7, dtype=torch.float64), first=nn.Linear(3, 2))
    return case._replace(loss=lambda prediction, _: prediction)


def mean_teacher() -> Case:
    """A network is drawn to the average of what it was, which stands in buffers."""

    def rule(net: Any, x: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            net.weight.lerp_(net.first.weight, 0.1)
            net.bias.lerp_(net.first.bias, 0.1)
        h = torch.tanh(net.first(x))
        away = h - torch.tanh(functional.linear(x, net.weight, net.bias))
        return net.last(h) + away.square().mean()

    case = ruled(rule, normal(8, 4), normal(8, 3), first=nn.Linear(4, 5), last=nn.Linear(5, 3))
    case.net.register_buffer("weight", torch.zeros(5, 4, dtype=torch.float64))
    case.net.register_buffer("bias", torch.zeros(5, dtype=torch.float64))
    return case


def sample_by_sample() -> Case:
    """The slopes of each sample's own loss, by ``torch.func``."""

    def rule(net: Any, x: torch.Tensor) -> torch.Tensor:
        own = lambda one: torch.tanh(net.first(one)).square().sum()  # noqa: E731
        return net.last(torch.func.vmap(torch.func.grad(own))(x))

    return ruled(rule, normal(8, 4), normal(8, 3), first=nn.Linear(4, 5), last=nn.Linear(4, 3))


def angular() -> Case:
    """Classes by angles, with a margin to the right one."""

    def loss(cosines: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        angles = torch.acos(cosines.clamp(-0.999, 0.999))
        right = functional.one_hot(y, CLASSES).bool()
        return functional.cross_entropy(8 * torch.cos(angles + 0.2 * right), y)

    def rule(net: Any, x: torch.Tensor) -> torch.Tensor:
        h = functional.normalize(torch.tanh(net.first(x)))
        return h @ functional.normalize(net.last.weight).T

    parts = {"first": nn.Linear(5, 6), "last": nn.Linear(6, CLASSES, bias=False)}
    return ruled(rule, normal(12, 5), classes(), **parts)._replace(loss=loss)


def adapted() -> Case:
    """A frozen layer, and what is trained beside it: a product of two thin matrices."""

    def rule(net: Any, x: torch.Tensor) -> torch.Tensor:
        return net.last(torch.relu(net.frozen(x) + 0.5 * net.up(net.down(x))))

    frozen = nn.Linear(6, 6).requires_grad_(False)
    parts = {"down": nn.Linear(6, 2, bias=False), "up": nn.Linear(2, 6, bias=False)}
    return ruled(rule, normal(9, 6), normal(9, 3), frozen=frozen, **parts, last=nn.Linear(6, 3))


def there_and_back() -> Case:
    """An autoencoder whose decoder has the encoder's weights."""

    def rule(net: Any, x: torch.Tensor) -> torch.Tensor:
        h = torch.sigmoid(net.first(x))
        return functional.linear(h, net.first.weight.T, net.back)

    x = normal(9, 5)
    return ruled(rule, x, x, first=nn.Linear(5, 3), back=nn.Parameter(torch.zeros(5)))


class Positive(nn.Module):
    """Exponentials."""

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        """All above 0."""
        return weight.exp()


class Rows(nn.Module):
    """Rows of sum 1."""

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        """Divided by the sums."""
        return weight / weight.sum(1, keepdim=True)


def twice_parametrized() -> Case:
    layer = nn.Linear(5, 5)
    parametrize.register_parametrization(layer, "weight", Positive())
    parametrize.register_parametrization(layer, "weight", Rows())
    return rows(layer, nn.Tanh())


def still_norm() -> Case:
    """A batch norm whose numbers are not trained, and whose running values are."""
    norm = nn.BatchNorm1d(6).requires_grad_(False)
    return rows(nn.Linear(5, 6), norm, nn.ReLU(), nn.Linear(6, 6))


def rare_classes() -> Case:
    """To be refused: which samples are in which part of the softmax depends on the data."""
    head = nn.AdaptiveLogSoftmaxWithLoss(5, 9, [4]).double()
    rule = lambda net, x: net.head(torch.tanh(net.first(x)), net.own).loss  # noqa: E731
    case = ruled(rule, normal(8, 4), torch.zeros(8).double(), first=nn.Linear(4, 5), head=head)
    case.net.register_buffer("own", torch.randint(9, (8,)))
    return case._replace(loss=lambda prediction, _: prediction)


HELD_OUT: dict[str, Callable[[], Case]] = {
    "transposed 3-d": lambda: flattened(
        nn.ConvTranspose3d(2, 2, 2, stride=2, groups=2), shape=(2, 2, 2, 3)
    ),
    "adaptive maxima": lambda: flattened(
        nn.Conv2d(1, 2, 2), nn.AdaptiveMaxPool2d((3, 2)), shape=(1, 6, 6)
    ),
    "unpooling": unpooled,
    "channel shuffle": lambda: flattened(
        nn.Conv2d(1, 4, 2), nn.ChannelShuffle(2), nn.Conv2d(4, 2, 2, groups=2), shape=(1, 4, 4)
    ),
    "trilinear": lambda: flattened(
        nn.Conv3d(1, 2, 2),
        nn.Upsample(scale_factor=2, mode="trilinear", align_corners=True),
        shape=(1, 3, 3, 3),
    ),
    "bag of maxima": lambda: ruled(
        lambda net, x: net.last(net.layer(x)),
        torch.randint(0, 9, (8, 4)),
        normal(8, 3),
        layer=nn.EmbeddingBag(9, 6, mode="max"),
        last=nn.Linear(6, 3),
    ),
    "transformer": whole_transformer,
    "batch norm 3-d": lambda: flattened(
        nn.Conv3d(1, 2, 2), nn.BatchNorm3d(2), nn.ReLU(), shape=(1, 3, 3, 3)
    ),
    "multi-label margin": lambda: measured(
        nn.MultiLabelMarginLoss(), torch.tensor([[2, 0, -1, 1]] * 12)
    ),
    "adaptive softmax (refused)": rare_classes,
    "nll of images": lambda: Case(
        nn.Sequential(nn.Conv2d(1, CLASSES, 2), nn.LogSoftmax(1)).double(),
        normal(5, 1, 4, 4),
        torch.randint(0, CLASSES, (5, 3, 3)),
        nn.NLLLoss(ignore_index=1),
    ),
    "plain cells": plain_cells,
    "projected lstm": projected,
    "laplacian": curved,
    "gaussian process": gaussian_process,
    "mean teacher": mean_teacher,
    "sample by sample": sample_by_sample,
    "angular margin": angular,
    "low rank": adapted,
    "there and back": there_and_back,
    "twice parametrized": twice_parametrized,
    "still norm": still_norm,
    "pinball": lambda: measured(
        lambda p, y: torch.maximum(0.9 * (y - p), 0.1 * (p - y)).mean(), normal(12, CLASSES)
    ),
    "across channels": lambda: flattened(
        nn.Conv2d(1, 3, 2), nn.Softmax2d(), nn.CrossMapLRN2d(2), shape=(1, 4, 4)
    ),
}
