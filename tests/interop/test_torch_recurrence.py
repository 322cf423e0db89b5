"""Recurrent layers, which are traced as one operation each: PyTorch's losses, and no unrolling."""

from __future__ import annotations

import linecache
import warnings

import jax
import numpy as np
import pytest

import funcnn
from funcnn.interop import from_torch, params_of, torch_step

torch = pytest.importorskip("torch")
nn = torch.nn
lines = pytest.importorskip("funcnn.interop.torch.lines")

CLOSE = 1e-8


class Last(nn.Module):
    """A recurrent layer over some steps, and one number of its outputs and of its last states."""

    def __init__(self, kind, again=False, **options):
        super().__init__()
        torch.manual_seed(0)
        self.layer = kind(3, 4, batch_first=True, **options)
        self.again = again
        self.last = nn.LazyLinear(1)
        self.double()
        with torch.no_grad():
            self(torch.zeros(2, 5, 3, dtype=torch.float64))

    def forward(self, x):
        outputs, states = self.layer(x)
        if self.again:  # A second use of the layer, from where the first has come to.
            outputs, states = self.layer(x.flip(1), states)
        states = states if isinstance(states, tuple) else (states,)
        return self.last(torch.cat([outputs[:, -1], *(one[-1] for one in states)], 1))


def data(steps=5):
    rng = np.random.default_rng(0)
    return rng.standard_normal((6, steps, 3)), rng.standard_normal((6, 1))


CASES = {
    "relu": (nn.RNN, {"nonlinearity": "relu", "bias": False}),
    "gru": (nn.GRU, {"again": True, "num_layers": 2}),
    "two-way lstm": (nn.LSTM, {"num_layers": 2, "bidirectional": True}),
    "projected": (nn.LSTM, {"proj_size": 2}),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_a_recurrent_layer_gives_pytorch_s_losses(name):
    kind, options = CASES[name]
    net = Last(kind, **options)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.2)
    found = funcnn.reproduce(net, data(), loss=nn.MSELoss(), optimizer=optimizer, steps=10)
    assert found.compared_steps == 10
    assert np.abs(found.losses - found.reference_losses).max() < CLOSE
    assert found.losses[-1] < found.losses[0]


@pytest.mark.slow
def test_gradients_of_gradients_pass_through():
    """A penalty on the slope of the squared slope by the inputs: a gradient of a third order."""
    net = Last(nn.GRU)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)

    def function(x, y):
        optimizer.zero_grad()
        x = x.detach().requires_grad_()
        loss = (net(x) - y).square().mean()
        slope = loss
        for _ in range(2):
            (bent,) = torch.autograd.grad(slope, x, create_graph=True)
            slope = bent.square().sum()
        (loss + slope).backward()
        optimizer.step()
        return loss + slope

    found = funcnn.reproduce(torch_step(net, optimizer, function), data(3), steps=5)
    assert found.compared_steps == 5
    assert np.abs(found.losses - found.reference_losses).max() < CLOSE


def test_a_long_sequence_is_no_longer_a_program():
    """What is compiled for 300 steps is what is compiled for 3, but for the numbers in it."""
    net = Last(nn.GRU)
    model = from_torch(net)

    def equations(steps):
        slope = jax.grad(lambda params, x: model.apply(params, x).sum())
        return str(jax.make_jaxpr(slope)(params_of(net), data(steps)[0])).count(" = ")

    with jax.enable_x64(True):
        assert equations(300) == equations(3)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:the loss ended")
def test_dropout_between_layers_is_drawn_anew_at_every_step():
    net = Last(nn.GRU, num_layers=2, dropout=0.5)
    arguments = {"loss": nn.MSELoss(), "steps": 4}
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-12)
    losses = funcnn.train(net, data(), optimizer=optimizer, **arguments).losses
    assert len({f"{one:.6f}" for one in losses}) == 4
    still = funcnn.train(net.eval(), data(), optimizer=optimizer, **arguments).losses
    assert len({f"{one:.6f}" for one in still}) == 1


def test_a_packed_sequence_is_refused_with_the_part_that_takes_it():
    class Packed(Last):
        def forward(self, x):
            sizes = torch.tensor([2, 2, 2])
            packed = nn.utils.rnn.PackedSequence(x.flatten(0, 1)[:6], sizes)
            return self.last(torch.cat(2 * [self.layer(packed)[1][-1]], 1))

    net = Packed(nn.GRU)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    with pytest.raises(funcnn.ArgumentError, match=r"a shape of .* in the part 'layer'"):
        funcnn.train(net, data(), loss=nn.MSELoss(), optimizer=optimizer, steps=2)


class ByHand(nn.Module):
    """A cell in a loop of Python."""

    def __init__(self):
        super().__init__()
        self.cell, self.last = nn.RNNCell(3, 4), nn.Linear(4, 1)

    def forward(self, x):
        h = x.new_zeros(len(x), 4)
        for t in range(x.shape[1]):
            h = self.cell(x[:, t], h)  # the loop
        return self.last(h)


@pytest.mark.parametrize(("rounds", "times"), [(40, 1), (20, 0)])
def test_a_cell_in_a_long_loop_of_python_is_told_of(rounds, times, monkeypatch):
    monkeypatch.setattr(lines, "LARGE", 100)
    net = ByHand()
    model, x = from_torch(net), np.ones((2, rounds, 3), np.float32)
    with warnings.catch_warnings(record=True, action="always") as told:
        jax.eval_shape(model.apply, params_of(net), x)
    assert len(told) == times
    for one in told:
        assert one.filename == __file__
        assert "# the loop" in linecache.getline(one.filename, one.lineno)
        assert "this line is gone through 40 times" in str(one.message)
        assert "nn.GRU, nn.LSTM and nn.RNN are compiled as a loop" in str(one.message)


def test_many_layers_without_a_loop_are_not_told_of(monkeypatch):
    monkeypatch.setattr(lines, "LARGE", 10)
    net = nn.Sequential(*(nn.Linear(3, 3) for _ in range(40)))
    jax.eval_shape(from_torch(net).apply, params_of(net), np.ones((2, 3), np.float32))


@pytest.mark.slow
def test_under_a_transform_of_functions_a_layer_is_unrolled():
    class Sloping(Last):
        def forward(self, x):
            slope = torch.func.grad(lambda one: self.layer(one)[0].square().sum())(x)
            return super().forward(slope)

    net = Sloping(nn.GRU)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    found = funcnn.reproduce(net, data(2), loss=nn.MSELoss(), optimizer=optimizer, steps=5)
    assert np.abs(found.losses - found.reference_losses).max() < CLOSE
