"""Source: "Neural networks on random data", cells 1 to 4 and 8."""

from __future__ import annotations

import functools

from funcnn import data, forms, layers, optimizers
from funcnn.experiments.record import Experiment, Lesson, Tolerance, tolerances
from funcnn.experiments.two_layer import FALLING
from funcnn.models import mlp, mlp_linear

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
    seed="Neural networks on random data",
    data=functools.partial(data.gaussian, in_features=1000),
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
        reference="funcnn.reference.numpy_loops:two_layer",
        lesson=Lesson(
            pytorch="NumPy, the gradient by hand",
            here='`gradient="manual"`',
            change="Every step's loss is printed by this seed; here the compiled loop returns "
            "them as an array, from which Python prints between chunks of steps.",
            code=(mlp.value_and_grad,),
        ),
    ),
    _experiment(
        name="random-data/tensor",
        section="cell 2",
        model="mlp",
        gradient="manual",
        reference="funcnn.reference.torch_two_layer:two_layer_tensor",
        lesson=Lesson(
            pytorch="tensors, the gradient by hand",
            here='`gradient="manual"`',
            change="PyTorch's tensors are moved to a device one by one; JAX puts its arrays "
            "on the first accelerator that it finds, and computes where they are.",
            code=(mlp.value_and_grad,),
        ),
    ),
    _experiment(
        name="random-data/autograd",
        section="cell 3",
        model="mlp",
        reference="funcnn.reference.torch_two_layer:two_layer_autograd",
        lesson=Lesson(
            pytorch="`loss.backward()`",
            here="`jax.value_and_grad`",
            change="PyTorch records a graph at every step and walks it back; JAX derives the "
            "gradient's program once, before the first step.",
            code=(mlp.apply, mlp.head, layers.clamp, forms.direct),
        ),
    ),
    _experiment(
        name="random-data/nn",
        section="cell 4",
        model="mlp_linear",
        learning_rate=1e-4,
        reference="funcnn.reference.torch_linear_relu_linear:linear_relu_linear",
        tolerances=tolerances(KINKS),
        lesson=Lesson(
            pytorch="`nn.Sequential(Linear, ReLU, Linear)`",
            here="`models.mlp_linear`",
            change="`Linear` draws its own weights from a hidden generator; here `init` is "
            "given a key, and draws from the same distribution, U(±1/√inputs).",
            code=(layers.linear, mlp_linear.apply),
        ),
    ),
    _experiment(
        name="random-data/adam",
        section="cell 8",
        model="mlp_linear",
        optimizer="adam",
        learning_rate=1e-4,
        reference="funcnn.reference.torch_linear_relu_linear:linear_relu_linear_adam",
        tolerances=tolerances(ADAM),
        lesson=Lesson(
            pytorch="`torch.optim.Adam`",
            here="`optimizers.adam`, over optax",
            change="Adam's running means are a tree beside the params in the run's state, "
            "where they can be looked at, saved, and mapped over.",
            code=(mlp_linear.apply, optimizers.adam_chain),
        ),
    ),
)
