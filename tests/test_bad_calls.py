"""Calls that cannot work: one clear error, before anything compiles."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import optax
import pytest
from bad_calls import GROUPS, TABLE
from bad_calls.calls import Later, make, own

import funcnn


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make(tmp_path_factory.mktemp("bad"))


@pytest.mark.parametrize("name", TABLE)
def test_a_bad_call_is_refused_in_words_before_anything_compiles(name, made, compiles):
    call, exception, words = TABLE[name]
    if isinstance(call, Later):
        call = call.make(made)
    if isinstance(call, dict):
        arguments = call

        def call(_):
            return funcnn.train(**arguments)

    before = jax.config.values.copy()
    with compiles() as compiled, pytest.raises(exception) as caught:
        call(made)
    assert type(caught.value) is exception, caught.value
    assert words in str(caught.value)
    assert compiled == []
    assert jax.config.values == before


def test_an_update_that_changes_dtypes_or_shapes():
    def grow(updates, state, params=None):
        del params
        return updates, state + 0.5

    drifting = optax.GradientTransformation(lambda _: jnp.zeros((), jnp.int32), grow)
    with (
        jax.numpy_dtype_promotion("standard"),
        pytest.raises(
            funcnn.ArgumentError, match=r"optimizer_state from int32\(\) into float32\(\)"
        ),
    ):
        funcnn.train(**own(optimizer=drifting))


def test_no_two_rows_have_one_name():
    assert len(TABLE) == sum(map(len, GROUPS)) >= 400
