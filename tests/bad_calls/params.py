"""Params and states to start from."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from bad_calls.calls import TYPE, VALUE, Later, net, own, torch

PARAMS = {
    "params-missing": ({"params": {"w1": np.ones((1000, 100), "f")}},
        VALUE, "params must hold w2; they hold w1"),
    "params-tree": ({"params": {"w1": np.ones((1000, 3), "f"), "w2": np.ones((3, 10), "f"),
        "w3": 1.0}}, VALUE, "another tree: missing none, unknown params['w3']"),
    "params-features": ({"params": {"w1": np.ones((9, 100), "f"), "w2": np.ones((100, 10),
        "f")}}, VALUE, "x has 1000 features; the params are for 9"),
    "params-outputs": ({"params": {"w1": np.ones((1000, 3), "f"), "w2": np.ones((3, 2), "f")}},
        VALUE, "the model predicts shape (64, 2) and the target has shape (64, 10)"),
    "params-shape": ({"params": {"w1": np.ones((1000, 3), "f"), "w2": np.ones((4, 10), "f")}},
        VALUE, "params['w2'] is float32(4, 10); the model has float32(3, 10)"),
    "params-axes": ({"params": {"w1": np.ones(3, "f"), "w2": np.ones((3, 10), "f")}},
        VALUE, "params['w1'] must have 2 axes; its shape is (3,)"),
    "params-kind": ({"params": [1.0]}, VALUE, "params must be a dict that holds w1"),
    "params-beside-sizes": ({"params": {"w1": np.ones((1000, 3), "f"), "w2": np.ones((3, 10),
        "f")}, "hidden": 5}, VALUE, "hidden=5: the params are for hidden=3"),
    "params-dtype": ({"params": {"w1": np.ones((1000, 100)), "w2": np.ones((100, 10))}},
        VALUE, "params['w1'] is float64(1000, 100); the model has float32"),
    "params-nan": ({"model": "legendre", "params": {"a": 0.0, "b": float("nan"), "c": 0.0,
        "d": 0.0}}, VALUE, "params['b'] is not finite"),
    "state-params": (Later(lambda made: net(state=made.reg.state, params=made.reg.params)),
        VALUE, "params and state: a state has its params; give one of the two"),
    "state-3": (net(state=3),
        TYPE, "state must be a funcnn.TrainState, such as a result's state,"),
    "state-seed": (Later(lambda made: net(state=made.reg.state, seed=1)),
        VALUE, "seed: a state goes on with the random numbers of its own run"),
    "state-optimizer": (Later(lambda made: net(state=made.reg.state, optimizer="sgd")),
        VALUE, "state: its optimizer_state is another optimizer's; go on with"),
    "state-dtype": (Later(lambda made: net(state=made.reg.state, dtype="float64")),
        VALUE, "params['b1'] is float32(2,); the model has float64(2,)"),
    "state-shape": (Later(lambda made: net(state=made.reg.state, hidden=3)),
        VALUE, "hidden=3: the params are for hidden=(2,)"),
    "state-model": (Later(lambda made: net(state=made.pol.state)),
        VALUE, "params must hold w1; they hold a, b, c, d"),
    "state-old-key": (
        Later(lambda made: net(state=made.reg.state._replace(key=jax.random.PRNGKey(0)))),
        VALUE, "state.key is uint32(2,); this run has key<fry>()"),
    "state-key-of-another-kind": (
        Later(lambda made: net(state=made.reg.state._replace(key=jax.random.key(0,
        impl="rbg")))), VALUE, "state.key is key<rbg>(); this run has key<fry>()"),
    "state-two-keys": (
        Later(lambda made: net(state=made.reg.state._replace(key=jax.random.split(made.key)))),
        VALUE, "state.key is key<fry>(2,); this run has key<fry>()"),
    "state-negative-step": (Later(lambda made: net(state=made.reg.state._replace(step=-1))),
        TYPE, "state.step must be an array, not -1"),
    "state-float-step": (Later(lambda made: net(state=made.reg.state._replace(step=1.0))),
        TYPE, "state.step must be an array, not 1.0"),
    "state-negative-step-array": (
        Later(lambda made: net(state=made.reg.state._replace(step=jnp.asarray(-5, jnp.int32)))),
        VALUE, "state.step=-5, and steps=3 more: steps are counted from 0, to"),
    "state-steps-beyond-int32": (
        Later(lambda made: net(state=made.reg.state._replace(step=jnp.asarray(2 ** 31 - 2,
        jnp.int32)))), VALUE, "state.step=2147483646, and steps=3 more: steps are counted"),
    "state-nan": (
        Later(lambda made: net(state=made.reg.state._replace(
            params=jax.tree.map(lambda a: a * jnp.nan, made.reg.state.params)))),
        VALUE, "params['b1'] is not finite"),
    "state-empty": (Later(lambda made: net(state=made.reg.state._replace(params={}))),
        VALUE, "params must hold w1; they hold "),
    "params-none-leaf": (net(params={"w1": None}),
        VALUE, "params['w1'] must have 2 axes; its shape is ()"),
    "params-function": (Later(lambda _: own(params={"w": jnp.tanh})),
        VALUE, "params['w'] is object(); the model has float32()"),
    "params-masked": (own(params={"w": np.ma.ones((3, 2))}),
        TYPE, "params['w'] is a masked array: fill it or drop its masked"),
    "params-own-nan": (own(params={"w": np.full((3, 2), np.nan, "f")}),
        VALUE, "params['w'] is not finite"),
    "params-own-f64": (own(params={"w": np.zeros((3, 2))}),
        VALUE, "params['w'] is float64(3, 2); the model has float32(3, 2)"),
    "params-own-int": (own(params={"w": np.zeros((3, 2), int)}),
        VALUE, "params['w'] is int64(3, 2); the model has float32(3, 2)"),
    "params-own-empty": (own(params={}), VALUE, "params hold no parameters"),
    "params-state-dict": (Later(lambda _: net(params=torch().nn.Linear(3, 2).state_dict())),
        VALUE, "params must hold w1; they hold weight, bias"),
    "params-truth-values": (own(params={"w": np.zeros((3, 2), bool)}),
        VALUE, "params['w'] is bool(3, 2); the model has float32(3, 2)"),
    "params-list": (own(params={"w": [[0.0, 0.0]] * 3}),
        TYPE, "the model's apply fails: TypeError: "),
    "params-keys-of-two-kinds": (net(params={1: np.ones(2), "a": np.ones(2)}),
        TYPE, "params holds a dict whose keys cannot be put in order: text"),
}  # fmt: skip
