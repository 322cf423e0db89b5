"""The 27 records, against a table of their own, and ``train(experiment=…)``."""

from __future__ import annotations

import ast
import dataclasses
import subprocess
import sys
import typing
from pathlib import Path

import numpy as np
import pytest

import funcnn
from funcnn.experiments import EXPERIMENTS, OF_MODEL, Tolerance, datasets

ROOT = Path(__file__).parents[2]
EVERY_100 = range(99, 2000, 100)
NETWORK = ("mlp", "sgd", 1e-6)
LAYERS = ("mlp_linear", "sgd", 1e-4)
ADAM = ("mlp_linear", "adam", 1e-4)
CUBIC = ("polynomial", "sgd", 1e-6)

# name: (model, optimizer, learning rate), gradient, dtype, steps, printed, shape of x
TABLE = {
    "two-layer/numpy": (NETWORK, "manual", "float64", 500, range(0, 500, 50), (64, 1000)),
    **{
        f"two-layer/{name}": (NETWORK, gradient, "float32", 500, range(0, 500, 50), (64, 1000))
        for name, gradient in [
            ("tensor", "manual"),
            ("autograd", "autodiff"),
            ("optim", "autodiff"),
            ("loss", "autodiff"),
            ("sequential", "autodiff"),
            ("sequential-optim", "autodiff"),
            ("module-explicit", "autodiff"),
            ("module-implicit", "autodiff"),
        ]
    },
    "sine/numpy": (CUBIC, "manual", "float64", 2000, EVERY_100, (2000,)),
    "sine/tensor": (CUBIC, "manual", "float32", 2000, EVERY_100, (2000,)),
    "sine/autograd": (CUBIC, "autodiff", "float32", 2000, EVERY_100, (2000,)),
    "sine/legendre": (
        ("legendre", "sgd", 5e-6), "autodiff", "float32", 2000, EVERY_100, (2000,)
    ),
    "sine/nn": (
        ("polynomial_linear", "sgd", 1e-6), "autodiff", "float32", 2000, EVERY_100, (2000,)
    ),
    "sine/rmsprop": (
        ("polynomial_linear", "rmsprop", 1e-3), "autodiff", "float32", 2000, EVERY_100, (2000,)
    ),
    "sine/module": (CUBIC, "autodiff", "float32", 2000, EVERY_100, (2000,)),
    "sine/dynamic": (
        ("dynamic", "momentum", 1e-8),
        "autodiff", "float32", 30000, range(1999, 30000, 2000), (2000,),
    ),
    **{
        f"{family}/{name}": (*what, steps, range(steps), (64, inputs))
        for family, steps, inputs in [("random-data", 100, 1000), ("mnist-shape", 500, 784)]
        for name, *what in [
            ("numpy", NETWORK, "manual", "float64"),
            ("tensor", NETWORK, "manual", "float32"),
            ("autograd", NETWORK, "autodiff", "float32"),
            ("nn", LAYERS, "autodiff", "float32"),
            ("adam", ADAM, "autodiff", "float32"),
        ]
    },
}  # fmt: skip


def test_the_records_are_the_table():
    assert len(EXPERIMENTS) == 27
    found = {
        record.name: (
            (record.model, record.optimizer, record.learning_rate),
            record.gradient,
            record.dtype,
            record.steps,
            record.printed,
            record.data()[0].shape,
        )
        for record in EXPERIMENTS.values()
    }
    assert found == TABLE
    assert {record.loss for record in EXPERIMENTS.values()} == {"sum_squared_error"}
    assert all(name == record.name for name, record in EXPERIMENTS.items())


BY_HAND = {"numpy": "two_layer", "tensor": "two_layer_tensor", "autograd": "two_layer_autograd"}
BY_LAYERS = {"nn": "linear_relu_linear", "adam": "linear_relu_linear_adam"}
REFERENCES = {
    "two-layer": {
        **BY_HAND,
        "optim": "two_layer_optim",
        "loss": "two_layer_loss",
        "sequential": "two_layer_sequential",
        "sequential-optim": "two_layer_sequential_optim",
        "module-explicit": "two_layer_module_explicit",
        "module-implicit": "two_layer_module_implicit",
    },
    "sine": {
        "numpy": "cubic",
        "tensor": "cubic_tensor",
        "autograd": "cubic_autograd",
        "legendre": "legendre",
        "nn": "cubic_linear",
        "rmsprop": "cubic_linear_rmsprop",
        "module": "cubic_module",
        "dynamic": "dynamic",
    },
    "random-data": BY_HAND | BY_LAYERS,
    "mnist-shape": BY_HAND | BY_LAYERS,
}


def test_each_stands_beside_the_reference_of_its_own_way():
    found: dict[str, dict[str, str]] = {}
    for record in EXPERIMENTS.values():
        family, way = record.name.split("/")
        found.setdefault(family, {})[way] = record.reference.split(":")[1]
    assert found == REFERENCES


def test_the_sine_is_the_tutorial_s():
    x, y = EXPERIMENTS["sine/nn"].data()
    np.testing.assert_array_equal(x, np.linspace(-np.pi, np.pi, 2000))
    np.testing.assert_array_equal(y, np.sin(x))


def test_the_random_data_are_the_same_at_every_call():
    x, y = EXPERIMENTS["mnist-shape/nn"].data()
    assert (x.shape, y.shape) == ((64, 784), (64, 10))
    again = datasets.gaussian(784)
    np.testing.assert_array_equal(x, again[0])
    np.testing.assert_array_equal(y, again[1])
    assert abs(x.mean()) < 0.02
    assert x.std() == pytest.approx(1, abs=0.02)


