"""Where a run is cut never changes a bit of it: by the clock, by observers, or for good."""

from __future__ import annotations

import itertools
import subprocess
import sys
import threading

import jax
import numpy as np
import optax
import pytest
from helpers import CASES

import funcnn
from funcnn.optimizers import schedules
from funcnn.runs.observers import Losses, Observer
from funcnn.runs.planning import make_plan
from funcnn.runs.run import run

STEPS = 90

# Model, and what is asked of it: every form, with optimizers that remember nothing, a momentum,
# and running means, on all samples and on batches.
RUNS = {
    "direct-sgd": ("mlp", {"optimizer": "sgd", "learning_rate": 1e-5}),
    "direct-adam-batches": ("mlp_linear", {"optimizer": "adam", "batch_size": 5}),
    "direct-manual": ("mlp", {"optimizer": "momentum", "gradient": "manual",
                              "learning_rate": 1e-5, "loss": "sum_squared_error"}),
    "direct-draws": ("dynamic", {"optimizer": "momentum", "learning_rate": 1e-8}),
    "direct-dropout-batches": ("mlp_linear", {"optimizer": "adam", "batch_size": 5,
                                              "activation": "tanh", "dropout": 0.3}),
    "direct-schedule": ("polynomial", {"optimizer": "rmsprop",
                                       "learning_rate": schedules.step_lr(1e-2, 20)}),
    "direct-optax": ("mlp", {"optimizer": optax.adamw(1e-2), "batch_size": 7}),
    "quadratic-adam": ("polynomial", {"optimizer": "adam", "form": "gram"}),
    "quadratic-momentum": ("polynomial_linear", {"optimizer": "momentum", "form": "gram",
                                                 "learning_rate": 1e-4}),
    "layer-sgd": ("mlp", {"optimizer": "sgd", "form": "gram", "learning_rate": 1e-4}),
    "layer-momentum-decay": ("mlp", {"optimizer": "momentum", "form": "gram",
                                     "learning_rate": 1e-4, "weight_decay": 0.1}),
    "layer-bias-nesterov": ("mlp_linear", {"optimizer": "momentum", "form": "gram",
                                           "nesterov": True, "learning_rate": 1e-2}),
    "layer-batches": ("mlp", {"optimizer": "momentum", "form": "gram", "batch_size": 5,
                              "learning_rate": 1e-4}),
    "direct-in-order-clipped-weighted": ("mlp_linear", {
        "optimizer": "adam", "batch_size": 5, "shuffle": False, "clip_grad_norm": 0.1,
        "sample_weight": np.arange(16) % 3}),
    "layer-given-batches": ("mlp_linear", {
        "optimizer": "momentum", "form": "gram", "learning_rate": 1e-3,
        "batches": [np.arange(5) + step % 12 if step % 3 else np.arange(3)
                    for step in range(90)]}),
}  # fmt: skip


def plan_of(name, **more):
    model, options = RUNS[name]
    case = CASES[model]
    return make_plan(
        model, (case.x, case.y), **{"steps": STEPS, "seed": 3, **case.sizes, **options, **more}
    )


class Lengths:
    """A pace that follows no clock."""

    def __init__(self, *lengths):
        self.lengths = itertools.cycle(lengths)

    def length(self):
        return next(self.lengths)

    def took(self, steps, seconds):
        pass


class Looking(Observer):
    """Asks for cuts, and looks at the state at each."""

    def next_step(self, step):
        return step + 13

    def see(self, segment):
        jax.block_until_ready(segment.view())
        return False


def bits(plan, members=None, observers=(), pace=None):
    """All that a run gives: its losses, and every array of its state."""
    recorded = Losses()
    outcome = run(plan, members, [recorded, *observers], pace)
    leaves = jax.tree.leaves(outcome.state._replace(key=None))
    return [recorded.losses(), *map(np.asarray, leaves)]


def assert_same(found, expected):
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("name", "members"),
    [
        *((name, None) for name in RUNS),
        *(
            (name, [{"seed": seed} for seed in range(3)])
            for name in (
                "direct-adam-batches",
                "direct-dropout-batches",
                "quadratic-adam",
                "layer-momentum-decay",
                "layer-batches",
            )
        ),
    ],
)
def test_cuts_do_not_show(name, members):
    plan = plan_of(name)
    whole = bits(plan, members, pace=Lengths(STEPS))
    assert_same(bits(plan, members), whole)  # as the clock says
    for lengths in ([1], [7], [64], [1, 30, 2]):
        assert_same(bits(plan, members, pace=Lengths(*lengths)), whole)
    assert_same(bits(plan, members, observers=[Looking()]), whole)


@pytest.mark.parametrize(
    ("name", "dtype"),
    [
        *((name, "float32") for name in RUNS),
        *((name, "float64") for name in ("direct-schedule", "quadratic-adam", "layer-batches")),
    ],
)
def test_a_run_goes_on_from_its_state_to_the_bit(name, dtype):
    model, options = RUNS[name]
    case = CASES[model]
    shared = {"model": model, "data": (case.x, case.y), "dtype": dtype, **case.sizes, **options}
    whole = funcnn.train(**shared, steps=STEPS, seed=3)
    half = funcnn.train(**shared, steps=37, seed=3)
    if "batches" in options:  # They are those of the steps to come.
        shared["batches"] = options["batches"][37:]
    rest = funcnn.train(**shared, steps=STEPS - 37, state=half.state)
    np.testing.assert_array_equal(np.concatenate([half.losses, rest.losses]), whole.losses)
    assert int(rest.state.step) == STEPS
    found, expected = (jax.tree.leaves(result.state._replace(key=None)) for result in (rest, whole))
    assert_same(found, expected)


