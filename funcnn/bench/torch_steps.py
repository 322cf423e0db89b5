"""Networks of PyTorch trained as they are, beside PyTorch's own loops.

``python -m funcnn.bench.torch_steps [NAME ...]`` times a step of each network: by
``funcnn.train(net, ...)``, eager on one thread and on all, with ``fused=True``, by
``torch.compile``, and, for the perceptrons and the recurrent one, by a loop of JAX and optax that
was written by hand. All in float32, with Adam, from the same start; their losses after the steps
stand beside the times.
"""

from __future__ import annotations

import copy
import itertools
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import click
import jax
import jax.numpy as jnp
import numpy as np
import optax
import torch
from torch import nn
from torch.nn import functional

from funcnn.core.cores import usable_cores
from funcnn.interop import torch_step
from funcnn.runs import sweep, train

__all__ = ["main"]

RATE = 1e-3
"""Adam's learning rate."""

SHORT = 50
"""The steps that are made before those that are timed: what is compiled is compiled in them."""

MEMBERS = 100
"""The members of the sweep."""


class Net(NamedTuple):
    """A network, its data and its loss.

    Attributes:
        make: gives the module.
        x: the inputs.
        y: the targets.
        loss: of predictions and targets; None for the residual of a differential equation.
        batch: the samples of a step; None for all of them.
        steps: how many are timed.
    """

    make: Callable[[], nn.Module]
    x: torch.Tensor
    y: torch.Tensor
    loss: Callable[..., torch.Tensor] | None
    batch: int | None
    steps: int


class Timed(NamedTuple):
    """What a loop took: seconds before the steps, seconds a step, and the loss at the end."""

    before: float
    step: float
    loss: float


class Recurrent(nn.Module):
    """A GRU, and classes of its last output."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.GRU(2, 32, batch_first=True)
        self.last = nn.Linear(32, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The logits of sequences ``(B, T, 2)``."""
        return self.last(self.layer(x)[0][:, -1])


@click.command()
@click.argument("names", nargs=-1)
def main(names: tuple[str, ...]) -> None:
    """Time the networks of these NAMES, or all."""
    click.echo(f"{'':30}{'before, s':>10}{'µs a step':>11}{'to funcnn':>11}{'loss':>11}")
    for name, net in _networks().items():
        if names and name not in names:
            continue
        size = "all" if net.batch is None else net.batch
        click.echo(f"{name}: {net.steps} steps of {size} of {len(net.y)} samples")
        own: float | None = None
        for peer, timed in _all(net):
            own = timed.step if own is None else own
            click.echo(
                f"  {peer:28}{timed.before:10.2f}{1e6 * timed.step:11.1f}"
                f"{timed.step / own:11.2f}{timed.loss:11.4g}"
            )


def _networks() -> dict[str, Net]:
    torch.manual_seed(0)
    table, target = torch.randn(442, 13), torch.randn(442, 1)
    digits, classes = torch.rand(1797, 64), torch.randint(10, (1797,))
    waves, kinds = torch.randn(512, 1, 64), torch.randint(4, (512,))
    sequences = torch.randn(512, 64, 2)
    points = torch.linspace(0, 1, 64)[:, None]

    def linear(*widths: int) -> nn.Module:
        layers: list[nn.Module] = []
        for width, following in itertools.pairwise(widths):
            layers += [nn.Linear(width, following), nn.ReLU()]
        return nn.Sequential(*layers[:-1])

    def convolutions() -> nn.Module:
        parts = nn.Conv1d(1, 8, 5), nn.ReLU(), nn.MaxPool1d(2), nn.Conv1d(8, 16, 5), nn.ReLU()
        return nn.Sequential(*parts, nn.MaxPool1d(2), nn.Flatten(), nn.Linear(16 * 13, 4))

    def smooth() -> nn.Module:
        parts = nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 1)
        return nn.Sequential(*parts)

    classify = functional.cross_entropy
    return {
        "regression": Net(
            lambda: linear(13, 50, 1), table, target, functional.mse_loss, None, 2000
        ),
        "regression in batches": Net(
            lambda: linear(13, 50, 1), table, target, functional.mse_loss, 32, 2000
        ),
        "classifier": Net(lambda: linear(64, 128, 64, 10), digits, classes, classify, 64, 1000),
        "convolutions": Net(convolutions, waves, kinds, classify, 64, 500),
        "recurrent": Net(Recurrent, sequences, kinds, classify, 64, 200),
        "equation": Net(smooth, points, torch.sin(3 * points), None, None, 500),
    }