def imports(path):
    """The modules that a file imports, those inside functions too."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def file_of(module):
    """The file of a module of funcnn; None for a name that is no module."""
    place = ROOT.joinpath(*module.split("."))
    files = (place / "__init__.py", place.with_suffix(".py"))
    return next((file for file in files if file.exists()), None)


def test_the_records_import_nothing_but_core_and_numpy():
    package = ROOT / "funcnn"
    waiting, seen = list((package / "experiments").glob("*.py")), set()
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        wing = path.relative_to(package).parts[0]
        assert wing in {"experiments", "core"}, path
        for name in imports(path):
            root = name.split(".")[0]
            if root == "funcnn":
                waiting += [file for file in [file_of(name)] if file and file.parent != package]
            elif wing == "experiments":
                assert root in {"numpy", "jaxtyping", *sys.stdlib_module_names}, path
    assert any(path.parent.name == "core" for path in seen)


def test_importing_the_records_imports_nothing_but_core():
    # In place of the package a bare one of its name: only what is asked for is imported.
    code = (
        "import sys, types; bare = types.ModuleType('funcnn'); "
        f"bare.__path__ = [{str(ROOT / 'funcnn')!r}]; sys.modules['funcnn'] = bare; "
        "import funcnn.experiments; print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    wings = {name.split(".")[1] for name in done.stdout.split() if name.startswith("funcnn.")}
    assert wings == {"core", "experiments"}


def test_public_names_have_types_that_can_be_read():
    for name in funcnn.experiments.__all__:
        if callable(getattr(funcnn.experiments, name)):
            assert typing.get_type_hints(getattr(funcnn.experiments, name))


def test_records_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        EXPERIMENTS["sine/nn"].steps = 3  # type: ignore[misc]
    with pytest.raises(TypeError):
        EXPERIMENTS["sine/nn"] = EXPERIMENTS["sine/numpy"]  # type: ignore[index]


def test_an_experiment_is_the_call_that_it_stands_for():
    by_name = funcnn.train(experiment="mnist-shape/adam", steps=20)
    data = EXPERIMENTS["mnist-shape/adam"].data()
    written_out = funcnn.train(
        "mlp_linear", data, loss="sum_squared_error", optimizer="adam", learning_rate=1e-4,
        steps=20, gradient="autodiff",
    )  # fmt: skip
    np.testing.assert_array_equal(by_name.losses, written_out.losses)
    assert len(funcnn.train(experiment="sine/numpy").losses) == 2000
    assert funcnn.train(experiment="sine/numpy", steps=3).dtype == "float64"


@pytest.mark.parametrize("model", OF_MODEL)
def test_a_model_s_own_experiment_is_its_default(model):
    own = funcnn.train(model, steps=5)
    np.testing.assert_array_equal(
        own.losses, funcnn.train(experiment=OF_MODEL[model].name, steps=5).losses
    )


@pytest.mark.filterwarnings("ignore:the loss ended")  # Its first steps go up.
def test_every_field_can_be_overridden(line):
    start = funcnn.train(experiment="two-layer/numpy", steps=3)
    assert start.dtype == "float64"
    assert funcnn.train(experiment="two-layer/numpy", steps=3, dtype="float32").dtype == "float32"
    for change in (
        {"learning_rate": 1e-7},
        {"optimizer": "adam"},
        {"seed": 1},
        {"hidden": 7},
        {"loss": "mean_squared_error", "gradient": "autodiff"},
        {"batch_size": 16},
    ):
        other = funcnn.train(experiment="two-layer/numpy", steps=3, **change)
        assert not np.array_equal(other.losses, start.losses), change
    result = funcnn.train("polynomial", line, experiment="sine/rmsprop", steps=2)
    assert set(result.params) == set("abcd")


def test_a_model_of_one_s_own_takes_the_rest_from_an_experiment():
    model = funcnn.models.make("polynomial")
    result = funcnn.train((model.init, model.apply), experiment="sine/autograd", steps=50)
    expected = funcnn.train(experiment="sine/autograd", steps=50)
    # Of the named model half of the loss is differentiated, for it is known to be linear.
    np.testing.assert_allclose(result.losses, expected.losses, rtol=1e-5)


@pytest.mark.parametrize("experiment", ["sine/nothing", "", 3, ("sine", "nn")])
def test_what_is_no_experiment(experiment):
    for function in (
        lambda: funcnn.train(experiment=experiment),
        lambda: funcnn.reproduce(experiment),
    ):
        with pytest.raises(funcnn.ArgumentError, match="experiment"):
            function()


def test_the_tolerances():
    for record in EXPERIMENTS.values():
        assert record.tolerances.keys() == {"float64", "float32"}
        exact, single = record.tolerances["float64"], record.tolerances["float32"]
        assert (exact.relative, exact.of_first) == (1e-8, 0)
        relative = 3e-4 if record.name == "sine/dynamic" else 1e-5
        assert single.relative == relative
        of_first, at_most = {"mlp": (1e-9, 0.1), "mlp_linear": (5e-5, 0.02)}.get(
            record.model, (0, 0)
        )
        assert (single.of_first, single.at_most) == (of_first, at_most)
        for tolerance in (exact, single):
            assert tolerance.chaotic == (record.optimizer == "rmsprop")
            assert tolerance.steps == (1000 if tolerance.chaotic else None)
            assert tolerance.reason
    reference = np.array([100.0, 10.0])
    allowed = Tolerance(1e-2, "for once", of_first=1e-3, at_most=0.005).allowed(reference)
    np.testing.assert_allclose(allowed, [1.1, 0.15])
