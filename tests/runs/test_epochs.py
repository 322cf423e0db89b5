"""Epochs, batches, weights and clipping: the same steps as a loop of PyTorch's makes."""

from __future__ import annotations

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import CASES
from jax.extend.core import jaxprs_in_params

import funcnn
from funcnn.core.keys import run_key
from funcnn.loop.batches import Drawn
from funcnn.runs.advance import Advance
from funcnn.runs.planning import make_plan
from funcnn.runs.start import begun

torch = pytest.importorskip("torch")
torch_models = pytest.importorskip("torch_models")

SAMPLES, SIZE = 200, 64  # An epoch has three batches of 64, and one of 8.
RATE = {"optimizer": "momentum", "learning_rate": 0.1, "momentum": 0.9}


@pytest.fixture(scope="module")
def few_digits(digits):
    x, y = digits
    return x[:SAMPLES], y[:SAMPLES]


def classifier(hidden, seed=0):
    """The params of a network of digits, in funcnn's layout."""
    rng = np.random.default_rng(seed)
    widths = (64, *hidden, 10)
    params = {}
    for layer, (inputs, outputs) in enumerate(itertools.pairwise(widths), start=1):
        params[f"w{layer}"] = rng.standard_normal((inputs, outputs)) / inputs**0.5
        params[f"b{layer}"] = np.zeros(outputs)
    return params


def by_torch(params, data, batches, loss=torch.nn.functional.cross_entropy, change=None, **options):
    """The loss before every step of PyTorch's SGD or Adam, and the params after each."""
    weights = {name: torch.tensor(value, requires_grad=True) for name, value in params.items()}
    kind = torch.optim.Adam if options.pop("adam", False) else torch.optim.SGD
    optimizer = kind(list(weights.values()), **options)
    x, y = map(torch.as_tensor, data)
    losses, course = [], []
    for batch in batches:
        value = loss(torch_models.mlp_linear(weights, x[batch]), y[batch])
        optimizer.zero_grad()
        value.backward()
        if change is not None:
            change(list(weights.values()))
        optimizer.step()
        losses.append(value.item())
        course.append({name: one.detach().numpy().copy() for name, one in weights.items()})
    return np.array(losses), course


def correct(params, data):
    """How many samples have their class predicted."""
    x, y = data
    tensors = {name: torch.as_tensor(value) for name, value in params.items()}
    logits = torch_models.mlp_linear(tensors, torch.as_tensor(x))
    return int((logits.argmax(dim=1).numpy() == y).sum())


def loader(**options):
    """The batches of an epoch, as PyTorch draws them."""
    generator = torch.Generator().manual_seed(0)
    numbers = torch.arange(SAMPLES)
    return torch.utils.data.DataLoader(numbers, SIZE, generator=generator, **options)


# As a DataLoader.


@pytest.mark.parametrize("hidden", [(), (16,)])
def test_a_data_loader_is_followed_step_for_step(hidden, few_digits):
    epochs, params = loader(shuffle=True), classifier(hidden)
    batches = [batch.numpy() for _ in range(20) for batch in epochs]
    losses, course = by_torch(params, few_digits, batches, lr=0.1, momentum=0.9)
    result = funcnn.train(
        "mlp_linear", few_digits, hidden=hidden, params=params, loss="cross_entropy", **RATE,
        batches=batches, metrics="accuracy", dtype="float64",
    )  # fmt: skip
    assert len(losses) == len(result.losses) == 80
    np.testing.assert_allclose(result.losses, losses, rtol=1e-8)
    np.testing.assert_array_equal(result.history["step"], np.arange(4, 81, 4))
    expected = [correct(course[step - 1], few_digits) for step in result.history["step"]]
    found = np.rint(result.history["accuracy"] * SAMPLES)
    np.testing.assert_array_equal(found, expected)
    assert expected[-1] > 0.95 * SAMPLES


