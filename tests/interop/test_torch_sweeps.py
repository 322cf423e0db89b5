"""Sweeps of modules of PyTorch over their optimizers: each member has PyTorch's own losses."""

from __future__ import annotations

import concurrent.futures
import copy
import multiprocessing

import jax
import numpy as np
import pytest

import funcnn

torch = pytest.importorskip("torch")
nn, functional, optim = torch.nn, torch.nn.functional, torch.optim
schedules = optim.lr_scheduler

CLOSE = 1e-10
RATES = [0.01, 0.03, 0.002]
STEPS = 24

RNG = np.random.default_rng(0)
X, Y = RNG.standard_normal((11, 3)), RNG.standard_normal((11, 1))


def network():
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1)).double()


def eagerly(net, optimizer, scheduler=None):
    """The losses of a loop of PyTorch's own, which changes all of these."""
    x, y = torch.from_numpy(X), torch.from_numpy(Y)
    losses = []
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = functional.mse_loss(net(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        if scheduler is not None:
            scheduler.step()
    return np.array(losses)


def swept(net, **arguments):
    return funcnn.sweep(net, (X, Y), loss=nn.MSELoss(), steps=STEPS, **arguments)


def in_groups(net):
    """The parameters of a network in two groups."""
    return [{"params": net[0].parameters()}, {"params": net[2].parameters(), "eps": 1e-6}]


SCHEDULERS = {
    "step": lambda one: schedules.StepLR(one, 7, 0.5),
    "chained": lambda one: schedules.ChainedScheduler(
        [schedules.ConstantLR(one, 0.3, 4), schedules.ExponentialLR(one, 0.9)], optimizer=one
    ),
    "sequential": lambda one: schedules.SequentialLR(
        one,
        [schedules.LinearLR(one, 0.1, 1.0, 5), schedules.CosineAnnealingLR(one, 15, 1e-4)],
        [5],
    ),
    "milestones": lambda one: schedules.MultiStepLR(one, [5, 12], 0.3),
    "exponential": lambda one: schedules.ExponentialLR(one, 0.97),
    "linear": lambda one: schedules.LinearLR(one, 0.25, 1.0, 10),
    "constant": lambda one: schedules.ConstantLR(one, 0.5, 6),
    "cosine": lambda one: schedules.CosineAnnealingLR(one, 20, 1e-4),
    "restarts": lambda one: schedules.CosineAnnealingWarmRestarts(one, 6, 2, 1e-5),
    "polynomial": lambda one: schedules.PolynomialLR(one, 20, 2.0),
    "function": lambda one: schedules.LambdaLR(one, lambda step: 1 / (1 + step)),
    "factors": lambda one: schedules.MultiplicativeLR(one, lambda _: 0.95),
}
FIRST = ("sequential",)


@pytest.mark.parametrize(
    "kind",
    [one if one in FIRST else pytest.param(one, marks=pytest.mark.slow) for one in SCHEDULERS],
)
@pytest.mark.parametrize("grouped", [False, True])
def test_a_scheduler_begins_at_the_learning_rate_of_each_member(kind, grouped):
    net = network()
    parameters = in_groups if grouped else nn.Module.parameters
    optimizer = optim.Adam(parameters(net), lr=0.05)
    scheduler = SCHEDULERS[kind](optimizer)
    before = copy.deepcopy(scheduler.state_dict())
    result = swept(net, optimizer=optimizer, scheduler=scheduler, learning_rate=RATES)
    assert len(result.kinds) == 1
    for rate, losses in zip(RATES, result.losses, strict=True):
        own = copy.deepcopy(net)
        made = optim.Adam(parameters(own), lr=rate)
        assert np.abs(losses - eagerly(own, made, SCHEDULERS[kind](made))).max() < CLOSE
    assert str(scheduler.state_dict()) == str(before)
    assert optimizer.param_groups[0]["initial_lr"] == 0.05


def test_a_schedule_may_stay_where_it_begins_at_one_of_the_rates():
    net = network()
    optimizer = optim.SGD(net.parameters(), lr=0.1)
    # 0.5 stands in the shared plan for a number that is swept.
    for lowest, rates in ((0.01, [0.01, 0.03]), (0.5, [0.2, 0.3])):
        scheduler = schedules.CosineAnnealingLR(optimizer, 20, lowest)
        result = swept(net, optimizer=optimizer, scheduler=scheduler, learning_rate=rates)
        for rate, losses in zip(rates, result.losses, strict=True):
            own = copy.deepcopy(net)
            made = optim.SGD(own.parameters(), lr=rate)
            expected = eagerly(own, made, schedules.CosineAnnealingLR(made, 20, lowest))
            assert np.abs(losses - expected).max() < CLOSE


def test_a_scheduler_that_may_not_go_by_the_rate_is_refused():
    net = network()
    optimizer = optim.SGD(net.parameters(), lr=0.01)
    cyclic = schedules.CyclicLR(optimizer, 1e-3, 0.1)
    for model in (funcnn.train, funcnn.sweep):
        rates = 0.1 if model is funcnn.train else RATES
        with pytest.raises(funcnn.ArgumentError, match="CyclicLR may not go by the optimizer's"):
            model(net, (X, Y), optimizer=optimizer, scheduler=cyclic, learning_rate=rates)
    optimizer = optim.SGD(net.parameters(), lr=0.01)
    used = schedules.StepLR(optimizer, 3)
    optimizer.step()
    used.step()
    with pytest.raises(funcnn.ArgumentError, match="has made 1 steps, and the rate is where"):
        swept(net, optimizer=optimizer, scheduler=used, learning_rate=RATES)
    cycled = optim.SGD(net.parameters(), lr=0.01, momentum=0.9)
    cycle = schedules.OneCycleLR(cycled, 0.1, total_steps=STEPS)
    with pytest.raises(funcnn.ArgumentError, match="momentum: it follows the scheduler"):
        swept(net, optimizer=cycled, scheduler=cycle, momentum=[0.5, 0.9])


@pytest.mark.slow
def test_optimizers_of_one_step_go_side_by_side_each_with_its_scheduler():
    net = network()
    makers = [SCHEDULERS["cosine"], SCHEDULERS["step"], SCHEDULERS["cosine"]]
    optimizers = [optim.RMSprop(net.parameters(), lr=rate) for rate in RATES]
    schedulers = [make(one) for make, one in zip(makers, optimizers, strict=True)]
    result = swept(net, optimizer=optimizers, scheduler=schedulers[::-1])
    assert len(result.kinds) == 1
    assert [one["optimizer"] for one in result.settings] == [0, 1, 2]
    for rate, make, losses in zip(RATES, makers, result.losses, strict=True):
        own = copy.deepcopy(net)
        made = optim.RMSprop(own.parameters(), lr=rate)
        assert np.abs(losses - eagerly(own, made, make(made))).max() < CLOSE
    with pytest.raises(funcnn.ArgumentError, match="0 of the list are of an optimizer"):
        swept(net, optimizer=optimizers, scheduler=schedulers[:2])


@pytest.mark.slow
def test_a_folder_knows_the_numbers_of_optimizers(tmp_path):
    net = network()

    def run(decay):
        optimizers = [optim.AdamW(net.parameters(), weight_decay=one) for one in (0.1, decay)]
        return swept(net, optimizer=optimizers, folder=tmp_path)

    first = run(0.2)
    assert np.array_equal(run(0.2).losses, first.losses)
    with pytest.raises(funcnn.ArgumentError, match="numbers: "):
        run(0.3)


NUMBERS = {
    "lr_decay": (optim.Adagrad, {}, [0.0, 0.1]),
    "rho": (optim.Adadelta, {"lr": 1.0}, [0.9, 0.5]),
    "momentum_decay": (optim.NAdam, {}, [0.004, 0.1]),
    "dampening": (optim.SGD, {"lr": 0.01, "momentum": 0.9}, [0.0, 0.3]),
    "lambd": (optim.ASGD, {}, [1e-4, 1e-1]),
}


@pytest.mark.parametrize(
    "name", ["lr_decay", *(pytest.param(one, marks=pytest.mark.slow) for one in list(NUMBERS)[1:])]
)
def test_every_number_of_an_optimizer_is_swept(name):
    make, given, values = NUMBERS[name]
    net = network()
    result = swept(net, optimizer=make(net.parameters(), **given), **{name: values})
    for value, losses in zip(values, result.losses, strict=True):
        own = copy.deepcopy(net)
        expected = eagerly(own, make(own.parameters(), **given, **{name: value}))
        assert np.abs(losses - expected).max() < CLOSE
    assert np.abs(result.losses[0] - result.losses[1]).max() > 1e-5


def test_numbers_that_groups_have_of_their_own_are_refused():
    net = network()
    parts = [{"params": net[0].parameters(), "lr": 0.02}, {"params": net[2].parameters()}]
    optimizer = optim.SGD(parts, lr=0.003)
    with pytest.raises(funcnn.ArgumentError, match="groups of parameters have their own"):
        swept(net, optimizer=optimizer, learning_rate=RATES)
    scheduler = SCHEDULERS["step"](optimizer)
    with pytest.raises(funcnn.ArgumentError, match="groups of parameters have their own"):
        swept(net, optimizer=optimizer, scheduler=scheduler, learning_rate=RATES)


def test_numbers_that_pytorch_refuses_are_refused():
    net = network()
    optimizer = optim.SGD(net.parameters(), lr=0.1, momentum=0.9, nesterov=True)
    with pytest.raises(funcnn.ArgumentError, match="SGD refuses it: Nesterov"):
        swept(net, optimizer=optimizer, dampening=[0.0, 0.5])


def test_a_number_of_another_optimizer_is_refused():
    with pytest.raises(funcnn.ArgumentError, match="rho: SGD has no such number"):
        swept(net := network(), optimizer=optim.SGD(net.parameters(), lr=0.1), rho=[0.5, 0.9])
    with pytest.raises(funcnn.ArgumentTypeError, match="takes no rho"):
        funcnn.sweep("mlp", rho=[0.5, 0.9])


def test_a_model_of_a_module_travels_to_another_process():
    cloudpickle = pytest.importorskip("cloudpickle")
    net = nn.Sequential(nn.Linear(3, 4), nn.Dropout(0.5)).double()
    model, params = funcnn.interop.from_torch(net), funcnn.interop.params_of(net)
    with jax.enable_x64(True):
        before = model.predict(params, X)
        there = cloudpickle.loads(cloudpickle.dumps(model._replace(init=None)))
        np.testing.assert_array_equal(there.predict(params, X), before)
        key = jax.random.key(0)
        np.testing.assert_array_equal(there.apply(params, X, key), model.apply(params, X, key))


@pytest.mark.slow
def test_a_sweep_of_a_module_goes_to_processes():
    pytest.importorskip("cloudpickle")
    net = network()
    optimizer = optim.Adam(net.parameters(), lr=0.05)
    arguments = {"optimizer": optimizer, "scheduler": SCHEDULERS["step"](optimizer), "group": 2}
    arguments |= {"learning_rate": RATES, "validation_fraction": 0.3, "evaluate_every": 6}
    here = swept(net, **arguments)
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, context) as pool:
        there = swept(net, **arguments, executor=pool)
    np.testing.assert_array_equal(there.losses, here.losses)
    np.testing.assert_array_equal(there.scores, here.scores)
