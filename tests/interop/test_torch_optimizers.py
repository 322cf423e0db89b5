"""Optimizers that decide by the step's number: PyTorch's losses, and it goes on from there."""

from __future__ import annotations

import copy

import numpy as np
import pytest

import funcnn

torch = pytest.importorskip("torch")
nn, functional, optim = torch.nn, torch.nn.functional, torch.optim

CLOSE = 1e-8

RNG = np.random.default_rng(0)
X, Y = RNG.standard_normal((9, 3)), RNG.standard_normal((9, 1))


def network():
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1)).double()


OPTIMIZERS = {
    # Its rectification begins at step 6.
    "RAdam": lambda params: optim.RAdam(params, lr=0.02, weight_decay=0.01),
    # Averaging begins at step 30.
    "ASGD": lambda params: optim.ASGD(params, lr=0.1, lambd=1e-3, t0=30.0),
    # Until step 25 the rate is the smaller one, then it is what follows from the step.
    "Adafactor": lambda params: optim.Adafactor(params, lr=0.2, weight_decay=0.01),
    "NAdam": lambda params: optim.NAdam(params, lr=0.02),
}


def eagerly(net, optimizer, scheduler, steps):
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = functional.mse_loss(net(torch.from_numpy(X)), torch.from_numpy(Y))
        loss.backward()
        optimizer.step()
        scheduler.step()
        losses.append(loss.item())
    return np.array(losses)


def own_of_pytorch():
    """What a trace replaces, and is to bring back."""
    from torch.optim import _adafactor, asgd, radam

    return torch.SymBool.__bool__, *(vars(module).copy() for module in (_adafactor, asgd, radam))


# A scheduler misses its mark on the step of an optimizer that was copied.
@pytest.mark.filterwarnings("ignore:Seems like `optimizer.step")
@pytest.mark.slow
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_optimizer_that_decides_gives_pytorch_s_losses_and_goes_on_from_there(name):
    net = network()
    optimizer = OPTIMIZERS[name](net.parameters())
    scheduler = optim.lr_scheduler.StepLR(optimizer, 20, 0.8)
    own, own_optimizer, own_scheduler = copy.deepcopy((net, optimizer, scheduler))
    before = own_of_pytorch()
    result = funcnn.train(
        net, (X, Y), loss=nn.MSELoss(), optimizer=optimizer, scheduler=scheduler, steps=100
    )
    assert own_of_pytorch() == before
    expected = eagerly(own, own_optimizer, own_scheduler, 120)
    assert np.abs(result.losses - expected[:100]).max() < CLOSE
    result.to_torch(net, optimizer, scheduler)
    rest = eagerly(net, optimizer, scheduler, 20)
    assert np.abs(rest - expected[100:]).max() < CLOSE
    state, own_state = optimizer.state_dict()["state"], own_optimizer.state_dict()["state"]
    for number, parts in own_state.items():
        assert {k: v.dtype for k, v in parts.items()} == {
            k: v.dtype for k, v in state[number].items()
        }


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Seems like `optimizer.step")
def test_the_number_by_which_it_decides_can_be_swept():
    """By beta2 follows from which step on RAdam rectifies."""
    net, betas = network(), [0.9, 0.999]
    optimizer = optim.RAdam(net.parameters(), lr=0.02)
    arguments = {"loss": nn.MSELoss(), "optimizer": optimizer, "steps": 12}
    found = funcnn.sweep(net, (X, Y), beta2=betas, **arguments)
    for beta, losses in zip(betas, found.losses, strict=True):
        own = copy.deepcopy(net)
        own_optimizer = optim.RAdam(own.parameters(), lr=0.02, betas=(0.9, beta))
        still = optim.lr_scheduler.ConstantLR(own_optimizer, 1.0)
        assert np.abs(losses - eagerly(own, own_optimizer, still, 12)).max() < CLOSE


@pytest.mark.parametrize("kind", [optim.LBFGS, optim.SparseAdam])
def test_what_cannot_be_traced_is_refused_by_name(kind):
    net = network()
    with pytest.raises(funcnn.ArgumentError, match=kind.__name__):
        funcnn.train(
            net, (X, Y), loss=nn.MSELoss(), optimizer=kind(list(net.parameters())), steps=2
        )
