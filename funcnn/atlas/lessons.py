"""What a reader learns from each experiment: what changes from PyTorch to JAX, and why."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from funcnn.experiments import Experiment

__all__ = ["LESSONS", "Lesson", "lesson_of"]


class Lesson(NamedTuple):
    """What a reader learns from an experiment.

    Attributes:
        pytorch: what PyTorch calls it.
        here: what it is here.
        change: what changes from PyTorch to JAX, and why, in a sentence.
        code: what of funcnn to read beside the reference: ``"module:function"``, or
            ``"module"`` for all of it.
    """

    pytorch: str
    here: str
    change: str
    code: tuple[str, ...]


def lesson_of(experiment: Experiment) -> Lesson:
    """An experiment's lesson; for a record of your own no words, and the code of its model."""
    without_words = Lesson("", "", "", (f"funcnn.models.{experiment.model}:apply",))
    return LESSONS.get(experiment.name, without_words)


VALUE_AND_GRAD = "funcnn.loop.forms.direct:value_and_grad"
CLAMP = "funcnn.models.layers:clamp"
SGD = "funcnn.optimizers.torch_optim:sgd_chain"
MLP_INIT = "funcnn.models.mlp:init"
MLP = ("funcnn.models.mlp:apply", "funcnn.models.mlp:head")
MLP_LINEAR = tuple(f"funcnn.models.mlp_linear:{name}" for name in ("apply", "head", "_affine"))
POLYNOMIAL = "funcnn.models.polynomial:apply"
POLYNOMIAL_LINEAR = "funcnn.models.polynomial_linear:apply"

_numpy = functools.partial(Lesson, "NumPy, the gradient by hand", '`gradient="manual"`')
_tensor = functools.partial(Lesson, "tensors, the gradient by hand", '`gradient="manual"`')
_network_numpy = functools.partial(_numpy, code=("funcnn.models.mlp:value_and_grad",))
_network_tensor = functools.partial(_tensor, code=("funcnn.models.mlp:value_and_grad",))
_autograd = functools.partial(Lesson, "`loss.backward()`", "`jax.value_and_grad`")
_network_autograd = functools.partial(_autograd, code=(*MLP, CLAMP, VALUE_AND_GRAD))
_network_linear = functools.partial(
    Lesson,
    "`nn.Sequential(Linear, ReLU, Linear)`",
    "`models.mlp_linear`",
    code=("funcnn.models.layers:linear", *MLP_LINEAR),
)
_network_adam = functools.partial(
    Lesson,
    "`torch.optim.Adam`",
    "`optimizers.adam`, over optax",
    code=(*MLP_LINEAR, "funcnn.optimizers.torch_optim:adam_chain"),
)

TWO_LAYER = {
    "two-layer/numpy": _network_numpy(
        "The chain rule stays as it was written; the weights are no longer changed "
        "in place but returned, so that the whole loop can be compiled."
    ),
    "two-layer/tensor": _network_tensor(
        "`grad_h[h < 0] = 0` writes into an array; JAX's arrays cannot be written "
        "to, and `jnp.where` makes the new one."
    ),
    "two-layer/autograd": _network_autograd(
        "A gradient is the value of a function and not a field that accumulates, so "
        "there is nothing to zero and nothing to shield with `no_grad`."
    ),
    "two-layer/optim": Lesson(
        "`torch.optim.SGD`",
        "`optimizers.sgd`, over optax",
        "The optimizer owns neither weights nor state: it turns a gradient and its "
        "last state into a change and its next state.",
        (*MLP, SGD),
    ),
    "two-layer/loss": Lesson(
        '`nn.MSELoss(reduction="sum")`',
        "`losses.sum_squared_error`",
        "What is an object with a `reduction` to set is a function here, and the sum "
        "and the mean are two; shapes that differ are refused, where PyTorch would "
        "broadcast them.",
        (*MLP, "funcnn.losses:sum_squared_error"),
    ),
    "two-layer/sequential": Lesson(
        "`nn.Sequential`, updates by hand",
        "`models.mlp.apply`",
        "A stack of layers is a composition of functions; written out, it is two "
        "products with a clamp between them, the weights among the arguments. (On exact "
        "zeros `nn.ReLU` has the gradient 0 and `clamp` has 1; random data have none.)",
        MLP,
    ),
    "two-layer/sequential-optim": Lesson(
        "`nn.Sequential` and `optim`",
        "`models.mlp` and `optimizers.sgd`",
        "`model.parameters()` has no counterpart: the params are a dict in your "
        "hands, and whatever takes a tree of arrays takes them.",
        (MLP_INIT, *MLP, SGD),
    ),
    "two-layer/module-explicit": Lesson(
        "`nn.Module` with `Parameter`s",
        "a pair of pure functions",
        "The constructor becomes `init`, which returns the weights, and `forward` "
        "becomes `apply`, which is given them: `self` is gone, and with it all that "
        "can change unseen.",
        (MLP_INIT, *MLP),
    ),
    "two-layer/module-implicit": Lesson(
        "`nn.Module` with `Linear`s",
        "a pair of pure functions",
        "`Linear` keeps its weight as (outputs, inputs) and multiplies by the "
        "transpose; a formula reads x·w, so here a weight is (inputs, outputs).",
        (MLP_INIT, *MLP),
    ),
}

