"""Source: "Neural networks on random data", cells 1 to 4 and 8."""

from __future__ import annotations

import functools

from funcnn.experiments.datasets import gaussian
from funcnn.experiments.record import Experiment, Tolerance, tolerances
from funcnn.experiments.two_layer import FALLING

__all__ = ["ADAM", "KINKS", "RECORDS"]

KINKS = Tolerance(
    1e-5,
    "a unit that stands within a rounding of zero may be on for one sample here and off there, "
    "which moves the losses after it by a share of the first",
    of_first=5e-5,
    at_most=0.02,
)

ADAM = KINKS._replace(
    reason=f"optax corrects Adam's bias in single precision, PyTorch in double; and {KINKS.reason}"
)

_experiment = functools.partial(
    Experiment,
    tutorial="Neural networks on random data",
    data=functools.partial(gaussian, in_features=1000),
    steps=100,
    printed=range(100),
    tolerances=tolerances(FALLING),
)

RECORDS = (
    _experiment(
        name="random-data/numpy",
        section="cell 1",
        model="mlp",
        gradient="manual",
        dtype="float64",
        reference="funcnn.atlas.reference.numpy_loops:two_layer",
    ),
    _experiment(
        name="random-data/tensor",
        section="cell 2",
        model="mlp",
        gradient="manual",
        reference="funcnn.atlas.reference.torch_two_layer:two_layer_tensor",
    ),
    _experiment(
        name="random-data/autograd",
        section="cell 3",
        model="mlp",
        reference="funcnn.atlas.reference.torch_two_layer:two_layer_autograd",
    ),
    _experiment(
        name="random-data/nn",
        section="cell 4",
        model="mlp_linear",
        learning_rate=1e-4,
        reference="funcnn.atlas.reference.torch_linear_relu_linear:linear_relu_linear",
        tolerances=tolerances(KINKS),
    ),
    _experiment(
        name="random-data/adam",
        section="cell 8",
        model="mlp_linear",
        optimizer="adam",
        learning_rate=1e-4,
        reference="funcnn.atlas.reference.torch_linear_relu_linear:linear_relu_linear_adam",
        tolerances=tolerances(ADAM),
    ),
)
