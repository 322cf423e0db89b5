"""Every experiment beside its reference, and errors planted to be found."""

from __future__ import annotations

import dataclasses
import importlib.util
import subprocess
import sys
import types

import jax
import numpy as np
import optax
import pytest

import funcnn
from funcnn import models, optimizers
from funcnn.atlas.reference import numpy_loops
from funcnn.experiments import EXPERIMENTS, Tolerance, datasets

HAS_TORCH = importlib.util.find_spec("torch") is not None
IN_NUMPY = [name for name in EXPERIMENTS if name.endswith("/numpy")]


def names(*beginnings):
    needs_torch = pytest.mark.skipif(not HAS_TORCH, reason="PyTorch is the reference")
    return [
        pytest.param(name, marks=() if name in IN_NUMPY else needs_torch)
        for name in EXPERIMENTS
        if name.startswith(beginnings or "")
    ]


@pytest.mark.slow
@pytest.mark.parametrize("name", names())
def test_float64(name):
    # All of the dynamic net's 30000 steps take PyTorch half a minute.
    steps = min(EXPERIMENTS[name].steps, 3000)
    reproduction = funcnn.reproduce(name, steps=steps)
    assert reproduction.agrees, reproduction
    assert len(reproduction.losses) == steps
    compared = 1000 if name == "sine/rmsprop" else steps
    assert reproduction.compared_steps == compared
    np.testing.assert_allclose(
        reproduction.losses[:compared], reproduction.reference_losses[:compared], rtol=1e-8
    )
    if name != "sine/rmsprop":  # Its last steps, and so its params, are not compared.
        assert reproduction.params_difference < 1e-12


# Each model with each of its gradients and optimizers; float64 shows that the other ways of
# writing a tutorial's loop are the same loop.
IN_FLOAT32 = (
    "two-layer/numpy", "two-layer/optim", "sine/numpy", "sine/tensor", "sine/legendre", "sine/nn",
    "sine/rmsprop", "sine/module", "sine/dynamic", "mnist-shape/nn", "mnist-shape/adam",
)  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", names(*IN_FLOAT32))
def test_float32(name):
    steps = min(EXPERIMENTS[name].steps, 3000)
    reproduction = funcnn.reproduce(name, dtype="float32", steps=steps)
    assert reproduction.agrees, reproduction
    assert reproduction.losses.dtype == np.float32
    assert reproduction.compared_steps > 800 or steps < 800


@pytest.mark.skipif(not HAS_TORCH, reason="PyTorch is the reference")
@pytest.mark.parametrize(
    ("name", "seed"),
    # In these a unit is on in one run and off in the other, or Adam's rounding is at its worst.
    [("mnist-shape/nn", 2), ("mnist-shape/adam", 3), ("random-data/adam", 11)],
)
def test_float32_from_other_starts(name, seed):
    assert funcnn.reproduce(name, dtype="float32", seed=seed).agrees


@pytest.mark.parametrize(
    ("name", "dtype"), [("two-layer/numpy", "float32"), ("sine/numpy", "float64")]
)
def test_a_loss_that_is_lost_late_is_found(name, dtype):
    right = funcnn.reproduce(name, dtype=dtype)
    for wrong in (0.0, 1.2):
        losses = right.losses.copy()
        losses[-1] *= wrong
        result = dataclasses.replace(right.result, losses=losses)
        assert not dataclasses.replace(right, result=result).agrees


@pytest.mark.skipif(not HAS_TORCH, reason="PyTorch is the reference")
@pytest.mark.parametrize(("dtype", "seed"), [("float64", 1), ("float32", 3)])
def test_rmsprop_is_compared_as_long_as_pytorch_keeps_to_itself(dtype, seed):
    reproduction = funcnn.reproduce("sine/rmsprop", dtype=dtype, seed=seed)
    assert reproduction.agrees
    assert 200 < reproduction.compared_steps <= 1000


