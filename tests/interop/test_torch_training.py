"""Modules of PyTorch trained as they are: PyTorch's losses at every step, in float64."""

from __future__ import annotations

import copy
import doctest
import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import funcnn
from funcnn.interop import torch_step

torch = pytest.importorskip("torch")
nn, functional, optim = torch.nn, torch.nn.functional, torch.optim

CLOSE = 1e-8
"""How far a loss may be from PyTorch's: a billion roundings in float64."""

RNG = np.random.default_rng(0)
X, Y = RNG.standard_normal((11, 3)), RNG.standard_normal((11, 1))


def network(*, norm: bool = False):
    torch.manual_seed(1)
    parts = [nn.BatchNorm1d(4)] if norm else []
    return nn.Sequential(nn.Linear(3, 4), *parts, nn.Tanh(), nn.Linear(4, 1)).double()


def sgd(net, rate=0.05):
    return optim.SGD(net.parameters(), lr=rate)


def eagerly(function, batches, scheduler=None, x=X, y=Y):
    """The losses of a loop of PyTorch's own."""
    losses = []
    x, y = torch.from_numpy(x), torch.from_numpy(y)
    for rows in batches:
        losses.append(function(x[rows], y[rows]).item())
        if scheduler is not None:
            scheduler.step()
    return np.array(losses)


def usual(net, optimizer, loss=functional.mse_loss):
    """The body of the usual loop."""

    def function(x, y):
        optimizer.zero_grad()
        value = loss(net(x), y)
        value.backward()
        optimizer.step()
        return value

    return function


ALL = [slice(None)]


def everything_of(net, optimizer):
    """All that a run might change: values, modes, gradients, attributes."""
    return (
        {name: value.clone() for name, value in net.state_dict().items()},
        [part.training for part in net.modules()],
        [one.grad for one in net.parameters()],
        [sorted(vars(part)) for part in net.modules()],
        [id(one) for group in optimizer.param_groups for one in group["params"]],
        [{k: v for k, v in group.items() if k != "params"} for group in optimizer.param_groups],
        sorted(vars(optimizer)),
        len(optimizer.state),
    )


def is_same(one, other):
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(is_same(one[k], other[k]) for k in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(is_same, one, other))
    return one == other


SCHEDULES = {
    "StepLR": lambda one: optim.lr_scheduler.StepLR(one, 3, 0.5),
    "SequentialLR": lambda one: optim.lr_scheduler.SequentialLR(
        one,
        [optim.lr_scheduler.ConstantLR(one, 0.1, 2), optim.lr_scheduler.ExponentialLR(one, 0.9)],
        milestones=[3],
    ),
    "ChainedScheduler": lambda one: optim.lr_scheduler.ChainedScheduler(
        [optim.lr_scheduler.StepLR(one, 3, 0.5), optim.lr_scheduler.ExponentialLR(one, 0.9)]
    ),
}


@pytest.mark.filterwarnings("ignore:Seems like `optimizer.step")
@pytest.mark.parametrize("kind", SCHEDULES)
def test_a_scheduler_is_brought_to_where_the_run_is_and_no_further(kind):
    net = network()
    optimizer = optim.SGD(net.parameters(), lr=0.02, momentum=0.1)
    scheduler = SCHEDULES[kind](optimizer)
    own, own_optimizer, own_scheduler = copy.deepcopy((net, optimizer, scheduler))
    expected = eagerly(usual(own, own_optimizer), ALL * 18, own_scheduler)
    run = {"loss": nn.MSELoss(), "optimizer": optimizer, "scheduler": scheduler, "steps": 5}
    first = funcnn.train(net, (X, Y), **run)
    second = funcnn.train(net, (X, Y), state=first.state, **run)
    for result in (first, first, second):  # Twice the same, and the run that went on from it.
        result.to_torch(net, optimizer, scheduler)
    rest = eagerly(usual(net, optimizer), ALL * 8, scheduler)
    assert np.abs(rest - expected[10:]).max() < CLOSE


