"""The models: initial values, gradients by hand, and the rule at a pre-activation of zero."""

from __future__ import annotations

import functools
import inspect
import typing

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import CASES, MANUAL
from hypothesis import given
from hypothesis import strategies as st
from jax.test_util import check_grads

import funcnn
from funcnn.core.precision import numerics
from funcnn.losses import sum_squared_error
from funcnn.models.legendre import p3

KEY = jax.random.key(0)


@pytest.mark.parametrize("name", [name for name in CASES if CASES[name].model in MANUAL])
def test_the_gradient_by_hand_is_autodiff_s(name):
    case = CASES[name]
    module = funcnn.models.MODELS[case.model]
    with numerics("float64"):
        value, gradient = jax.jit(module.value_and_grad)(case.params, case.x, case.y)
        expected, by_autodiff = jax.jit(
            jax.value_and_grad(
                lambda params: sum_squared_error(module.apply(params, case.x), case.y)
            )
        )(case.params)
    assert float(value) == pytest.approx(float(expected), rel=1e-14)
    assert jax.tree.structure(gradient) == jax.tree.structure(by_autodiff)
    for letter in gradient:
        expected = np.asarray(by_autodiff[letter])
        np.testing.assert_allclose(np.asarray(gradient[letter]), expected, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("name", ["mlp", "mlp_linear", "polynomial", "legendre"])
def test_the_gradient_by_hand_is_the_finite_difference(name):
    case = CASES[name]
    value_and_grad = jax.jit(funcnn.models.MODELS[name].value_and_grad)
    with numerics("float64"):
        _, gradient = value_and_grad(case.params, case.x, case.y)
        for letter, value in case.params.items():
            step = 1e-6 * np.random.default_rng(3).standard_normal(value.shape)
            above = value_and_grad(case.params | {letter: value + step}, case.x, case.y)[0]
            below = value_and_grad(case.params | {letter: value - step}, case.x, case.y)[0]
            slope = np.vdot(gradient[letter], step)
            np.testing.assert_allclose((above - below) / 2, slope, rtol=1e-5)


def test_p3_and_its_rule():
    x = np.linspace(-2, 2, 9)
    with numerics("float64"):
        np.testing.assert_allclose(p3(x), (5 * x**3 - 3 * x) / 2, rtol=1e-14)
        np.testing.assert_allclose(jax.vmap(jax.grad(p3))(x), (15 * x**2 - 3) / 2, rtol=1e-14)
        check_grads(p3, (x,), order=2, modes=("rev",))


def test_p3_keeps_nothing_but_its_input():
    _, pullback = jax.vjp(p3, jnp.arange(5.0))
    assert [leaf.shape for leaf in jax.tree.leaves(pullback)] == [(5,)]


# With w1 = 0 every pre-activation is exactly 0, and only the rule at 0 tells the gradients.
ZERO = {"w1": np.zeros((3, 2)), "w2": np.ones((2, 1))}
ZERO_LINEAR = ZERO | {"b1": np.zeros(2), "b2": np.zeros(1)}


@pytest.mark.parametrize("gradient", ["autodiff", "manual"])
@pytest.mark.parametrize(("name", "params", "moves"), [
    ("mlp", ZERO, True),  # clamp(min=0) and grad_h[h < 0] = 0 let the gradient through
    ("mlp_linear", ZERO_LINEAR, False),  # nn.ReLU stops it
])  # fmt: skip
def test_the_gradient_at_exactly_zero(name, params, moves, gradient):
    x, y = np.ones((4, 3)), np.ones((4, 1))
    result = funcnn.train(
        name, (x, y), params=params, hidden=2, loss="sum_squared_error", optimizer="sgd",
        learning_rate=0.125, steps=1, dtype="float64", gradient=gradient,
    )  # fmt: skip
    # The prediction is 0, so that the gradient of y_pred is −2 for each of the 4 samples.
    expected = np.full((3, 2), 1.0) if moves else np.zeros((3, 2))
    np.testing.assert_array_equal(result.params["w1"], expected)


@pytest.mark.parametrize("name", ["mlp", "mlp_linear"])
def test_pytorch_agrees_about_exactly_zero(name):
    pytest.importorskip("torch")
    from torch_models import loss_and_gradient

    params = ZERO if name == "mlp" else ZERO_LINEAR
    x, y = np.ones((4, 3)), np.ones((4, 1))
    _, expected = loss_and_gradient(name, x, y, params)
    with numerics("float64"):
        _, gradient = funcnn.models.MODELS[name].value_and_grad(params, x, y)
    for letter in params:
        np.testing.assert_array_equal(gradient[letter], expected[letter])


@pytest.mark.slow
def test_initial_values_are_pytorch_s():
    normal = funcnn.models.make("mlp", in_features=400, hidden=50, out_features=30).init(KEY)
    assert {name: value.shape for name, value in normal.items()} == {
        "w1": (400, 50),
        "w2": (50, 30),
    }
    assert float(normal["w1"].std()) == pytest.approx(1, abs=0.02)
    assert abs(float(normal["w1"].mean())) < 0.03

    sizes = {"in_features": 400, "hidden": (50, 20), "out_features": 30}
    linear = funcnn.models.make("mlp_linear", **sizes).init(KEY)
    for layer, fan_in in enumerate((400, 50, 20), start=1):
        bound = fan_in**-0.5
        weight, bias = linear[f"w{layer}"], linear[f"b{layer}"]
        assert float(jnp.abs(weight).max()) == pytest.approx(bound, rel=0.01)
        assert float(weight.std()) == pytest.approx(bound / 3**0.5, rel=0.05)
        assert float(jnp.abs(bias).max()) <= bound
        assert float(jnp.abs(bias).max()) > bound / 2


def test_initial_values_under_vmap_are_those_of_each_key():
    model = funcnn.models.make("mlp", in_features=3, hidden=2, out_features=1)
    keys = jax.random.split(KEY, 4)
    together = jax.vmap(model.init)(keys)
    for member, key in enumerate(keys):
        np.testing.assert_array_equal(together["w1"][member], model.init(key)["w1"])


def test_polynomials_of_any_degree():
    for degree in (1, 4, 25):
        with numerics("float64"):
            params = funcnn.models.make("polynomial", degree=degree).init(KEY)
        assert sorted(params) == [chr(ord("a") + power) for power in range(degree + 1)]
        x = np.linspace(-0.9, 0.9, 7)
        with numerics("float64"):
            value = funcnn.models.polynomial.apply(params, x)
        coefficients = [float(params[name]) for name in sorted(params)]
        np.testing.assert_allclose(value, np.polynomial.polynomial.polyval(x, coefficients))


def test_the_two_polynomials_are_one_function():
    x = np.linspace(-1, 1, 11)
    with numerics("float64"):
        one = funcnn.models.polynomial.apply(
            {name: np.array(value) for name, value in {"a": 4.0, "b": 1.0, "c": 2.0}.items()}, x
        )
        other = funcnn.models.polynomial_linear.apply(
            {"w": np.array([[1.0], [2.0]]), "b": np.array([4.0])}, x
        )
    np.testing.assert_allclose(one, other, rtol=1e-15)


@pytest.mark.slow
def test_the_dynamic_net_draws_its_terms_evenly_and_by_seed_and_step():
    terms = funcnn.models.extra_terms(seed=5, steps=3000)
    assert np.bincount(terms) == pytest.approx(np.full(3, 1000), abs=100)
    np.testing.assert_array_equal(funcnn.models.extra_terms(seed=5, steps=10), terms[:10])
    assert (funcnn.models.extra_terms(seed=6, steps=3000) != terms).any()
    with jax.enable_x64(True):
        np.testing.assert_array_equal(funcnn.models.extra_terms(seed=5, steps=3000), terms)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_dynamic_run_draws_extra_terms(dtype):
    # At x = 1 and with e = 1 alone the prediction is the number of extra terms.
    params = {letter: np.zeros((), dtype) for letter in "abcd"} | {"e": np.ones((), dtype)}
    result = funcnn.train(
        "dynamic", (np.ones(1), np.zeros(1)), params=params, seed=3, steps=50,
        loss="sum_squared_error", optimizer="sgd", learning_rate=1e-30, dtype=dtype,
    )  # fmt: skip
    np.testing.assert_allclose(np.sqrt(result.losses), funcnn.models.extra_terms(3, 50), atol=1e-12)


WIDTHS = st.integers(1, 40)
SIZES = {
    "mlp": st.fixed_dictionaries(dict.fromkeys(["in_features", "hidden", "out_features"], WIDTHS)),
    "mlp_linear": st.fixed_dictionaries(
        {
            "in_features": WIDTHS,
            "hidden": st.lists(WIDTHS, max_size=4).map(tuple),
            "out_features": WIDTHS,
        }
    ),
    "polynomial": st.fixed_dictionaries({"degree": st.integers(1, 25)}),
    "polynomial_linear": st.fixed_dictionaries({"degree": st.integers(1, 25)}),
    "legendre": st.just({}),
    "dynamic": st.just({}),
}


@pytest.mark.parametrize("name", funcnn.models.MODELS)
@given(data=st.data())
def test_sizes_are_those_that_init_was_given(name, data):
    sizes = data.draw(SIZES[name])
    module = funcnn.models.MODELS[name]
    found = module.sizes(jax.eval_shape(functools.partial(module.init, **sizes), KEY))
    assert found == sizes
    assert tuple(found) == funcnn.models.sizes_of(name)


@pytest.mark.parametrize("name", CASES)
def test_sizes_of_arrays_make_the_model_that_has_them(name):
    case = CASES[name]
    module = funcnn.models.MODELS[case.model]
    init = funcnn.models.make(case.model, **module.sizes(case.params)).init
    params = jax.eval_shape(init, KEY)
    assert jax.tree.map(lambda leaf: leaf.shape, params) == jax.tree.map(np.shape, case.params)
    assert all(type(size) in (int, tuple) for size in module.sizes(case.params).values())


ONES = np.ones((3, 2))


@pytest.mark.parametrize(("name", "params", "named"), [
    ("mlp", {}, "w1"),
    ("mlp", {"w1": ONES}, "w2"),
    ("mlp", {"w1": ONES, "w2": np.ones(2)}, "w2.*2 axes"),
    ("mlp", {"w1": ONES, "w2": {"kernel": ONES}}, "w2.*2 axes"),
    ("mlp", {"w1": ONES, "w2": [[1.0], [1.0, 2.0]]}, "w2.*no array"),
    ("mlp", [ONES, ONES], "dict.*w1"),
    ("mlp_linear", {"b1": np.ones(2)}, "w1"),
    ("mlp_linear", {"w1": ONES, "b1": np.ones(2), "w3": ONES, "b3": np.ones(2)}, "w2"),
    ("mlp_linear", None, "dict.*w1"),
    ("polynomial", {"a": 1.0}, "two at least"),
    ("polynomial", [1.0, 2.0], "dict"),
    ("polynomial_linear", {"b": np.ones(1)}, "w"),
    ("polynomial_linear", {"w": np.ones(3), "b": np.ones(1)}, "w.*2 axes"),
])  # fmt: skip
def test_params_that_have_no_sizes(name, params, named):
    with pytest.raises(funcnn.ArgumentError, match=named):
        funcnn.models.MODELS[name].sizes(params)


@pytest.mark.parametrize("name", ["mlp", *(name for name in CASES if name[:10] == "mlp_linear")])
def test_the_head_is_the_network_after_its_first_layer(name):
    case = CASES[name]
    module = funcnn.models.MODELS[case.model]
    with numerics("float64"):
        first = case.x @ case.params["w1"] + case.params.get("b1", 0)
        prediction = module.head(case.params, first)
        np.testing.assert_allclose(prediction, module.apply(case.params, case.x), rtol=1e-12)
    # Beyond h it needs neither the inputs nor the first layer.
    rest = {
        letter: np.full_like(value, np.nan) if letter in ("w1", "b1") else value
        for letter, value in case.params.items()
    }
    with numerics("float64"):
        np.testing.assert_array_equal(module.head(rest, first), prediction)


def test_without_hidden_layers_the_head_is_what_it_is_given():
    h = jnp.array([[-1.0, 2.0]])
    params = funcnn.models.mlp_linear.init(KEY, in_features=3, hidden=(), out_features=2)
    assert funcnn.models.mlp_linear.head(params, h) is h
    model = funcnn.models.make("mlp_linear", in_features=3, hidden=(), out_features=2)
    assert model.init(KEY).keys() == {"w1", "b1"}
    assert model.head is funcnn.models.mlp_linear.head


def test_public_functions_have_types_that_can_be_read():
    for module in (funcnn.models, *funcnn.models.MODELS.values(), funcnn.losses):
        for name in module.__all__:
            if inspect.isfunction(inspect.unwrap(getattr(module, name))):
                assert typing.get_type_hints(getattr(module, name))


def test_make_gives_the_same_model_again():
    first = funcnn.models.make("mlp_linear", in_features=3, hidden=[4, 5], out_features=2)
    assert first is funcnn.models.make("mlp_linear", in_features=3, hidden=(4, 5), out_features=2)
    assert first is funcnn.models.make("mlp_linear", out_features=2, hidden=(4, 5), in_features=3)
    assert isinstance(first, funcnn.Model)
    for width in range(1, 300):  # However many others have been made meanwhile.
        funcnn.models.make("mlp", in_features=width)
    assert first is funcnn.models.make("mlp_linear", in_features=3, hidden=(4, 5), out_features=2)