def test_what_a_reproduction_knows():
    reproduction = funcnn.reproduce("sine/numpy", dtype="float32", steps=300, seed=2)
    difference = np.abs(reproduction.losses - reproduction.reference_losses)
    relative = difference / reproduction.reference_losses
    np.testing.assert_array_equal(reproduction.relative_difference, relative)
    assert reproduction.largest_difference == relative.max() == relative[reproduction.worst_step]
    assert reproduction.compared_steps == len(reproduction.losses) == 300
    assert reproduction.share_of_tolerance == pytest.approx(relative.max() / 1e-5)
    furthest = max(
        abs(float(reproduction.result.params[name]) - float(value))
        for name, value in reproduction.reference_params.items()
    )
    assert reproduction.params_difference == pytest.approx(furthest)
    assert reproduction.compared == "300"
    later = dataclasses.replace(reproduction, compared_steps=5)
    assert later.compared == "5 of 300"
    assert later.worst_step == relative[:5].argmax() != reproduction.worst_step
    assert later.largest_difference == relative[:5].max()
    assert reproduction.reference_seconds > 0
    assert reproduction.seconds > reproduction.result.run_seconds > 0
    assert "agrees" in repr(reproduction)
    reproduction.reference_params["c"] = np.array(np.nan)
    assert np.isnan(reproduction.params_difference)


def test_it_is_the_run_of_train():
    reproduction = funcnn.reproduce("random-data/numpy", steps=20, seed=5)
    result = funcnn.train(experiment="random-data/numpy", steps=20, seed=5)
    np.testing.assert_array_equal(reproduction.losses, result.losses)
    for name, value in result.params.items():
        np.testing.assert_array_equal(reproduction.result.params[name], value)


def test_both_start_from_given_params():
    params = {letter: np.array(0.1 * k) for k, letter in enumerate("abcd")}
    reproduction = funcnn.reproduce("sine/numpy", steps=5, params=params)
    assert reproduction.agrees
    x, y = reproduction.data
    first = np.square(0.1 * x + 0.2 * x**2 + 0.3 * x**3 - y).sum()
    assert reproduction.losses[0] == pytest.approx(first)
    assert params["d"] == 0.1 * 3


@pytest.mark.parametrize(
    ("ours", "theirs", "agrees", "largest"),
    [
        ([1.0, 0.0], [1.0, 0.0], True, 0.0),
        ([1.0, 1e-300], [1.0, 0.0], False, np.inf),
        ([1.0, 0.0], [1.0, 1e-300], False, 1.0),
        ([1.0, 2.0], [1.0, np.nan], False, np.nan),
        ([1.0, 2.0], [1.0, np.inf], False, np.nan),
        ([1.0, 2.0 + 3e-8], [1.0, 2.0], False, 1.5e-8),
        ([1.0, 2.0 - 1e-8], [1.0, 2.0], True, 0.5e-8),
    ],
)
def test_verdicts(ours, theirs, agrees, largest):
    right = funcnn.reproduce("sine/numpy", steps=2)
    reproduction = dataclasses.replace(
        right,
        result=dataclasses.replace(right.result, losses=np.array(ours)),
        reference_losses=np.array(theirs),
    )
    assert reproduction.agrees is agrees
    np.testing.assert_allclose(reproduction.largest_difference, largest, rtol=1e-6)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"dtype": "float16"}, "dtype"),
        ({"steps": 0}, "steps"),
        ({"steps": 1}, "steps"),
        ({"seed": -1}, "seed"),
        ({"params": {"a": 1.0}}, "params"),
    ],
)
def test_bad_arguments(options, named, compiles):
    with compiles() as compiled, pytest.raises(funcnn.ArgumentError, match=named):
        funcnn.reproduce("sine/numpy", **options)
    assert not compiled


def half_the_steps(*arguments):
    """A reference that goes half as far at each step."""
    *arrays, rate = arguments
    return numpy_loops.cubic(*arrays, rate / 2)


def test_a_record_of_one_s_own(line):
    x, y = line
    record = dataclasses.replace(
        EXPERIMENTS["sine/numpy"],
        name="my/parabola",
        data=lambda: (x, y + x**2),
        learning_rate=1e-3,
        steps=50,
    )
    assert funcnn.reproduce(record).agrees
    halved = dataclasses.replace(record, reference=f"{__name__}:half_the_steps")
    assert not funcnn.reproduce(halved).agrees


def in_lists(*arguments):
    """A reference that gives lists."""
    losses, params = numpy_loops.cubic(*arguments)
    return losses.tolist(), {name: float(value) for name, value in params.items()}


def one_loss_short(*arguments):
    losses, params = numpy_loops.cubic(*arguments)
    return losses[1:], params


def other_params(*arguments):
    losses, params = numpy_loops.cubic(*arguments)
    return losses, {"w": params["a"]}


def hardly_moving(*arguments):
    """A reference that goes on where funcnn diverges."""
    return numpy_loops.cubic(*arguments[:-1], 1e-9)


