"""Times are taken as ``timing`` says."""

from __future__ import annotations

import functools
import math
import time

import numpy as np
from bench_helpers import sleeper

from funcnn.bench import timing


def timed(run, steps, rounds=3, longest=math.inf):
    """Step seconds and run seconds of a bare run, as a benchmark takes them."""
    chosen = timing.lengths(run, steps, longest)
    samplers = {"it": functools.partial(timing.sample, run, chosen)}
    samples = timing.interleaved(samplers, rounds)["it"]
    return chosen, [one.step_seconds for one in samples], [one.run_seconds for one in samples]


def test_a_peer_that_sleeps_is_measured_at_its_sleep():
    chosen, step_seconds, run_seconds = timed(sleeper(0.001, once=0.02), steps=100)
    assert (chosen.short, chosen.long) == (10, 100)
    assert 0.0009 < np.median(step_seconds) < 0.003
    assert 0.12 <= min(run_seconds) < 0.3


def test_what_is_paid_once_is_not_in_the_steady_state():
    run = sleeper(0.0005, first=0.5)
    first = timing.first_call(run, 10)
    assert 0.505 <= first.seconds < 1
    assert 0.45 < first.compile_seconds < first.seconds
    _, step_seconds, _ = timed(run, steps=100)
    assert np.median(step_seconds) < 0.002


def test_a_length_that_is_new_is_never_timed():
    seen = set()

    def run(steps):
        time.sleep(0 if steps in seen else 0.1)
        seen.add(steps)
        time.sleep(steps * 0.0002)

    _, step_seconds, _ = timed(run, steps=200)
    assert np.median(step_seconds) < 0.0006


def test_the_longest_run_is_not_made_again_to_choose_it():
    made = []

    def run(steps):
        made.append(steps)
        time.sleep(0.0001 * steps)

    timing.lengths(run, 100)
    assert made.count(100) == 2


def test_a_slow_peer_makes_fewer_steps():
    chosen, step_seconds, _ = timed(sleeper(0.01), steps=100_000, rounds=1, longest=0.3)
    assert 10 <= chosen.long <= 30
    assert 0.009 < step_seconds[0] < 0.03


def test_every_round_times_every_peer_and_begins_with_another():
    order = []
    samplers = {name: functools.partial(order.append, name) for name in "pqr"}
    samples = timing.interleaved(samplers, rounds=4)
    assert "".join(order) == "pqrqrprpqpqr"
    assert {name: len(taken) for name, taken in samples.items()} == {"p": 4, "q": 4, "r": 4}


def test_short_calls_are_repeated_and_their_first_is_not_timed(monkeypatch):
    monkeypatch.setattr(timing, "SAMPLE_SECONDS", 0.05)
    made = []
    run = sleeper(0.001, first=0.3)

    def short():
        made.append("short")
        run(2)

    seconds = timing.side_by_side({"short": short, "long": lambda: time.sleep(0.1)}, rounds=2)
    assert len(made) > 10
    assert 0.002 <= max(seconds["short"]) < 0.02
    assert len(seconds["long"]) == 2
    assert min(seconds["long"]) >= 0.1


def test_the_fastest_is_chosen():
    slow, fast = sleeper(0.002), sleeper(0.0001)
    assert timing.fastest([slow, fast, slow]) is fast