SINE = {
    "sine/numpy": _numpy(
        "The four gradients Σ g·xᵏ become one line for any degree, and the four "
        "coefficients one dict.",
        code=(POLYNOMIAL, "funcnn.models.polynomial:value_and_grad"),
    ),
    "sine/tensor": _tensor(
        "Each eager operation on 2000 points costs more to start than to do; "
        "compiled into one loop, they are started once for all steps.",
        code=(POLYNOMIAL, "funcnn.models.polynomial:value_and_grad"),
    ),
    "sine/autograd": _autograd(
        "`requires_grad` marks tensors one by one; `jax.value_and_grad` "
        "differentiates by an argument of a function, here the whole dict.",
        code=(POLYNOMIAL, VALUE_AND_GRAD),
    ),
    "sine/legendre": Lesson(
        "`torch.autograd.Function`",
        "`jax.custom_vjp`",
        "What `ctx` carried from `forward` to `backward` is returned by the one "
        "and taken by the other, so that both are plain functions.",
        ("funcnn.models.legendre",),
    ),
    "sine/nn": Lesson(
        "`nn.Linear(3, 1)` and `nn.Flatten`",
        "`models.polynomial_linear`",
        "The layer is one product of its numbers with the powers of x, the bias that of "
        "x⁰; the prediction is (samples,) as the target is, so there is nothing to flatten.",
        ("funcnn.models.polynomial_linear:init", POLYNOMIAL_LINEAR),
    ),
    "sine/rmsprop": Lesson(
        "`torch.optim.RMSprop`",
        "`optimizers.rmsprop`, over optax",
        "optax's own defaults are a decay of 0.9 and ε under the root; PyTorch's, "
        "taken here, are 0.99 and ε beside it.",
        (POLYNOMIAL_LINEAR, "funcnn.optimizers.torch_optim:rmsprop_chain"),
    ),
    "sine/module": Lesson(
        "`nn.Module`",
        "a pair of pure functions",
        "What is a method of the module is a function of the params: `apply` gives "
        "the prediction, and `formula` the fitted polynomial as text.",
        ("funcnn.models.polynomial:init", POLYNOMIAL, "funcnn.models.polynomial:formula"),
    ),
    "sine/dynamic": Lesson(
        "control flow in `forward`",
        "a draw from the step's key, and `jnp.where`",
        "A compiled program has one shape, so both terms stand in it and a random "
        "number, a function of key and step, switches them; a gradient of a term "
        "that is off is 0, never missing.",
        ("funcnn.models.dynamic:draw_terms", "funcnn.models.dynamic:apply"),
    ),
}

RANDOM_DATA = {
    "random-data/numpy": _network_numpy(
        "Every step's loss is printed by this tutorial; here the compiled loop returns "
        "them as an array, from which Python prints between two calls of the loop."
    ),
    "random-data/tensor": _network_tensor(
        "PyTorch's tensors are moved to a device one by one; JAX puts its arrays "
        "on the first accelerator that it finds, and computes where they are."
    ),
    "random-data/autograd": _network_autograd(
        "PyTorch records a graph at every step and walks it back; JAX derives the "
        "gradient's program once, before the first step."
    ),
    "random-data/nn": _network_linear(
        "`Linear` draws its own weights from a hidden generator; here `init` is "
        "given a key, and draws from the same distribution, U(±1/√inputs)."
    ),
    "random-data/adam": _network_adam(
        "Adam's running means are a tree beside the params in the run's state, "
        "where they can be looked at, saved, and mapped over."
    ),
}

MNIST_SHAPE = {
    "mnist-shape/numpy": _network_numpy(
        "The shapes come from the data and not from constants at the top: images "
        "of 28 × 28 pixels as rows of 784 give a first weight of (784, 100)."
    ),
    "mnist-shape/tensor": _network_tensor(
        "A list collects one loss a step; the compiled loop writes its losses into "
        "one array, whose length is known before it starts."
    ),
    "mnist-shape/autograd": _network_autograd(
        "`clamp(min=0)` passes the gradient at exactly 0, and `jax.nn.relu` does "
        "not; `layers.clamp` is the former, which the gradient by hand agrees with."
    ),
    "mnist-shape/nn": _network_linear(
        "`for param in model.parameters()` becomes one map over a tree: the update "
        "is the same line for two arrays and for two hundred."
    ),
    "mnist-shape/adam": _network_adam(
        "Another optimizer is another argument: model, loss and loop are as they "
        "were, and only the shape of the optimizer's state is new."
    ),
}

LESSONS: Mapping[str, Lesson] = MappingProxyType(TWO_LAYER | SINE | RANDOM_DATA | MNIST_SHAPE)
"""The lessons of ``funcnn.experiments.EXPERIMENTS``, by name."""
