"""Ports that are right, in plain JAX, Flax and Equinox: none of them may be accused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import torch
from torch import nn

from funcnn import optimizers
from funcnn.bench.ports.case import (
    Right,
    batch,
    classes,
    cross_entropy,
    mean_squared_error,
    values,
)
from funcnn.bench.ports.networks import (
    Absolute,
    Distance,
    Padded,
    Residual,
    Squeezed,
    by_root,
    chain,
    column,
    deeply,
    frozen,
    group,
    grouped,
    gru,
    leaky,
    linear,
    looked_up,
    lstm,
    of,
    of_attention,
    of_batch_norm,
    of_block,
    of_convolution,
    of_recurrent,
    of_transposed,
    pool,
    pooled,
    rectified,
    seeded,
    softened,
    tokens,
)

__all__ = ["RIGHT"]

OPTIM = torch.optim
Arguments = Callable[[], dict[str, Any]]


def trained(
    arguments: Arguments, optimizer: Callable[[Any], Any], port_optimizer: Any
) -> Arguments:
    """The same comparison, with optimizers."""

    def more() -> dict[str, Any]:
        given = arguments()
        own = optimizer(given["net"].parameters())
        return given | {"optimizer": own, "port_optimizer": port_optimizer}

    return more


def compared(
    make: Callable[[], nn.Module],
    port: Callable[[dict[str, np.ndarray]], tuple[Any, Callable[..., Any]]],
    x: Any,
    y: Any,
    loss: Any = None,
    port_loss: Callable[..., Any] = mean_squared_error,
) -> Arguments:
    """A module beside a port that is made from its values."""

    def arguments() -> dict[str, Any]:
        net = seeded(make)
        return {
            "net": net,
            "port": port(values(net)),
            "data": (x, y),
            "loss": loss or nn.MSELoss(),
            "port_loss": port_loss,
        }

    return arguments


def adam(p: Any) -> torch.optim.Optimizer:
    return OPTIM.Adam(p, 1e-2)


# Plain JAX.


def concatenated(p: dict[str, np.ndarray]) -> tuple[Any, Callable[..., Any]]:
    """An LSTM whose weights are joined into one array, as Haiku has them."""
    w = np.concatenate([p["rnn.weight_ih_l0"], p["rnn.weight_hh_l0"]], axis=1).T
    params = {
        "w": w,
        "b": p["rnn.bias_ih_l0"],
        "c": p["rnn.bias_hh_l0"],
        "out": {"w": p["head.weight"].T, "b": p["head.bias"]},
    }

    def apply(p: Any, x: Any) -> Any:
        def step(state: Any, x_t: Any) -> Any:
            h, c = state
            gates = jnp.concatenate([x_t, h], axis=-1) @ p["w"] + p["b"] + p["c"]
            i, f, g, o = jnp.split(gates, 4, -1)
            c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
            h = jax.nn.sigmoid(o) * jnp.tanh(c)
            return (h, c), h

        zeros = jnp.zeros((len(x), 5))
        (h, _), _ = jax.lax.scan(step, (zeros, zeros), x.transpose(1, 0, 2))
        return h @ p["out"]["w"] + p["out"]["b"]

    return params, apply


def nhwc(p: dict[str, np.ndarray]) -> tuple[Any, Callable[..., Any]]:
    """A convolutional network in NHWC throughout, its last weight's rows reordered."""
    w = p["3.weight"].reshape(3, 4, 4, 4).transpose(2, 3, 1, 0).reshape(64, 3)
    params = {
        "kernel": p["0.weight"].transpose(2, 3, 1, 0),
        "bias": p["0.bias"],
        "w": w,
        "b": p["3.bias"],
    }

    def apply(p: Any, x: Any) -> Any:
        h = jax.lax.conv_general_dilated(
            x.transpose(0, 2, 3, 1),
            p["kernel"],
            (2, 2),
            [(1, 1), (1, 1)],
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
        )
        return jax.nn.relu(h + p["bias"]).reshape(len(h), -1) @ p["w"] + p["b"]

    return params, apply


def one_sample_at_a_time(p: Any, x: Any) -> Any:
    return jax.vmap(lambda row: linear(p, 2, jnp.tanh(linear(p, 0, row))))(x)


def jitted(p: Any, x: Any) -> Any:
    return jax.jit(jax.checkpoint(deeply))(p, x)


