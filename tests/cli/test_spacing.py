"""VALUES on the command line of ``sweep``: numbers between two ends, and what is refused."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import funcnn
from funcnn.cli.options import read_hyperparameters
from funcnn.cli.spacing import spaced
from funcnn.cli.sweeping import MOST, _values

WRITTEN = {
    "1e-7:1e-3:log:3": [1e-07, 1e-05, 0.001],
    "1e-3:1e-7:log:5": [0.001, 0.0001, 1e-05, 1e-06, 1e-07],
    "0.01:1:log:3": [0.01, 0.1, 1.0],
    "2:32:log:5": [2.0, 4.0, 8.0, 16.0, 32.0],
    "1:10:log:4": [1.0, 2.15443469003188, 4.64158883361278, 10.0],
    "0:0.9:lin:10": [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9],
    "-0.1:0.3:lin:5": [-0.1, 0.0, 0.1, 0.2, 0.3],
    "1:0:lin:3": [1.0, 0.5, 0.0],
    "0:1:lin:4": [0.0, 0.333333333333333, 0.666666666666667, 1.0],
    "0.5:0.5:log:3": [0.5, 0.5, 0.5],
    "3:7:log:1": [3.0],
    "3:7:lin:1": [3.0],
    "3:7:lin:2": [3.0, 7.0],
    "3:7:log:2": [3.0, 7.0],
}


@pytest.mark.parametrize("text", WRITTEN)
def test_the_numbers_are_those_that_a_person_would_write(text):
    assert _values("--set", text) == WRITTEN[text]


ends = st.floats(-1e300, 1e300).map(repr)
positive_ends = st.floats(1e-300, 1e300).map(repr)
ways = st.one_of(
    st.tuples(positive_ends, positive_ends, st.just("log")), st.tuples(ends, ends, st.just("lin"))
)


@given(ways, st.integers(2, 60))
@example(("1.0000000000000002", "1.0000000000000004", "log"), 5)  # nearer than 15 digits
@example(("0.30000000000000004", "0.3", "lin"), 4)
@example(("5e-324", "1.7976931348623157e308", "log"), 7)
@example(("-1.7976931348623157e308", "1.7976931348623157e308", "lin"), 7)
@example(("1.797693134862315e308", "1.7976931348623157e308", "lin"), 3)  # rounds to infinity
def test_the_ends_are_exact_and_the_numbers_in_order(way, count):
    low, high, spacing = way
    numbers = spaced(low, high, spacing, count)
    assert len(numbers) == count
    assert (numbers[0], numbers[-1]) == (float(low), float(high))
    pairs = itertools.pairwise(numbers if float(low) <= float(high) else numbers[::-1])
    assert all(smaller <= larger for smaller, larger in pairs)


@given(ways, st.integers(2, 60))
def test_the_numbers_are_numpy_s_but_for_the_last_digits(way, count):
    low, high, spacing = way
    space = np.geomspace if spacing == "log" else np.linspace
    numbers = spaced(low, high, spacing, count)
    size = max(abs(float(low)), abs(float(high)))
    # Half a unit of the 15th digit is up to 5e-15 of a number; geomspace's powers of logarithms
    # lose what the whole part of a logarithm takes.
    np.testing.assert_allclose(
        numbers,
        space(float(low), float(high), count),
        rtol=1e-11 if spacing == "log" else 6e-15,
        atol=0 if spacing == "log" else 1e-15 * size + 1e-320,
    )


@given(st.integers(-300, 300), st.integers(-300, 300), st.integers(1, 40))
def test_the_middle_of_two_powers_of_ten_is_a_power_of_ten(first, last, half):
    last += (first + last) % 2
    numbers = spaced(f"1e{first}", f"1e{last}", "log", 2 * half + 1)
    assert numbers[half] == float(f"1e{(first + last) // 2}")


@given(st.integers(-300, 300), st.integers(1, 30))
def test_a_number_for_each_power_of_ten(first, more):
    last = min(first + more, 308)
    numbers = spaced(f"1e{first}", f"1e{last}", "log", last - first + 1)
    assert numbers == [float(f"1e{power}") for power in range(first, last + 1)]


@given(st.integers(-(10**6), 10**6), st.integers(1, 100), st.integers(2, 50))
def test_whole_distances_give_whole_numbers(first, distance, count):
    last = first + distance * (count - 1)
    expected = [float(number) for number in range(first, last + 1, distance)]
    assert spaced(str(first), str(last), "lin", count) == expected


@pytest.mark.slow
@pytest.mark.parametrize("spacing", ["log", "lin"])
def test_the_most_numbers_lose_nothing_on_the_way(spacing):
    numbers = spaced("1e-6", "1e6", spacing, MOST + 1)
    assert numbers[MOST // 2] == (1.0 if spacing == "log" else 500000.0000005)
    assert len(set(numbers)) == MOST + 1


BAD = [
    "0:1:log:3", "-1:1:log:3", "0:1:lin:0", "0:1:lin:-1", f"0:1:lin:{MOST + 1}", "0:1:lin:1.5",
    "0:1:cubic:3", "nan:1:lin:3", "0:inf:lin:3", "1e400:1:log:3", "1e-400:1:log:3",
    "1e-99999999999999999999:1:lin:3", "a:1:lin:3", ":1:lin:3", "0:1:lin:", "0:1:lin", "1,x", "",
]  # fmt: skip


@pytest.mark.parametrize("text", BAD)
def test_values_that_are_none(text):
    with pytest.raises(funcnn.ArgumentError) as caught:
        _values("--set", text)
    assert str(caught.value).startswith(f"--set {text} must be a number, several (1e-3,1e-2)")


@pytest.mark.parametrize("name", ["group", "mode", "keep_every", "steps", "momentum"])
def test_what_sweep_takes_by_name_is_not_set_twice(name, monkeypatch, capsys):
    from funcnn import cli

    settings = ["--set", f"{name}=3", "--set", f"{name}=4"]
    monkeypatch.setattr("sys.argv", ["funcnn", "sweep", "mlp", "--seed", "0:2", *settings])
    with pytest.raises(SystemExit) as exit_:
        cli.main()
    refused = f"{name}=4" if name == "momentum" else f"{name}=3"
    said = f"funcnn: --set {refused}: {name} is set elsewhere\n"
    assert (exit_.value.code, *capsys.readouterr()) == (2, "", said)


def test_the_settings_that_train_takes_are_refused_as_ever():
    assert read_hyperparameters(["momentum=0.5", "nesterov=True"], float, "NUMBER") == {
        "momentum": 0.5, "nesterov": True,
    }  # fmt: skip
    with pytest.raises(funcnn.ArgumentError, match="--set steps=3: steps is set elsewhere"):
        read_hyperparameters(["steps=3"], float, "NUMBER")
    with pytest.raises(funcnn.ArgumentError, match="--set momentum=x must be NUMBER"):
        read_hyperparameters(["momentum=x"], float, "NUMBER")
