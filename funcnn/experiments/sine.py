"""Source: "PyTorch learning notes 5", sections 2 to 9."""

from __future__ import annotations

import functools

from funcnn.experiments import datasets
from funcnn.experiments.record import Experiment, Tolerance, tolerances

__all__ = ["RECORDS"]

SUMS = Tolerance(1e-5, "a sum over 2000 points, rounded in another order at every step")

_UNSTABLE = (
    "as gradients vanish RMSprop's steps outgrow the curvature, and enlarge every rounding; a "
    "run of PyTorch, started one rounding away, parts from the first one some steps later"
)

_experiment = functools.partial(
    Experiment,
    tutorial="PyTorch learning notes 5",
    data=datasets.sine,
    steps=2000,
    printed=range(99, 2000, 100),
    tolerances=tolerances(SUMS),
)

RECORDS = (
    _experiment(
        name="sine/numpy",
        section="section 2",
        model="polynomial",
        gradient="manual",
        dtype="float64",
        reference="funcnn.atlas.reference.numpy_loops:cubic",
    ),
    _experiment(
        name="sine/tensor",
        section="section 3",
        model="polynomial",
        gradient="manual",
        reference="funcnn.atlas.reference.torch_sine:cubic_tensor",
    ),
    _experiment(
        name="sine/autograd",
        section="section 4",
        model="polynomial",
        reference="funcnn.atlas.reference.torch_sine:cubic_autograd",
    ),
    _experiment(
        name="sine/legendre",
        section="section 5",
        model="legendre",
        learning_rate=5e-6,
        reference="funcnn.atlas.reference.torch_sine:legendre",
    ),
    _experiment(
        name="sine/nn",
        section="section 6",
        model="polynomial_linear",
        reference="funcnn.atlas.reference.torch_sine:cubic_linear",
    ),
    _experiment(
        name="sine/rmsprop",
        section="section 7",
        model="polynomial_linear",
        optimizer="rmsprop",
        learning_rate=1e-3,
        reference="funcnn.atlas.reference.torch_sine:cubic_linear_rmsprop",
        tolerances=tolerances(
            float64=Tolerance(1e-8, _UNSTABLE, steps=1000, chaotic=True),
            float32=Tolerance(1e-5, _UNSTABLE, steps=1000, chaotic=True),
        ),
    ),
    _experiment(
        name="sine/module",
        section="section 8",
        model="polynomial",
        reference="funcnn.atlas.reference.torch_sine:cubic_module",
    ),
    _experiment(
        name="sine/dynamic",
        section="section 9",
        model="dynamic",
        optimizer="momentum",
        learning_rate=1e-8,
        steps=30000,
        printed=range(1999, 30000, 2000),
        reference="funcnn.atlas.reference.torch_sine:dynamic",
        tolerances=tolerances(
            Tolerance(3e-4, "30000 steps, each a sum of powers up to π⁵ = 306, rounded anew")
        ),
    ),
)
