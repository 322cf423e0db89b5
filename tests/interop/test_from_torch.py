"""Modules of PyTorch as models: PyTorch's values, gradients and losses, in float64."""

from __future__ import annotations

import copy
import doctest
import itertools
import queue
import threading
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import funcnn
from funcnn.interop import from_torch, params_of

torch = pytest.importorskip("torch")
from funcnn.interop.torch import tracing  # noqa: E402

nn, functional = torch.nn, torch.nn.functional

RATE, STEPS, CLOSE = 0.05, 4, 1e-10


class With(nn.Module):
    """Parts, and a function that says how they go together."""

    def __init__(self, rule: Callable, **parts: nn.Module | nn.Parameter) -> None:
        super().__init__()
        self.rule = rule
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, *inputs):
        return self.rule(self, *inputs)


CASES: dict[str, Callable[[], tuple]] = {}


def case(make):
    CASES[make.__name__] = make
    return make


def numbers(*shape):
    return torch.randn(*shape, dtype=torch.float64)


def rows(*parts, features=5, samples=6):
    return nn.Sequential(*parts), (numbers(samples, features),)


@case
def perceptron():
    return rows(nn.Linear(5, 7), nn.ReLU(inplace=True), nn.Linear(7, 7), nn.Tanh(), nn.Linear(7, 2))


@case
def activations():
    kinds = [nn.GELU(), nn.GELU("tanh"), nn.SiLU(), nn.Mish(), nn.ELU(0.5), nn.CELU(1.5), nn.SELU()]
    return rows(*itertools.chain(*((nn.Linear(5, 5), one) for one in kinds)))


@case
def activations_with_corners():
    kinds = [nn.Hardswish(), nn.Hardsigmoid(), nn.PReLU(5), nn.Hardtanh(-0.5, 0.5), nn.ReLU6()]
    kinds += [nn.Softshrink(0.01), nn.Hardshrink(0.01), nn.Threshold(-0.2, 0.1), nn.LeakyReLU(0.1)]
    return rows(*itertools.chain(*((nn.Linear(5, 5), one) for one in kinds)))


@case
def activations_of_logs():
    kinds = [nn.Softplus(2.0, 1.0), nn.LogSigmoid(), nn.Softsign(), nn.Tanhshrink(), nn.Sigmoid()]
    return rows(*itertools.chain(*((nn.Linear(5, 5), one) for one in kinds)), nn.LogSoftmax(1))


@case
def gated():
    return rows(nn.Linear(5, 8), nn.GLU(), nn.Linear(4, 6), nn.Softmax(-1), nn.Softmin(-1))


@case
def normalized():
    plain = nn.LayerNorm(8, eps=1e-3, elementwise_affine=False)
    return rows(nn.Linear(5, 8), nn.LayerNorm(8), nn.ReLU(), plain, nn.RMSNorm(8), nn.Linear(8, 2))


@case
def normalized_batch_in_eval_mode():
    net, inputs = rows(nn.Linear(5, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 2))
    net.double()(*inputs)
    return net.eval(), inputs


@case
def normalized_batch_without_running_values():
    norm = nn.BatchNorm1d(4, track_running_stats=False)
    return rows(nn.Linear(5, 4), norm, nn.Tanh(), nn.Linear(4, 2))


@case
def convolutions_of_signals():
    net = nn.Sequential(
        nn.Conv1d(2, 4, 3, padding="same"),
        nn.GroupNorm(2, 4),
        nn.MaxPool1d(2),
        nn.Conv1d(4, 3, 3, stride=2, padding=1, padding_mode="circular"),
        nn.InstanceNorm1d(3, affine=True),
        nn.AvgPool1d(2),
        nn.Flatten(),
        nn.Linear(6, 2),
    )
    return net, (numbers(3, 2, 16),)