def test_a_reference_may_give_lists():
    record = dataclasses.replace(EXPERIMENTS["sine/numpy"], reference=f"{__name__}:in_lists")
    assert funcnn.reproduce(record, steps=5).agrees


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"reference": f"{__name__}:one_loss_short"}, "losses of shape"),
        ({"reference": f"{__name__}:other_params"}, "gave params"),
        ({"reference": f"{__name__}:nothing"}, "is not found"),
        ({"reference": "no.such.module:nothing"}, "is not found"),
        ({"data": lambda: (np.array([1.0, np.nan]), np.ones(2))}, "x"),
        ({"data": lambda: (np.ones(2), np.ones(3))}, "y"),
        ({"tolerances": {"float64": Tolerance(1e-8, "none", steps=0)}}, "tolerance.steps"),
        ({"tolerances": {}}, "no tolerance"),
    ],
)
def test_records_that_cannot_be_reproduced(changes, named):
    record = dataclasses.replace(EXPERIMENTS["sine/numpy"], **changes)
    with pytest.raises(funcnn.ArgumentError, match=named):
        funcnn.reproduce(record, steps=3)


def test_a_run_that_diverges_differs():
    record = dataclasses.replace(
        EXPERIMENTS["sine/numpy"], learning_rate=1.0, reference=f"{__name__}:hardly_moving"
    )
    reproduction = funcnn.reproduce(record, steps=200)
    assert not reproduction.agrees
    assert len(reproduction.losses) == 200
    lost = np.isnan(reproduction.losses)
    assert lost[-1]
    assert not lost[0]
    assert np.isfinite(reproduction.params_difference)


@pytest.mark.skipif(not HAS_TORCH, reason="PyTorch is the reference")
def test_references_run_on_one_thread(monkeypatch):
    import torch

    seen = []
    step = torch.optim.SGD.step
    monkeypatch.setattr(
        torch.optim.SGD, "step",
        lambda self, *given: (seen.append(torch.get_num_threads()), step(self, *given))[1],
    )  # fmt: skip
    torch.set_num_threads(2)
    assert funcnn.reproduce("sine/module", steps=3).agrees
    assert seen == [1, 1, 1]
    assert torch.get_num_threads() == 2
    torch.set_num_threads(1)


@pytest.mark.skipif(not HAS_TORCH, reason="PyTorch is the reference")
def test_the_dynamic_net_s_draws_are_those_of_the_seed():
    assert funcnn.reproduce("sine/dynamic", steps=100, seed=3).agrees


