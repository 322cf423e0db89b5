"""Calls of funcnn that are held to its annotations: classes, dtypes and shapes.

``test_types`` starts this file as a process of its own, since the hook has to be there before
funcnn is imported.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import jax
import jax.numpy as jnp
import jaxtyping
import numpy as np
import pytest

CURVE = np.linspace(-1, 1, 20), np.sin(np.linspace(-1, 1, 20))
ROWS = np.random.default_rng(0).standard_normal((12, 5)).astype(np.float32)
TABLE = ROWS, ROWS[:, :2]
SHORT = {"steps": 5, "learning_rate": 1e-3}
SIZES = {
    "mlp": {"in_features": 5, "hidden": 3, "out_features": 2},
    "mlp_linear": {"in_features": 5, "hidden": (4, 3), "out_features": 2},
}


def ones(shapes):
    return jax.tree.map(lambda leaf: jnp.ones(leaf.shape, leaf.dtype), shapes)


def check_losses(funcnn):
    x = jnp.ones((3, 2))
    losses = funcnn.losses
    for loss in losses.LOSSES.values():
        jax.eval_shape(jax.value_and_grad(loss), x, x)
        loss(ROWS, ROWS, sample_weight=np.arange(12))
    for loss in (losses.sum_squared_error, losses.mean_squared_error):
        jax.eval_shape(jax.vmap(jax.value_and_grad(loss)), x, x)
    classes = jnp.array([0, 1, 1])
    losses.cross_entropy(x, classes)
    losses.cross_entropy(x, classes, class_weight=np.array([1.0, 2.0]), label_smoothing=0.1)
    losses.binary_cross_entropy(x, x > 0, pos_weight=[1, 2])
    losses.named("ce", class_weight=[1, 2])(x, classes)
    losses.named("bce", pos_weight=2)(x[:, 0], classes)
    losses.named("huber", delta=2)(x, x)
    losses.smooth_l1(x, x, beta=0)


def check_metrics(funcnn):
    x = jnp.ones((3, 2))
    for metric in funcnn.metrics.named_all([*funcnn.metrics.METRICS, len]):
        if metric.name in ("accuracy", "roc_auc"):
            metric.function(x, np.array([0, 1, 1]))
            metric.function(x[:, :1], np.array([False, True, True]))
        elif metric.function is not len:
            metric.function(x, x)
    funcnn.metrics.named_all({"mine": lambda p, y: (p - y).mean()})
    funcnn.metrics.find("acc", name="right")


def check_optimizers(funcnn):
    params = {"w": jnp.ones((2, 3)), "b": jnp.ones(2)}
    settings = {"momentum": {"nesterov": True}, "rmsprop": {"centered": True, "momentum": 0.5}}
    for name, make in funcnn.optimizers.OPTIMIZERS.items():
        optimizer = make(np.float32(1e-3), weight_decay=0, **settings.get(name, {}))
        jax.eval_shape(optimizer.update, params, optimizer.init(params), params)


def check_schedules(funcnn):
    schedules = funcnn.optimizers.schedules
    for schedule in (
        schedules.step_lr(1, 30),
        schedules.multi_step_lr(0.1, [2, 5]),
        schedules.exponential_lr(np.float64(0.1), 0.9),
        schedules.linear_lr(0.1),
        schedules.cosine_annealing_lr(0.1, 10),
        schedules.cosine_annealing_warm_restarts(0.1, 10, 2),
        schedules.one_cycle_lr(jnp.asarray(0.1), 10),
    ):
        schedule(3)
        jax.eval_shape(lambda step, schedule=schedule: schedule(step), np.int32(3))
    params = {"w": jnp.ones((2, 3))}
    for rate in (schedule, lambda step: 0.1 / (1 + step)):
        optimizer = funcnn.optimizers.sgd(rate)
        jax.eval_shape(lambda optimizer=optimizer: optimizer.update(params, optimizer.init(params)))


def check_models(funcnn):
    for name in funcnn.models.MODELS:
        model = funcnn.models.make(name, **SIZES.get(name, {}))
        params = ones(jax.eval_shape(model.init, jax.random.key(0)))
        x = jnp.ones((4, 5)) if model.input_axes == 2 else jnp.ones(4)
        key = (jax.random.key(1),) if model.stochastic else ()
        prediction = jax.eval_shape(model.apply, params, x, *key)
        if model.formula is not None:
            model.formula(params)
            model.formula(jax.device_get(params))
        if model.value_and_grad is not None:
            jax.eval_shape(model.value_and_grad, params, x, prediction)
    funcnn.models.extra_terms(seed=0, steps=3)
    jax.eval_shape(jax.grad(lambda z: funcnn.models.legendre.p3(z).sum()), jnp.ones(3))


def check_loops(funcnn):
    model = funcnn.models.make("mlp", **SIZES["mlp"])
    for form, batch_size in (("direct", None), ("gram", 4)):
        optimizer = funcnn.optimizers.momentum(1e-3)
        loss = funcnn.losses.mean_squared_error
        update = funcnn.make_update(model, loss, optimizer, form=form, batch_size=batch_size)

        def last_loss(params, key, update=update, optimizer=optimizer):
            state = funcnn.initial_state(params, optimizer, key)
            state, _ = update(state, TABLE)
            _, losses = funcnn.fit(update, state, TABLE, steps=4)
            return losses[-1]

        keys = jax.random.split(jax.random.key(0))
        params = ones(jax.eval_shape(model.init, keys[0]))
        jax.eval_shape(jax.grad(last_loss), params, keys[1])
        jax.eval_shape(jax.vmap(last_loss, in_axes=(None, 0)), params, keys)
        state = funcnn.initial_state(params, optimizer, keys[1])
        state, _ = funcnn.fit(update, state, TABLE, jnp.asarray(4), capacity=6)
        update(state, TABLE)


def check_runs(funcnn):
    def init(key):
        return {"slope": jax.random.normal(key, ()), "layers": [jnp.ones(2), jnp.zeros(())]}

    def apply(params, x):
        return params["slope"] * x + params["layers"][0].sum() + params["layers"][1]

    classes = ROWS, np.arange(12) % 3
    for arguments in (
        {"model": "mlp", "data": TABLE, "hidden": 4, "form": "gram", "optimizer": "sgd"},
        {"model": "mlp_linear", "data": TABLE, "dtype": "float64", "batch_size": 5, "log_every": 3},
        {"model": "mlp_linear", "data": TABLE, "activation": "gelu", "dropout": 0.2},
        {"model": "mlp_linear", "data": classes, "loss": "cross_entropy", "form": "auto"},
        {"model": "polynomial", "data": CURVE, "degree": 2, "form": "gram"},
        {"model": "dynamic", "data": CURVE, "optimizer": "rmsprop", "progress": True},
        {"experiment": "sine/numpy", "learning_rate": 1e-6},
        {"model": (init, apply), "data": CURVE, "batch_size": 8},
    ):
        result = funcnn.train(**SHORT | arguments, seed=1)
        result = funcnn.train(**SHORT | arguments, state=result.state)
        if "data" in arguments:
            result.predict(arguments["data"][0])
        assert repr(result)
        assert result.microseconds_per_step > 0
    with pytest.raises(funcnn.DivergenceError, match="is kept"):
        funcnn.train("mlp", learning_rate=1.0)


def check_files(funcnn):
    result = funcnn.train("mlp", (ROWS[:, :3], ROWS[:, :2]), hidden=3, **SHORT)
    with tempfile.TemporaryDirectory() as folder:
        for name in ("w.npz", "w.safetensors"):
            path = Path(folder) / name
            result.save(path)
            funcnn.save_params(funcnn.load_params(str(path)), str(path))
        np.savetxt(Path(folder) / "d.csv", ROWS, delimiter=",", header="a,b,c,d,e", comments="")
        params = funcnn.load_params(path)
        data = Path(folder) / "d.csv"
        funcnn.train("mlp", data, target=["a", "e"], params=params, **SHORT)


def check_sweeps(funcnn):
    for arguments in (
        {"model": "polynomial", "data": CURVE, "seed": range(2), "learning_rate": [1e-3, 1e30]},
        {"model": "mlp", "data": TABLE, "hidden": 3, "seed": np.arange(3), "group": 2,
         "keep_every": 2, "dtype": "float64", "form": "gram", "optimizer": "momentum",
         "momentum": (0.5, 0.8, 0.9), "mode": "zip"},
    ):  # fmt: skip
        result = funcnn.sweep(**SHORT | arguments)
        assert repr(result.best())
        assert repr(result)
        assert len(result.rows()) == len(result.to_pandas()) == len(result.settings)


def main():
    jaxtyping.install_import_hook("funcnn", "beartype.beartype")
    import funcnn

    with pytest.raises(jaxtyping.TypeCheckError):  # So what comes later is checked.
        funcnn.losses.sum_squared_error(jnp.ones(3), jnp.ones(2))
    for check in (
        check_losses,
        check_metrics,
        check_optimizers,
        check_schedules,
        check_models,
        check_loops,
        check_runs,
        check_files,
        check_sweeps,
    ):
        check(funcnn)


if __name__ == "__main__":
    main()