@case
def convolutions_of_images():
    net = nn.Sequential(
        nn.Conv2d(2, 4, (3, 2), stride=(2, 1), padding=(1, 0), dilation=(1, 2), groups=2),
        nn.MaxPool2d(2, stride=1, padding=1, ceil_mode=True),
        nn.ConvTranspose2d(4, 2, 3, stride=2, padding=1, output_padding=1, dilation=2, groups=2),
        nn.AvgPool2d(3, stride=2, ceil_mode=True, padding=1, count_include_pad=False),
        nn.AdaptiveAvgPool2d((2, 3)),
        nn.Flatten(),
        nn.Linear(12, 2),
    )
    return net, (numbers(2, 2, 6, 7),)


@case
def padded_and_resized():
    net = nn.Sequential(
        nn.ReflectionPad2d(1),
        nn.Conv2d(1, 4, 3),
        nn.ReplicationPad2d((1, 0, 2, 1)),
        nn.PixelShuffle(2),
        nn.Upsample(scale_factor=1.5),
        nn.Upsample(size=(7, 8), mode="bilinear"),
        nn.Upsample(size=(5, 5), mode="bicubic", align_corners=True),
        nn.ZeroPad2d(1),
        nn.Unfold(3, stride=2),
    )
    return net, (numbers(2, 1, 4, 4),)


@case
def embedded():
    def rule(net, words):
        return net.out(torch.tanh(net.table(words).mean(1)) + net.bag(words))

    parts = {"table": nn.Embedding(9, 4, padding_idx=0), "bag": nn.EmbeddingBag(9, 4)}
    return With(rule, **parts, out=nn.Linear(4, 2)), (torch.randint(0, 9, (6, 3)),)


@case
def two_inputs():
    def rule(net, x, chosen):
        pairs = net.both(net.one(x), x) + functional.one_hot(chosen, 3)
        return (
            pairs.gather(1, chosen[:, None]) + pairs[:, [2, 0]] + torch.cdist(pairs, pairs).mean()
        )

    parts = {"one": nn.Linear(5, 4), "both": nn.Bilinear(4, 5, 3)}
    return With(rule, **parts), (numbers(6, 5), torch.randint(0, 3, (6,)))


@case
def attentive():
    layer = nn.TransformerEncoderLayer(4, 2, 8, dropout=0.0, batch_first=True, activation="gelu")

    def rule(net, x):
        mask = nn.Transformer.generate_square_subsequent_mask(x.shape[1], dtype=x.dtype)
        return net.out(net.layer(x, src_mask=mask).flatten(1))

    return With(rule, layer=layer, out=nn.Linear(12, 2)), (numbers(2, 3, 4),)


@case
def recurrent():
    def rule(net, x):
        found, last = net.gru(x)
        return net.out(found[:, -1]) + last.mean() + net.cell(x[:, 0])[1].sum(1, keepdim=True)

    parts = {"gru": nn.GRU(2, 3, batch_first=True), "cell": nn.LSTMCell(2, 3)}
    return With(rule, **parts, out=nn.Linear(3, 2)), (numbers(2, 3, 2),)


class RoundedThrough(torch.autograd.Function):
    """Rounds, with a gradient as if it did not, cut to 0.1."""

    @staticmethod
    def forward(ctx, x):  # noqa: ARG004
        return x.round()

    @staticmethod
    def backward(ctx, gradient):  # noqa: ARG004
        return gradient.clamp(-0.1, 0.1)


@case
def detached_and_custom():
    def rule(net, x):
        hidden = torch.tanh(net.a(x))
        with torch.no_grad():
            mean = net.b(hidden).mean(0)
        return net.b(hidden.detach() * hidden + mean) + RoundedThrough.apply(3 * hidden)

    return With(rule, a=nn.Linear(5, 4), b=nn.Linear(4, 4)), (numbers(6, 5),)


@case
def tied_frozen_and_in_place():
    def rule(net, x):
        hidden = net.again(torch.sigmoid(net.middle(x))).clone()
        hidden[:, 0] = hidden[:, 1] * 2
        hidden[:, 2:4] += 1
        hidden.mul_(0.5)[:, 4].add_(x[:, 0])
        return hidden.masked_fill(hidden > 1, 0.0) @ net.frozen + net.middle.bias.sum()

    middle = nn.Linear(5, 5)
    frozen = nn.Parameter(numbers(5, 2), requires_grad=False)
    return With(rule, middle=middle, again=middle, frozen=frozen), (numbers(6, 5),)


