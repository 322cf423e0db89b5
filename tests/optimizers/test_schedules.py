"""The schedules: PyTorch's values, past their ends too; numbers that can be traced."""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Iterable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from funcnn.core import ArgumentError, ArgumentTypeError
from funcnn.optimizers import schedules
from funcnn.optimizers.schedules import (
    Schedule,
    cosine_annealing_lr,
    cosine_annealing_warm_restarts,
    exponential_lr,
    linear_lr,
    multi_step_lr,
    one_cycle_lr,
    step_lr,
)

STEPS = 300
RATE = 0.1

TORCH = {
    step_lr: "StepLR",
    multi_step_lr: "MultiStepLR",
    exponential_lr: "ExponentialLR",
    linear_lr: "LinearLR",
    cosine_annealing_lr: "CosineAnnealingLR",
    cosine_annealing_warm_restarts: "CosineAnnealingWarmRestarts",
    one_cycle_lr: "OneCycleLR",
}
TORCH_NAMES = {"steps": "T_max", "minimum": "eta_min", "first_period": "T_0", "factor": "T_mult"}


class Case(NamedTuple):
    make: Any
    arguments: dict[str, Any]
    steps: int = STEPS

    def schedule(self) -> Schedule:
        return self.make(RATE, **self.arguments)


def one_cycle(total_steps: int, **more: Any) -> Case:
    """As many steps as PyTorch's has, no more."""
    return Case(one_cycle_lr, {"total_steps": total_steps, **more}, total_steps)


CASES = {
    "step": Case(step_lr, {"step_size": 30}),
    "step-each": Case(step_lr, {"step_size": 1, "gamma": 0.97}),
    "step-rising": Case(step_lr, {"step_size": 7, "gamma": 1.05}),
    "milestones": Case(multi_step_lr, {"milestones": (30, 80)}),
    "milestones-from-zero": Case(multi_step_lr, {"milestones": (0, 5, 6, 299), "gamma": 0.3}),
    "exponential": Case(exponential_lr, {"gamma": 0.95}),
    "exponential-slow": Case(exponential_lr, {"gamma": 0.999}),
    "exponential-fast": Case(exponential_lr, {"gamma": 0.5}),
    "linear": Case(linear_lr, {}),
    "linear-one": Case(linear_lr, {"start_factor": 0.3, "end_factor": 0.7, "total_iters": 1}),
    "linear-long": Case(linear_lr, {"start_factor": 0.05, "total_iters": 250}),
    "linear-to-zero": Case(linear_lr, {"start_factor": 1.0, "end_factor": 0.0, "total_iters": 200}),
    "cosine": Case(cosine_annealing_lr, {"steps": 100}),
    "cosine-one": Case(cosine_annealing_lr, {"steps": 1}),
    "cosine-seven": Case(cosine_annealing_lr, {"steps": 7, "minimum": 1e-3}),
    "cosine-once": Case(cosine_annealing_lr, {"steps": 300}),
    "cosine-longer": Case(cosine_annealing_lr, {"steps": 1000, "minimum": 1e-4}),
    "restarts": Case(cosine_annealing_warm_restarts, {"first_period": 20}),
    "restarts-one": Case(cosine_annealing_warm_restarts, {"first_period": 1}),
    "restarts-doubled": Case(
        cosine_annealing_warm_restarts, {"first_period": 7, "factor": 2, "minimum": 1e-3}
    ),
    "restarts-from-one": Case(cosine_annealing_warm_restarts, {"first_period": 1, "factor": 3}),
    "cycle": one_cycle(300),
    "cycle-linear": one_cycle(300, anneal_strategy="linear", pct_start=0.25),
    "cycle-three": one_cycle(300, three_phase=True),
    "cycle-three-linear": one_cycle(300, three_phase=True, anneal_strategy="linear"),
    "cycle-three-all": one_cycle(300, three_phase=True, pct_start=0.7),
    "cycle-down": one_cycle(300, pct_start=0.0, div_factor=4.0, final_div_factor=10.0),
    "cycle-short": one_cycle(3),
    "cycle-one": one_cycle(1),
}
# One of each structure: what differs in its numbers alone is traced in the same way.
STRUCTURES = (
    "step", "milestones", "exponential", "linear", "cosine", "restarts", "restarts-doubled",
    "cycle", "cycle-linear", "cycle-three", "cycle-down",
)  # fmt: skip


@functools.cache
def compiled(name: str) -> Any:
    """The schedule of a case; what is compiled of it serves every test."""
    return jax.jit(CASES[name].schedule())


