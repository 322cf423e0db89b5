"""Modules that draw random numbers: PyTorch's own loop is given those of the compiled one."""

from __future__ import annotations

import copy

import numpy as np
import pytest

import funcnn
from funcnn.interop import torch_step

pytest.importorskip("torch")

import torch
from torch import nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from funcnn.bench.modules.drawing import DRAWING
from funcnn.interop.torch.arguments import plain_step
from funcnn.interop.torch.given_draws import given_draws
from funcnn.interop.torch.program import Instruction, Kind, Program
from funcnn.interop.torch.reproducing import eager_loop
from funcnn.runs.planning import make_plan

CLOSE = 1e-8

RNG = np.random.default_rng(0)
X, Y = RNG.standard_normal((11, 3)), RNG.standard_normal((11, 1))


class Dropping(nn.Module):
    """Drops, and draws noise and what it does not use."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.drop, self.last = nn.Linear(3, 6), nn.Dropout(0.5), nn.Linear(6, 1)
        self.double()

    def forward(self, x):
        unused = torch.rand(2)
        h = self.drop(torch.tanh(self.first(x)))
        return self.last(h + 0.1 * torch.randn_like(h)), unused


def of_first(prediction, y):
    return functional.mse_loss(prediction[0], y)


def arguments(net, rate=0.05):
    return {"loss": of_first, "optimizer": torch.optim.Adam(net.parameters(), lr=rate)}


def difference(found):
    assert found.agrees
    assert found.compared_steps == len(found.losses)
    return np.abs(found.losses - found.reference_losses).max()


@pytest.mark.slow
def test_pytorch_s_own_loop_is_given_the_draws_of_the_compiled_one():
    net = Dropping()
    before, drawn = copy.deepcopy(net.state_dict()), torch.get_rng_state()
    found, other = (
        funcnn.reproduce(net, (X, Y), batch_size=4, steps=9, seed=seed, **arguments(net))
        for seed in (None, 7)
    )
    assert max(difference(found), difference(other)) < CLOSE
    assert np.abs(found.losses - other.losses).max() > 1e-3
    assert (found.seed, other.seed) == (0, 7)
    assert torch.equal(torch.get_rng_state(), drawn)
    for name, value in net.state_dict().items():
        assert torch.equal(value, before[name])


def test_a_loop_of_pytorch_that_starts_one_rounding_away_is_given_the_same_draws():
    net = Dropping()
    step = plain_step(net, arguments(net)["optimizer"], of_first)
    plan = make_plan(step, (X, Y), steps=20)
    here, away = (eager_loop(step, plan, one_rounding_away=one).losses for one in (False, True))
    assert 0 < np.abs(here - away).max() < CLOSE


@pytest.mark.slow
def test_a_step_of_one_s_own_is_given_its_draws_and_float32_too():
    net = Dropping().float()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)

    def function(x, y):
        optimizer.zero_grad()
        of_first(net(x), y).backward()
        loss = of_first(net(x + 0.01 * torch.randn_like(x)), y)
        loss.backward()
        optimizer.step()
        return loss

    data = X.astype("float32"), Y.astype("float32")
    found = funcnn.reproduce(torch_step(net, optimizer, function), data, steps=10)
    assert difference(found) < 1e-5


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in DRAWING if "refused" not in name])
def test_modules_that_draw_have_pytorch_s_losses(name):
    torch.manual_seed(0)
    case = DRAWING[name]()
    optimizer = torch.optim.Adam(case.net.parameters(), lr=0.01)
    found = funcnn.reproduce(
        case.net, (case.x, case.y), loss=case.loss, optimizer=optimizer, batch_size=4, steps=8
    )
    assert difference(found) < CLOSE


class Again(nn.Module):
    """Drops what is computed again for the gradient, or not."""

    def __init__(self, again, **options):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.last, self.again, self.options = (
            nn.Linear(3, 6),
            nn.Linear(6, 1),
            again,
            options,
        )
        self.double()

    def dropped(self, h):
        return functional.dropout(torch.tanh(h), 0.5)

    def forward(self, x):
        h = self.first(x)
        h = checkpoint(self.dropped, h, **self.options) if self.again else self.dropped(h)
        return functional.dropout(self.last(h), 0.2)


AGAIN = [
    (Again(False), [0, 1]),
    (Again(True, use_reentrant=True), [0, 1, 0]),
    (Again(True, use_reentrant=False), [0, 1, 0]),
    (Again(True, use_reentrant=False, preserve_rng_state=False), [0, 1, 2]),
]


@pytest.mark.parametrize(("net", "numbers"), AGAIN)
def test_what_is_computed_again_for_the_gradient_draws_the_same_again(net, numbers):
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    plan = make_plan(plain_step(net, optimizer, nn.MSELoss()), (X, Y), steps=2)
    (pair,) = plan.problem.optimizer.pairs.values()
    draws = [one.draw for one in pair.following.program.instructions if one.draw is not None]
    assert draws == numbers


@pytest.mark.slow
def test_a_module_that_computes_again_has_the_losses_of_one_that_does_not():
    found = [
        funcnn.reproduce(
            net,
            (X, Y),
            loss=nn.MSELoss(),
            optimizer=torch.optim.SGD(net.parameters(), lr=0.1),
            steps=5,
        )
        for net, _ in AGAIN
    ]
    assert max(map(difference, found)) < CLOSE
    plain, *again, otherwise = (one.losses for one in found)
    assert max(np.abs(one - plain).max() for one in again) < CLOSE
    assert np.abs(otherwise - plain).max() > 1e-3


class Rule(nn.Module):
    def __init__(self, rule):
        super().__init__()
        self.rule, self.last = rule, nn.Linear(3, 1)
        self.generator = torch.Generator().manual_seed(0)
        self.double()

    def forward(self, x):
        return self.last(self.rule(self, x))


def seeded(_, x):
    torch.manual_seed(0)
    return functional.dropout(x)


def seeded_aside(_, x):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return x + torch.rand_like(x)


def set_back(net, x):
    torch.set_rng_state(net.generator.get_state())
    return x + torch.rand_like(x)


def by_its_own(net, x):
    return x + torch.rand(x.shape, generator=net.generator)


def of_categories(_, x):
    return x + torch.multinomial(torch.softmax(x, 1), 1)


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (seeded, "seeds PyTorch's random numbers, and so draws the same at every step"),
        (seeded_aside, "seeds PyTorch's random numbers"),
        (set_back, "seeds PyTorch's random numbers"),
        (by_its_own, r"a torch\.Generator of its own: leave generator= out"),
        (of_categories, r"aten\.multinomial\.default is not known here"),
    ],
    ids=lambda one: getattr(one, "__name__", ""),
)
def test_draws_that_a_compiled_loop_would_make_otherwise_are_refused(rule, words):
    net = Rule(rule)
    drawn, own = torch.get_rng_state(), net.generator.get_state()
    with pytest.raises(funcnn.ArgumentError, match=words):
        funcnn.reproduce(net, (X, Y), optimizer=torch.optim.SGD(net.parameters(), lr=0.1), steps=2)
    assert torch.equal(torch.get_rng_state(), drawn)
    assert torch.equal(net.generator.get_state(), own)


def program(*draws):
    """A program that makes these draws."""
    return Program(
        0,
        (),
        tuple(
            Instruction(operation, (list(shape),), {}, Kind(shape, "float32"), number)
            for number, (operation, shape) in enumerate(draws)
        ),
        (),
    )


@pytest.mark.parametrize(
    ("draws", "words"),
    [
        ([("rand", (2,)), ("rand", (4,))], r"as draw 1 .* draws rand of shape \(3,\), and the .*4"),
        ([("rand", (2,)), ("randn", (3,))], r"as draw 1 .* and the traced step draws randn"),
        ([("rand", (2,)), ("rand", (3,)), ("rand", (5,))], "as draw 2 .* does not draw"),
    ],
)
def test_a_loop_that_draws_otherwise_than_the_program_is_refused(draws, words):
    key = funcnn.core.keys.run_key(0)

    def step():
        with given_draws(program(*draws), key):
            return torch.rand(2), torch.rand(3)

    with pytest.raises(funcnn.ArgumentError, match=words):
        step()


def test_what_draws_around_pytorch_s_operations_is_refused():
    key, own = funcnn.core.keys.run_key(0), torch.default_generator
    state = own.get_state()

    def step():
        with given_draws(program(), key):
            own.manual_seed(1)

    with pytest.raises(funcnn.ArgumentError, match="by a way around PyTorch's operations"):
        step()
    own.set_state(state)