@case
def parametrized():
    class Symmetric(nn.Module):
        def forward(self, weight):
            return weight.triu() + weight.triu(1).mT

    net = nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(5, 4)), nn.Linear(4, 4))
    nn.utils.parametrize.register_parametrization(net[1], "weight", Symmetric())
    return net, (numbers(6, 5),)


@case
def derived():
    def rule(net, x):
        x = x.detach().requires_grad_()
        value = net.out(torch.tanh(net.inner(x)))
        (slope,) = torch.autograd.grad(value.sum(), x, create_graph=True)
        (curve,) = torch.autograd.grad(slope.sum(), x, create_graph=True)
        return curve + value**2

    return With(rule, inner=nn.Linear(1, 6), out=nn.Linear(6, 1)), (numbers(6, 1),)


@case
def equal_numbers():
    def rule(net, x):
        h = net.a(x)  # Its columns are all 0, or equal to one another.
        zero = torch.zeros_like(h)
        parts = [functional.relu(h), h.abs(), torch.max(h, zero), torch.minimum(h, zero)]
        parts += [h.clamp(min=0), h.clamp(0, 1), functional.relu6(h), functional.leaky_relu(h, 0.2)]
        parts += [functional.elu(h), functional.softshrink(h, 0.0), functional.hardtanh(h, 0, 1)]
        parts += [functional.hardsigmoid(h - 3), torch.where(h > 0, h, 2 * h), h.cummax(1)[0]]
        parts += [h.cumprod(1)]
        of_rows = [h.amax(1), h.max(1)[0], h.min(1)[0], h.norm(dim=1), h.sort(1)[0][:, 2]]
        of_rows += [h.median(1)[0], h.logsumexp(1), functional.max_pool1d(h, 2).sum(1), h.prod(1)]
        total = sum(k * part for k, part in enumerate(parts, start=1))
        return total + sum(k * row for k, row in enumerate(of_rows, start=1))[:, None] + h.max()

    net = With(rule, a=nn.Linear(5, 6))
    with torch.no_grad():
        net.a.weight[:3] = 0
        net.a.bias[:3] = 0
        net.a.weight[4] = net.a.weight[5]
        net.a.bias[4] = net.a.bias[5]
    return net, (numbers(6, 5),)


@case
def statistics():
    def rule(net, x):
        h = net.a(x)
        found = [h.std(1), h.var(0, unbiased=False)[:4].sum() + h.mean(1), h.cumsum(1)[:, -1]]
        found += [(h.abs() + 0.1).log1p().sum(1), torch.einsum("bi,ij,bj->b", h, net.w, h)]
        found += [h.pow(3).sum(1), (h.exp() + 1).rsqrt().sum(1), h.flip(1).roll(1, 1)[:, 1]]
        return torch.stack(found, 1)

    return With(rule, a=nn.Linear(5, 4), w=nn.Parameter(numbers(4, 4))), (numbers(4, 5),)


@case
def spectral():
    def rule(net, x):
        wave = torch.fft.rfft(x, dim=1) * torch.complex(net.real, net.imaginary)
        return torch.fft.irfft(wave, n=x.shape[1], dim=1)

    parts = {name: nn.Parameter(numbers(4)) for name in ("real", "imaginary")}
    return With(rule, **parts), (numbers(4, 6),)


@case
def less_common():
    def rule(net, x):
        h = net.a(x)
        positive = h.T @ h + torch.eye(4, dtype=x.dtype)
        factor = torch.linalg.cholesky(positive)
        rest = torch.linalg.inv(factor) + torch.cholesky_solve(h[:4], factor)
        rest = rest + torch.cholesky_solve(h[2:], factor.mT, upper=True)
        rest = rest + h[:4].index_copy(0, torch.tensor([1, 0]), h[2:4]).logcumsumexp(1)
        places = torch.searchsorted(torch.tensor([-0.5, 0.5], dtype=x.dtype), h[:4].detach())
        masked = h[:4].clone()
        masked[h[:4, 0] > 0] = 0.5
        added = torch.zeros_like(rest).scatter_add(1, places, h[:4])
        return net.rest(rest + masked + added.index_put((places[0],), net.w, accumulate=True))

    parts = {"a": nn.Linear(5, 4), "w": nn.Parameter(numbers(4)), "rest": nn.RReLU().eval()}
    return With(rule, **parts), (numbers(6, 5),)


