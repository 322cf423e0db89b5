"""Inside transformations."""

from __future__ import annotations

import jax
import numpy as np

from bad_calls.calls import CURVE, NET, TYPE
from funcnn import train

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
}  # fmt: skip