@pytest.mark.parametrize("name", ["layer-momentum-decay", "direct-adam-batches"])
def test_a_member_of_a_sweep_goes_on_to_the_bit(name):
    model, options = RUNS[name]
    case = CASES[model]
    shared = {"model": model, "data": (case.x, case.y), **case.sizes, **options}
    member = funcnn.sweep(**shared, steps=30, seed=[4, 3], group=1).result(1)
    rest = funcnn.train(**shared, steps=60, state=member.state)
    whole = funcnn.train(**shared, steps=90, seed=3)
    # A member is the run of train up to roundings; what follows it follows from its state.
    np.testing.assert_allclose(rest.losses, whole.losses[30:], rtol=1e-3)
    again = funcnn.train(**shared, steps=60, state=member.state)
    np.testing.assert_array_equal(rest.losses, again.losses)


def test_what_a_state_kept_is_not_taken_for_other_params_or_data():
    case = CASES["mlp"]
    shared = {"optimizer": "sgd", "learning_rate": 1e-4, "steps": 20, "form": "gram"}
    state = funcnn.train("mlp", (case.x, case.y), hidden=8, **shared).state
    halved = state._replace(params=jax.tree.map(lambda leaf: leaf / 2, state.params))
    for start, x in ((halved, case.x), (state, case.x + 0.1)):
        data = (x, case.y)
        gram = funcnn.train("mlp", data, state=start, **shared)
        direct = funcnn.train("mlp", data, state=start, **shared | {"form": "direct"})
        np.testing.assert_allclose(gram.losses, direct.losses, rtol=1e-4)
        assert gram.losses[0] == pytest.approx(direct.losses[0], rel=1e-5)


def test_the_optimizer_s_numbers_go_on_unless_the_call_gives_others(line):
    shared = {"model": "polynomial", "data": line, "degree": 1, "optimizer": "momentum"}
    half = funcnn.train(**shared, learning_rate=1e-2, momentum=0.5, steps=10)
    same = funcnn.train(**shared, steps=10, state=half.state)
    whole = funcnn.train(**shared, learning_rate=1e-2, momentum=0.5, steps=20)
    np.testing.assert_array_equal(same.losses, whole.losses[10:])
    other = funcnn.train(**shared, steps=10, state=half.state, learning_rate=1e-4)
    assert float(other.state.optimizer_state.numbers["learning_rate"]) == pytest.approx(1e-4)
    assert float(other.state.optimizer_state.numbers["momentum"]) == 0.5


BAD_STATES = {
    "kind": (lambda _: {"params": 1}, "state must be a funcnn.TrainState"),
    "params": (
        lambda state: state._replace(params=state.params | {"c": np.float32(0)}),
        "the params are",
    ),
    "optimizer": (lambda state: state._replace(optimizer_state=()), "another optimizer's"),
    "step": (lambda state: state._replace(step=np.zeros(2, np.int32)), "state.step is int32(2,)"),
}


@pytest.mark.parametrize("name", BAD_STATES)
def test_a_state_that_does_not_fit(name, line, compiles):
    shared = {"model": "polynomial", "data": line, "degree": 1, "steps": 5}
    state = funcnn.train(**shared).state
    change, message = BAD_STATES[name]
    with compiles() as compiled, pytest.raises(funcnn.ArgumentError) as caught:
        funcnn.train(**shared, state=change(state))
    assert message in str(caught.value)
    assert compiled == []


@pytest.mark.parametrize("other", [{"params": {"a": 0.0, "b": 0.0}}, {"seed": 1}])
def test_a_state_has_its_own_params_and_random_numbers(other, line):
    shared = {"model": "polynomial", "data": line, "degree": 1, "steps": 5}
    state = funcnn.train(**shared).state
    with pytest.raises(funcnn.ArgumentError, match="|".join(other)):
        funcnn.train(**shared, state=state, **other)


# The worst weather: other work on the machine, and other processes.


@pytest.mark.slow
def test_the_same_call_gives_the_same_bits_beside_other_work():
    plan = plan_of("layer-momentum-decay", steps=400)
    whole = bits(plan, pace=Lengths(400))
    ended = threading.Event()

    def work():
        while not ended.is_set():
            np.linalg.svd(np.random.default_rng(0).standard_normal((60, 60)))

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(10):
            assert_same(bits(plan), whole)
    finally:
        ended.set()
        for thread in threads:
            thread.join()


CHILD = """
import hashlib, sys, numpy as np, funcnn
rng = np.random.default_rng(0)
x, y = rng.standard_normal((20, 30)), rng.standard_normal((20, 3))
result = funcnn.train("mlp", (x, y), hidden=8, optimizer="momentum", learning_rate=1e-4,
                      form="gram", steps=200)
print(hashlib.sha256(result.losses.tobytes() + result.params["w1"].tobytes()).hexdigest())
"""


@pytest.mark.slow
def test_other_processes_give_the_same_bits():
    children = [
        subprocess.Popen([sys.executable, "-c", CHILD], stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    digests = {child.communicate()[0].strip() for child in children}
    assert len(digests) == 1
    assert len(digests.pop()) == 64