def test_without_pytorch_numpy_s_references_run_and_the_others_name_the_extra():
    code = (
        "import sys; sys.modules['torch'] = None; import funcnn; "
        "assert funcnn.reproduce('sine/numpy', steps=5).agrees; funcnn.reproduce('sine/nn')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "pip install 'funcnn[torch]'" in done.stderr.splitlines()[-1]


def test_all_without_pytorch_is_refused_before_any_has_run():
    code = (
        "import sys; sys.modules['torch'] = None; "
        "sys.argv = ['funcnn', 'reproduce', '--all']; from funcnn.cli import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "funcnn: torch is not installed: pip install 'funcnn[torch]'\n"


# Errors planted in funcnn, or in the reference: each must be found.


@pytest.fixture
def plant(monkeypatch):
    """Put something else in the place of a model, for one test."""

    def put(name, **functions):
        module = models.MODELS[name]
        parts = {part: getattr(module, part) for part in module.__all__} | functions
        monkeypatch.setitem(models.MODELS, name, types.SimpleNamespace(**parts))
        models._make.cache_clear()
        models._without_sizes.cache_clear()

    yield put
    monkeypatch.undo()
    models._make.cache_clear()
    models._without_sizes.cache_clear()


def slightly_steeper(function):
    """The same values, their gradient larger by one part in a thousand."""

    @jax.custom_vjp
    def steeper(params, x):
        return function(params, x)

    def forward(params, x):
        value, pullback = jax.vjp(function, params, x)
        return value, pullback

    def backward(pullback, cotangent):
        return jax.tree.map(lambda gradient: 1.001 * gradient, pullback(cotangent))

    steeper.defvjp(forward, backward)
    return steeper


def test_a_gradient_by_hand_that_is_one_part_in_a_thousand_off_is_found(plant):
    right = models.mlp.value_and_grad

    def wrong(params, x, y):
        loss, gradient = right(params, x, y)
        return loss, gradient | {"w2": 1.001 * gradient["w2"]}

    assert funcnn.reproduce("two-layer/numpy", steps=3).agrees
    plant("mlp", value_and_grad=wrong)
    assert not funcnn.reproduce("two-layer/numpy", steps=3).agrees
    assert not funcnn.reproduce("two-layer/numpy", dtype="float32", steps=3).agrees


@pytest.mark.skipif(not HAS_TORCH, reason="PyTorch is the reference")
@pytest.mark.parametrize(
    "name", ["two-layer/optim", "sine/module", "sine/nn", "sine/legendre", "random-data/nn"]
)
def test_an_automatic_gradient_that_is_one_part_in_a_thousand_off_is_found(plant, name):
    assert funcnn.reproduce(name, steps=20).agrees
    model = EXPERIMENTS[name].model
    plant(model, apply=slightly_steeper(models.MODELS[model].apply))
    assert not funcnn.reproduce(name, steps=20).agrees
    assert not funcnn.reproduce(name, steps=20, dtype="float32").agrees


@pytest.mark.skipif(not HAS_TORCH, reason="PyTorch is the reference")
def test_rmsprop_s_epsilon_under_the_root_is_found(monkeypatch):
    def under_the_root(learning_rate, *, alpha=0.99, eps=1e-8):
        return optax.rmsprop(learning_rate, decay=alpha, eps=eps, eps_in_sqrt=True)

    # Small inputs make small gradients, beside which ε is not small.
    record = dataclasses.replace(
        EXPERIMENTS["sine/rmsprop"], data=lambda: tuple(0.01 * z for z in datasets.sine())
    )
    assert funcnn.reproduce(record, steps=100).agrees
    monkeypatch.setitem(optimizers.OPTIMIZERS, "rmsprop", under_the_root)
    assert not funcnn.reproduce(record, steps=100).agrees


@pytest.mark.skipif(not HAS_TORCH, reason="PyTorch is the reference")
def test_rmsprop_with_optax_s_own_defaults_is_found(monkeypatch):
    assert funcnn.reproduce("sine/rmsprop", steps=100).agrees
    monkeypatch.setitem(optimizers.OPTIMIZERS, "rmsprop", optax.rmsprop)
    assert not funcnn.reproduce("sine/rmsprop", steps=100).agrees


def with_zeros(name):
    """Initial values and data that make a hidden unit exactly 0 for every sample."""
    model = models.make(EXPERIMENTS[name].model)
    params = {key: np.array(value) for key, value in model.init(jax.random.key(0)).items()}
    params["w1"][:, :10] = 0
    if "b1" in params:
        params["b1"][:10] = 0
    x, y = EXPERIMENTS[name].data()
    x[::2, :500] = 0
    return dataclasses.replace(EXPERIMENTS[name], data=lambda: (x, y)), params


def stopped_at_zero(params, x):
    return jax.nn.relu(x @ params["w1"]) @ params["w2"]


def passed_at_zero(params, x):
    hidden = models.mlp.clamp(x @ params["w1"] + params["b1"][None])
    return hidden @ params["w2"] + params["b2"][None]


@pytest.mark.skipif(not HAS_TORCH, reason="PyTorch is the reference")
@pytest.mark.parametrize(
    ("name", "model", "other"),
    [("two-layer/optim", "mlp", stopped_at_zero), ("random-data/nn", "mlp_linear", passed_at_zero)],
)
def test_the_other_rule_at_exact_zeros_is_found(plant, name, model, other):
    record, params = with_zeros(name)
    assert funcnn.reproduce(record, params=params, dtype="float32", steps=5).agrees
    plant(model, apply=other)
    assert funcnn.reproduce(name, dtype="float32", steps=5).agrees  # Random data have no zeros.
    assert not funcnn.reproduce(record, params=params, dtype="float32", steps=5).agrees


@pytest.mark.skipif(not HAS_TORCH, reason="PyTorch is the reference")
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_dropped_gradients_in_the_dynamic_net_are_found(monkeypatch, dtype):
    import torch

    assert funcnn.reproduce("sine/dynamic", dtype=dtype, steps=100).agrees
    zero_grad = torch.optim.SGD.zero_grad
    monkeypatch.setattr(
        torch.optim.SGD, "zero_grad", lambda self, **_: zero_grad(self, set_to_none=True)
    )
    assert not funcnn.reproduce("sine/dynamic", dtype=dtype, steps=100).agrees
