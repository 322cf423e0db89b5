"""Source: "Two fully connected layers", sections 1 to 9."""

from __future__ import annotations

import functools

from funcnn import data, forms, layers, losses, optimizers
from funcnn.experiments.record import Experiment, Lesson, Tolerance, tolerances
from funcnn.models import mlp

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
    seed="Two fully connected layers",
    model="mlp",
    data=functools.partial(data.gaussian, in_features=1000),
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
        reference="funcnn.reference.numpy_loops:two_layer",
        lesson=Lesson(
            pytorch="NumPy, the gradient by hand",
            here='`gradient="manual"`',
            change="The chain rule stays as it was written; the weights are no longer changed "
            "in place but returned, so that the whole loop can be compiled.",
            code=(mlp.value_and_grad,),
        ),
    ),
    _experiment(
        name="two-layer/tensor",
        section="section 2",
        gradient="manual",
        reference="funcnn.reference.torch_two_layer:two_layer_tensor",
        lesson=Lesson(
            pytorch="tensors, the gradient by hand",
            here='`gradient="manual"`',
            change="`grad_h[h < 0] = 0` writes into an array; JAX's arrays cannot be written "
            "to, and `jnp.where` makes the new one.",
            code=(mlp.value_and_grad,),
        ),
    ),
    _experiment(
        name="two-layer/autograd",
        section="section 3",
        reference="funcnn.reference.torch_two_layer:two_layer_autograd",
        lesson=Lesson(
            pytorch="`loss.backward()`",
            here="`jax.value_and_grad`",
            change="A gradient is the value of a function and not a field that accumulates, so "
            "there is nothing to zero and nothing to shield with `no_grad`.",
            code=(mlp.apply, mlp.head, layers.clamp, forms.direct),
        ),
    ),
    _experiment(
        name="two-layer/optim",
        section="section 4",
        reference="funcnn.reference.torch_two_layer:two_layer_optim",
        lesson=Lesson(
            pytorch="`torch.optim.SGD`",
            here="`optimizers.sgd`, over optax",
            change="The optimizer owns neither weights nor state: it turns a gradient and its "
            "last state into a change and its next state.",
            code=(mlp.apply, mlp.head, optimizers.sgd_chain),
        ),
    ),
    _experiment(
        name="two-layer/loss",
        section="section 5",
        reference="funcnn.reference.torch_two_layer:two_layer_loss",
        lesson=Lesson(
            pytorch='`nn.MSELoss(reduction="sum")`',
            here="`losses.sum_squared_error`",
            change="What is an object with a `reduction` to set is a function here, and the sum "
            "and the mean are two; shapes that differ are refused, where PyTorch would "
            "broadcast them.",
            code=(mlp.apply, mlp.head, losses.sum_squared_error),
        ),
    ),
    _experiment(
        name="two-layer/sequential",
        section="section 6",
        reference="funcnn.reference.torch_two_layer:two_layer_sequential",
        lesson=Lesson(
            pytorch="`nn.Sequential`, updates by hand",
            here="`models.mlp.apply`",
            change="A stack of layers is a composition of functions; written out, it is two "
            "products with a clamp between them, the weights among the arguments. (On exact "
            "zeros `nn.ReLU` has the gradient 0 and `clamp` has 1; random data have none.)",
            code=(mlp.apply, mlp.head),
        ),
    ),
    _experiment(
        name="two-layer/sequential-optim",
        section="section 7",
        reference="funcnn.reference.torch_two_layer:two_layer_sequential_optim",
        lesson=Lesson(
            pytorch="`nn.Sequential` and `optim`",
            here="`models.mlp` and `optimizers.sgd`",
            change="`model.parameters()` has no counterpart: the params are a dict in your "
            "hands, and whatever takes a tree of arrays takes them.",
            code=(mlp.init, mlp.apply, mlp.head, optimizers.sgd_chain),
        ),
    ),
    _experiment(
        name="two-layer/module-explicit",
        section="section 8",
        reference="funcnn.reference.torch_two_layer:two_layer_module_explicit",
        lesson=Lesson(
            pytorch="`nn.Module` with `Parameter`s",
            here="a pair of pure functions",
            change="The constructor becomes `init`, which returns the weights, and `forward` "
            "becomes `apply`, which is given them: `self` is gone, and with it all that "
            "can change unseen.",
            code=(mlp.init, mlp.apply, mlp.head),
        ),
    ),
    _experiment(
        name="two-layer/module-implicit",
        section="section 9",
        reference="funcnn.reference.torch_two_layer:two_layer_module_implicit",
        lesson=Lesson(
            pytorch="`nn.Module` with `Linear`s",
            here="a pair of pure functions",
            change="`Linear` keeps its weight as (outputs, inputs) and multiplies by the "
            "transpose; a formula reads x·w, so here a weight is (inputs, outputs).",
            code=(mlp.init, mlp.apply, mlp.head),
        ),
    ),
)
