"""Source: "PyTorch learning notes 5", sections 2 to 9."""

from __future__ import annotations

import functools

from funcnn import data, forms, legendre, optimizers
from funcnn.experiments.record import Experiment, Lesson, Tolerance, tolerances
from funcnn.models import dynamic, polynomial, polynomial_linear
from funcnn.models import legendre as legendre_model

__all__ = ["RECORDS"]

SUMS = Tolerance(1e-5, "a sum over 2000 points, rounded in another order at every step")

_UNSTABLE = (
    "as gradients vanish RMSprop's steps outgrow the curvature, and enlarge every rounding; a "
    "run of PyTorch, started one rounding away, parts from the first one some steps later"
)

_experiment = functools.partial(
    Experiment,
    seed="PyTorch learning notes 5",
    data=data.sine,
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
        reference="funcnn.reference.numpy_loops:cubic",
        lesson=Lesson(
            pytorch="NumPy, the gradient by hand",
            here='`gradient="manual"`',
            change="The four gradients Σ g·xᵏ become one line for any degree, and the four "
            "coefficients one dict.",
            code=(polynomial.apply, polynomial.value_and_grad),
        ),
    ),
    _experiment(
        name="sine/tensor",
        section="section 3",
        model="polynomial",
        gradient="manual",
        reference="funcnn.reference.torch_sine:cubic_tensor",
        lesson=Lesson(
            pytorch="tensors, the gradient by hand",
            here='`gradient="manual"`',
            change="Each eager operation on 2000 points costs more to start than to do; "
            "compiled into one loop, they are started once for all steps.",
            code=(polynomial.apply, polynomial.value_and_grad),
        ),
    ),
    _experiment(
        name="sine/autograd",
        section="section 4",
        model="polynomial",
        reference="funcnn.reference.torch_sine:cubic_autograd",
        lesson=Lesson(
            pytorch="`loss.backward()`",
            here="`jax.value_and_grad`",
            change="`requires_grad` marks tensors one by one; `jax.value_and_grad` "
            "differentiates by an argument of a function, here the whole dict.",
            code=(polynomial.apply, forms.direct),
        ),
    ),
    _experiment(
        name="sine/legendre",
        section="section 5",
        model="legendre",
        learning_rate=5e-6,
        reference="funcnn.reference.torch_sine:legendre",
        lesson=Lesson(
            pytorch="`torch.autograd.Function`",
            here="`jax.custom_vjp`",
            change="What `ctx` carried from `forward` to `backward` is returned by the one "
            "and taken by the other, so that both are plain functions.",
            code=(legendre, legendre_model.apply),
        ),
    ),
    _experiment(
        name="sine/nn",
        section="section 6",
        model="polynomial_linear",
        reference="funcnn.reference.torch_sine:cubic_linear",
        lesson=Lesson(
            pytorch="`nn.Linear(3, 1)` and `nn.Flatten`",
            here="`models.polynomial_linear`",
            change="The layer is one product of its numbers with the powers of x, the bias that of "
            "x⁰; the prediction is (samples,) as the target is, so there is nothing to flatten.",
            code=(polynomial_linear.init, polynomial_linear.apply),
        ),
    ),
    _experiment(
        name="sine/rmsprop",
        section="section 7",
        model="polynomial_linear",
        optimizer="rmsprop",
        learning_rate=1e-3,
        reference="funcnn.reference.torch_sine:cubic_linear_rmsprop",
        tolerances=tolerances(
            float64=Tolerance(1e-8, _UNSTABLE, steps=1000, chaotic=True),
            float32=Tolerance(1e-5, _UNSTABLE, steps=1000, chaotic=True),
        ),
        lesson=Lesson(
            pytorch="`torch.optim.RMSprop`",
            here="`optimizers.rmsprop`, over optax",
            change="optax's own defaults are a decay of 0.9 and ε under the root; PyTorch's, "
            "taken here, are 0.99 and ε beside it.",
            code=(polynomial_linear.apply, optimizers.rmsprop_chain),
        ),
    ),
    _experiment(
        name="sine/module",
        section="section 8",
        model="polynomial",
        reference="funcnn.reference.torch_sine:cubic_module",
        lesson=Lesson(
            pytorch="`nn.Module`",
            here="a pair of pure functions",
            change="What is a method of the module is a function of the params: `apply` gives "
            "the prediction, and `formula` the fitted polynomial as text.",
            code=(polynomial.init, polynomial.apply, polynomial.formula),
        ),
    ),
    _experiment(
        name="sine/dynamic",
        section="section 9",
        model="dynamic",
        optimizer="momentum",
        learning_rate=1e-8,
        steps=30000,
        printed=range(1999, 30000, 2000),
        reference="funcnn.reference.torch_sine:dynamic",
        tolerances=tolerances(
            Tolerance(3e-4, "30000 steps, each a sum of powers up to π⁵ = 306, rounded anew")
        ),
        lesson=Lesson(
            pytorch="control flow in `forward`",
            here="a draw from the step's key, and `jnp.where`",
            change="A compiled program has one shape, so both terms stand in it and a random "
            "number, a function of key and step, switches them; a gradient of a term "
            "that is off is 0, never missing.",
            code=(dynamic.draw_terms, dynamic.apply),
        ),
    ),
)
