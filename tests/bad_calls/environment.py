"""Inside transformations; on devices that are not there."""

from __future__ import annotations

import jax
import numpy as np

from bad_calls.calls import CURVE, NET, TYPE, VALUE, Later
from funcnn import sweep, train

ENVIRONMENT = {
    "jit": (lambda _: jax.jit(lambda x: train("polynomial", (x, CURVE[1]),
        steps=2).losses[-1])(CURVE[0].astype("f")),
        TYPE, "data is traced: train and sweep run Python loops and cannot"),
    "vmap": (lambda _: jax.vmap(lambda r: train("polynomial", CURVE, learning_rate=r,
        steps=2).losses[-1])(np.ones(2, "f")),
        TYPE, "learning_rate is traced: train and sweep run Python loops and"),
    "jit-closure": (lambda _: jax.jit(lambda x: train("polynomial", CURVE,
        steps=2).losses[-1] + x)(0.0),
        TYPE, "train and sweep run Python loops and cannot be traced by jit,"),
    "jit-params": (lambda _: jax.jit(lambda a: train("legendre", params={"a": a, "b": 0.0,
        "c": 0.0, "d": 0.0}, steps=2).losses[-1])(0.0),
        TYPE, "params is traced: train and sweep run Python loops and cannot"),
    "jit-steps": (lambda _: jax.jit(lambda n: train("polynomial", CURVE, steps=n).losses[-1])(2),
        TYPE, "steps=JitTracer(~int32[]) is not an integer"),
    "jit-sample-weight": (lambda _: jax.jit(lambda w: train("polynomial", CURVE, steps=2,
        sample_weight=w).losses[-1])(np.ones(8, "f")),
        TYPE, "sample_weight is traced: train and sweep run Python loops and"),
    "jit-validation": (lambda _: jax.jit(lambda w: train("polynomial", CURVE, steps=2,
        validation=(w, CURVE[1])).losses[-1])(np.ones(8, "f")),
        TYPE, "validation is traced: train and sweep run Python loops and"),
    "jit-clip": (lambda _: jax.jit(lambda w: train("polynomial", CURVE, steps=2,
        clip_grad_norm=w).losses[-1])(1.0),
        TYPE, "clip_grad_norm is traced: train and sweep run Python loops"),
    "jit-delta": (lambda _: jax.jit(lambda w: train("polynomial", CURVE, steps=2, loss="huber",
        delta=w).losses[-1])(1.0),
        TYPE, "delta is traced: train and sweep run Python loops and cannot"),
    "jit-dropout": (lambda _: jax.jit(lambda w: train(**NET | {"dropout": w}).losses[-1])(0.5),
        TYPE, "dropout is traced: train and sweep run Python loops and"),
    "jit-seed": (lambda _: jax.jit(lambda w: train(**NET | {"seed": w}).losses[-1])(1),
        TYPE, "seed=JitTracer(~int32[]) is not an integer"),
    "jit-batches": (
        lambda _: jax.jit(lambda w: train(**NET | {"batches": w}).losses[-1])(np.zeros((3, 2),
        int)), TYPE, "batches is traced: train and sweep run Python loops and"),
    "jit-state": (
        lambda made: jax.jit(lambda s: train(**NET | {"state": s}).losses[-1])(made.reg.state),
        TYPE, "state is traced: train and sweep run Python loops and cannot"),
    "devices-many": (NET | {"devices": 4096},
        VALUE, "devices=4096, and JAX sees "),
    "devices-zero": (NET | {"devices": 0}, VALUE, "devices=0 must be at least 1"),
    "devices-true": (NET | {"devices": True}, TYPE, "devices=True is not an integer"),
    "devices-text": (NET | {"devices": "cpu"}, TYPE, "devices='cpu' is not an integer"),
    "devices-none": (NET | {"devices": []}, VALUE, "devices=[] must hold one device or more"),
    "devices-numbers": (NET | {"devices": [0, 1]},
        TYPE, "devices must be a number, or a list of JAX's devices"),
    "devices-twice": (Later(lambda _: NET | {"devices": 2 * jax.devices()[:1]}),
        VALUE, "must hold one device or more, each once"),
    "devices-gram": (NET | {"devices": 1, "form": "gram", "optimizer": "sgd"},
        VALUE, "it is of one device; leave devices out"),
    "devices-sweep": (lambda _: sweep("polynomial", seed=[0, 1], devices=1),
        TYPE, "sweep takes no devices"),
    "sharding-alone": (NET | {"sharding": "batch"},
        VALUE, "sharding is for devices=, which are not given"),
    "sharding-unknown": (NET | {"devices": 1, "sharding": "rows"},
        VALUE, "sharding='rows' is not known. Known: batch, hidden"),
    "sharding-hidden": ({"model": "polynomial", "devices": 1, "sharding": "hidden"},
        VALUE, "sharding='hidden' divides the hidden layers of a network"),
}  # fmt: skip