@pytest.mark.parametrize("own", [True, False])
def test_what_is_said_of_a_data_loader_gives_its_very_order(own, line):
    DataLoader = torch.utils.data.DataLoader  # noqa: N806 (what is said names it)
    torch.manual_seed(5)
    options = {"generator": torch.Generator().manual_seed(0)} if own else {}
    loader = DataLoader(torch.arange(40), 16, shuffle=True, **options)
    states = torch.get_rng_state(), loader.generator and loader.generator.get_state()
    expected = [batch.tolist() for _ in range(3) for batch in loader]
    for name in ("data", "batches"):
        with pytest.raises(funcnn.ArgumentTypeError, match=f"^{name} is a DataLoader") as refusal:
            funcnn.train("polynomial", **({"data": line} | {name: loader}))
    said = str(refusal.value)[str(refusal.value).index("[") :]
    torch.set_rng_state(states[0])
    if own:
        loader.generator.set_state(states[1])
    names = {"DataLoader": DataLoader, "loader": loader, "epochs": 3}
    rows = eval(said, names)
    assert [batch.tolist() for batch in rows] == expected
    assert len(funcnn.train("polynomial", line, batches=rows, learning_rate=1e-3).losses) == 9


def test_batches_that_are_no_numbers_of_samples_are_refused(line):
    with pytest.raises(funcnn.ArgumentTypeError, match="batches is a BatchSampler: pass a list"):
        funcnn.train("polynomial", line, batches=loader().batch_sampler)
    pairs = [[torch.ones(6, 3), torch.ones(6, 1)]]
    with pytest.raises(funcnn.ArgumentTypeError, match=r"hold, for each step, the numbers of its"):
        funcnn.train("polynomial", line, batches=pairs)


@pytest.mark.parametrize("drop_last", [None, True])
def test_unshuffled_epochs_are_a_data_loader_s(drop_last, few_digits):
    params = classifier((16,))
    batches = [batch for _ in range(5) for batch in loader(drop_last=bool(drop_last))]
    losses, course = by_torch(params, few_digits, batches, lr=0.1, momentum=0.9)
    result = funcnn.train(
        "mlp_linear", few_digits, params=params, loss="cross_entropy", **RATE, batch_size=SIZE,
        shuffle=False, drop_last=drop_last, epochs=5, dtype="float64",
    )  # fmt: skip
    np.testing.assert_allclose(result.losses, losses, rtol=1e-10)
    np.testing.assert_allclose(result.params["w1"], course[-1]["w1"], atol=1e-10)
    np.testing.assert_allclose(result.history["epoch"], np.arange(1, 6))


# Which samples a step takes.


def rows_of(batches, samples, steps, seed):
    """The samples of each step, by number: a short batch is shorter."""
    key, few = run_key(seed), batches.short(samples)
    drawn = jax.jit(jax.vmap(lambda step: batches.rows(key, step, samples)))
    rows = np.asarray(drawn(jnp.arange(steps)))
    short = [bool(few and batches.is_short(step, samples, None)) for step in range(steps)]
    return [row[:few] if is_short else row for row, is_short in zip(rows, short, strict=True)]


