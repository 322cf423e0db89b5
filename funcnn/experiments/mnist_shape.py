"""Source: "Lecture 2: Basic neural network APIs", its five networks."""

from __future__ import annotations

import functools

from funcnn.experiments.datasets import gaussian
from funcnn.experiments.random_data import ADAM, KINKS
from funcnn.experiments.record import Experiment, tolerances
from funcnn.experiments.two_layer import FALLING

__all__ = ["RECORDS"]

_experiment = functools.partial(
    Experiment,
    tutorial="Lecture 2: Basic neural network APIs",
    data=functools.partial(gaussian, in_features=784),
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
        reference="funcnn.atlas.reference.numpy_loops:two_layer",
    ),
    _experiment(
        name="mnist-shape/tensor",
        section="PyTorch tensors",
        model="mlp",
        gradient="manual",
        reference="funcnn.atlas.reference.torch_two_layer:two_layer_tensor",
    ),
    _experiment(
        name="mnist-shape/autograd",
        section="PyTorch autograd",
        model="mlp",
        reference="funcnn.atlas.reference.torch_two_layer:two_layer_autograd",
    ),
    _experiment(
        name="mnist-shape/nn",
        section="PyTorch nn module",
        model="mlp_linear",
        learning_rate=1e-4,
        reference="funcnn.atlas.reference.torch_linear_relu_linear:linear_relu_linear",
        tolerances=tolerances(KINKS),
    ),
    _experiment(
        name="mnist-shape/adam",
        section="PyTorch optim method",
        model="mlp_linear",
        optimizer="adam",
        learning_rate=1e-4,
        reference="funcnn.atlas.reference.torch_linear_relu_linear:linear_relu_linear_adam",
        tolerances=tolerances(ADAM),
    ),
)
