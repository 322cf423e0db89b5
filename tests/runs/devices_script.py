"""Runs on several devices beside the same runs on one; prints what was found as JSON.

The number of a CPU's devices is fixed before JAX is used, so this is a process of its own.
"""

from __future__ import annotations

import importlib.util
import json
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

import jax
import numpy as np
import optax

import funcnn
from funcnn.core.precision import numerics
from funcnn.runs.advance import Advance
from funcnn.runs.planning import make_plan
from funcnn.runs.start import begun

STEPS = 100
RNG = np.random.default_rng(0)
X, Y = RNG.standard_normal((96, 6)), RNG.standard_normal((96, 2))
NET = {"model": "mlp_linear", "data": (X, Y), "hidden": 8, "steps": STEPS, "dtype": "float64"}
SGD = {"optimizer": "sgd", "learning_rate": 1e-2}
BATCH, HIDDEN = {"devices": 2}, {"devices": 2, "sharding": "hidden"}

CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "adam": ({}, {"devices": 4}),
    "minibatches": ({"batch_size": 32}, BATCH),
    # 40, 40 and 16: the short batch is not divided.
    "a short batch": (SGD | {"batch_size": 40, "dropout": 0.25}, BATCH),
    "batches of one's own": ({"batches": RNG.integers(0, 96, (STEPS, 8))}, BATCH),
    "weights": (SGD | {"sample_weight": np.arange(96)}, BATCH),
    "hidden": ({"batch_size": 32}, HIDDEN),
    "hidden, optax": ({"optimizer": optax.adam(1e-3), "hidden": (8, 5, 6)}, HIDDEN),
}

COMPILED = ("adam", "a short batch", "hidden")


def difference(case: str) -> float:
    """The largest relative difference of a loss from that of one device."""
    arguments, devices = CASES[case]
    one, many = funcnn.train(**NET | arguments), funcnn.train(**NET | arguments | devices)
    return np.abs(many.losses / one.losses - 1).max()


def collectives(case: str) -> list[str]:
    """The kinds of communication in the compiled loop."""
    arguments, devices = CASES[case]
    plan = make_plan(**NET | arguments | devices)
    with numerics(plan.dtype):
        advance = Advance(plan, 128)
        kept = begun(plan, advance.programs)
        lowered = advance.programs.segment.lower(kept, np.int32(0), np.int32(1), advance.feed(0))
        text = lowered.compile().as_text()
    return re.findall(r" (all-\w+|collective-\w+|reduce-scatter)(?:-start)?\(", text)


def same_bits_from_a_checkpoint(folder: str) -> bool:
    """Whether a run that goes on from half of its steps gives the bits of the whole run."""
    arguments = NET | {"batch_size": 32} | BATCH | {"checkpoints": folder, "resume": "auto"}
    whole = funcnn.train(**NET | {"batch_size": 32} | BATCH)
    half = funcnn.train(**arguments | {"steps": STEPS // 2})
    rest = funcnn.train(**arguments)
    from_state = funcnn.train(
        **NET | {"batch_size": 32, "steps": STEPS // 2, "state": half.state} | BATCH
    )
    assert rest.resumed_from == STEPS // 2
    return (rest.losses == whole.losses).all() and (
        from_state.losses == whole.losses[STEPS // 2 :]
    ).all()


def other_devices(folder: str) -> str:
    """What a run on other devices is told that goes on from the same checkpoint."""
    return error(batch_size=32, checkpoints=folder, resume=True)


def difference_from_files(folder: str) -> float:
    """As :func:`difference`, of data that are read a batch at a time."""
    paths = [f"{folder}/{name}.npy" for name in "xy"]
    for path, array in zip(paths, (X, Y), strict=True):
        np.save(path, array)
    arguments = NET | {"data": tuple(paths), "batch_size": 32, "steps": 30}
    one, many = funcnn.train(**arguments), funcnn.train(**arguments | BATCH)
    return np.abs(many.losses / one.losses - 1).max()


def difference_of_histories() -> float:
    """As :func:`difference`, of what is measured in between, on one device."""
    arguments = NET | SGD | {"validation": (X[:31], Y[:31]), "metrics": "r2", "patience": 50}
    one, many = funcnn.train(**arguments), funcnn.train(**arguments | HIDDEN)
    assert many.predict(X[:3]).shape == (3, 2)
    columns = zip(one.history.values(), many.history.values(), strict=True)
    return max(np.abs(first - second).max() for first, second in columns)


def divergence() -> list[Any]:
    """Where a run diverges, and which parameter is the first, on one device and on several."""
    found = []
    for devices in ({}, BATCH, HIDDEN):
        try:
            funcnn.train(**NET | SGD | {"learning_rate": 1e6} | devices)
        except funcnn.DivergenceError as error:
            found.append([error.step, error.parameter, int(error.state.step)])
    return found


def error(**arguments: Any) -> str:
    """What a call is told that cannot be."""
    try:
        funcnn.train(**NET | arguments)
    except funcnn.ArgumentError as refusal:
        return str(refusal)
    return "nothing"


def of_a_module() -> dict[str, float]:
    """As :func:`difference`, of a module of PyTorch; nothing where there is none."""
    if importlib.util.find_spec("torch") is None:
        return {}
    import torch
    from torch import nn

    torch.manual_seed(0)
    parts = nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Dropout(0.25), nn.Linear(8, 2)
    net = nn.Sequential(*parts).double()
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
    arguments = {"loss": nn.MSELoss(), "optimizer": optimizer, "steps": STEPS}
    found = {}
    for case in ("adam", "a short batch"):
        size = {} if case == "adam" else {"batch_size": 40}
        runs = [
            funcnn.train(net, (X, Y), **arguments, **size, **devices) for devices in ({}, BATCH)
        ]
        found[case] = np.abs(runs[1].losses / runs[0].losses - 1).max()
    return found


def main() -> None:
    jax.config.update("jax_num_cpu_devices", 4)
    with tempfile.TemporaryDirectory() as folder:
        saved = str(Path(folder, "run"))
        found = {
            "differences": {case: difference(case) for case in CASES},
            "module": of_a_module(),
            "collectives": {case: collectives(case) for case in COMPILED},
            "same bits from a checkpoint": bool(same_bits_from_a_checkpoint(saved)),
            "other devices": other_devices(saved),
            "difference from files": difference_from_files(folder),
            "difference of histories": difference_of_histories(),
            "divergence": divergence(),
            "second device": funcnn.train(**NET | {"devices": jax.devices()[1:2]}).losses.tolist()
            == funcnn.train(**NET).losses.tolist(),
            "uneven samples": error(devices=4, data=(X[:90], Y[:90])),
            "uneven batch": error(devices=4, batch_size=30),
            "uneven width": error(devices=4, sharding="hidden", hidden=(6, 4)),
            "too many": error(devices=5),
        }
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
