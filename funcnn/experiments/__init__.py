"""The tutorials' experiments: 27 frozen records, a file for each of the four documents.

They hold numbers and names, and no code: importing them imports no model, no loop and no
reference.

>>> EXPERIMENTS["sine/legendre"].learning_rate
5e-06
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from funcnn.core import ArgumentTypeError, checks
from funcnn.experiments import mnist_shape, random_data, sine, two_layer
from funcnn.experiments.record import Experiment, Tolerance

__all__ = ["EXPERIMENTS", "OF_MODEL", "Experiment", "Tolerance", "find"]

EXPERIMENTS: Mapping[str, Experiment] = MappingProxyType(
    {
        record.name: record
        for tutorial in (two_layer, sine, random_data, mnist_shape)
        for record in tutorial.RECORDS
    }
)

OF_MODEL: Mapping[str, Experiment] = MappingProxyType(
    {
        "mlp": EXPERIMENTS["two-layer/optim"],
        "mlp_linear": EXPERIMENTS["random-data/nn"],
        "polynomial": EXPERIMENTS["sine/module"],
        "polynomial_linear": EXPERIMENTS["sine/nn"],
        "legendre": EXPERIMENTS["sine/legendre"],
        "dynamic": EXPERIMENTS["sine/dynamic"],
    }
)
"""Each model's own experiment: where what is not given to ``train`` comes from."""


def find(experiment: str | Experiment) -> Experiment:
    """An experiment by name; a record as it is.

    Raises:
        ArgumentError, ArgumentTypeError: for a name that is none, or anything else.
    """
    if isinstance(experiment, Experiment):
        return experiment
    if not isinstance(experiment, str):
        raise ArgumentTypeError(
            f"experiment must be a name (funcnn.experiments.EXPERIMENTS has them all) or a "
            f"funcnn.experiments.Experiment, not {experiment!r}"
        )
    return EXPERIMENTS[checks.choice("experiment", experiment, EXPERIMENTS)]