def test_another_scheduler_is_refused_and_one_that_is_left_behind_is_said():
    net = network()
    optimizer = optim.SGD(net.parameters(), lr=0.05)
    scheduler = SCHEDULES["StepLR"](optimizer)
    run = {"loss": nn.MSELoss(), "optimizer": optimizer, "scheduler": scheduler, "steps": 5}
    result = funcnn.train(net, (X, Y), **run)
    other = optim.lr_scheduler.ExponentialLR(optimizer, 0.9)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    with pytest.raises(
        funcnn.ArgumentError, match=r"gives a rate of 0\.0295\d*, and the run ended"
    ):
        result.to_torch(net, optimizer, other)
    assert is_same(dict(net.state_dict()), before)
    with pytest.warns(UserWarning, match="has a scheduler, which stays where it is"):
        result.to_torch(net, optimizer)


# A scheduler misses its mark on the step of an optimizer that was copied.
@pytest.mark.filterwarnings("ignore:Seems like `optimizer.step")
def test_groups_a_schedule_and_buffers_give_pytorch_s_losses_and_it_goes_on_from_there():
    net = network(norm=True)
    optimizer = optim.Adam(
        [
            {"params": net[0].parameters(), "lr": 0.03},
            {"params": net[3].parameters(), "weight_decay": 0.1},
        ],
        lr=0.01,
    )
    scheduler = optim.lr_scheduler.OneCycleLR(optimizer, max_lr=[0.1, 0.2], total_steps=40)
    own, own_optimizer, own_scheduler = copy.deepcopy((net, optimizer, scheduler))
    before, drawn = everything_of(net, optimizer), torch.get_rng_state()

    result = funcnn.train(
        net, (X, Y), loss=nn.MSELoss(), optimizer=optimizer, scheduler=scheduler, steps=20
    )

    assert is_same(everything_of(net, optimizer), before)
    assert torch.equal(torch.get_rng_state(), drawn)
    assert scheduler.last_epoch == 0
    assert result.dtype == "float64"
    expected = eagerly(usual(own, own_optimizer), ALL * 40, own_scheduler)
    assert np.abs(result.losses - expected[:20]).max() < CLOSE

    result.to_torch(net, optimizer, scheduler)
    rest = eagerly(usual(net, optimizer), ALL * 20, scheduler)
    assert np.abs(rest - expected[20:]).max() < CLOSE
    state, own_state = optimizer.state_dict()["state"], own_optimizer.state_dict()["state"]
    for number, parts in own_state.items():
        assert {k: v.dtype for k, v in parts.items()} == {
            k: v.dtype for k, v in state[number].items()
        }
    assert net[1].num_batches_tracked == own[1].num_batches_tracked == 40