def _all(net: Net) -> Iterator[tuple[str, Timed]]:
    """Every loop's name and time, funcnn's first."""
    torch.manual_seed(0)
    module = net.make()
    rows = None
    if net.batch is not None:
        count = SHORT + net.steps
        rows = np.random.default_rng(0).integers(len(net.y), size=(count, net.batch))
    yield "funcnn", _funcnn(net, copy.deepcopy(module), rows)
    threads = torch.get_num_threads()
    try:
        for count in dict.fromkeys((1, usable_cores())):
            torch.set_num_threads(count)
            for peer, options in {"eager": {}, "fused": {"fused": True}}.items():
                timed = _eager(net, copy.deepcopy(module), rows, **options)
                yield f"PyTorch {peer}, {count} thread{'s'[: count - 1]}", timed
        torch.set_num_threads(1)
        if net.loss is not None:  # torch.compile has no second derivatives.
            yield "torch.compile, 1 thread", _eager(net, copy.deepcopy(module), rows, compiled=True)
    finally:
        torch.set_num_threads(threads)
    by_hand = _in_jax(module)
    if net.loss is not None and by_hand is not None:
        yield "JAX and optax, by hand", _by_hand(net, *by_hand, rows)
    if net.loss is functional.mse_loss:
        yield f"funcnn.sweep, of {MEMBERS}, a member", _swept(net, copy.deepcopy(module), rows)