@case
def losses_inside():
    def rule(net, x, chosen):
        h = net.a(x)
        y = torch.tanh(x[:, :3])
        pairs = (functional.smooth_l1_loss, functional.huber_loss, functional.l1_loss)
        found = [loss(h, y) for loss in pairs] + [functional.cross_entropy(h, chosen)]
        found += [functional.binary_cross_entropy_with_logits(h, (y > 0).to(h))]
        found += [functional.kl_div(h.log_softmax(1), y.softmax(1), reduction="batchmean")]
        found += [functional.nll_loss(h.log_softmax(1), chosen, reduction="sum")]
        found += [functional.cosine_similarity(h, y).sum(), functional.poisson_nll_loss(h, y.abs())]
        counts = h.new_tensor([1.0, 2.0, 0.5])
        found += [functional.cross_entropy(h, chosen, counts, label_smoothing=0.1)]
        return torch.stack(found)

    return With(rule, a=nn.Linear(5, 3)), (numbers(6, 5), torch.randint(0, 3, (6,)))


@case
def several_labels():
    # Those after a negative one are none; one is its row's only class.
    labels = torch.tensor([[2, 0, -1, 1], [1, -1, 0, 0], [3, 2, 1, 0], [-1, 0, 0, 0]])

    def rule(net, x):
        h = net.a(x)
        found = [
            functional.multilabel_margin_loss(h, labels, reduction=reduction).sum()
            for reduction in ("mean", "sum", "none")
        ]
        return torch.stack([*found, functional.multilabel_margin_loss(h[0], labels[0])])

    return With(rule, a=nn.Linear(5, 4)), (numbers(4, 5),)


@case
def a_mask_that_may_be_the_causal_one():
    layer = nn.TransformerEncoderLayer(4, 2, 6, dropout=0.0, batch_first=True)
    parts = {"causal": nn.TransformerEncoder(layer, 1), "other": nn.TransformerEncoder(layer, 1)}
    causal = nn.Transformer.generate_square_subsequent_mask(3, dtype=torch.float64)

    def rule(net, x):
        return net.causal(x, mask=causal) + net.other(x, mask=causal.T)

    return With(rule, **parts), (numbers(2, 3, 4),)


def made(name):
    torch.manual_seed(0)
    net, inputs = CASES[name]()
    return net.double(), inputs


def arrays(inputs):
    return tuple(one.numpy() if one.is_floating_point() else one.int().numpy() for one in inputs)


def eager_losses(net, inputs, weights):
    """The losses of PyTorch's own loop, on a copy of the module."""
    net = copy.deepcopy(net)
    parameters = [one for one in net.parameters() if one.requires_grad]
    optimizer = torch.optim.SGD(parameters, RATE)
    losses = []
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = (net(*inputs) * weights).mean() ** 2
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_a_module_gives_pytorch_s_losses(name):
    net, inputs = made(name)
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    weights = torch.randn_like(net(*inputs).detach())
    model, params, x = from_torch(net), params_of(net), arrays(inputs)

    @jax.jit
    def step(params):
        def loss(params):
            return jnp.mean(model.apply(params, x) * weights.numpy()) ** 2

        value, gradient = jax.value_and_grad(loss)(params)
        return jax.tree.map(lambda one, change: one - RATE * change, params, gradient), value

    losses = []
    with jax.enable_x64(True):
        for _ in range(STEPS):
            params, loss = step(params)
            losses.append(float(loss))
    np.testing.assert_allclose(losses, eager_losses(net, inputs, weights), rtol=CLOSE)
    assert all(torch.equal(before[name], tensor) for name, tensor in net.state_dict().items())