@pytest.mark.parametrize(
    ("samples", "size", "drop_last"),
    [(10, 3, False), (10, 3, True), (257, 16, False), (1, 1, False)],
)
def test_an_epoch_takes_every_sample_once(samples, size, drop_last):
    batches = Drawn(size, drop_last=drop_last)
    steps = batches.per_epoch(samples)
    assert steps == (samples // size if drop_last else -(-samples // size))
    rows = rows_of(batches, samples, 3 * steps, seed=0)
    orders = [np.concatenate(rows[first : first + steps]) for first in range(0, len(rows), steps)]
    for order in orders:
        assert len(order) == (samples // size * size if drop_last else samples)
        assert len(set(order.tolist())) == len(order)
        assert (order >= 0).all()
        assert (order < samples).all()
    if samples > 7:
        again, other = (
            np.concatenate(rows_of(batches, samples, steps, seed=seed)).tolist() for seed in (0, 1)
        )
        assert orders[0].tolist() == again
        for order in (orders[1].tolist(), other, list(range(len(again)))):
            assert order != again


def test_a_run_takes_every_sample_once_an_epoch():
    # The gradient of the mean of w·x by w is the mean of x: SGD counts the samples up in w.
    x = np.eye(10)
    result = funcnn.train(
        (None, lambda params, x: x @ params), (x, np.zeros(10)), params=np.zeros(10),
        loss=lambda prediction, target: (prediction - target).sum(), optimizer="sgd",
        learning_rate=1.0, batch_size=4, epochs=7, seed=3, dtype="float64",
    )  # fmt: skip
    np.testing.assert_array_equal(result.params, np.full(10, -7.0))
    assert len(result.losses) == 21


# The gram form, sweeps, and the branch of the short batch.


GIVEN = [np.array(batch) for batch in ([0, 1, 2, 3, 4], [5, 5, 6], [7, 8, 9, 0, 0], [15, 14, 13])]


def test_the_gram_form_follows_given_batches():
    # A sample may come twice in a batch. (Drawn batches are in tests/loop/test_gram.py.)
    case = CASES["mlp_linear"]
    gram, direct = (
        funcnn.train(
            "mlp_linear", (case.x, case.y), params=case.params, form=form, batches=GIVEN * 8,
            sample_weight=np.arange(16.0) % 3, optimizer="momentum", learning_rate=1e-2,
            dtype="float64",
        )
        for form in ("gram", "direct")
    )  # fmt: skip
    np.testing.assert_allclose(gram.losses, direct.losses, rtol=1e-8)
    for name, value in direct.params.items():
        np.testing.assert_allclose(gram.params[name], value, rtol=1e-8, atol=1e-10)


def test_a_sweep_with_given_batches_is_its_runs():
    case = CASES["mlp_linear"]
    shared = {"optimizer": "adam", "hidden": (), "batches": GIVEN * 5, "dtype": "float64"}
    data = case.x, case.y
    swept = funcnn.sweep(
        "mlp_linear", data, seed=[0, 7], learning_rate=[1e-3, 1e-2], mode="zip", **shared
    )
    alone = funcnn.train("mlp_linear", data, seed=7, learning_rate=1e-2, **shared)
    np.testing.assert_allclose(swept.losses[1], alone.losses, rtol=1e-10)


def test_a_step_of_a_sweep_computes_one_of_its_branches():
    case = CASES["mlp_linear"]
    for options in ({"batch_size": 5, "epochs": 2}, {"batches": GIVEN}):
        plan = make_plan("mlp_linear", (case.x, case.y), hidden=(), **options)
        members = [{"seed": 0}, {"seed": 1}]
        advance = Advance(plan, 8, members)
        made = advance.programs
        kept = begun(plan, made, members)
        traced = jax.make_jaxpr(lambda kept, advance=advance: advance(kept, 0, 4))(kept)
        branches = list(conditionals(traced.jaxpr))
        assert [len(one) for one in branches] == [2]
        products = [str(branch).count("dot_general") for branch in branches[0]]
        assert min(products) >= 2  # Forward and backward: each is a step of its own.


def conditionals(jaxpr):
    """The branches of every conditional of a program."""
    for equation in jaxpr.eqns:
        if equation.primitive.name == "cond":
            yield equation.params["branches"]
        else:
            for inner in jaxprs_in_params(equation.params):
                yield from conditionals(inner)


# What is refused.


REFUSED = {
    "both": ({"steps": 3, "epochs": 3}, "steps and epochs"),
    "too-large": ({"batch_size": 17}, "more than the 16 samples"),
    "shuffle-alone": ({"shuffle": False}, "without batch_size"),
    "drop-last-alone": ({"drop_last": True, "epochs": 3}, "without batch_size"),
    "size-and-batches": ({"batches": [[0, 1]], "batch_size": 2}, "leave one of them out"),
    "epochs-and-batches": ({"batches": [[0, 1]], "epochs": 2}, "leave one of them out"),
    "too-few-batches": ({"batches": [[0, 1]], "steps": 2}, "the samples of 1 steps"),
    "no-such-sample": ({"batches": [[0, 16]]}, "from 0 to 15"),
    "negative": ({"batches": [[0, -2]]}, "from 0 to 15"),
    "gap": ({"batches": np.array([[0, -1, 1], [0, 1, 2]])}, "at the end of a short batch"),
    "nothing": ({"batches": np.array([[-1, -1], [0, 1]])}, "-1 at the end"),
    "empty": ({"batches": [[0, 1], []]}, "the numbers of its samples"),
    "no-batches": ({"batches": []}, "the numbers of its samples"),
    "three-lengths": ({"batches": [[0], [0, 1], [0, 1, 2]]}, "as many as each other"),
    "fractions": ({"batches": [[0.0, 1.0]]}, "whole numbers"),
    "truth-values": ({"batches": [[True, False]]}, "whole numbers"),
    "negative-weight": ({"sample_weight": [-1.0] + [1.0] * 15}, "0 or more"),
    "no-weight": ({"sample_weight": np.zeros(16)}, "is zero for all"),
    "infinite-weight": ({"sample_weight": [np.nan] + [1.0] * 15}, "not finite at row 0"),
    "few-weights": ({"sample_weight": np.ones(15)}, "(16,) is needed"),
    "weights-of-all": ({"sample_weight": np.ones((16, 5))}, "(16,) is needed"),
    "truth-weights": ({"sample_weight": np.arange(16) % 2 == 0}, "0 or more"),
    "own-loss": (
        {"sample_weight": np.ones(16), "loss": lambda p, y: ((p - y) ** 2).mean()},
        "takes it as an argument",
    ),
    "manual": (
        {"sample_weight": np.ones(16), "gradient": "manual", "loss": "sum_squared_error"},
        "without sample_weight",
    ),
    "clip": ({"clip_grad_norm": 0.0}, "clip_grad_norm"),
    "clip-value": ({"clip_grad_value": -1}, "clip_grad_value"),
    "gram-clip": ({"clip_grad_norm": 1.0, "form": "gram", "optimizer": "sgd"}, "leave clip_grad"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(name, compiles):
    options, message = REFUSED[name]
    case = CASES["mlp_linear"]
    with compiles() as compiled, pytest.raises(funcnn.ArgumentError) as caught:
        funcnn.train("mlp_linear", (case.x, case.y), **{"steps": None} | options)
    assert message in str(caught.value)
    assert compiled == []


# Weights.


def own_loss(prediction, target, sample_weight):
    return (((prediction - target) ** 2) * sample_weight).sum() / sample_weight.sum()


@pytest.mark.parametrize("loss", ["mean_squared_error", own_loss], ids=["named", "own"])
def test_a_weight_says_how_often_a_sample_counts(loss, line):
    x, y = line
    weight = np.array([2, 0, 1, 3] * 10)
    repeated = np.repeat(np.arange(40), weight)
    shared = {"model": "polynomial", "degree": 2, "steps": 40, "dtype": "float64"}
    result = funcnn.train(data=(x, y), loss=loss, sample_weight=weight, **shared)
    expected = funcnn.train(
        data=(x[repeated], y[repeated]), loss="mean_squared_error", form="direct", **shared
    )
    np.testing.assert_allclose(result.losses, expected.losses, rtol=1e-10)


def test_weights_go_with_their_samples_into_both_parts(line):
    x, y = line
    weight = np.ones(40)
    weight[::3] = 0
    shared = {"model": "polynomial", "degree": 1, "batch_size": 5, "dtype": "float64",
              "validation_fraction": 0.4, "steps": 9, "seed": 1}  # fmt: skip
    # What weighs nothing may be anything.
    data = [(x, y), (x, np.where(weight == 0, 1e3, y))]
    one, other = (funcnn.train(data=pair, sample_weight=weight, **shared) for pair in data)
    plain = funcnn.train(data=data[0], sample_weight=np.ones(40), **shared)
    np.testing.assert_array_equal(one.losses, other.losses)
    for name in ("loss", "validation_loss"):
        np.testing.assert_array_equal(one.history[name], other.history[name])
        assert not np.isclose(one.history[name], plain.history[name]).any()


def test_the_gram_form_of_a_line_counts_all_samples_alike(line):
    shared = {"degree": 1, "steps": 5, "sample_weight": np.ones(40)}
    with pytest.raises(funcnn.ArgumentError, match="leave sample_weight out"):
        funcnn.train("polynomial", line, form="gram", **shared)
    assert funcnn.train("polynomial", line, form="auto", **shared).form == "direct"


# Clipping.


CLIPS = {
    "norm": ({"clip_grad_norm": 0.05}, lambda ps: torch.nn.utils.clip_grad_norm_(ps, 0.05)),
    "value": ({"clip_grad_value": 1e-3}, lambda ps: torch.nn.utils.clip_grad_value_(ps, 1e-3)),
}


@pytest.mark.parametrize("clip", CLIPS)
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_clipping_is_pytorch_s(clip, optimizer, few_digits):
    options, change = CLIPS[clip]
    params, all_rows = classifier(()), [np.arange(SAMPLES)] * 30
    adam = optimizer == "adam"
    rate = 0.01 if adam else 0.5
    losses, course = by_torch(params, few_digits, all_rows, change=change, lr=rate, adam=adam)
    plain, _ = by_torch(params, few_digits, all_rows, lr=rate, adam=adam)
    result = funcnn.train(
        "mlp_linear", few_digits, params=params, loss="cross_entropy", optimizer=optimizer,
        learning_rate=rate, steps=30, dtype="float64", **options,
    )  # fmt: skip
    np.testing.assert_allclose(result.losses, losses, rtol=1e-10)
    assert abs(plain - losses).max() > 1e-3
    for name, value in result.params.items():
        np.testing.assert_allclose(value, course[-1][name], atol=1e-9)


@pytest.mark.parametrize("clip", CLIPS)
def test_clipping_in_the_gram_form_of_a_polynomial(clip):
    options, change = CLIPS[clip]
    x = np.linspace(-1, 1, 30)
    start = {"a": 0.5, "b": -0.5}
    weights = [torch.tensor(value, requires_grad=True, dtype=torch.float64)
               for value in start.values()]  # fmt: skip
    optimizer = torch.optim.SGD(weights, lr=0.1)
    losses = []
    for _ in range(30):
        a, b = weights
        inputs = torch.as_tensor(x)
        loss = ((a + b * inputs - torch.sin(3 * inputs)) ** 2).sum()
        optimizer.zero_grad()
        loss.backward()
        change(weights)
        optimizer.step()
        losses.append(loss.item())
    result = funcnn.train(
        "polynomial", (x, np.sin(3 * x)), degree=1, params=jax.tree.map(np.asarray, start),
        loss="sum_squared_error", optimizer="sgd", learning_rate=0.1, steps=30, form="gram",
        dtype="float64", **options,
    )  # fmt: skip
    np.testing.assert_allclose(result.losses, losses, rtol=1e-10)


def test_a_gradient_of_zero_is_not_divided_by():
    data, start = (np.zeros(3), np.zeros(3)), {"a": np.float32(0), "b": np.float32(2)}
    result = funcnn.train("polynomial", data, params=start, clip_grad_norm=1.0, steps=3)
    assert result.params == start
    assert (result.losses == 0).all()