def torch_rates(case: Case) -> np.ndarray:
    torch = pytest.importorskip("torch")
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=RATE)
    arguments = {TORCH_NAMES.get(name, name): value for name, value in case.arguments.items()}
    if case.make is one_cycle_lr:
        arguments |= {"max_lr": RATE, "cycle_momentum": False}
    scheduler = getattr(torch.optim.lr_scheduler, TORCH[case.make])(optimizer, **arguments)
    rates = [optimizer.param_groups[0]["lr"]]
    for _ in range(case.steps - 1):
        optimizer.step()
        scheduler.step()
        rates.append(optimizer.param_groups[0]["lr"])
    return np.array(rates)


def rates(function: Any, steps: Iterable[int]) -> np.ndarray:
    """What a function of the step gives, one step after another, in float64."""
    with jax.enable_x64(True):
        values = [function(jnp.asarray(step, jnp.int64)) for step in steps]
        assert {(value.shape, value.dtype.name) for value in values} == {((), "float64")}
        return np.array([float(value) for value in values])


@pytest.mark.parametrize("name", CASES)
def test_the_rates_are_pytorch_s(name):
    case = CASES[name]
    schedule, expected = case.schedule(), torch_rates(case)
    every, some = range(case.steps), range(0, case.steps, 29)  # not compiled, it takes its time
    for function, steps in ((compiled(name), every), (schedule, some)):
        np.testing.assert_allclose(rates(function, steps), expected[steps], rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("make", TORCH, ids=lambda make: make.__name__)
def test_the_names_and_the_defaults_are_pytorch_s(make):
    torch = pytest.importorskip("torch")
    theirs = inspect.signature(getattr(torch.optim.lr_scheduler, TORCH[make])).parameters
    for parameter in list(inspect.signature(make).parameters.values())[1:]:
        default = theirs[TORCH_NAMES.get(parameter.name, parameter.name)].default
        if parameter.name != "total_steps":  # PyTorch's may be left to epochs × steps_per_epoch
            assert parameter.default == default, parameter.name


def test_every_schedule_is_held_to_pytorch_s():
    assert {make.__name__ for make in TORCH} | {"Schedule"} == set(schedules.__all__)
    assert {case.make for case in CASES.values()} == set(TORCH)


@pytest.mark.parametrize("strategy", ["cos", "linear"])
@pytest.mark.parametrize("three_phase", [False, True])
def test_a_cycle_stays_at_its_last_rate(strategy, three_phase):
    schedule = one_cycle_lr(RATE, 20, anneal_strategy=strategy, three_phase=three_phase)
    with jax.enable_x64(True):
        last = float(schedule(19))
        np.testing.assert_allclose(last, RATE / 25 / 1e4, rtol=1e-12)
        assert [float(schedule(step)) for step in (20, 21, 1000)] == [last] * 3


def test_pytorch_s_cycle_goes_one_step_too_far_and_raises():
    torch = pytest.importorskip("torch")
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=RATE)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, RATE, total_steps=20, anneal_strategy="linear", cycle_momentum=False
    )
    for _ in range(20):
        optimizer.step()
        scheduler.step()
    assert optimizer.param_groups[0]["lr"] < 0
    with pytest.raises(ValueError, match="Tried to step 21 times"):
        scheduler.step()


@pytest.mark.parametrize("three_phase", [False, True])
@pytest.mark.parametrize(("total_steps", "pct_start"), [(10, 0.1), (4, 0.25), (1, 1.0)])
def test_a_cycle_may_begin_at_its_peak(total_steps, pct_start, three_phase):
    """Where PyTorch divides by the length of a phase without length."""
    schedule = one_cycle_lr(RATE, total_steps, pct_start, three_phase=three_phase)
    values = rates(schedule, range(total_steps))
    np.testing.assert_allclose(values[0], RATE, rtol=1e-15)
    assert np.isfinite(values).all()
    assert (np.diff(values) < 0).all()


def test_a_cycle_may_end_at_its_peak():
    values = rates(jax.jit(one_cycle_lr(RATE, 10, 1.0)), range(12))
    assert (np.diff(values[:10]) > 0).all()
    np.testing.assert_allclose(values[9:], RATE, rtol=1e-15)


@pytest.mark.parametrize("steps", [10, 299, 10_000])
def test_a_cosine_does_not_cancel_next_to_its_minimum(steps):
    """1 + cos would, and so PyTorch's is off there by 1e-9 for 10000 steps."""
    around = np.arange(steps - 5, steps + 6)
    quarter = np.longdouble(np.pi) / 2  # times 5 / steps at most: its rounding is no matter
    expected = np.longdouble(RATE) * np.sin(quarter * np.longdouble(steps - around) / steps) ** 2
    schedule = cosine_annealing_lr(RATE, steps)
    with jax.enable_x64(True):
        values = [float(schedule(int(step))) for step in around]
    np.testing.assert_allclose(values, expected.astype(float), rtol=2e-15, atol=0)