def test_derivatives_of_any_order_are_pytorch_s():
    net = With(
        lambda net, x: (net.a(x).relu() ** 3).sum(1) * net.a(x).detach()[:, 0], a=nn.Linear(2, 3)
    )
    net = net.double()
    x = numbers(4, 2)
    model, params = from_torch(net), params_of(net)

    def twice(x):
        slope = jax.grad(lambda x: model.apply(params, x).sum())(x)
        return (slope**2).sum()

    with jax.enable_x64(True):
        found = jax.jit(jax.grad(twice))(x.numpy())
    live = x.clone().requires_grad_()
    (slope,) = torch.autograd.grad(net(live).sum(), live, create_graph=True)
    (expected,) = torch.autograd.grad((slope**2).sum(), live)
    np.testing.assert_allclose(found, expected, rtol=CLOSE)


def test_vmap_goes_over_inputs_and_over_members():
    net = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)).double()
    x = numbers(5, 3)
    model, params = from_torch(net), params_of(net)

    def loss(params, x):
        return (model.apply(params, x) ** 2).sum()

    with jax.enable_x64(True):
        each = jax.vmap(jax.grad(loss), (None, 0))(params, x.numpy())
        members = jax.tree.map(lambda one: np.stack([one, 2 * one]), params)
        predicted = jax.vmap(model.apply, (0, None))(members, x.numpy())
    (net(x) ** 2).sum().backward()
    for name, parameter in net.named_parameters():
        found = np.asarray(each[name]).sum(0)
        np.testing.assert_allclose(found, parameter.grad, rtol=CLOSE, err_msg=name)
        parameter.data.mul_(2)
    np.testing.assert_allclose(np.asarray(predicted)[1], net(x).detach(), rtol=CLOSE)


def test_dropout_draws_by_the_key_and_predicts_without():
    net = nn.Sequential(nn.Linear(3, 200), nn.Dropout(0.25), nn.Linear(200, 1, bias=False))
    torch.nn.init.ones_(net[2].weight)
    model, params = from_torch(net), params_of(net)
    x = np.ones((4, 3), np.float32)
    first, again, other = (
        np.asarray(model.apply(params, x, jax.random.key(seed))) for seed in (0, 0, 1)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    predicted = np.asarray(model.predict(params, x))
    np.testing.assert_allclose(predicted, net.eval()(torch.ones(4, 3)).detach(), rtol=1e-5)
    result = funcnn.train(model, (x, x[:, :1]), params=params, steps=3, learning_rate=1e-4)
    assert result.losses[0] != result.losses[1]
    assert result.predict(x).shape == (4, 1)


@pytest.mark.slow
def test_the_example_runs():
    assert doctest.testmod(funcnn.interop.torch).failed == 0
    assert funcnn.interop.from_torch is from_torch


def test_integers_and_short_batches_and_float32_are_trained_on():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Embedding(7, 3), nn.Flatten(), nn.Linear(6, 3))
    words, classes = torch.randint(0, 7, (10, 2)), torch.randint(0, 3, (10,))
    batches = [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    model, params = from_torch(net), params_of(net)
    settings = {"loss": "cross_entropy", "optimizer": "sgd", "learning_rate": 0.1}
    result = funcnn.train(model, (words, classes), params=params, batches=batches, **settings)
    optimizer = torch.optim.SGD(net.parameters(), 0.1)
    expected = []
    for rows in batches:
        optimizer.zero_grad()
        loss = nn.CrossEntropyLoss()(net(words[rows]), classes[rows])
        loss.backward()
        optimizer.step()
        expected.append(loss.item())
    np.testing.assert_allclose(result.losses, expected, rtol=1e-5)


def test_a_module_is_trained_with_everything_that_train_has(tmp_path):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(5, 6), nn.ReLU(), nn.Linear(6, 1)).double()
    x, y = numbers(30, 5), numbers(30, 1)
    twin = copy.deepcopy(net)
    optimizer = torch.optim.AdamW(twin.parameters(), lr=0.01, weight_decay=0.1)
    expected = []
    for _ in range(20):
        optimizer.zero_grad()
        loss = nn.MSELoss()(twin(x[:24]), y[:24])
        loss.backward()
        optimizer.step()
        expected.append(loss.item())

    model, params = from_torch(net), params_of(net)
    settings = {"params": params, "loss": "MSELoss", "optimizer": "adamw", "weight_decay": 0.1}
    settings |= {"learning_rate": 0.01, "dtype": "float64", "checkpoints": tmp_path}
    settings |= {"validation": (x[24:], y[24:]), "evaluate_every": 5}
    data = x[:24], y[:24]
    result = funcnn.train(model, data, steps=20, **settings)
    np.testing.assert_allclose(result.losses, expected, rtol=CLOSE)
    np.testing.assert_allclose(result.predict(x), twin(x).detach(), rtol=1e-8)
    twin.load_state_dict({k: torch.tensor(np.array(v)) for k, v in result.params.items()})
    with torch.no_grad():
        validated = nn.MSELoss()(twin(x[24:]), y[24:]).item()
    np.testing.assert_allclose(result.history["validation_loss"][-1], validated, rtol=1e-8)
    assert sorted(params) == sorted(net.state_dict())

    again = funcnn.train(from_torch(net), data, steps=20, resume=True, **settings)
    assert np.array_equal(again.losses, result.losses)
    net[1] = nn.Tanh()
    with pytest.raises(funcnn.ArgumentError, match="model"):
        funcnn.train(from_torch(net), data, steps=20, resume=True, **settings)


