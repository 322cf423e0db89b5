"""Modules with what is hard about them: kinds of layers, losses, ties, state, sharing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils import parametrizations, parametrize

__all__ = ["CASES", "Case"]

CLASSES = 4


class Case(NamedTuple):
    """A module in float64, and what it is trained on.

    Attributes:
        net: the module.
        x: its inputs.
        y: the targets.
        loss: of tensors.
    """

    net: nn.Module
    x: torch.Tensor
    y: torch.Tensor
    loss: Callable[..., Any]


class With(nn.Module):
    """Parts, and a function that says how they go together."""

    def __init__(self, rule: Callable[..., Any], **parts: Any) -> None:
        super().__init__()
        self.rule = rule
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, x: torch.Tensor) -> Any:
        """What the rule says."""
        return self.rule(self, x)


CASES: dict[str, Callable[[], Case]] = {}


def normal(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64)


def rows(*parts: nn.Module, y: Any = None, loss: Any = None, features: int = 5) -> Case:
    """Layers on rows of numbers; a last one makes three of them."""
    x = normal(12, features)
    net = nn.Sequential(*parts, nn.LazyLinear(3)).double()
    net(x)
    return Case(net, x, normal(12, 3) if y is None else y, loss or nn.MSELoss())


def flattened(*parts: nn.Module, shape: tuple[int, ...]) -> Case:
    """Layers on arrays of a shape, and three numbers of all that comes out."""
    x = normal(6, *shape)
    net = nn.Sequential(*parts, nn.Flatten(), nn.LazyLinear(3)).double()
    net.eval()(x)
    return Case(net.train(), x, normal(6, 3), nn.MSELoss())


def ruled(rule: Callable[..., Any], x: torch.Tensor, y: torch.Tensor, **parts: Any) -> Case:
    return Case(With(rule, **parts).double(), x, y, nn.MSELoss())


def measured(loss: Any, y: torch.Tensor, *last: nn.Module, outputs: int = CLASSES) -> Case:
    """A perceptron under a loss."""
    net = nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, outputs), *last).double()
    return Case(net, normal(12, 5), y, loss)


def classes() -> torch.Tensor:
    return torch.randint(0, CLASSES, (12,))


def signs() -> torch.Tensor:
    return torch.randint(0, 2, (12, CLASSES)).double()


def frozen() -> Case:
    case = rows(nn.Linear(5, 7), nn.ReLU(), nn.Linear(7, 7), nn.Tanh())
    next(case.net.children()).requires_grad_(False)
    return case


def in_eval_mode() -> Case:
    case = rows(nn.Linear(5, 7), nn.BatchNorm1d(7), nn.Dropout(0.5), nn.Tanh())
    return case._replace(net=case.net.eval())


def tied() -> Case:
    inner = nn.Linear(5, 5)

    def rule(net: Any, x: torch.Tensor) -> torch.Tensor:
        for _ in range(3):
            x = torch.tanh(net.inner(x))
        return net.last(x) + functional.linear(x, net.again.weight)[:, :3]

    return ruled(rule, normal(12, 5), normal(12, 3), inner=inner, again=inner, last=nn.Linear(5, 3))


def averaging() -> Case:
    """Buffers that are written in place, and one that is put in anew."""

    def rule(net: Any, x: torch.Tensor) -> torch.Tensor:
        h = net.first(x)
        net.mean.mul_(0.9).add_(h.detach().mean(0), alpha=0.1)
        net.size = 0.9 * net.size + 0.1 * h.detach().abs().mean()
        net.count += 1
        return net.last((h - net.mean) / net.size) * net.scale

    case = ruled(rule, normal(12, 5), normal(12, 3), first=nn.Linear(5, 6), last=nn.Linear(6, 3))
    case.net.register_buffer("mean", torch.zeros(6, dtype=torch.float64))
    case.net.register_buffer("size", torch.ones((), dtype=torch.float64))
    case.net.register_buffer("count", torch.tensor(0))
    scale = torch.tensor(1.5, dtype=torch.float64)
    case.net.register_buffer("scale", scale, persistent=False)
    return case


def masked_attention() -> Case:
    def rule(net: Any, x: torch.Tensor) -> torch.Tensor:
        h, weights = net.attention(x, x, x, attn_mask=net.mask)
        return net.last(h.mean(1)) + weights.mean()

    case = ruled(
        rule,
        normal(6, 4, 8),
        normal(6, 3),
        attention=nn.MultiheadAttention(8, 2, batch_first=True),
        last=nn.Linear(8, 3),
    )
    mask = torch.full((4, 4), -torch.inf, dtype=torch.float64).triu(1)
    case.net.register_buffer("mask", mask)
    return case


def of_last(kind: type[nn.Module], **options: Any) -> Case:
    """A recurrent layer, and three numbers of its last output."""
    rule = lambda net, x: net.last(net.layer(x)[0][:, -1])  # noqa: E731
    width = 6 * (2 if options.get("bidirectional") else 1)
    layer = kind(3, 6, batch_first=True, **options)
    return ruled(rule, normal(6, 5, 3), normal(6, 3), layer=layer, last=nn.Linear(width, 3))


def embedded(layer: nn.Module) -> Case:
    rule = lambda net, x: net.last(torch.tanh(net.layer(x)).flatten(1))  # noqa: E731
    width = 6 * (1 if isinstance(layer, nn.EmbeddingBag) else 5)
    x = torch.randint(0, 9, (12, 5))
    return ruled(rule, x, normal(12, 3), layer=layer, last=nn.Linear(width, 3))


class Legendre(torch.autograd.Function):
    """P₃ with its derivative written by hand."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        """½(5x³ − 3x)."""
        ctx.save_for_backward(x)
        return 0.5 * (5 * x**3 - 3 * x)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> torch.Tensor:
        """The gradient times 1.5(5x² − 1)."""
        (x,) = ctx.saved_tensors
        return gradients[0] * 1.5 * (5 * x**2 - 1)


class Rounded(torch.autograd.Function):
    """Rounding that lets the gradient through."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        """The nearest whole number."""
        del ctx
        return x.round()

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> torch.Tensor:
        """The gradient itself."""
        del ctx
        return gradients[0]


class Symmetric(nn.Module):
    """A symmetric matrix of the upper half of another."""

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        """The upper half, and the same below."""
        return weight.triu() + weight.triu(1).transpose(-1, -2)


def symmetric() -> Case:
    layer = nn.Linear(5, 5)
    parametrize.register_parametrization(layer, "weight", Symmetric())
    return rows(layer, nn.Tanh())


def corners() -> Case:
    """Half of the columns are exactly 0, where functions have no derivative."""

    def rule(net: Any, x: torch.Tensor) -> torch.Tensor:
        h = net.first(x)
        zero = torch.zeros_like(h)
        parts = [functional.relu(h), h.abs(), torch.maximum(h, zero), h.clamp(0, 1), h.sign() * h]
        h = h + sum(parts)
        return net.last(h) + h.amax(1, keepdim=True) + h.norm(dim=1, keepdim=True)

    first = nn.Linear(5, 6)
    with torch.no_grad():
        first.weight[:3] = 0
        first.bias[:3] = 0
    return ruled(rule, normal(12, 5), normal(12, 3), first=first, last=nn.Linear(6, 3))


def slopes() -> Case:
    """A physics-informed network: its second derivative is to be −sin."""

    def rule(net: Any, x: torch.Tensor) -> torch.Tensor:
        x = x.detach().requires_grad_()
        with torch.enable_grad():
            u = net.inner(x)
            (first,) = torch.autograd.grad(u.sum(), x, create_graph=True)
            (second,) = torch.autograd.grad(first.sum(), x, create_graph=True)
        return second + u

    inner = nn.Sequential(nn.Linear(1, 8), nn.Tanh(), nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 1))
    x = normal(12, 1)
    return ruled(rule, x, -torch.sin(x), inner=inner)


def indexed() -> Case:
    def rule(net: Any, x: torch.Tensor) -> torch.Tensor:
        h = net.first(x)
        picked = [h[:, [2, 0, 2]], h[..., -2:], h[:, ::2], h.roll(1, 1), h.flip(1)[:, 1:3]]
        return net.last(torch.cat([*picked, h.cumsum(1), h.sort(1).values], 1))

    return ruled(rule, normal(12, 5), normal(12, 3), first=nn.Linear(5, 6), last=nn.Linear(28, 3))


def formula() -> Case:
    def rule(net: Any, x: torch.Tensor) -> torch.Tensor:
        h = torch.einsum("bi,ijk,bj->bk", x, net.weight, torch.tanh(x))
        h = (
            torch.where(h > 0, h**2, -(h.abs() ** 1.5))
            + torch.log1p(h.exp())
            + h.std(1, keepdim=True)
        )
        return h + h.logsumexp(1, keepdim=True) + h.softmax(1)

    weight = nn.Parameter(0.1 * normal(5, 5, 3))
    return ruled(rule, normal(12, 5), normal(12, 3), weight=weight)


def custom() -> Case:
    rule = lambda net, x: net.last(Rounded.apply(4 * Legendre.apply(net.first(x))))  # noqa: E731
    parts = {"first": nn.Linear(5, 6), "last": nn.Linear(6, 3)}
    return ruled(rule, normal(12, 5), normal(12, 3), **parts)


def detached() -> Case:
    def rule(net: Any, x: torch.Tensor) -> torch.Tensor:
        h = net.first(x)
        with torch.no_grad():
            mean = net.other(x).mean()
        return net.last(h - h.detach().mean() + mean)

    parts = {"first": nn.Linear(5, 6), "other": nn.Linear(5, 6), "last": nn.Linear(6, 3)}
    return ruled(rule, normal(12, 5), normal(12, 3), **parts)


def counting() -> Case:
    """To be refused: a trace would freeze the counter."""

    def rule(net: Any, x: torch.Tensor) -> torch.Tensor:
        net.calls += 1
        return net.last(x) * net.calls

    return ruled(rule, normal(12, 5), normal(12, 3), last=nn.Linear(5, 3), calls=0)


def branching() -> Case:
    """To be refused: a trace would follow one of its branches."""

    def rule(net: Any, x: torch.Tensor) -> torch.Tensor:
        h = net.last(x)
        return h if h.mean() > 0 else -h

    return ruled(rule, normal(12, 5), normal(12, 3), last=nn.Linear(5, 3))


def cells() -> Case:
    """A GRU's and an LSTM's cell, called in a loop."""

    def rule(net: Any, x: torch.Tensor) -> torch.Tensor:
        h = x.new_zeros(len(x), 4)
        states = h, h
        for step in x.unbind(1):
            h = net.first(step, h)
            states = net.second(h, states)
        return net.last(torch.cat([h, *states], 1))

    parts = {"first": nn.GRUCell(3, 4), "second": nn.LSTMCell(4, 4), "last": nn.Linear(12, 3)}
    return ruled(rule, normal(6, 4, 3), normal(6, 3), **parts)


def decoder() -> Case:
    def rule(net: Any, x: torch.Tensor) -> torch.Tensor:
        return net.last(net.layer(x[:, :2], x[:, 2:]).flatten(1))

    layer = nn.TransformerDecoderLayer(4, 2, 6, dropout=0.0, batch_first=True, activation="gelu")
    return ruled(rule, normal(6, 5, 4), normal(6, 3), layer=layer, last=nn.Linear(8, 3))


def ranked() -> Case:
    """Pairs of samples, of which the first or the second is to be the larger."""

    def loss(prediction: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return functional.margin_ranking_loss(prediction[:, 0], prediction[:, 1], y, margin=0.3)

    return measured(loss, 2 * signs()[:, 0] - 1, outputs=2)


def paired() -> Case:
    """Pairs of samples that are to be alike, or not."""

    def loss(prediction: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return functional.cosine_embedding_loss(prediction[:, :3], prediction[:, 3:], y, margin=0.1)

    return measured(loss, 2 * signs()[:, 0] - 1, outputs=6)


def connected() -> Case:
    """A recurrent layer whose outputs are to be words."""
    lengths = torch.full((4,), 7), torch.tensor([3, 2, 3, 1])

    def loss(prediction: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return functional.ctc_loss(prediction.log_softmax(2).transpose(0, 1), y, *lengths)

    rule = lambda net, x: net.last(net.layer(x)[0])  # noqa: E731
    parts = {"layer": nn.GRU(2, 5, batch_first=True), "last": nn.Linear(5, CLASSES)}
    case = ruled(rule, normal(4, 7, 2), torch.randint(1, CLASSES, (4, 3)), **parts)
    return case._replace(loss=loss)


def far_apart() -> Case:
    def loss(prediction: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        triplet = nn.TripletMarginWithDistanceLoss(
            distance_function=nn.PairwiseDistance(p=1.5), swap=True
        )
        return triplet(prediction, y, prediction.roll(1, 0))

    return measured(loss, normal(12, CLASSES))


def penalized() -> Case:
    """The slope by the inputs is to have length 1, as of a critic."""

    def rule(net: Any, x: torch.Tensor) -> torch.Tensor:
        x = x.detach().requires_grad_()
        with torch.enable_grad():
            u = net.inner(x)
            (slope,) = torch.autograd.grad(u.sum(), x, create_graph=True)
        return torch.cat([u, slope.norm(dim=1, keepdim=True)], 1)

    inner = nn.Sequential(nn.Linear(3, 8), nn.LeakyReLU(0.2), nn.Linear(8, 8), nn.ELU())
    y = torch.cat([normal(9, 1), torch.ones(9, 1, dtype=torch.float64)], 1)
    return ruled(rule, normal(9, 3), y, inner=inner.append(nn.Linear(8, 1)))


def solved() -> Case:
    """Systems of equations."""

    def rule(net: Any, x: torch.Tensor) -> torch.Tensor:
        matrix = net.weight @ net.weight.T + torch.eye(4, dtype=x.dtype)
        h = torch.linalg.solve(matrix, x.T).T + x @ torch.linalg.inv(matrix)
        return net.last(h) + torch.linalg.slogdet(matrix).logabsdet

    weight = nn.Parameter(normal(4, 4))
    return ruled(rule, normal(9, 4), normal(9, 3), weight=weight, last=nn.Linear(4, 3))


def of_frequencies() -> Case:
    def rule(net: Any, x: torch.Tensor) -> torch.Tensor:
        spectrum = torch.fft.rfft(net.first(x)) * torch.view_as_complex(net.weight)
        return net.last(torch.fft.irfft(spectrum, n=6) + x)

    parts = {"first": nn.Linear(6, 6), "weight": nn.Parameter(normal(4, 2))}
    return ruled(rule, normal(9, 6), normal(9, 3), **parts, last=nn.Linear(6, 3))


def warped() -> Case:
    """Where an image is read follows from the image."""

    def rule(net: Any, x: torch.Tensor) -> torch.Tensor:
        theta = net.where(x.flatten(1)).reshape(-1, 2, 3)
        grid = functional.affine_grid(theta, [len(x), 1, 4, 4], align_corners=False)
        return net.last(functional.grid_sample(x, grid, align_corners=False).flatten(1))

    parts = {"where": nn.Linear(16, 6), "last": nn.Linear(16, 3)}
    return ruled(rule, normal(6, 1, 4, 4), normal(6, 3), **parts)


def called_with_others() -> Case:
    """A layer that is called with weights that another one makes."""

    def rule(net: Any, x: torch.Tensor) -> torch.Tensor:
        made = net.maker(net.code).reshape(3, 5)
        given = {"weight": made, "bias": net.layer.bias}
        return torch.func.functional_call(net.layer, given, (x,))

    layer = nn.Linear(5, 3)
    layer.weight.requires_grad_(False)
    parts = {"maker": nn.Linear(2, 15), "code": nn.Parameter(normal(2)), "layer": layer}
    return ruled(rule, normal(9, 5), normal(9, 3), **parts)


def weighted_bag() -> Case:
    def rule(net: Any, x: torch.Tensor) -> torch.Tensor:
        return net.last(net.layer(x, per_sample_weights=net.share.expand(len(x), -1)))

    layer, share = nn.EmbeddingBag(9, 6, mode="sum"), nn.Parameter(normal(4))
    parts = {"layer": layer, "share": share, "last": nn.Linear(6, 3)}
    return ruled(rule, torch.randint(0, 9, (8, 4)), normal(8, 3), **parts)


def folded() -> Case:
    def rule(net: Any, x: torch.Tensor) -> torch.Tensor:
        patches = functional.unfold(x, 2, stride=2)
        h = torch.tanh(net.first(patches.transpose(1, 2))).transpose(1, 2)
        return net.last(functional.fold(h, (4, 4), 2, padding=1, stride=2)[:, :, 1:].flatten(1))

    parts = {"first": nn.Linear(4, 4), "last": nn.Linear(12, 3)}
    return ruled(rule, normal(6, 1, 6, 6), normal(6, 3), **parts)


def softly_chosen() -> Case:
    """The two best of four experts, by the shares of the best."""

    def rule(net: Any, x: torch.Tensor) -> torch.Tensor:
        shares, best = net.gate(x).softmax(1).topk(2, 1)
        each = torch.stack([expert(x) for expert in net.experts], 1)
        chosen = each.gather(1, best[..., None].expand(-1, -1, 3))
        return (chosen * shares[..., None]).sum(1)

    parts = {"gate": nn.Linear(5, 4), "experts": nn.ModuleList(nn.Linear(5, 3) for _ in range(4))}
    return ruled(rule, normal(9, 5), normal(9, 3), **parts)


def layers(*kinds: nn.Module) -> Case:
    """Activations between layers."""
    return rows(*(part for kind in kinds for part in (nn.Linear(5, 5), kind)))


CASES |= {
    "linear": rows,
    "perceptron": lambda: rows(nn.Linear(5, 9), nn.ReLU(inplace=True), nn.Linear(9, 9), nn.ReLU()),
    "smooth": lambda: layers(nn.GELU(), nn.GELU("tanh"), nn.SiLU(), nn.Mish()),
    "elu": lambda: layers(nn.ELU(0.5), nn.CELU(1.5), nn.SELU(), nn.LeakyReLU(0.1)),
    "hard": lambda: layers(nn.Hardswish(), nn.Hardsigmoid(), nn.Hardtanh(), nn.ReLU6()),
    "shrinking": lambda: layers(nn.Softshrink(0.01), nn.Hardshrink(0.01), nn.Tanhshrink()),
    "logarithmic": lambda: layers(nn.Softplus(2, 1), nn.LogSigmoid(), nn.Softsign(), nn.Sigmoid()),
    "prelu": lambda: rows(nn.Linear(5, 6), nn.PReLU(6), nn.Threshold(-0.2, 0.1)),
    "gated": lambda: rows(nn.Linear(5, 8), nn.GLU(), nn.Linear(4, 6), nn.Softmin(1)),
    "layer norm": lambda: rows(nn.Linear(5, 8), nn.LayerNorm(8), nn.Tanh(), nn.RMSNorm(8)),
    "batch norm": lambda: rows(nn.Linear(5, 8), nn.BatchNorm1d(8, momentum=0.3), nn.ReLU()),
    "batch norm plain": lambda: rows(nn.Linear(5, 8), nn.BatchNorm1d(8, affine=False), nn.Tanh()),
    "eval mode": in_eval_mode,
    "frozen": frozen,
    "tied": tied,
    "buffers": averaging,
    "mask of -inf": masked_attention,
    "weight norm": lambda: rows(parametrizations.weight_norm(nn.Linear(5, 6)), nn.Tanh()),
    "spectral norm": lambda: rows(parametrizations.spectral_norm(nn.Linear(5, 6)), nn.Tanh()),
    "orthogonal": lambda: rows(parametrizations.orthogonal(nn.Linear(5, 5)), nn.Tanh()),
    "symmetric": symmetric,
    "corners": corners,
    "second derivatives": slopes,
    "indexing": indexed,
    "formula": formula,
    "custom functions": custom,
    "detached": detached,
    "bilinear": lambda: ruled(
        lambda net, x: net.layer(x, torch.tanh(x)),
        normal(12, 5),
        normal(12, 3),
        layer=nn.Bilinear(5, 5, 3),
    ),
    "embedding": lambda: embedded(nn.Embedding(9, 6, padding_idx=0)),
    "embedding bag": lambda: embedded(nn.EmbeddingBag(9, 6, mode="mean")),
    "rnn": lambda: of_last(nn.RNN),
    "gru": lambda: of_last(nn.GRU),
    "lstm": lambda: of_last(nn.LSTM),
    "two-way lstm": lambda: of_last(nn.LSTM, bidirectional=True),
    "attention": lambda: flattened(
        nn.TransformerEncoderLayer(8, 2, 12, dropout=0.0, batch_first=True), shape=(4, 8)
    ),
    "norm first": lambda: flattened(
        nn.TransformerEncoderLayer(
            8, 2, 12, dropout=0.0, batch_first=True, norm_first=True, activation="gelu"
        ),
        shape=(4, 8),
    ),
    "conv 1-d": lambda: flattened(
        nn.Conv1d(2, 4, 3, padding="same"), nn.ReLU(), nn.MaxPool1d(2), shape=(2, 9)
    ),
    "conv 2-d": lambda: flattened(
        nn.Conv2d(2, 4, (3, 2), stride=(2, 1), dilation=(1, 2), groups=2),
        nn.ReLU(),
        shape=(2, 7, 7),
    ),
    "conv 3-d": lambda: flattened(nn.Conv3d(1, 2, 2), nn.Tanh(), shape=(1, 4, 4, 4)),
    "transposed": lambda: flattened(
        nn.ConvTranspose2d(2, 3, 3, stride=2, padding=1, output_padding=1), shape=(2, 4, 4)
    ),
    "circular": lambda: flattened(
        nn.Conv1d(2, 3, 3, padding=1, padding_mode="circular"), nn.ReflectionPad1d(1), shape=(2, 7)
    ),
    "pooling": lambda: flattened(
        nn.Conv2d(1, 3, 3),
        nn.MaxPool2d(3, 2, padding=1, ceil_mode=True),
        nn.AvgPool2d(2, 1, padding=1, count_include_pad=False),
        nn.AdaptiveAvgPool2d((2, 1)),
        shape=(1, 9, 9),
    ),
    "group norm": lambda: flattened(
        nn.Conv1d(2, 4, 3), nn.GroupNorm(2, 4), nn.InstanceNorm1d(4, affine=True), shape=(2, 7)
    ),
    "batch norm 2-d": lambda: flattened(
        nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.MaxPool2d(2), shape=(1, 6, 6)
    ),
    "upsampling": lambda: flattened(
        nn.Conv2d(1, 2, 2), nn.Upsample(scale_factor=2, mode="bilinear"), shape=(1, 4, 4)
    ),
    "pixel shuffle": lambda: flattened(nn.Conv2d(1, 4, 2), nn.PixelShuffle(2), shape=(1, 4, 4)),
    "local response": lambda: flattened(nn.Conv1d(2, 4, 3), nn.LocalResponseNorm(2), shape=(2, 7)),
    "cross-entropy": lambda: measured(nn.CrossEntropyLoss(), classes()),
    "smoothed": lambda: measured(
        nn.CrossEntropyLoss(
            torch.rand(CLASSES, dtype=torch.float64), ignore_index=2, label_smoothing=0.1
        ),
        classes(),
    ),
    "probabilities": lambda: measured(nn.CrossEntropyLoss(), normal(12, CLASSES).softmax(1)),
    "nll": lambda: measured(nn.NLLLoss(reduction="sum"), classes(), nn.LogSoftmax(1)),
    "bce": lambda: measured(nn.BCELoss(), signs(), nn.Sigmoid()),
    "bce logits": lambda: measured(nn.BCEWithLogitsLoss(), signs()),
    "multi-margin": lambda: measured(nn.MultiMarginLoss(), classes()),
    "soft margin": lambda: measured(nn.SoftMarginLoss(), 2 * signs() - 1),
    "multi-label": lambda: measured(nn.MultiLabelSoftMarginLoss(), signs()),
    "hinge": lambda: measured(nn.HingeEmbeddingLoss(), 2 * signs() - 1),
    "l1": lambda: measured(nn.L1Loss(), normal(12, CLASSES)),
    "huber": lambda: measured(nn.HuberLoss(delta=0.5), normal(12, CLASSES)),
    "smooth l1": lambda: measured(nn.SmoothL1Loss(beta=0.5), normal(12, CLASSES)),
    "kl": lambda: measured(
        nn.KLDivLoss(reduction="batchmean"), normal(12, CLASSES).softmax(1), nn.LogSoftmax(1)
    ),
    "poisson": lambda: measured(nn.PoissonNLLLoss(full=True), signs() + 1),
    "gaussian": lambda: measured(
        lambda p, y: functional.gaussian_nll_loss(p[:, :2], y, p[:, 2:].exp()), normal(12, 2)
    ),
    "cosine": lambda: measured(
        lambda p, y: 1 - functional.cosine_similarity(p, y).mean(), normal(12, CLASSES)
    ),
    "triplet": lambda: measured(
        lambda p, y: functional.triplet_margin_loss(p, y, p.flip(0)), normal(12, CLASSES)
    ),
    "sum of squares": lambda: measured(
        lambda p, y: (p - y).square().sum() + 1e-3 * p.abs().sum(), normal(12, CLASSES)
    ),
    "cells": cells,
    "decoder": decoder,
    "margin ranking": ranked,
    "cosine embedding": paired,
    "ctc": connected,
    "triplet by distance": far_apart,
    "slope of length 1": penalized,
    "equations": solved,
    "frequencies": of_frequencies,
    "warped": warped,
    "called with others": called_with_others,
    "weighted bag": weighted_bag,
    "folded": folded,
    "experts": softly_chosen,
    "max pool 3-d": lambda: flattened(
        nn.Conv3d(1, 2, 2), nn.MaxPool3d(2, 1), nn.AvgPool3d((1, 2, 1)), shape=(1, 4, 4, 4)
    ),
    "pools 1-d": lambda: flattened(
        nn.Conv1d(1, 2, 2),
        nn.AvgPool1d(2, 1),
        nn.LPPool1d(2, 2),
        nn.AdaptiveMaxPool1d(2),
        shape=(1, 9),
    ),
    "padded": lambda: flattened(
        nn.ConstantPad1d((1, 2), 0.5),
        nn.Conv1d(1, 2, 3),
        nn.ReplicationPad1d(2),
        nn.ZeroPad1d(1),
        nn.CircularPad1d(1),
        shape=(1, 6),
    ),
    "padded 2-d": lambda: flattened(
        nn.ReflectionPad2d((1, 0, 2, 1)),
        nn.Conv2d(1, 2, 2),
        nn.ReplicationPad2d(1),
        shape=(1, 4, 4),
    ),
    "transposed 1-d": lambda: flattened(
        nn.ConvTranspose1d(2, 4, 3, stride=2, groups=2, dilation=2), shape=(2, 5)
    ),
    "pixel unshuffle": lambda: flattened(
        nn.Conv2d(1, 2, 3, padding="same", padding_mode="reflect"),
        nn.PixelUnshuffle(2),
        shape=(1, 4, 4),
    ),
    "bicubic": lambda: flattened(
        nn.Conv2d(1, 2, 2),
        nn.Upsample((5, 4), mode="bicubic"),
        nn.Upsample(scale_factor=2),
        shape=(1, 4, 4),
    ),
    "instance norm": lambda: flattened(
        nn.Conv2d(1, 2, 2),
        nn.InstanceNorm2d(2, affine=True, track_running_stats=True),
        nn.Tanh(),
        shape=(1, 4, 4),
    ),
    "cumulative norm": lambda: rows(nn.Linear(5, 6), nn.BatchNorm1d(6, momentum=None), nn.Tanh()),
    "no running values": lambda: rows(
        nn.Linear(5, 6), nn.BatchNorm1d(6, track_running_stats=False), nn.Softsign()
    ),
    "unflattened": lambda: flattened(
        nn.Linear(6, 6), nn.Unflatten(1, (2, 3)), nn.Softmax(2), nn.Identity(), shape=(6,)
    ),
    "long gru": lambda: ruled(
        lambda net, x: net.last(net.layer(x)[0][:, -1]),
        normal(4, 100, 2),
        normal(4, 3),
        layer=nn.GRU(2, 4, 2, batch_first=True),
        last=nn.Linear(4, 3),
    ),
    "multi-margin squared": lambda: measured(
        nn.MultiMarginLoss(p=2, weight=torch.rand(CLASSES, dtype=torch.float64)), classes()
    ),
    "gaussian of one variance": lambda: measured(
        lambda p, y: functional.gaussian_nll_loss(p[:, :3], y, p[:, 3:].exp(), full=True),
        normal(12, 3),
    ),
    "dropout": lambda: rows(nn.Linear(5, 6), nn.Dropout(0.5)),
    "counter (refused)": counting,
    "branch (refused)": branching,
}