def by_where(p: Any, x: Any) -> Any:
    h = linear(p, 0, x)
    return linear(p, 2, jnp.where(h > 0, h, 0))


def by_sign(p: Any, x: Any) -> Any:
    h = x @ p["a.weight"].T + p["a.bias"]
    return (h * jnp.sign(h)) @ p["b.weight"].T + p["b.bias"]


def with_skip(p: Any, x: Any) -> Any:
    h = x + jnp.tanh(x @ p["a.weight"].T + p["a.bias"])
    return h @ p["b.weight"].T + p["b.bias"]


def leaking(p: Any, x: Any) -> Any:
    return linear(p, 2, jax.nn.leaky_relu(linear(p, 0, x), 0.2))


def softmax(p: Any, x: Any) -> Any:
    return jax.nn.softmax(linear(p, 0, x), axis=1)


def flat_error(prediction: Any, target: Any) -> Any:
    return jnp.mean((prediction[:, 0] - target) ** 2)


def dead(net: Any) -> None:
    net[0].weight[1], net[0].bias[1] = 0, 0


def dead_a(net: Any) -> None:
    net.a.weight[1], net.a.bias[1] = 0, 0


def cancelling(net: Any) -> None:
    """Biases of zeros and equal weights, which values alone do not tell apart."""
    net[0].bias.zero_()
    net[2].bias.zero_()
    net[4].bias.zero_()
    net[4].weight.copy_(net[2].weight)


deep = chain(
    lambda: nn.Linear(4, 5),
    nn.Tanh,
    lambda: nn.Linear(5, 5),
    nn.Tanh,
    lambda: nn.Linear(5, 5),
)


def in_lists(p: dict[str, np.ndarray]) -> Any:
    """Weights and biases in two lists, in which no path tells which belong together."""
    numbers = (0, 2, 4)
    return {
        "biases": [p[f"{number}.bias"] for number in numbers],
        "weights": [p[f"{number}.weight"].T for number in numbers],
    }


def deep_apply(p: Any, x: Any) -> Any:
    for number, (w, b) in enumerate(zip(p["weights"], p["biases"], strict=True)):
        x = x @ w + b
        x = jnp.tanh(x) if number < 2 else x
    return x


