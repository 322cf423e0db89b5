"""Source: "Lecture 2: Basic neural network APIs", its five networks."""

from __future__ import annotations

import functools

from funcnn import data, forms, layers, optimizers
from funcnn.experiments.random_data import ADAM, KINKS
from funcnn.experiments.record import Experiment, Lesson, tolerances
from funcnn.experiments.two_layer import FALLING
from funcnn.models import mlp, mlp_linear

__all__ = ["RECORDS"]

_experiment = functools.partial(
    Experiment,
    seed="Lecture 2: Basic neural network APIs",
    data=functools.partial(data.gaussian, in_features=784),
    steps=500,
    printed=range(500),
    tolerances=tolerances(FALLING),
)

RECORDS = (
    _experiment(
        name="mnist-shape/numpy",
        section="Pure NumPy implementation",
        model="mlp",
        gradient="manual",
        dtype="float64",
        reference="funcnn.reference.numpy_loops:two_layer",
        lesson=Lesson(
            pytorch="NumPy, the gradient by hand",
            here='`gradient="manual"`',
            change="The shapes come from the data and not from constants at the top: images "
            "of 28 × 28 pixels as rows of 784 give a first weight of (784, 100).",
            code=(mlp.value_and_grad,),
        ),
    ),
    _experiment(
        name="mnist-shape/tensor",
        section="PyTorch tensors",
        model="mlp",
        gradient="manual",
        reference="funcnn.reference.torch_two_layer:two_layer_tensor",
        lesson=Lesson(
            pytorch="tensors, the gradient by hand",
            here='`gradient="manual"`',
            change="A list collects one loss a step; the compiled loop writes its losses into "
            "one array, whose length is known before it starts.",
            code=(mlp.value_and_grad,),
        ),
    ),
    _experiment(
        name="mnist-shape/autograd",
        section="PyTorch autograd",
        model="mlp",
        reference="funcnn.reference.torch_two_layer:two_layer_autograd",
        lesson=Lesson(
            pytorch="`loss.backward()`",
            here="`jax.value_and_grad`",
            change="`clamp(min=0)` passes the gradient at exactly 0, and `jax.nn.relu` does "
            "not; `layers.clamp` is the former, which the gradient by hand agrees with.",
            code=(mlp.apply, mlp.head, layers.clamp, forms.direct),
        ),
    ),
    _experiment(
        name="mnist-shape/nn",
        section="PyTorch nn module",
        model="mlp_linear",
        learning_rate=1e-4,
        reference="funcnn.reference.torch_linear_relu_linear:linear_relu_linear",
        tolerances=tolerances(KINKS),
        lesson=Lesson(
            pytorch="`nn.Sequential(Linear, ReLU, Linear)`",
            here="`models.mlp_linear`",
            change="`for param in model.parameters()` becomes one map over a tree: the update "
            "is the same line for two arrays and for two hundred.",
            code=(layers.linear, mlp_linear.apply),
        ),
    ),
    _experiment(
        name="mnist-shape/adam",
        section="PyTorch optim method",
        model="mlp_linear",
        optimizer="adam",
        learning_rate=1e-4,
        reference="funcnn.reference.torch_linear_relu_linear:linear_relu_linear_adam",
        tolerances=tolerances(ADAM),
        lesson=Lesson(
            pytorch="`torch.optim.Adam`",
            here="`optimizers.adam`, over optax",
            change="Another optimizer is another argument: model, loss and loop are as they "
            "were, and only the shape of the optimizer's state is new.",
            code=(mlp_linear.apply, optimizers.adam_chain),
        ),
    ),
)
