"""``sweep(params=[tree, tree])``: members that start from several trees of params."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

import funcnn

RNG = np.random.default_rng(0)
X = RNG.standard_normal((12, 3))
Y = X @ np.array([[1.0, -2.0], [0.5, 3.0], [-1.0, 1.0]])
NET = {"model": "mlp", "data": (X, Y), "steps": 12, "dtype": "float64", "learning_rate": 1e-2}
TREES = [{"w1": RNG.standard_normal((3, 4)), "w2": RNG.standard_normal((4, 2))} for _ in range(3)]


def test_each_member_starts_from_its_own_tree(tmp_path):
    shared = NET | {"batch_size": 5, "seed": [0, 3], "params": TREES, "group": 4}
    result = funcnn.sweep(**shared, folder=tmp_path)
    assert result.settings[:2] == [{"seed": 0, "params": 0}, {"seed": 0, "params": 1}]
    for member, setting in enumerate(result.settings):
        own = setting | {"params": TREES[setting["params"]]}
        alone = funcnn.train(**NET | {"batch_size": 5} | own)
        # The same arithmetic, its sums in another order.
        np.testing.assert_allclose(result.losses[member], alone.losses, rtol=1e-10)
    others = [*TREES[:2], TREES[0]]
    with pytest.raises(funcnn.ArgumentError, match=r"kinds\.0\.starts: "):
        funcnn.sweep(**shared | {"params": others}, folder=tmp_path)


def test_who_goes_on_after_a_halving_has_its_bits():
    rates = {"mode": "zip", "learning_rate": [1e-2, 1e-3, 1e-4], "params": TREES, "group": 3}
    whole, halved = funcnn.sweep(**NET | rates), funcnn.sweep(**NET | rates, halving=4)
    (last,) = np.flatnonzero(halved.steps == 12)
    np.testing.assert_array_equal(halved.losses[last], whole.losses[last])


def test_a_list_that_is_one_tree_of_the_model_is_one_tree():
    def init(_):
        return [{"w": jnp.ones((3, 2))}, {"w": jnp.ones((2, 2))}]

    def apply(params, x):
        return x @ params[0]["w"] @ params[1]["w"]

    own = NET | {"model": (init, apply), "dtype": "float32", "steps": 2}
    tree = [{"w": np.ones((3, 2), np.float32)}, {"w": np.ones((2, 2), np.float32)}]
    rates = {"learning_rate": [0.1, 0.2]}
    assert len(funcnn.sweep(**own | rates, params=tree).settings) == 2
    assert len(funcnn.sweep(**own, params=[tree, tree, tree]).settings) == 3


SAME = "members that differ in it alone would be the same run"


def test_seeds_from_which_nothing_follows_are_refused(compiles):
    torch = pytest.importorskip("torch")
    net = torch.nn.Linear(3, 2).double()
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
    module = {"model": net, "data": (X, Y), "loss": torch.nn.MSELoss(), "steps": 2}
    tree = {"params": TREES[0]}
    with compiles() as compiled:
        for given in (
            module | {"optimizer": optimizer, "seed": range(4)},
            module | {"optimizer": "adam", "seed": [1, 2], "learning_rate": [0.1, 0.2]},
            NET | tree | {"seed": [1, 2]},
            NET | tree | {"seed": [1, 2], "folds": 2},
            NET | tree | {"seed": [1, 2], "batch_size": len(X)},
        ):
            with pytest.raises(funcnn.ArgumentError, match=SAME):
                funcnn.sweep(**given)
    assert not compiled
    for given in (
        {"seed": [1, 2], "learning_rate": [0.1, 0.2], "mode": "zip"},
        {"seed": [1, 2], "resample": True},
        {"seed": [1, 2], "batch_size": 2},
    ):
        result = funcnn.sweep(**NET | tree | given)
        assert (result.losses[0] != result.losses[1]).any()


def test_a_module_that_draws_has_seeds():
    torch = pytest.importorskip("torch")
    net = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.Dropout(0.5)).double()
    shared = {"loss": torch.nn.MSELoss(), "steps": 2, "seed": [1, 2]}
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
    result = funcnn.sweep(net, (X, Y), optimizer=optimizer, **shared)
    assert (result.losses[0] != result.losses[1]).any()
    with pytest.raises(funcnn.ArgumentError, match=SAME):
        funcnn.sweep(net.eval(), (X, Y), optimizer=optimizer, **shared)


def test_state_dicts_of_a_module():
    torch = pytest.importorskip("torch")
    nets = [torch.nn.Linear(3, 2).double() for _ in range(2)]
    optimizer = torch.optim.Adam(nets[0].parameters(), lr=1e-2)
    shared = {"loss": torch.nn.MSELoss(), "optimizer": optimizer, "steps": 5}
    starts = [net.state_dict() for net in nets]
    result = funcnn.sweep(nets[0], (X, Y), params=starts, **shared)
    for member, start in enumerate(starts):
        alone = funcnn.train(nets[0], (X, Y), params=start, **shared)
        np.testing.assert_allclose(result.losses[member], alone.losses, rtol=1e-10)
