"""The checks of single arguments: what passes, as what, and what is refused."""

from __future__ import annotations

import dataclasses
import decimal
import fractions
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from funcnn.core import ArgumentError, ArgumentTypeError, checks


def of_torch(*arguments, **settings):
    """A tensor that is made where it is used: the rest of the file needs no PyTorch."""

    def make():
        return pytest.importorskip("torch").tensor(*arguments, **settings)

    return make


def made(value):
    return value() if getattr(value, "__name__", "") == "make" else value


NUMBERS = {
    "int": 2, "float": 2.0, "fraction": fractions.Fraction(2), "numpy-float32": np.float32(2),
    "numpy-float16": np.float16(2), "numpy-int8": np.int8(2), "numpy-uint8": np.uint8(2),
    "numpy-array": np.array(2.0), "numpy-big-endian": np.array(2.0, ">f8"),
    "numpy-little-endian": np.array(2.0, "<f8"), "jax-float": jnp.float32(2),
    "jax-bfloat": jnp.bfloat16(2), "jax-int": jnp.int32(2),
    "torch-float": of_torch(2.0), "torch-int": of_torch(2),
}  # fmt: skip


@pytest.mark.parametrize("name", NUMBERS)
def test_a_number_is_a_float(name):
    number = checks.number("eps", made(NUMBERS[name]))
    assert (type(number), number) == (float, 2.0)


NO_NUMBERS = {
    "none": None, "bool": True, "numpy-bool": np.True_, "numpy-bool-array": np.array(True),
    "jax-bool": jnp.array(True), "torch-bool": of_torch(True), "str": "2",
    "numpy-str": np.str_("2"), "numpy-str-array": np.array("2"), "bytes": b"2",
    "bytearray": bytearray(b"2"), "memoryview": memoryview(b"2"),
    "numpy-bytes-array": np.array(b"2"), "complex": 2 + 0j,
    "numpy-complex": np.complex64(2), "numpy-complex-array": np.array(2 + 0j),
    "jax-complex": jnp.complex64(2), "torch-complex": of_torch(2 + 0j),
    "datetime": np.datetime64("2020"), "timedelta": np.timedelta64(2, "s"),
    "timedelta-ns": np.timedelta64(2, "ns"), "timedelta-array": np.array(2, "m8[ns]"),
    "object-array": np.array(2.0, object), "list": [2.0], "ragged": [[1.0], [1.0, 2.0]],
    "numpy-row": np.array([2.0]), "jax-row": jnp.array([2.0]), "torch-row": of_torch([2.0]),
    "type": np.float64, "jax-type": jnp.float32, "shape": jax.ShapeDtypeStruct((), jnp.float32),
    "key": jax.random.key(0), "too-large": 10**400,
}  # fmt: skip


@pytest.mark.parametrize("name", NO_NUMBERS)
def test_what_is_no_number(name):
    with pytest.raises(ArgumentTypeError, match=r"(?s)^eps=.* is not a number$"):
        checks.number("eps", made(NO_NUMBERS[name]))


@pytest.mark.parametrize(
    "value", [-1.0, np.nan, np.inf, -np.inf, jnp.float32(-1), np.float32("nan")]
)
def test_a_number_out_of_range(value):
    with pytest.raises(ArgumentError, match="must be a non-negative finite number") as caught:
        checks.number("eps", value)
    assert not isinstance(caught.value, TypeError)


def test_the_ends_of_the_range_of_a_number():
    assert checks.number("eps", 0) == 0.0
    with pytest.raises(ArgumentError, match="must be a positive finite number"):
        checks.number("learning_rate", 0.0, positive=True)
    assert checks.number("beta1", 0.999, below=1) == 0.999
    with pytest.raises(ArgumentError, match=r"beta1=1\.0 must be below 1"):
        checks.number("beta1", 1.0, below=1)


def test_a_traced_number_passes():
    doubled = jax.jit(lambda value: 2.0 * checks.number("eps", value))(jnp.float32(-1))
    assert doubled == -2.0


INTEGERS = {
    "int": 2, "numpy": np.int64(2), "numpy-uint8": np.uint8(2), "numpy-array": np.array(2),
    "jax": jnp.int32(2), "torch": of_torch(2),
}  # fmt: skip


@pytest.mark.parametrize("name", INTEGERS)
def test_an_integer_is_an_int(name):
    whole = checks.integer("steps", made(INTEGERS[name]), at_least=1)
    assert (type(whole), whole) == (int, 2)


NO_INTEGERS = {
    "none": None, "bool": True, "numpy-bool": np.True_, "numpy-bool-array": np.array(True),
    "jax-bool": jnp.array(True), "torch-bool": of_torch(True), "float": 2.0, "str": "2",
    "numpy-float": np.float64(2), "torch-float": of_torch(2.0), "torch-row": of_torch([2]),
    "numpy-row": np.array([2]), "timedelta": np.timedelta64(2, "ns"), "complex": 2 + 0j,
    "bytes": b"2",
}  # fmt: skip