class Folded(nn.Module):
    """A bias before BatchNorm, whose gradient is 0."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.norm, self.b = nn.Linear(4, 5), nn.BatchNorm1d(5), nn.Linear(5, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.b(torch.relu(self.norm(self.a(x))))


def without_its_bias(p: dict[str, np.ndarray]) -> tuple[Any, Callable[..., Any]]:
    params = {
        "w": p["a.weight"].T,
        "scale": p["norm.weight"],
        "shift": p["norm.bias"],
        "v": p["b.weight"].T,
        "c": p["b.bias"],
    }

    def apply(p: Any, x: Any) -> Any:
        h = x @ p["w"]
        h = (h - h.mean(0)) / jnp.sqrt(h.var(0) + 1e-5) * p["scale"] + p["shift"]
        return jax.nn.relu(h) @ p["v"] + p["c"]

    return params, apply


# Flax.


def dense(weight: np.ndarray, bias: np.ndarray) -> dict[str, np.ndarray]:
    return {"kernel": weight.T, "bias": bias}


def linen_mlp(p: dict[str, np.ndarray]) -> tuple[Any, Callable[..., Any]]:
    from flax import linen

    class Port(linen.Module):
        @linen.compact
        def __call__(self, x: Any) -> Any:
            h = linen.LayerNorm(epsilon=1e-5)(linen.Dense(16)(x))
            return linen.Dense(4)(linen.gelu(h, approximate=False))

    params = {
        "Dense_0": dense(p["0.weight"], p["0.bias"]),
        "LayerNorm_0": {"scale": p["1.weight"], "bias": p["1.bias"]},
        "Dense_1": dense(p["3.weight"], p["3.bias"]),
    }
    return {"params": params}, Port().apply


layered = chain(
    lambda: nn.Linear(6, 16), lambda: nn.LayerNorm(16), nn.GELU, lambda: nn.Linear(16, 4)
)


def linen_batch_norm(train: bool) -> Callable[..., tuple[Any, Callable[..., Any]]]:
    def port(p: dict[str, np.ndarray]) -> tuple[Any, Callable[..., Any]]:
        from flax import linen

        class Port(linen.Module):
            @linen.compact
            def __call__(self, x: Any) -> Any:
                h = linen.BatchNorm(not train, momentum=0.9, epsilon=1e-5)(linen.Dense(8)(x))
                return linen.Dense(3)(jnp.tanh(h))

        variables = {
            "params": {
                "Dense_0": dense(p["0.weight"], p["0.bias"]),
                "BatchNorm_0": {"scale": p["1.weight"], "bias": p["1.bias"]},
                "Dense_1": dense(p["3.weight"], p["3.bias"]),
            },
            "batch_stats": {
                "BatchNorm_0": {"mean": p["1.running_mean"], "var": p["1.running_var"]}
            },
        }

        def apply(variables: Any, x: Any) -> Any:
            if not train:
                return Port().apply(variables, x)
            return Port().apply(variables, x, mutable=["batch_stats"])[0]

        return variables, apply

    return port


normalized = chain(
    lambda: nn.Linear(6, 8), lambda: nn.BatchNorm1d(8), nn.Tanh, lambda: nn.Linear(8, 3)
)


def linen_convolution(p: dict[str, np.ndarray]) -> tuple[Any, Callable[..., Any]]:
    from flax import linen

    class Port(linen.Module):
        @linen.compact
        def __call__(self, x: Any) -> Any:
            h = linen.Conv(4, (3, 3), padding=1)(x.transpose(0, 2, 3, 1))
            h = linen.max_pool(linen.relu(h), (2, 2), (2, 2))
            return linen.Dense(3)(h.transpose(0, 3, 1, 2).reshape(len(h), -1))

    params = {
        "Conv_0": {"kernel": p["0.weight"].transpose(2, 3, 1, 0), "bias": p["0.bias"]},
        "Dense_0": dense(p["4.weight"], p["4.bias"]),
    }
    return {"params": params}, Port().apply


maximal = chain(
    lambda: nn.Conv2d(2, 4, 3, padding=1),
    nn.ReLU,
    lambda: nn.MaxPool2d(2),
    nn.Flatten,
    lambda: nn.Linear(64, 3),
)


class Attentive(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attention, self.norm = nn.MultiheadAttention(8, 2, batch_first=True), nn.LayerNorm(8)
        self.head = nn.Linear(8, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.norm(x + self.attention(x, x, x, need_weights=False)[0]).mean(1))


def linen_attention(p: dict[str, np.ndarray]) -> tuple[Any, Callable[..., Any]]:
    from flax import linen

    class Port(linen.Module):
        @linen.compact
        def __call__(self, x: Any) -> Any:
            h = linen.MultiHeadDotProductAttention(2)(x)
            return linen.Dense(2)(linen.LayerNorm(epsilon=1e-5)(x + h).mean(1))

    weights, biases = (
        np.split(p["attention.in_proj_weight"], 3),
        np.split(p["attention.in_proj_bias"], 3),
    )
    params = {
        "MultiHeadDotProductAttention_0": {
            **{
                name: {"kernel": w.T.reshape(8, 2, 4), "bias": b.reshape(2, 4)}
                for name, w, b in zip(("query", "key", "value"), weights, biases, strict=True)
            },
            "out": {
                "kernel": p["attention.out_proj.weight"].T.reshape(2, 4, 8),
                "bias": p["attention.out_proj.bias"],
            },
        },
        "LayerNorm_0": {"scale": p["norm.weight"], "bias": p["norm.bias"]},
        "Dense_0": dense(p["head.weight"], p["head.bias"]),
    }
    return {"params": params}, Port().apply


def nnx_mlp(p: dict[str, np.ndarray]) -> tuple[Any, Callable[..., Any]]:
    from flax import nnx

    class Port(nnx.Module):
        def __init__(self, rngs: Any) -> None:
            self.first, self.last = nnx.Linear(4, 5, rngs=rngs), nnx.Linear(5, 2, rngs=rngs)

        def __call__(self, x: Any) -> Any:
            return self.last(nnx.tanh(self.first(x)))

    model: Any = Port(nnx.Rngs(0))
    for layer, number in ((model.first, 0), (model.last, 2)):
        layer.kernel[...] = jnp.asarray(p[f"{number}.weight"].T)
        layer.bias[...] = jnp.asarray(p[f"{number}.bias"])
    graph, params = nnx.split(model, nnx.Param)
    return params, lambda params, x: nnx.merge(graph, params)(x)


def nnx_layers(p: dict[str, np.ndarray]) -> tuple[Any, Callable[..., Any]]:
    from flax import nnx

    rngs = nnx.Rngs(0)
    model = nnx.Sequential(
        nnx.Linear(6, 16, rngs=rngs),
        nnx.LayerNorm(16, epsilon=1e-5, rngs=rngs),
        lambda x: nnx.gelu(x, approximate=False),
        nnx.Linear(16, 4, rngs=rngs),
    )
    layers: Any = model.layers
    first, norm, _, last = layers
    for layer, number in ((first, 0), (last, 3)):
        layer.kernel[...] = jnp.asarray(p[f"{number}.weight"].T)
        layer.bias[...] = jnp.asarray(p[f"{number}.bias"])
    norm.scale[...], norm.bias[...] = jnp.asarray(p["1.weight"]), jnp.asarray(p["1.bias"])
    graph, params, rest = nnx.split(model, nnx.Param, ...)
    return params, lambda params, x: nnx.merge(graph, params, rest)(x)


# Equinox.


def equinox_model(
    make: Callable[[Any], Any], names: tuple[tuple[str, str], ...]
) -> Callable[[dict[str, np.ndarray]], tuple[Any, Callable[..., Any]]]:
    """A module of Equinox with PyTorch's values: pairs of a path in it and PyTorch's name."""

    def port(p: dict[str, np.ndarray]) -> tuple[Any, Callable[..., Any]]:
        import equinox

        model = make(jax.random.key(0))
        for path, name in names:

            def where(tree: Any, path: str = path) -> Any:
                for part in path.split("."):
                    tree = tree[int(part)] if part.isdigit() else getattr(tree, part)
                return tree

            value = jnp.asarray(p[name]).reshape(where(model).shape)
            model = equinox.tree_at(where, model, value)
        params, static = equinox.partition(model, equinox.is_inexact_array)
        return params, lambda params, x: jax.vmap(equinox.combine(params, static))(x)

    return port


def equinox_mlp(key: Any) -> Any:
    import equinox

    return equinox.nn.MLP(4, 2, 5, 1, activation=jnp.tanh, key=key)


def equinox_layers(key: Any) -> Any:
    from equinox import nn as layers

    a, b = jax.random.split(key)
    return layers.Sequential(
        [
            layers.Linear(6, 16, key=a),
            layers.LayerNorm(16),
            layers.Lambda(lambda x: jax.nn.gelu(x, approximate=False)),
            layers.Linear(16, 4, key=b),
        ]
    )


def equinox_convolution(key: Any) -> Any:
    from equinox import nn as layers

    a, b = jax.random.split(key)
    return layers.Sequential(
        [
            layers.Conv2d(2, 4, 3, padding=1, key=a),
            layers.Lambda(jax.nn.relu),
            layers.MaxPool2d(2, 2),
            layers.Lambda(jnp.ravel),
            layers.Linear(64, 3, key=b),
        ]
    )


LAYERS = tuple((f"layers.{n}.{w}", f"{n}.{w}") for n in (0, 1, 3) for w in ("weight", "bias"))
MLP = tuple((f"layers.{n}.{w}", f"{2 * n}.{w}") for n in (0, 1) for w in ("weight", "bias"))
CONVOLUTION = tuple((f"layers.{n}.{w}", f"{n}.{w}") for n in (0, 4) for w in ("weight", "bias"))

X, Y = batch(12, 6), batch(12, 4, seed=1)
SMALL, TARGET = batch(6, 4), batch(6, 2, seed=1)
IMAGES, LABELS = batch(5, 2, 8, 8), classes(5, 3)

RIGHT = (
    # Plain JAX.
    Right("perceptron with LayerNorm, Adam", of_block(
        optimizer=adam, port_optimizer=optax.adam(1e-2))),
    Right("the same, funcnn's RMSprop", of_block(
        optimizer=lambda p: OPTIM.RMSprop(p, 1e-3), port_optimizer=optimizers.rmsprop(1e-3))),
    Right("the same, SGD with momentum and decay", of_block(
        optimizer=lambda p: OPTIM.SGD(p, 1e-2, 0.9, weight_decay=0.1),
        port_optimizer=optax.chain(optax.add_decayed_weights(0.1), optax.sgd(1e-2, 0.9)))),
    Right("the same, AdamW", of_block(
        optimizer=lambda p: OPTIM.AdamW(p, 1e-2),
        port_optimizer=optax.adamw(1e-2, weight_decay=1e-2))),
    Right("convolution, kernel as HWIO", of_convolution()),
    Right("convolution, NHWC throughout, Adam", trained(
        compared(chain(lambda: nn.Conv2d(2, 4, 3, stride=2, padding=1), nn.ReLU, nn.Flatten,
                       lambda: nn.Linear(64, 3)), nhwc, IMAGES, LABELS, nn.CrossEntropyLoss(),
                 cross_entropy), adam, optax.adam(1e-2))),
    Right("BatchNorm in train, with running values", of_batch_norm()),
    Right("BatchNorm in eval", of_batch_norm(train=False, port_train=False)),
    Right("transposed convolution", of_transposed(flip=True)),
    Right("LSTM", of_recurrent(nn.LSTM, lstm())),
    Right("LSTM of one weight, Adam", trained(compared(
        lambda: of_recurrent(nn.LSTM, lstm())()["net"], concatenated, batch(4, 6, 3),
        batch(4, 2, seed=1)), adam, optax.adam(1e-2))),
    Right("GRU", of_recurrent(nn.GRU, gru())),
    Right("attention, causal", of_attention()),
    Right("attention", of_attention(masked=False)),
    Right("GroupNorm", of(grouped, group(), batch(6, 2, 8))),
    Right("max pooling", of(pooled, pool(((0, 0), (0, 0), (1, 1), (1, 1))), batch(6, 1, 8, 8))),
    Right("LeakyReLU", of(leaky, leaking)),
    Right("softmax", of(softened, softmax)),
    Right("residual", of(Residual, with_skip)),
    Right("ReLU at 0", of(rectified, by_where, prepare=dead)),
    Right("abs at 0", of(Absolute, by_sign, prepare=dead_a)),
    Right("a norm without zeros", of(Distance, by_root, SMALL, batch(6, 1, seed=1))),
    Right("embedding", of(Padded, looked_up(), 1 + tokens() % 6)),
    Right("a column, squeezed in the loss", of(Squeezed, column, y=batch(6, seed=1),
                                              port_loss=flat_error)),
    Right("one sample at a time", of(frozen, one_sample_at_a_time)),
    Right("jitted and checkpointed", of(frozen, jitted)),
    Right("zero biases and equal weights in lists", trained(of(
        deep, deep_apply, y=batch(6, 5, seed=1), prepare=cancelling, change=in_lists), adam,
        optax.adam(1e-2))),
    Right("no bias before BatchNorm", compared(Folded, without_its_bias, SMALL, TARGET)),
    # Flax.
    Right("linen, LayerNorm, Adam", trained(
        compared(layered, linen_mlp, X, Y), adam, optax.adam(1e-2))),
    Right("linen, BatchNorm in train", compared(
        normalized, linen_batch_norm(True), X, batch(12, 3, seed=1))),
    Right("linen, BatchNorm in eval, Adam", trained(compared(
        lambda: seeded(normalized).eval(), linen_batch_norm(False), X, batch(12, 3, seed=1)), adam,
        optax.adam(1e-2))),
    Right("linen, convolution", compared(
        maximal, linen_convolution, IMAGES, LABELS, nn.CrossEntropyLoss(), cross_entropy)),
    Right("linen, attention, Adam", trained(compared(
        Attentive, linen_attention, batch(3, 5, 8), batch(3, 2, seed=1)), adam, optax.adam(1e-2))),
    Right("NNX, perceptron, SGD", trained(compared(
        frozen, nnx_mlp, SMALL, TARGET), lambda p: OPTIM.SGD(p, 1e-2), optax.sgd(1e-2))),
    Right("NNX, LayerNorm", compared(layered, nnx_layers, X, Y)),
    # Equinox.
    Right("Equinox, MLP, Adam", trained(compared(
        frozen, equinox_model(equinox_mlp, MLP), SMALL, TARGET), adam, optax.adam(1e-2))),
    Right("Equinox, LayerNorm", compared(layered, equinox_model(equinox_layers, LAYERS), X, Y)),
    Right("Equinox, convolution", compared(
        maximal, equinox_model(equinox_convolution, CONVOLUTION), IMAGES, LABELS,
        nn.CrossEntropyLoss(), cross_entropy)),
)  # fmt: skip
"""Every port that is right."""
