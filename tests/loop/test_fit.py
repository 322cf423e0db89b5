"""The functional core: pure, compiled, differentiable through, usable under vmap."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import funcnn
from funcnn.loop import fit, initial_state, make_update
from funcnn.losses import mean_squared_error, sum_squared_error
from funcnn.optimizers import adam, momentum, sgd

KEY = jax.random.key(0)
MODEL = funcnn.models.make("mlp_linear", in_features=3, hidden=(5,), out_features=2)
X = jax.random.normal(jax.random.key(1), (7, 3))
Y = jax.random.normal(jax.random.key(2), (7, 2))


def started(optimizer):
    return initial_state(MODEL.init(KEY), optimizer, KEY)


def test_a_step_is_optax_by_hand():
    optimizer = adam(1e-2)
    update = make_update(MODEL, sum_squared_error, optimizer)
    state = started(optimizer)
    params, optax_state = state.params, optax.adam(1e-2).init(state.params)

    @jax.jit
    def by_hand(params, optax_state):
        value, gradient = jax.value_and_grad(
            lambda params: sum_squared_error(MODEL.apply(params, X), Y)
        )(params)
        with jax.numpy_dtype_promotion("standard"):
            change, optax_state = optax.adam(1e-2).update(gradient, optax_state)
        return optax.apply_updates(params, change), optax_state, value

    for _ in range(3):
        state, loss = update(state, (X, Y))
        params, optax_state, value = by_hand(params, optax_state)
        np.testing.assert_allclose(loss, value, rtol=1e-6)
    for name, value in params.items():
        np.testing.assert_allclose(state.params[name], value, rtol=1e-5, atol=1e-6)
    assert int(state.step) == 3


@pytest.mark.parametrize("loss", [sum_squared_error, mean_squared_error])
@pytest.mark.parametrize("largest", [1.0, 1e19])
def test_a_step_is_right_up_to_the_largest_numbers(loss, largest):
    x = jnp.array([1.0, -0.5, 0.25], jnp.float32)
    y = largest * jnp.array([1.0, 0.5, -1.0], jnp.float32)
    model = funcnn.Model(None, lambda params, x: params["w"] * x, linear=True)
    state = initial_state({"w": jnp.float32(largest)}, sgd(1e-2), KEY)
    state, value = make_update(model, loss, sgd(1e-2))(state, (x, y))
    # The errors are 0, -1 and 1.25 of the largest. float32 has seven digits, of which a sum of
    # three may lose one.
    share = 1.0 if loss is sum_squared_error else 1 / 3
    np.testing.assert_allclose(float(value), share * 2.5625 * largest**2, rtol=1e-6)
    slope = share * 2 * (0.5 + 1.25 * 0.25) * largest
    np.testing.assert_allclose(state.params["w"], largest - 1e-2 * slope, rtol=1e-6)


def test_a_rule_for_reverse_mode_is_given_what_the_whole_loss_has():
    @jax.custom_vjp
    def cut(x):
        return x

    cut.defvjp(lambda x: (x, None), lambda _, gradient: (jnp.clip(gradient, -1.0, 1.0),))
    model = funcnn.Model(None, lambda params, x: cut(params["w"] * x))
    state = initial_state({"w": jnp.float32(0.0)}, sgd(1.0), KEY)
    update = make_update(model, sum_squared_error, sgd(1.0))
    state, _ = update(state, (jnp.ones(1), jnp.full(1, 0.75)))
    assert float(state.params["w"]) == 1.0  # The gradient is -1.5, cut to -1.


def test_update_is_pure():
    optimizer = momentum(1e-2)
    update = make_update(MODEL, sum_squared_error, optimizer)
    state = started(optimizer)
    before = jax.tree.map(np.array, state._replace(key=0))
    first, _ = update(state, (X, Y))
    second, _ = update(state, (X, Y))
    jax.tree.map(np.testing.assert_array_equal, before, state._replace(key=0))
    jax.tree.map(np.testing.assert_array_equal, first._replace(key=0), second._replace(key=0))


def test_fit_is_its_updates_one_by_one():
    optimizer = momentum(1e-2)
    update = make_update(MODEL, sum_squared_error, optimizer)
    state, one_by_one = started(optimizer), []
    for _ in range(20):
        state, loss = update(state, (X, Y))
        one_by_one.append(loss)
    after, losses = jax.jit(lambda state: fit(update, state, (X, Y), 20))(started(optimizer))
    np.testing.assert_allclose(losses, one_by_one, rtol=1e-6)
    np.testing.assert_allclose(after.params["w1"], state.params["w1"], rtol=1e-5)


def test_one_program_serves_every_number_of_steps(compiles):
    optimizer = sgd(1e-2)
    update = make_update(MODEL, sum_squared_error, optimizer)
    loop = jax.jit(lambda state, steps: fit(update, state, (X, Y), steps, capacity=10))
    state = started(optimizer)
    loop(state, 0)
    with compiles() as compiled:
        runs = {steps: loop(state, steps) for steps in (3, 10)}
    assert compiled == []
    _, losses = fit(update, state, (X, Y), 10)
    np.testing.assert_allclose(runs[10][1], losses, rtol=1e-6)
    np.testing.assert_array_equal(runs[3][1][:3], runs[10][1][:3])
    assert (runs[3][1][3:] == 0).all()


def test_cut_into_parts_it_is_the_same_run_to_the_bit():
    optimizer = adam(1e-2)
    update = make_update(MODEL, sum_squared_error, optimizer, batch_size=2)
    loop = jax.jit(lambda state, steps: fit(update, state, (X, Y), steps, capacity=30))
    whole, losses = loop(started(optimizer), 30)
    state, parts = started(optimizer), []
    for steps in (1, 7, 22):
        state, part = loop(state, steps)
        parts.append(part[:steps])
    np.testing.assert_array_equal(np.concatenate(parts), losses)
    np.testing.assert_array_equal(state.params["w1"], whole.params["w1"])


def test_gradient_through_training():
    update = make_update(MODEL, sum_squared_error, sgd(1.0))

    def last_loss(rate):
        return fit(update, started(sgd(rate)), (X, Y), 5)[1][-1]

    with jax.enable_x64(True), jax.numpy_dtype_promotion("standard"):
        rate, step = 1e-2, 1e-5
        slope = jax.jit(jax.grad(last_loss))(rate)
        forward = jax.jit(lambda rate: jax.jvp(last_loss, (rate,), (1.0,))[1])(rate)
        loss = jax.jit(last_loss)
        difference = (loss(rate + step) - loss(rate - step)) / (2 * step)
    assert float(slope) == pytest.approx(float(difference), rel=1e-5)
    assert float(slope) == pytest.approx(float(forward), rel=1e-4)


def test_vmap_over_hyperparameters_is_a_sweep():
    rates, decays = jnp.array([1e-3, 1e-2, 3e-2]), jnp.array([0.0, 0.5, 0.9])

    @jax.vmap
    def losses_of(rate, decay):
        optimizer = momentum(rate, momentum=decay)
        update = make_update(MODEL, sum_squared_error, optimizer)
        return fit(update, started(optimizer), (X, Y), 30)[1]

    together = losses_of(rates, decays)
    for member in range(3):
        optimizer = momentum(float(rates[member]), momentum=float(decays[member]) or 1e-30)
        update = make_update(MODEL, sum_squared_error, optimizer)
        alone = fit(update, started(optimizer), (X, Y), 30)[1]
        np.testing.assert_allclose(together[member], alone, rtol=1e-4)


def test_vmap_over_initial_values():
    optimizer = sgd(1e-2)
    update = make_update(MODEL, mean_squared_error, optimizer)
    keys = jax.random.split(KEY, 5)
    states = jax.vmap(lambda key: initial_state(MODEL.init(key), optimizer, key))(keys)
    states, losses = jax.vmap(lambda state: fit(update, state, (X, Y), 10))(states)
    assert losses.shape == (5, 10)
    assert (losses[:, -1] < losses[:, 0]).all()


def test_the_same_arguments_give_an_equal_update(compiles):
    first, second = (make_update(MODEL, sum_squared_error, sgd(rate)) for rate in (0.01, 0.02))
    assert first == second
    assert hash(first) == hash(second)
    others = [
        make_update(MODEL, sum_squared_error, momentum(0.1)),
        make_update(MODEL, mean_squared_error, sgd(0.1)),
        make_update(MODEL, sum_squared_error, sgd(0.1), batch_size=3),
        make_update(MODEL, sum_squared_error, sgd(0.1), gradient="manual"),
        make_update(MODEL, sum_squared_error, sgd(0.1), form="gram"),
    ]
    assert len({first, second, *others}) == 1 + len(others)
    state = started(sgd(0.01))
    first(state, (X, Y))
    fit(first, state, (X, Y), 3)
    with compiles() as compiled:
        second(state, (X, Y))
        fit(second, state, (X, Y), 3)
    assert compiled == []


def test_traced_steps_need_a_capacity():
    update = make_update(MODEL, sum_squared_error, sgd(0.1))
    state = started(sgd(0.1))
    with pytest.raises(funcnn.ArgumentError, match="capacity= is needed"):
        jax.jit(lambda steps: fit(update, state, (X, Y), steps))(3)
    for arguments in ({"steps": 5, "capacity": 3}, {"steps": 0}, {"steps": -1, "capacity": 3}):
        with pytest.raises(funcnn.ArgumentError, match="must be at least"):
            fit(update, state, (X, Y), **arguments)


def test_called_eagerly_it_compiles_once(compiles):
    optimizer = sgd(1e-2)
    update = make_update(MODEL, sum_squared_error, optimizer)
    state, _ = fit(update, started(optimizer), (X, Y), 13)
    with compiles() as compiled:
        fit(update, state, (X, Y), 13)
    assert compiled == []


def test_what_make_update_cannot_use():
    for arguments in (("mlp", sum_squared_error, sgd(0.1)), (MODEL, "sum", sgd(0.1)),
                      (MODEL, sum_squared_error, "adam")):  # fmt: skip
        with pytest.raises(funcnn.ArgumentTypeError):
            make_update(*arguments)
    drawing = MODEL._replace(stochastic=True)
    with pytest.raises(funcnn.ArgumentError, match="draws random numbers"):
        make_update(drawing, sum_squared_error, sgd(0.1), gradient="manual")


def test_a_loss_must_be_one_float():
    def per_sample(prediction, target):
        return ((prediction - target) ** 2).sum(axis=1)

    update = make_update(MODEL, per_sample, sgd(0.1))
    with pytest.raises(funcnn.ArgumentError, match=r"one float; it is float32\(7,\)"):
        update(started(sgd(0.1)), (X, Y))


def test_a_model_with_random_numbers_of_its_own():
    def dropout(params, x, key):
        return jnp.where(jax.random.bernoulli(key, 0.5, x.shape), x, 0) @ params["w"]

    model = funcnn.Model(lambda _: {"w": jnp.ones((3, 2))}, dropout, stochastic=True)
    update = make_update(model, sum_squared_error, sgd(1e-30))
    state = initial_state(model.init(KEY), sgd(1e-30), KEY)
    _, losses = fit(update, state, (X, Y), 50)
    assert len(set(losses.tolist())) > 25
    _, again = fit(update, state, (X, Y), 50)
    np.testing.assert_array_equal(losses, again)


def test_an_optimizer_of_one_s_own_sees_the_params_as_users_do():
    # It might not treat each number alone, so the loop must not keep matrices turned for it.
    shapes = set()

    def update(gradient, state, params=None):
        shapes.add((gradient["w1"].shape, params["w1"].shape))
        return jax.tree.map(lambda g: -1e-3 * g, gradient), state

    optimizer = optax.GradientTransformation(lambda _: (), update)
    data = np.ones((4, 3)), np.ones((4, 2))
    funcnn.train("mlp", data, hidden=5, optimizer=optimizer, steps=2)
    assert shapes == {((3, 5), (3, 5))}


def refused(call, *arguments):
    with pytest.raises(funcnn.ArgumentTypeError, match="64") as caught:
        call(*arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("form", ["direct", "gram"])
def test_float64_is_refused_where_jax_computes_in_32_bits(form, compiles):
    update, state = make_update(MODEL, sum_squared_error, sgd(0.1), form=form), started(sgd(0.1))
    wide = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), state.params)
    data = np.asarray(X, np.float64), np.asarray(Y, np.float64)
    with compiles() as compiled:
        for call in (update, lambda *given: fit(update, *given, 3)):
            assert "data holds float64" in refused(call, state, data)
            assert "data holds float64" in refused(call, state, (X, data[1]))
            assert "state holds float64" in refused(call, state._replace(params=wide), (X, Y))
        assert "params holds float64" in refused(initial_state, wide, sgd(0.1), KEY)
    assert compiled == []
    with jax.enable_x64(True):
        _, losses = fit(update, initial_state(wide, sgd(0.001), KEY), data, 3)
        assert losses.dtype == np.float64
        inside = initial_state(wide, sgd(0.001), KEY)
    assert "state holds float64" in refused(fit, update, inside, (X, Y), 3)


def test_numpy_arrays_are_copied():
    params = {name: np.array(value) for name, value in MODEL.init(KEY).items()}
    state = initial_state(params, sgd(1e-2), KEY)
    update = make_update(MODEL, sum_squared_error, sgd(1e-2))
    x, y = np.array(X), np.array(Y)
    _, losses = fit(update, state, (x, y), 5)
    params["w1"] += 1
    x += 1
    np.testing.assert_array_equal(losses, fit(update, started(sgd(1e-2)), (X, Y), 5)[1])