@pytest.mark.parametrize("name", CASES)
def test_in_float32_it_is_the_same_schedule(name):
    case = CASES[name]
    steps = range(0, case.steps, 7)
    rate = compiled(name)
    values = [rate(jnp.asarray(step, jnp.int32)) for step in steps]
    assert {(value.shape, value.dtype.name) for value in values} == {((), "float32")}
    values = np.array([float(value) for value in values])
    np.testing.assert_allclose(values, rates(rate, steps), rtol=3e-5, atol=1e-7 * RATE)


@pytest.mark.parametrize("name", CASES)
def test_equal_arguments_make_equal_schedules(name):
    case = CASES[name]
    schedule, again = case.schedule(), case.schedule()
    assert schedule == again
    assert hash(schedule) == hash(again)
    other = case.make(2 * RATE, **case.arguments)
    assert other != schedule
    assert other.function is schedule.function
    assert other.settings == schedule.settings
    assert len({schedule, again, other}) == 2


def test_what_means_the_same_is_the_same():
    expected = multi_step_lr(0.5, (1, 2))
    assert multi_step_lr(np.float64(0.5), [1, 2]) == expected
    assert multi_step_lr(jnp.float32(0.5), np.array([1, 2])) == expected
    assert hash(multi_step_lr(jnp.float32(0.5), np.array([1, 2]))) == hash(expected)


@pytest.mark.parametrize("name", STRUCTURES)
def test_the_numbers_may_be_traced(name, compiles):
    """Another rate compiles nothing again."""
    schedule = CASES[name].schedule()

    @jax.jit
    def evaluate(step, numbers):
        return schedule.function(step, **numbers, **dict(schedule.settings))

    with jax.enable_x64(True):
        step = jnp.asarray(2, jnp.int64)

        def at(rate):
            numbers = dict(schedule.numbers) | {"learning_rate": rate}
            return {name: jnp.asarray(value, jnp.float64) for name, value in numbers.items()}

        first, second = at(RATE), at(RATE / 2)
        value = evaluate(step, first)
        with compiles() as anew:
            other = evaluate(step, second)
        assert not anew
        np.testing.assert_allclose(float(value), float(schedule(step)), rtol=1e-14)
        halved = dataclasses.replace(
            schedule, numbers=tuple(dict(schedule.numbers, learning_rate=RATE / 2).items())
        )
        np.testing.assert_allclose(float(other), float(halved(step)), rtol=1e-14)


@pytest.mark.parametrize("name", STRUCTURES)
def test_a_schedule_may_be_made_of_a_traced_rate(name):
    case = CASES[name]
    sweep = jnp.asarray([RATE, 2 * RATE])
    values = jax.jit(jax.vmap(lambda rate: case.make(rate, **case.arguments)(2)))(sweep)
    expected = [float(case.make(rate, **case.arguments)(2)) for rate in (RATE, 2 * RATE)]
    np.testing.assert_allclose(values, expected, rtol=1e-5)


@pytest.mark.parametrize("name", CASES)
def test_the_slope_by_the_numbers_is_finite(name):
    schedule = CASES[name].schedule()

    def evaluate(numbers):
        return schedule.function(2, **numbers, **dict(schedule.settings))

    slopes = jax.jit(jax.grad(evaluate))(
        {name: jnp.float32(value) for name, value in schedule.numbers}
    )
    assert all(np.isfinite(slope) for slope in slopes.values())


def test_optax_takes_it():
    schedule = multi_step_lr(0.5, (1, 3), gamma=0.25)
    optimizer = optax.sgd(schedule)
    params = jnp.zeros(2)
    state = optimizer.init(params)
    with jax.numpy_dtype_promotion("standard"):
        for step in range(5):
            change, state = optimizer.update(jnp.ones(2), state, params)
            np.testing.assert_allclose(change, -float(schedule(step)) * np.ones(2), rtol=1e-6)


def test_a_long_schedule_stays_in_int32():
    longest = 2**30 - 1
    late = jnp.asarray(2**31 - 1, jnp.int32)
    for schedule in (
        step_lr(RATE, longest),
        multi_step_lr(RATE, [longest]),
        linear_lr(RATE, total_iters=longest),
        cosine_annealing_lr(RATE, longest),
        cosine_annealing_warm_restarts(RATE, longest),
        cosine_annealing_warm_restarts(RATE, longest, factor=longest),
        cosine_annealing_warm_restarts(RATE, 1, factor=2),
        one_cycle_lr(RATE, longest),
    ):
        assert 0 <= float(schedule(late)) <= 1.001 * RATE


