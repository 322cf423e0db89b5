"""funcnn against PyTorch: gradients and losses from the same arrays, at every step."""

from __future__ import annotations

import jax
import numpy as np
import optax
import pytest
from helpers import CASES, MANUAL, OPTIMIZERS, train

import funcnn
from funcnn.core.keys import run_key, step_key
from funcnn.core.precision import numerics

pytest.importorskip("torch", reason="PyTorch is the reference")
import torch
import torch_models

STEPS = 300
SEED = 0
# An optimizer sees arrays, not models: one network and one curve go through all of them, and
# every other model, each gradient by hand and each odd shape through some, each time others.
THROUGH_ALL = ("mlp_linear", "polynomial")
ONE_OF_EACH_KIND = ("nesterov", "rmsprop", "adamw")
IN_FLOAT32 = ("sgd", "momentum", "rmsprop", "adam", "adamw")


@pytest.fixture(scope="session")
def reference():
    """PyTorch's losses of a case, computed once for all that is held against them."""
    runs = {}

    def losses(name: str, optimizer: str, dtype: str) -> np.ndarray:
        if (name, optimizer, dtype) not in runs:
            case = CASES[name].cast(dtype)
            _, _, torch_class, options, family = OPTIMIZERS[optimizer]
            terms = funcnn.models.extra_terms(SEED, STEPS) if case.model == "dynamic" else None
            runs[name, optimizer, dtype] = torch_models.train(
                case.model,
                case.x,
                case.y,
                case.params,
                STEPS,
                torch_class,
                terms=terms,
                lr=case.rates[family],
                **options,
            )
        return runs[name, optimizer, dtype]

    return losses


def optimizers_of(name: str, gradient: str) -> tuple[str, ...]:
    """The optimizers that a case is trained with."""
    if name not in funcnn.models.MODELS:
        place = list(CASES).index(name) + (gradient == "manual")
        return (ONE_OF_EACH_KIND[place % 3],)
    if gradient == "manual":
        return ("momentum", "rmsprop-centered")
    return tuple(OPTIMIZERS) if name in THROUGH_ALL else ("sgd", *ONE_OF_EACH_KIND)


RUNS = [
    pytest.param(name, optimizer, gradient, id=f"{name}-{optimizer}-{gradient}")
    for name, case in CASES.items()
    for gradient in ("autodiff", "manual")
    if gradient == "autodiff" or case.model in MANUAL
    for optimizer in optimizers_of(name, gradient)
]


@pytest.mark.parametrize(("name", "optimizer", "gradient"), RUNS)
def test_losses(name, optimizer, gradient, reference):
    case = CASES[name]
    result = train(case, optimizer, STEPS, "float64", gradient=gradient)
    expected, expected_params = reference(name, optimizer, "float64")
    assert len(result.losses) == STEPS
    np.testing.assert_allclose(result.losses, expected, rtol=1e-8, atol=0)
    for letter, value in expected_params.items():
        np.testing.assert_allclose(result.params[letter], value, rtol=1e-6, atol=1e-9)

    if name != case.model or gradient == "manual" or optimizer not in IN_FLOAT32:
        return  # float64 shows more of what these are about.
    result = train(case.cast("float32"), optimizer, STEPS, "float32", gradient=gradient)
    expected, _ = reference(name, optimizer, "float32")
    difference = np.abs(result.losses - expected)
    # PyTorch computes Adam's bias correction in double, optax in float32 (7e-6 apart at
    # the first step); the dynamic net's powers, up to π⁵ = 306, show it tenfold.
    wider = 10 if case.model == "dynamic" and optimizer.startswith("adam") else 1
    bound = wider * (1e-5 * expected + 1e-6 * expected[0])
    assert (difference <= bound).all(), (difference / bound).max()


@pytest.mark.parametrize("name", CASES)
def test_gradient_at_the_start(name):
    case = CASES[name]
    terms = int(funcnn.models.extra_terms(SEED, 1)[0]) if case.model == "dynamic" else None
    loss, gradient = torch_models.loss_and_gradient(case.model, case.x, case.y, case.params, terms)
    module = funcnn.models.MODELS[case.model]
    key = ()
    with numerics("float64"):
        if case.model == "dynamic":
            key = (step_key(run_key(SEED), 0),)

        @jax.jit
        @jax.value_and_grad
        def automatic(params):
            prediction = module.apply(params, case.x, *key)
            return funcnn.losses.sum_squared_error(prediction, case.y)

        found = [automatic(case.params)]
        if case.model in MANUAL:
            found.append(jax.jit(module.value_and_grad)(case.params, case.x, case.y))
        for value, by_name in found:
            np.testing.assert_allclose(value, loss, rtol=1e-12)
            assert by_name.keys() == gradient.keys()
            for letter in gradient:
                scale = np.abs(gradient[letter]).max()
                np.testing.assert_allclose(
                    by_name[letter], gradient[letter], rtol=1e-10, atol=1e-10 * scale
                )


@pytest.mark.parametrize(
    ("options", "rate"),
    [({}, 1e-3), ({"centered": True}, 1e-3), ({"momentum": 0.5}, 5e-4)],
    ids=["plain", "centered", "momentum"],
)
def test_thousand_steps_of_rmsprop_on_the_tutorial_s_curve(options, rate):
    # At the optimum RMSprop divides rounding noise by itself, and no two programs agree.
    # The tutorial's run gets there after 1500 steps; momentum would halve that, hence its rate.
    x = np.linspace(-np.pi, np.pi, 2000)
    params = {"w": np.array([[-0.4], [-0.5], [0.3]]), "b": np.array([0.5])}
    expected, _ = torch_models.train(
        "polynomial_linear", x, np.sin(x), params, 1000, "RMSprop", lr=rate, **options
    )
    result = funcnn.train(
        "polynomial_linear",
        (x, np.sin(x)),
        params=params,
        loss="sum_squared_error",
        optimizer="rmsprop",
        learning_rate=rate,
        steps=1000,
        dtype="float64",
        **options,
    )
    np.testing.assert_allclose(result.losses, expected, rtol=1e-8)


@pytest.mark.parametrize(
    ("optimizer", "torch_class", "options"),
    [("rmsprop", "RMSprop", {"momentum": 0.9}), ("adam", "Adam", {})],
)
def test_a_schedule_is_pytorch_s_scheduler(optimizer, torch_class, options):
    # In RMSprop the rate comes after the momentum, so a change of rate shows the order.
    case = CASES["mlp_linear"]
    result = funcnn.train(
        case.model,
        (case.x, case.y),
        params=case.params,
        loss="sum_squared_error",
        optimizer=optimizer,
        learning_rate=optax.piecewise_constant_schedule(1e-3, {50: 0.1}),
        steps=100,
        dtype="float64",
        hidden=(8,),
        **options,
    )
    tensors = {name: torch.tensor(value) for name, value in case.params.items()}
    assert losses_of_multistep(case, tensors, torch_class, options) == pytest.approx(
        list(result.losses), rel=1e-8
    )


def losses_of_multistep(case, tensors, torch_class, options):
    """Fifty steps at 1e-3 and fifty at a tenth of it, with PyTorch's own scheduler."""
    for tensor in tensors.values():
        tensor.requires_grad_()
    optimizer = getattr(torch.optim, torch_class)(list(tensors.values()), lr=1e-3, **options)
    scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, [50], gamma=0.1)
    x, y = torch.tensor(case.x), torch.tensor(case.y)
    losses = []
    for _ in range(100):
        loss = (torch_models.FORWARDS[case.model](tensors, x) - y).pow(2).sum()
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
    return losses
