"""What stands in for functions of PyTorch that cannot be traced, beside those functions."""

from __future__ import annotations

import functools

import jax
import numpy as np
import pytest

import funcnn
from funcnn.core.precision import jax_promotion
from funcnn.interop import from_torch, params_of

torch = pytest.importorskip("torch")
from funcnn.interop.torch.operations import OPERATIONS  # noqa: E402

nn, functional = torch.nn, torch.nn.functional

CLOSE = 1e-12


def of_numpy(tensor):
    return np.asarray(tensor.detach())


CONNECTED = {
    "plain": ([7, 5, 7, 3], [3, 2, 1, 1], {}),
    "the same label again": ([7, 7, 7, 7], [3, 3, 3, 3], {"y": [[1, 1, 1], [2, 2, 1]] * 2}),
    "no labels": ([7, 4, 1, 7], [0, 0, 0, 2], {}),
    "impossible": ([2, 7, 1, 7], [3, 2, 2, 3], {"zero_infinity": True}),
    "one after another": ([7, 5, 7, 4], [3, 0, 2, 1], {"y": [3, 1, 2, 1, 1, 2]}),
    "another blank": ([7, 6, 5, 7], [2, 1, 3, 2], {"y": [[0, 1, 0], [1, 2, 1]] * 2, "blank": 3}),
}


@pytest.mark.parametrize("name", CONNECTED)
def test_the_loss_of_a_sequence_and_its_gradient_are_pytorch_s(name):
    lengths, labels, options = CONNECTED[name]
    options = dict(options)
    torch.manual_seed(0)
    y = torch.tensor(options.pop("y", [[1, 2, 3], [2, 1, 1], [3, 1, 2], [1, 3, 3]]))
    # Not what a softmax makes: then PyTorch's gradient is not the slope.
    x = torch.randn(7, 4, 4, dtype=torch.float64, requires_grad=True)
    loss = functional.ctc_loss(x, y, lengths, labels, reduction="none", **options)
    weights = torch.tensor([0.5, -1.0, 2.0, 1.5], dtype=torch.float64)
    finite = torch.where(loss == 0, 0, weights) if options.get("zero_infinity") else weights
    (loss * weights).sum().backward()
    with jax.enable_x64(True), jax_promotion():
        given = (*map(of_numpy, (x, y)), np.array(lengths), np.array(labels))
        of_loss, of_gradient = (
            jax.jit(functools.partial(OPERATIONS[name], blank=options.get("blank", 0)))
            for name in ("ctc_loss", "ctc_gradient")
        )
        own = of_loss(*given)
        shown = np.where(np.isinf(own), 0, own) if options.get("zero_infinity") else own
        gradient = of_gradient(of_numpy(finite), own, *given)
    np.testing.assert_allclose(shown, of_numpy(loss), atol=CLOSE)
    np.testing.assert_allclose(gradient, of_numpy(x.grad), atol=CLOSE)


@pytest.mark.parametrize(
    ("lengths", "labels", "y"),
    [([8], [1], [[1]]), ([3], [2], [[1]]), ([3], [1], [[4]]), ([-1], [1], [[1]])],
)
def test_what_pytorch_refuses_of_sequences_is_nan(lengths, labels, y):
    x = np.zeros((7, 1, 4), np.float32)
    arrays = (np.array(one, np.int32) for one in (y, lengths, labels))
    with jax_promotion():
        loss = jax.jit(functools.partial(OPERATIONS["ctc_loss"], blank=0))(x, *arrays)
    assert np.isnan(loss).all()


def test_a_module_under_that_loss_is_trained_as_by_pytorch():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(3, 4), nn.LogSoftmax(2)).double()
    loss = nn.CTCLoss(reduction="sum")
    lengths = torch.full((6,), 5), torch.tensor([2, 1, 2, 0, 2, 1])
    found = funcnn.reproduce(
        net,
        (torch.randn(6, 5, 3).double(), torch.randint(1, 4, (6, 2))),
        loss=lambda prediction, y: loss(prediction.transpose(0, 1), y, *lengths),
        optimizer=torch.optim.SGD(net.parameters(), lr=0.05),
        steps=10,
    )
    assert np.abs(found.losses - found.reference_losses).max() < 1e-10


class Systems(nn.Module):
    """Equations on both sides, of a vector, of many systems, and a determinant."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.weight = nn.Parameter(torch.randn(2, 3, 3, dtype=torch.float64))

    def forward(self, x):
        a = self.weight + 3 * torch.eye(3, dtype=x.dtype)
        right = torch.linalg.solve(a, x[:, None])
        left = torch.linalg.solve(a, x[:, None, :, :2].mT, left=False)
        vector = torch.linalg.solve(a[0], x[0, 0])
        _, size = torch.linalg.slogdet(-a)
        return right.sum(1) + left.sum((1, 2))[:, None, :] + vector + size.sum()


@pytest.mark.slow
def test_systems_of_equations_and_their_gradients_are_pytorch_s():
    net = Systems()
    x = torch.randn(4, 3, 3, dtype=torch.float64, requires_grad=True)

    def twice(net, x):
        (slope,) = torch.autograd.grad((net(x) ** 2).sum(), net.weight, create_graph=True)
        return (slope**2).sum()

    (expected,) = torch.autograd.grad(twice(net, x), net.weight)
    with jax.enable_x64(True):
        model, params = from_torch(net), params_of(net)
        np.testing.assert_allclose(model.apply(params, of_numpy(x)), of_numpy(net(x)), atol=CLOSE)

        def penalty(params):
            slope = jax.grad(lambda params: (model.apply(params, of_numpy(x)) ** 2).sum())(params)
            return (slope["weight"] ** 2).sum()

        found = jax.grad(penalty)(params)["weight"]
    np.testing.assert_allclose(found, of_numpy(expected), rtol=1e-9)


BAGS = {
    "largest": {"mode": "max"},
    "largest, with padding": {"mode": "max", "padding_idx": 2},
    "mean, with padding": {"mode": "mean", "padding_idx": 2},
    "sum to the last": {"mode": "sum", "include_last_offset": True},
}


@pytest.mark.parametrize("name", BAGS)
def test_bags_of_rows_and_their_gradient_are_pytorch_s(name):
    torch.manual_seed(0)
    net = nn.EmbeddingBag(5, 3, **BAGS[name]).double()
    with torch.no_grad():
        net.weight[3] = net.weight[1]  # The first of equal ones is the largest.
    places = torch.tensor([1, 3, 2, 2, 4, 0, 3, 1])
    offsets = torch.tensor([0, 2, 4, 4, 8] if "include_last_offset" in BAGS[name] else [0, 2, 4, 4])
    output = net(places, offsets)
    weights = torch.randn_like(output)
    (output * weights).sum().backward()
    with jax.enable_x64(True):
        model, params = from_torch(net), params_of(net)
        inputs = of_numpy(places), of_numpy(offsets)
        np.testing.assert_allclose(model.apply(params, inputs), of_numpy(output), atol=CLOSE)
        found = jax.grad(lambda params: (model.apply(params, inputs) * of_numpy(weights)).sum())(
            params
        )
    np.testing.assert_allclose(found["weight"], of_numpy(net.weight.grad), atol=CLOSE)