BAD = [
    (step_lr, {"learning_rate": 0.0, "step_size": 1}, "learning_rate", ArgumentError),
    (step_lr, {"learning_rate": -0.1, "step_size": 1}, "learning_rate", ArgumentError),
    (step_lr, {"learning_rate": float("nan"), "step_size": 1}, "learning_rate", ArgumentError),
    (step_lr, {"learning_rate": "0.1", "step_size": 1}, "learning_rate", ArgumentTypeError),
    (step_lr, {"step_size": 0}, "step_size", ArgumentError),
    (step_lr, {"step_size": 2**30}, "step_size", ArgumentError),
    (step_lr, {"step_size": 2.0}, "step_size", ArgumentTypeError),
    (step_lr, {"step_size": True}, "step_size", ArgumentTypeError),
    (step_lr, {"step_size": 1, "gamma": 0.0}, "gamma", ArgumentError),
    (multi_step_lr, {"milestones": []}, "milestones", ArgumentError),
    (multi_step_lr, {"milestones": [3, 3]}, "milestones", ArgumentError),
    (multi_step_lr, {"milestones": [3, 2]}, "milestones", ArgumentError),
    (multi_step_lr, {"milestones": [-1, 2]}, "milestones", ArgumentError),
    (multi_step_lr, {"milestones": [1.5]}, "milestones", ArgumentTypeError),
    (multi_step_lr, {"milestones": "30"}, "milestones", ArgumentTypeError),
    (multi_step_lr, {"milestones": 30}, "milestones", ArgumentTypeError),
    (multi_step_lr, {"milestones": [1], "gamma": -1}, "gamma", ArgumentError),
    (exponential_lr, {"gamma": 0}, "gamma", ArgumentError),
    (exponential_lr, {"gamma": float("inf")}, "gamma", ArgumentError),
    (exponential_lr, {"gamma": None}, "gamma", ArgumentTypeError),
    (linear_lr, {"start_factor": 0.0}, "start_factor", ArgumentError),
    (linear_lr, {"start_factor": 1.1}, "start_factor", ArgumentError),
    (linear_lr, {"end_factor": 1.1}, "end_factor", ArgumentError),
    (linear_lr, {"end_factor": -0.1}, "end_factor", ArgumentError),
    (linear_lr, {"total_iters": 0}, "total_iters", ArgumentError),
    (cosine_annealing_lr, {"steps": 0}, "steps", ArgumentError),
    (cosine_annealing_lr, {"steps": 1e3}, "steps", ArgumentTypeError),
    (cosine_annealing_lr, {"steps": 10, "minimum": -1e-3}, "minimum", ArgumentError),
    (cosine_annealing_warm_restarts, {"first_period": 0}, "first_period", ArgumentError),
    (cosine_annealing_warm_restarts, {"first_period": 1, "factor": 0}, "factor", ArgumentError),
    (
        cosine_annealing_warm_restarts,
        {"first_period": 1, "factor": 1.5},
        "factor",
        ArgumentTypeError,
    ),
    (cosine_annealing_warm_restarts, {"first_period": 1, "minimum": -1}, "minimum", ArgumentError),
    (one_cycle_lr, {"total_steps": 0}, "total_steps", ArgumentError),
    (one_cycle_lr, {"total_steps": None}, "total_steps", ArgumentTypeError),
    (one_cycle_lr, {"total_steps": 9, "pct_start": 30}, "pct_start", ArgumentError),
    (one_cycle_lr, {"total_steps": 9, "pct_start": -0.1}, "pct_start", ArgumentError),
    (one_cycle_lr, {"total_steps": 9, "anneal_strategy": "cosine"}, "anneal", ArgumentError),
    (one_cycle_lr, {"total_steps": 9, "anneal_strategy": None}, "anneal", ArgumentTypeError),
    (one_cycle_lr, {"total_steps": 9, "div_factor": 0}, "div_factor", ArgumentError),
    (one_cycle_lr, {"total_steps": 9, "final_div_factor": 0}, "final_div", ArgumentError),
    (one_cycle_lr, {"total_steps": 9, "three_phase": 1}, "three_phase", ArgumentTypeError),
]


@pytest.mark.parametrize(("make", "arguments", "named", "error"), BAD)
def test_bad_arguments_are_refused(make, arguments, named, error):
    with pytest.raises(ArgumentError, match=f"^{named}") as caught:
        make(**{"learning_rate": RATE, **arguments})
    assert type(caught.value) is error