def _step(net: Net, call: Any, optimizer: Any) -> Callable[..., torch.Tensor]:
    """The body of a loop in PyTorch."""

    def residual(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        x = x.detach().requires_grad_()
        u = call(x)
        (slope,) = torch.autograd.grad(u.sum(), x, create_graph=True)
        (bent,) = torch.autograd.grad(slope.sum(), x, create_graph=True)
        return ((bent + 9 * u) ** 2).mean() + ((u - y)[:1] ** 2).mean()

    def step(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        optimizer.zero_grad()
        loss = residual(x, y) if net.loss is None else net.loss(call(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return step


def _funcnn(net: Net, module: nn.Module, rows: Any) -> Timed:
    optimizer = torch.optim.Adam(module.parameters(), lr=RATE)
    step = torch_step(module, optimizer, _step(net, module, optimizer))
    run: dict[str, Any] = {"batches": rows} if rows is not None else {"steps": SHORT + net.steps}
    begin = time.perf_counter()
    train(step, (net.x, net.y), progress=False, **run)
    first = time.perf_counter() - begin
    result = train(step, (net.x, net.y), progress=False, **run)
    each = result.run_seconds / len(result.losses)
    return Timed(first - result.run_seconds, each, float(result.losses[-1]))


def _swept(net: Net, module: nn.Module, rows: Any) -> Timed:
    optimizer = torch.optim.Adam(module.parameters(), lr=RATE)
    rates = np.geomspace(1e-4, 1e-2, MEMBERS)
    run: dict[str, Any] = {"batches": rows} if rows is not None else {"steps": net.steps}
    begin = time.perf_counter()
    result = sweep(
        module,
        (net.x, net.y),
        loss=net.loss,
        optimizer=optimizer,
        learning_rate=rates,
        progress=False,
        **run,
    )
    seconds = time.perf_counter() - begin
    each = result.run_seconds / result.losses.size
    return Timed(seconds - result.run_seconds, each, float(result.losses[:, -1].min()))


def _eager(net: Net, module: nn.Module, rows: Any, compiled: bool = False, **options: Any) -> Timed:
    """A loop of PyTorch; its first steps, in which it may compile, are not timed."""
    call = torch.compile(module) if compiled else module
    optimizer = torch.optim.Adam(module.parameters(), lr=RATE, **options)
    step = _step(net, call, optimizer)
    batches = None if rows is None else torch.from_numpy(rows)

    def go(first: int, last: int) -> tuple[float, float]:
        begin, loss = time.perf_counter(), torch.zeros(())
        for number in range(first, last):
            chosen = slice(None) if batches is None else batches[number]
            loss = step(net.x[chosen], net.y[chosen])
        return time.perf_counter() - begin, loss.item()

    with warnings.catch_warnings(action="ignore"):
        before, _ = go(0, SHORT)
        seconds, loss = go(SHORT, SHORT + net.steps)
    return Timed(before, seconds / net.steps, loss)


Predict = Callable[[Any, jax.Array], jax.Array]


def _in_jax(module: nn.Module) -> tuple[Any, Predict] | None:
    """The params of a module and what it predicts, as one would write it in JAX; None for some."""

    def of(layer: nn.Linear) -> tuple[np.ndarray, np.ndarray]:
        return layer.weight.detach().numpy().T, layer.bias.detach().numpy()

    parts = list(module.children())
    if isinstance(module, Recurrent):
        weights = [one.detach().numpy().T for one in module.layer.parameters()]
        return (weights, of(module.last)), _recurrent
    layers = [part for part in parts if isinstance(part, nn.Linear)]
    if 2 * len(layers) - 1 == len(parts):
        return [of(layer) for layer in layers], _perceptron
    return None


def _perceptron(params: Any, x: jax.Array) -> jax.Array:
    for weight, bias in params[:-1]:
        x = jax.nn.relu(x @ weight + bias)
    weight, bias = params[-1]
    return x @ weight + bias


def _recurrent(params: Any, x: jax.Array) -> jax.Array:
    (of_input, of_hidden, first, second), (weight, bias) = params

    def step(h: jax.Array, gates: jax.Array) -> tuple[jax.Array, None]:
        reset, update, new = jnp.split(gates, 3, axis=-1)
        own_reset, own_update, own_new = jnp.split(h @ of_hidden + second, 3, axis=-1)
        new = jnp.tanh(new + jax.nn.sigmoid(reset + own_reset) * own_new)
        keep = jax.nn.sigmoid(update + own_update)
        return (1 - keep) * new + keep * h, None

    gates = x.swapaxes(0, 1) @ of_input + first
    h, _ = jax.lax.scan(step, jnp.zeros((len(x), len(of_hidden))), gates)
    return h @ weight + bias


def _by_hand(net: Net, params: Any, predict: Predict, rows: Any) -> Timed:
    x, y = jnp.asarray(net.x.numpy()), jnp.asarray(net.y.numpy())
    classes = y.ndim == 1
    optimizer = optax.adam(RATE)
    numbers = jnp.arange(SHORT + net.steps) if rows is None else jnp.asarray(rows)

    def loss_of(params: Any, x: jax.Array, y: jax.Array) -> jax.Array:
        prediction = predict(params, x)
        if not classes:
            return ((prediction - y) ** 2).mean()
        return optax.softmax_cross_entropy_with_integer_labels(prediction, y).mean()

    def step(carry: Any, number: jax.Array) -> tuple[Any, jax.Array]:
        params, state = carry
        batch = (x, y) if rows is None else (x[number], y[number])
        loss, gradient = jax.value_and_grad(loss_of)(params, *batch)
        change, state = optimizer.update(gradient, state, params)
        return (optax.apply_updates(params, change), state), loss

    @jax.jit
    def fit(params: Any) -> jax.Array:
        return jax.lax.scan(step, (params, optimizer.init(params)), numbers)[1]

    begin = time.perf_counter()
    fit(params).block_until_ready()
    first = time.perf_counter() - begin
    begin = time.perf_counter()
    losses = fit(params).block_until_ready()
    seconds = time.perf_counter() - begin
    return Timed(first - seconds, seconds / len(losses), float(losses[-1]))


if __name__ == "__main__":
    main()