@pytest.mark.parametrize("name", NO_INTEGERS)
def test_what_is_no_integer(name):
    with pytest.raises(ArgumentTypeError, match=r"^steps=.* is not an integer$"):
        checks.integer("steps", made(NO_INTEGERS[name]), at_least=0)


def test_the_ends_of_the_range_of_an_integer():
    assert checks.integer("steps", 3, at_least=3, below=4) == 3
    with pytest.raises(ArgumentError, match="steps=2 must be at least 3"):
        checks.integer("steps", 2, at_least=3)
    with pytest.raises(ArgumentError, match="steps=4 must be below 4"):
        checks.integer("steps", 4, at_least=3, below=4)


anything = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.fractions(), st.decimals(),
    st.complex_numbers(), st.text(max_size=3), st.binary(max_size=3),
    st.lists(st.integers(), max_size=2), st.datetimes(),
)  # fmt: skip


def as_float(value):
    """NaN for what is too large, and for the NaN of decimals that is no float's."""
    try:
        return float(value)
    except (OverflowError, ValueError):
        return np.nan


@given(anything)
def test_whatever_comes_is_a_number_or_refused_in_words(value):
    real = isinstance(value, (int, float, fractions.Fraction, decimal.Decimal))
    sensible = real and not isinstance(value, bool) and 0 <= as_float(value) < np.inf
    if sensible:
        number = checks.number("eps", value)
        assert (type(number), number) == (float, float(value))
    else:
        with pytest.raises(ArgumentError, match=r"(?s)^eps=.*number$"):
            checks.number("eps", value)


@dataclasses.dataclass(frozen=True)
class Frozen:
    """Hashable by its type, and not by what it holds."""

    w: Any

    def __call__(self, params, x):
        return x @ (params["w"] + self.w)


class Unhashable:
    __hash__ = None

    def __call__(self, params, x):
        return x @ params["w"]


FUNCTIONS = {
    "lambda": lambda p, x: x * p, "partial": functools.partial(pow, 2), "frozen": Frozen(1.0),
    "method": Frozen(1.0).__call__, "partial-of-arrays": functools.partial(Frozen(np.ones(2))),
    "jit": jax.jit(lambda p, x: x * p),
}  # fmt: skip


def of_no_module(x):
    return x


of_no_module.__module__ = None
FUNCTIONS["of-no-module"] = of_no_module


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_passes_as_it_is(name):
    assert checks.function("loss", FUNCTIONS[name]) is FUNCTIONS[name]


@pytest.mark.parametrize("value", [None, 3, "mse", [abs]])
def test_what_is_no_function(value):
    with pytest.raises(ArgumentTypeError) as caught:
        checks.function("loss", value)
    assert str(caught.value) == f"loss must be a function (and hashable), not {value!r}"


@pytest.mark.parametrize("value", [Frozen(np.ones(1000)), Frozen(jnp.ones(2)), Unhashable()])
def test_a_function_that_holds_arrays_is_refused_with_what_to_do(value):
    with pytest.raises(ArgumentTypeError) as caught:
        checks.function("loss", value)
    said = str(caught.value)
    assert said.startswith(f"loss must be a function (and hashable), not {value!r:.60}: ")
    assert ": unhashable type: " in said
    assert said.endswith("Pass a function that calls it, such as functools.partial(it)")
    assert len(said) < 250  # Not all of what it holds.


def test_a_module_of_equinox_that_holds_arrays_is_refused():
    equinox = pytest.importorskip("equinox")
    module = equinox.nn.Linear(2, 3, key=jax.random.key(0))
    with pytest.raises(ArgumentTypeError, match="model's apply must be a function"):
        checks.function("model's apply", module)
    wrapped = functools.partial(module)
    assert checks.function("model's apply", wrapped) is wrapped


def test_a_flag():
    assert checks.flag("nesterov", True) is True
    assert checks.flag("nesterov", np.False_) is False
    for value in (1, 0.0, "no", None):
        with pytest.raises(ArgumentTypeError, match="must be True or False"):
            checks.flag("nesterov", value)


@pytest.mark.parametrize("value", [3, None, b"adam", ["adam"]])
def test_a_name_is_a_text(value):
    with pytest.raises(ArgumentTypeError) as caught:
        checks.choice("optimizer", value, ["sgd", "adam"])
    assert str(caught.value) == f"optimizer={value!r} is not a name. Known: sgd, adam"


def test_the_whole_message_of_a_name_and_of_an_argument():
    with pytest.raises(ArgumentError) as caught:
        checks.choice("optimizer", "adm", ["sgd", "adam"])
    assert str(caught.value) == (
        "optimizer='adm' is not known; did you mean 'adam'? Known: sgd, adam"
    )
    with pytest.raises(ArgumentTypeError) as caught:
        checks.keywords(max, ["key", "momentun"], ["key", "momentum", "key"])
    assert str(caught.value) == (
        "max takes no momentun; did you mean momentum? Accepted: key, momentum"
    )
    with pytest.raises(ArgumentTypeError, match=r"^max takes no zebra\. Accepted: nothing$"):
        checks.keywords(max, ["zebra"], [])