def test_a_sweep_trains_many_modules_at_once():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1)).double()
    data = numbers(10, 3), numbers(10, 1)
    model, params = from_torch(net), params_of(net)
    settings = {"params": params, "optimizer": "sgd", "steps": 5, "dtype": "float64"}
    swept = funcnn.sweep(model, data, learning_rate=[0.01, 0.1], **settings)
    for rate, losses in zip((0.01, 0.1), swept.losses, strict=True):
        one = funcnn.train(model, data, learning_rate=rate, **settings)
        np.testing.assert_allclose(losses, one.losses, rtol=CLOSE)


def test_one_trace_at_a_time():
    free = queue.SimpleQueue()

    def look():
        free.put(tracing.ONE_AT_A_TIME.acquire(blocking=False))

    class Looking(nn.Linear):
        def forward(self, x):
            other = threading.Thread(target=look)
            other.start()
            other.join()
            return super().forward(x)

    net = Looking(3, 2)
    assert from_torch(net).apply(params_of(net), jnp.ones((4, 3))).shape == (4, 2)
    assert not free.get_nowait()


def test_its_init_draws_as_its_layers_do():
    net = nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4), nn.Tanh(), nn.Linear(4, 1))
    before, drawn = {k: v.clone() for k, v in net.state_dict().items()}, torch.get_rng_state()
    init = from_torch(net).init
    assert init is not None
    key = jax.random.key(7)
    params = init(key)
    assert torch.equal(torch.get_rng_state(), drawn)
    assert all(torch.equal(one, before[name]) for name, one in net.state_dict().items())
    high, low = np.asarray(jax.random.key_data(key)).tolist()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(high << 32 | low)
        again = nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4), nn.Tanh(), nn.Linear(4, 1))
    for name, value in again.state_dict().items():
        assert np.array_equal(params[name], value.numpy()), name
    many = jax.jit(jax.vmap(init))(jax.random.split(key, 3))
    for number, one in enumerate(jax.random.split(key, 3)):
        alone = init(one)
        assert all(np.array_equal(many[name][number], alone[name]) for name in alone)


def test_seeds_of_a_model_of_a_module_are_an_ensemble():
    model = from_torch(nn.Sequential(nn.Linear(3, 2), nn.Tanh(), nn.Linear(2, 1)))
    data = np.ones((4, 3), np.float32), np.ones((4, 1), np.float32)
    swept = funcnn.sweep(model, data, seed=range(3), steps=3)
    assert len(set(swept.losses[:, 0].tolist())) == 3
    alone = funcnn.train(model, data, seed=2, steps=3)
    np.testing.assert_allclose(swept.losses[2], alone.losses, rtol=1e-5)


def test_a_part_that_draws_nothing_anew_leaves_no_init():
    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.ones(3))

        def forward(self, x):
            return self.scale * x

    assert from_torch(nn.Sequential(Own(), nn.Linear(3, 1))).init is None
