"""Ports beside their PyTorch originals: where they part, and why."""

from __future__ import annotations

import copy
import random

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import funcnn

torch = pytest.importorskip("torch")
nn = torch.nn

from funcnn.bench.ports.case import batch  # noqa: E402
from funcnn.bench.ports.networks import block, of_block  # noqa: E402
from funcnn.bench.ports.planted import CASES  # noqa: E402
from funcnn.bench.ports.right import RIGHT  # noqa: E402

SAMPLE = (
    "LayerNorm with eps 1e-6",
    "running variance divided by n",
    "padding SAME at stride 2",
    "flattened as NHWC",
    "one bias for an LSTM's gates",
    "(N, 1) - (N,)",
    "maximum at 0",
    "stop_gradient missing",
    "optax.rmsprop",
    "a tied weight held twice",
    "a residual left out",
)
"""One or two of each stage; ``python -m funcnn.bench.ports`` goes through all of them."""

SAMPLE_OF_RIGHT = (
    "BatchNorm in train, with running values",
    "zero biases and equal weights in lists",
    "linen, BatchNorm in eval, Adam",
    "Equinox, MLP, Adam",
)


@pytest.fixture(scope="session")
def a_port():
    """The arguments of a comparison that agrees, and what it gives."""
    arguments = of_block(
        optimizer=lambda p: torch.optim.Adam(p, 1e-2), port_optimizer=optax.adam(1e-2)
    )() | {"steps": 20}
    return arguments, funcnn.compare(**arguments)


@pytest.mark.slow
@pytest.mark.parametrize("name", SAMPLE)
def test_a_planted_mistake_is_found_and_named(name):
    (case,) = (case for case in CASES if case.name == name)
    found = funcnn.compare(**case.arguments() | {"steps": 20})
    assert case.is_located(found), found
    assert case.is_named(found), found
    assert not found.agrees
    assert str(found).startswith(f"The port parts from PyTorch at the {case.stage}")


@pytest.mark.slow
@pytest.mark.parametrize("name", SAMPLE_OF_RIGHT)
def test_a_right_port_is_not_accused(name):
    (right,) = (one for one in RIGHT if one.name == name)
    found = funcnn.compare(**right.arguments() | {"steps": 20})
    assert found.agrees, found
    assert (found.stage, found.cause, found.part, found.line) == (None, None, "", None)


def test_there_are_enough_of_both():
    assert len({case.name for case in CASES}) == len(CASES)
    assert len([case for case in CASES if case.listed]) >= 22
    assert len([case for case in CASES if not case.listed]) >= 10
    assert len({one.name for one in RIGHT}) == len(RIGHT) >= 30


def test_the_line_is_the_port_s_own():
    arguments = of_block()()

    def apply(p, x):
        h = x @ p["a.weight"].T + p["a.bias"]
        mean, variance = h.mean(-1, keepdims=True), h.var(-1, keepdims=True)
        h = (h - mean) / jnp.sqrt(variance + 1e-5) * p["norm.weight"] + p["norm.bias"]
        h = jax.nn.silu(h)
        return h @ p["b.weight"].T + p["b.bias"]

    params = arguments["port"][0]
    found = funcnn.compare(arguments["net"], (params, apply), arguments["data"])
    assert found.stage == "activations"
    assert found.part == "act"
    assert found.line is not None
    assert found.line.startswith("`h = jax.nn.silu(h)` (test_compare.py:")


def test_a_port_that_agrees_says_what_was_compared(a_port):
    _, found = a_port
    assert found.agrees
    assert repr(found) == "Comparison(agrees)"
    assert str(found).startswith("The port agrees with PyTorch: parameters, activations, output")
    rows = found.table().splitlines()
    assert [row.split()[0] for row in rows] == [stage.name for stage in found.stages]
    assert rows[3].split()[1:3] == ["not", "compared"]  # This port has no buffers.
    assert found.trajectory.losses.shape == (20,)
    assert np.all(found.trajectory.difference <= found.trajectory.allowed)


def test_losses_of_the_port_are_those_of_pytorch_and_fall(a_port):
    arguments, found = a_port
    net, optimizer = copy.deepcopy((arguments["net"], arguments["optimizer"]))
    net.double()
    x, y = arguments["data"]
    losses = []
    for _ in range(20):
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(net(x), y)
        losses.append(loss.item())
        loss.backward()
        optimizer.step()
    # Two runs of one float64 computation: their roundings may differ by the threads.
    np.testing.assert_allclose(found.trajectory.losses, losses, rtol=1e-9)
    np.testing.assert_allclose(found.trajectory.port_losses, losses, rtol=1e-9)


def test_nothing_of_the_caller_s_is_changed():
    arguments = of_block(
        block(eps=1e-6),
        optimizer=lambda p: torch.optim.Adam(p, 1e-2),
        port_optimizer=optax.adam(1e-2),
    )()
    net = arguments["net"]
    before = {name: value.clone() for name, value in net.state_dict().items()}
    settings = dict(jax.config.values), torch.get_default_dtype(), torch.get_num_threads()
    drawn = torch.get_rng_state(), random.getstate()
    funcnn.compare(**arguments)
    assert {name: value.dtype for name, value in net.state_dict().items()} == {
        name: value.dtype for name, value in before.items()
    }
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in net.modules())
    assert not arguments["optimizer"].state
    assert all(one.grad is None for one in net.parameters())
    after = dict(jax.config.values), torch.get_default_dtype(), torch.get_num_threads()
    assert settings == after
    assert torch.equal(drawn[0], torch.get_rng_state())
    assert drawn[1] == random.getstate()


def test_a_report_is_one_page(a_port, tmp_path):
    pytest.importorskip("jinja2")
    pytest.importorskip("matplotlib")
    page = a_port[1].report(tmp_path / "right").read_text()
    assert "The port agrees with PyTorch" in page
    assert "<svg" in page
    arguments = of_block(block(approximate=True))()
    found = funcnn.compare(**arguments)
    page = found.report(tmp_path / "wrong").read_text()
    assert "gelu by tanh in place of gelu" in page
    assert "✗ differs" in page
    assert "highlight" in page
    assert "http" not in page.replace("http://www.w3.org", "")
    with pytest.raises(funcnn.ArgumentError, match="no losses to draw: it ended at the stage"):
        found.plot()


def test_the_example_of_the_docs():
    net = nn.Sequential(nn.Linear(3, 4), nn.GELU(), nn.Linear(4, 1))
    params = {name: value.numpy() for name, value in net.state_dict().items()}

    def apply(params, x):
        h = jax.nn.gelu(x @ params["0.weight"].T + params["0.bias"])
        return h @ params["2.weight"].T + params["2.bias"]

    found = funcnn.compare(net, (params, apply), (batch(8, 3), batch(8, 1)))
    assert (found.stage, found.cause) == ("activations", "gelu by tanh in place of gelu")