def test_minibatches_short_ones_too_with_validation_in_eval_mode_by_the_buffers_of_the_moment():
    net = network(norm=True)
    own, optimizer = copy.deepcopy(net), sgd(net)
    batches = [np.arange(4), np.arange(4, 8), np.arange(8, 11)] * 2
    aside = X[:5], Y[:5]

    result = funcnn.train(
        net, (X, Y), loss="MSELoss", optimizer=optimizer, batches=batches, validation=aside,
        evaluate_every=3, metrics=["r2"],
    )  # fmt: skip

    expected, function = [], usual(own, sgd(own))
    for part in (batches[:3], batches[3:]):
        own.train()
        expected += eagerly(function, part).tolist()
        own.eval()
        x, y = map(torch.from_numpy, aside)
        recorded = result.history["validation_loss"][len(expected) // 3 - 1]
        assert abs(recorded - functional.mse_loss(own(x), y).item()) < CLOSE
    assert np.abs(result.losses - expected).max() < CLOSE
    found = result.predict(X)
    assert np.abs(found - own(torch.from_numpy(X)).detach().numpy()).max() < CLOSE


def test_a_step_of_one_s_own_does_whatever_a_loop_does():
    net = network()
    optimizer = optim.RMSprop(net.parameters(), lr=0.01, momentum=0.5)

    def body(net, optimizer):
        held = list(net.parameters())  # A way around the module.

        def function(x, y):
            optimizer.zero_grad()
            x = x.detach().requires_grad_()
            prediction = net(x)
            (slope,) = torch.autograd.grad(prediction.sum(), x, create_graph=True)
            loss = functional.mse_loss(prediction, y) + 0.1 * slope.square().mean()
            loss.backward()
            (1e-3 * sum(one.abs().sum() for one in held)).backward()
            nn.utils.clip_grad_norm_(held, 0.5)
            optimizer.step()
            return loss

        return function

    own, own_optimizer = copy.deepcopy((net, optimizer))
    step = torch_step(net, optimizer, body(net, optimizer))
    result = funcnn.train(step, (X, Y), steps=30)
    expected = eagerly(body(own, own_optimizer), ALL * 30)
    assert np.abs(result.losses - expected).max() < CLOSE
    assert all(one.grad is None for one in net.parameters())


class Shaped(nn.Module):
    """Makes a tensor by another's shape, in PyTorch's older way."""

    def __init__(self):
        super().__init__()
        self.inner = network()

    def forward(self, x):
        h = self.inner(x)
        return h * h.new(h.shape).fill_(2.0).sum() / h.new([4.0, 5.0]).sum()


def test_a_shape_is_no_list_of_numbers():
    net = Shaped()
    own = copy.deepcopy(net)
    result = funcnn.train(net, (X, Y), loss=nn.MSELoss(), optimizer=sgd(net, 1e-3), steps=5)
    expected = eagerly(usual(own, sgd(own, 1e-3)), ALL * 5)
    assert np.abs(result.losses - expected).max() < CLOSE


def test_an_optimizer_that_was_used_goes_on_from_what_it_remembers():
    net = network()
    optimizer = optim.SGD(net.parameters(), lr=0.05, momentum=0.9, dampening=0.1)
    eagerly(usual(net, optimizer), ALL * 3)
    own, own_optimizer = copy.deepcopy((net, optimizer))
    result = funcnn.train(net, (X, Y), loss=functional.mse_loss, optimizer=optimizer, steps=10)
    expected = eagerly(usual(own, own_optimizer), ALL * 10)
    assert np.abs(result.losses - expected).max() < CLOSE


def test_the_optimizer_s_numbers_are_swept_from_one_program(compiles):
    net = network()
    rates, decays = [0.05, 0.1], [0.0, 0.2]
    arguments = {"loss": nn.MSELoss(), "optimizer": sgd(net), "steps": 8}
    result = funcnn.sweep(net, (X, Y), **arguments, learning_rate=rates, weight_decay=decays)
    for settings, losses in zip(result.settings, result.losses, strict=True):
        own = copy.deepcopy(net)
        numbers = {"lr": settings["learning_rate"], "weight_decay": settings["weight_decay"]}
        expected = eagerly(usual(own, optim.SGD(own.parameters(), **numbers)), ALL * 8)
        assert np.abs(losses - expected).max() < CLOSE
    with compiles() as counted:
        other = funcnn.sweep(
            net, (X, Y), **arguments, learning_rate=[0.01, 0.02], weight_decay=decays
        )
    assert not counted
    assert other.losses[0, -1] != result.losses[0, -1]


def test_a_run_that_goes_on_from_a_checkpoint_or_a_state_gives_the_same_bits(tmp_path):
    net = nn.Sequential(nn.Linear(3, 4), nn.Dropout(0.3), nn.Linear(4, 1)).double()
    optimizer = sgd(net)
    scheduler = optim.lr_scheduler.StepLR(optimizer, 7)
    arguments = {"loss": nn.MSELoss(), "optimizer": optimizer, "scheduler": scheduler}
    arguments |= {"batch_size": 5, "drop_last": True}
    whole = funcnn.train(net, (X, Y), steps=20, **arguments)
    first = funcnn.train(net, (X, Y), steps=12, **arguments)
    rest = funcnn.train(net, (X, Y), steps=8, state=first.state, **arguments)
    assert np.array_equal(np.append(first.losses, rest.losses), whole.losses)

    arguments |= {"steps": 20, "checkpoints": tmp_path}
    funcnn.train(net, (X, Y), callbacks=[lambda event: event.step >= 12], **arguments)
    resumed = funcnn.train(net, (X, Y), resume=True, **arguments)
    assert resumed.resumed_from == 12
    assert np.array_equal(resumed.losses, whole.losses)
    assert len(set(whole.losses)) == 20


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
def test_the_weights_of_a_module_are_read_by_the_names_of_its_state_dict(suffix, tmp_path):
    if suffix == ".safetensors":
        pytest.importorskip("safetensors")
    net = network()
    model, params = funcnn.interop.from_torch(net), funcnn.interop.params_of(net)
    result = funcnn.train(model, (X, Y), params=params, dtype="float64", steps=2)
    result.save(tmp_path / f"weights{suffix}")
    read = funcnn.load_params(tmp_path / f"weights{suffix}")
    assert read.keys() == net.state_dict().keys()
    with jax.enable_x64(True):
        assert np.array_equal(model.apply(read, X), model.apply(result.params, X))
    net.load_state_dict({name: torch.from_numpy(value) for name, value in read.items()})
    again = funcnn.train(network(), (X, Y), optimizer="adam", params=read, steps=2)
    expected = funcnn.train(network(), (X, Y), optimizer="adam", params=result.params, steps=2)
    assert np.array_equal(again.losses, expected.losses)
    with pytest.raises(funcnn.ArgumentError, match="does not say of which model"):
        funcnn.load_model(tmp_path / f"weights{suffix}")


@pytest.mark.slow
def test_weights_are_saved_as_a_state_dict_and_read_again(tmp_path):
    safetensors = pytest.importorskip("safetensors.torch")
    net = network(norm=True)
    net[1].register_buffer("scratch", torch.zeros(2), persistent=False)
    arguments = {"loss": nn.MSELoss(), "optimizer": sgd(net)}
    result = funcnn.train(net, (X, Y), steps=5, **arguments)
    result.save(tmp_path / "weights.safetensors")
    other = network(norm=True)
    other.load_state_dict(safetensors.load_file(tmp_path / "weights.safetensors"))
    other.eval()
    found = result.predict(X)
    assert np.abs(other(torch.from_numpy(X)).detach().numpy() - found).max() < CLOSE
    read = funcnn.load_params(tmp_path / "weights.safetensors")
    again = funcnn.train(net, (X, Y), steps=5, params=read, **arguments)
    further = funcnn.train(net, (X, Y), steps=5, params=other.state_dict(), **arguments)
    whole = funcnn.train(net, (X, Y), steps=10, **arguments)
    assert np.array_equal(again.losses, whole.losses[5:])
    assert np.array_equal(further.losses, whole.losses[5:])


def test_an_optimizer_of_funcnn_trains_a_module_too():
    net = network()
    own = copy.deepcopy(net)
    result = funcnn.train(
        net, (X, Y), loss=nn.HuberLoss(delta=0.5), optimizer="adam", learning_rate=0.01, steps=20
    )
    function = usual(own, optim.Adam(own.parameters(), lr=0.01), nn.HuberLoss(delta=0.5))
    assert np.abs(result.losses - eagerly(function, ALL * 20)).max() < CLOSE
    result.to_torch(net)
    with pytest.raises(funcnn.ArgumentError, match=r"not one of torch\.optim"):
        result.to_torch(net, sgd(net))


def spread(prediction, target):
    """Something else for tensors than for arrays of JAX: PyTorch divides by n − 1."""
    return (prediction - target).std()


def weighed(prediction, target, sample_weight):
    return (sample_weight[:, None] * functional.l1_loss(prediction, target, reduction="none")).sum()


def test_a_plain_function_of_tensors_is_a_loss_with_any_optimizer():
    adam = {"optimizer": "adam", "learning_rate": 0.01, "steps": 20}
    weight = np.linspace(0, 1, len(Y))
    for loss, given in ((spread, {}), (weighed, {"sample_weight": weight})):
        net = network()
        own = copy.deepcopy(net)
        result = funcnn.train(net, (X, Y), loss=loss, **given, **adam)
        tensors = {name: torch.from_numpy(one) for name, one in given.items()}
        own_loss = functools.partial(loss, **tensors)
        function = usual(own, optim.Adam(own.parameters(), lr=0.01), own_loss)
        assert np.abs(result.losses - eagerly(function, ALL * 20)).max() < CLOSE


def test_a_function_of_arrays_is_a_loss_of_a_module_too():
    net = network()
    run = {"optimizer": optax.sgd(0.01), "steps": 3}
    result = funcnn.train(net, (X, Y), loss=lambda p, y: jnp.mean(jnp.square(p - y)), **run)
    expected = funcnn.train(net, (X, Y), loss="mse", **run)
    assert np.abs(result.losses - expected.losses).max() < CLOSE
    with pytest.raises(funcnn.ArgumentError, match=r"^the loss cannot .*'foo'.* it fails, too"):
        funcnn.train(net, (X, Y), loss=lambda p, y: (p - y).foo(), **run)
    with pytest.raises(funcnn.ArgumentError, match="nothing is broadcast"):
        funcnn.train(net, (X, Y[:, 0]), loss=spread, **run)


def test_the_example_of_a_step_does_what_it_says():
    finder = doctest.DocTestFinder(exclude_empty=True)
    (example,) = finder.find(torch_step, "torch_step", globs={"torch_step": torch_step})
    results = doctest.DocTestRunner().run(example)
    assert results.attempted > 0
    assert results.failed == 0


def test_a_module_is_reproduced_beside_pytorch_s_own_loop_and_left_as_it_is():
    net = network(norm=True)
    optimizer = optim.RMSprop(net.parameters(), lr=0.01)
    scheduler = optim.lr_scheduler.StepLR(optimizer, 5)
    before = everything_of(net, optimizer)
    arguments = {"loss": nn.MSELoss(), "optimizer": optimizer, "scheduler": scheduler}
    reproduction = funcnn.reproduce(net, (X, Y), steps=20, **arguments)
    assert reproduction.agrees
    assert reproduction.compared_steps == 20
    assert is_same(everything_of(net, optimizer), before)
    assert scheduler.last_epoch == 0
    with pytest.raises(funcnn.ArgumentError, match="dtype: a module has its own"):
        funcnn.reproduce(net, (X, Y), dtype="float64", **arguments)


class Deciding(optim.SGD):
    """Makes no step where the gradient is small."""

    def step(self, closure=None):
        if self.param_groups[0]["params"][0].grad.norm() > 0.1:
            super().step(closure)


REFUSED = {
    "dtype": (lambda _: {"dtype": "float32"}, r"the module is of float64; pass net\.float\(\)"),
    "plateau": (
        lambda net: {"scheduler": optim.lr_scheduler.ReduceLROnPlateau(sgd(net))},
        "looks at the loss",
    ),
    "another-scheduler": (
        lambda net: {"scheduler": optim.lr_scheduler.StepLR(sgd(net), 3)},
        "another optimizer's",
    ),
    "another-optimizer": (lambda _: {"optimizer": sgd(network())}, "none of the module"),
    "branching-optimizer": (
        lambda net: {"optimizer": Deciding(net.parameters())},
        "decides by a tensor's values",
    ),
    "no-gradients": (lambda _: {"gradient": "manual"}, "the step is given whole"),
    "weights": (lambda _: {"sample_weight": np.ones(11)}, "sample_weight"),
    "unknown-number": (lambda _: {"beta1": 0.5}, "SGD has no such number"),
    "form": (lambda _: {"form": "gram"}, "form='gram'"),
    "broadcast": (lambda _: {"data": (X, Y[:, 0])}, "Using a target size"),
    "params": (lambda _: {"params": {"0.weight": np.ones((4, 3))}}, r"missing 0\.bias"),
    "batches": (lambda _: {"steps": 1, "batches": [np.arange(11).repeat(2)]}, "no more than these"),
    "loss": (lambda _: {"loss": 3}, "loss must be"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_trained_is_refused_before_anything_compiles(name, compiles):
    net = network()
    change, words = REFUSED[name]
    arguments = {"data": (X, Y), "loss": nn.MSELoss(), "optimizer": sgd(net), "steps": 2}
    with compiles() as counted, pytest.raises(funcnn.ArgumentError, match=words):
        funcnn.train(net, **arguments | change(net))
    assert not counted


def test_gradients_that_are_left_from_the_step_before_are_refused():
    net = network()
    optimizer = sgd(net)

    def function(x, y):
        loss = functional.mse_loss(net(x), y)
        loss.backward()
        optimizer.step()
        return loss

    with pytest.raises(funcnn.ArgumentError, match=r"call optimizer\.zero_grad"):
        funcnn.train(torch_step(net, optimizer, function), (X, Y), steps=2)
    assert all(one.grad is None for one in net.parameters())
