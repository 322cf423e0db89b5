"""Source: "Two fully connected layers", sections 1 to 9."""

from __future__ import annotations

import functools

from funcnn.experiments.datasets import gaussian
from funcnn.experiments.record import Experiment, Tolerance, tolerances

__all__ = ["FALLING", "RECORDS"]

FALLING = Tolerance(
    1e-5,
    "the loss falls by many decades and meets the rounding of the first ones, "
    "so the first loss counts too",
    of_first=1e-9,
    at_most=0.1,
)

_experiment = functools.partial(
    Experiment,
    tutorial="Two fully connected layers",
    model="mlp",
    data=functools.partial(gaussian, in_features=1000),
    steps=500,
    printed=range(0, 500, 50),
    tolerances=tolerances(FALLING),
)

RECORDS = (
    _experiment(
        name="two-layer/numpy",
        section="section 1",
        gradient="manual",
        dtype="float64",
        reference="funcnn.atlas.reference.numpy_loops:two_layer",
    ),
    _experiment(
        name="two-layer/tensor",
        section="section 2",
        gradient="manual",
        reference="funcnn.atlas.reference.torch_two_layer:two_layer_tensor",
    ),
    _experiment(
        name="two-layer/autograd",
        section="section 3",
        reference="funcnn.atlas.reference.torch_two_layer:two_layer_autograd",
    ),
    _experiment(
        name="two-layer/optim",
        section="section 4",
        reference="funcnn.atlas.reference.torch_two_layer:two_layer_optim",
    ),
    _experiment(
        name="two-layer/loss",
        section="section 5",
        reference="funcnn.atlas.reference.torch_two_layer:two_layer_loss",
    ),
    _experiment(
        name="two-layer/sequential",
        section="section 6",
        reference="funcnn.atlas.reference.torch_two_layer:two_layer_sequential",
    ),
    _experiment(
        name="two-layer/sequential-optim",
        section="section 7",
        reference="funcnn.atlas.reference.torch_two_layer:two_layer_sequential_optim",
    ),
    _experiment(
        name="two-layer/module-explicit",
        section="section 8",
        reference="funcnn.atlas.reference.torch_two_layer:two_layer_module_explicit",
    ),
    _experiment(
        name="two-layer/module-implicit",
        section="section 9",
        reference="funcnn.atlas.reference.torch_two_layer:two_layer_module_implicit",
    ),
)
