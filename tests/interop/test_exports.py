"""Trained models that predict without funcnn."""

from __future__ import annotations

import shutil
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import funcnn

pytest.importorskip("flatbuffers")

WITHOUT_FUNCNN = """
import sys, jax, numpy as np
folder, *names = sys.argv[1:]
for name in names:
    with jax.enable_x64(name == "wide"), open(f"{folder}/{name}.stablehlo", "rb") as file:
        call = jax.export.deserialize(bytearray(file.read())).call
        x = np.load(f"{folder}/{name}-x.npy")
        np.save(f"{folder}/{name}-y.npy", call(x))
assert "funcnn" not in sys.modules
"""


@pytest.fixture(scope="module")
def data():
    x = np.random.default_rng(0).standard_normal((30, 3)).astype("float32")
    return x, x[:, 0] * 3 + 100, np.where(x[:, 0] > 0, "right", "left")


@pytest.fixture(scope="module")
def trained(data):
    """Runs whose predictions differ in dtype, axes and what was done to the data."""
    x, y, kinds = data
    train = funcnn.train
    return {
        "plain": (train("mlp_linear", (x, y), hidden=4, steps=2), x),
        "scaled": (train("mlp_linear", (x, y), hidden=4, steps=2, standardize=True), x),
        "classes": (train("mlp_linear", (x, kinds), hidden=4, steps=2, loss="cross_entropy"), x),
        "wide": (
            train("polynomial", (x[:, 0], y), steps=2, dtype="float64"),
            x[:, 0].astype(float),
        ),
        "dropping": (train("mlp_linear", (x, y), hidden=4, steps=2, dropout=0.5), x),
    }


def test_stablehlo_predicts_in_a_process_without_funcnn(trained, tmp_path):
    for name, (result, x) in trained.items():
        result.export(tmp_path / f"{name}.stablehlo")
        np.save(tmp_path / f"{name}-x.npy", np.concatenate([x, x[:7]]))
    subprocess.run([sys.executable, "-c", WITHOUT_FUNCNN, str(tmp_path), *trained], check=True)
    for name, (result, x) in trained.items():
        expected = result.predict(np.concatenate([x, x[:7]]))
        found = np.load(tmp_path / f"{name}-y.npy")
        assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
        if name == "scaled":  # XLA may divide by a spread as it multiplies by its inverse.
            np.testing.assert_allclose(found, expected, rtol=2e-7)
        else:
            assert (found == expected).all()


def test_a_model_that_decides_by_the_number_of_samples_is_exported_for_one(data, tmp_path):
    x, y, _ = data

    def apply(params, x):
        return x @ params["w"] if len(x) > 10 else x @ params["w"] + 1

    model = (lambda _: {"w": jnp.zeros(3)}), apply
    result = funcnn.train(model, (x, y), steps=1)
    with pytest.raises(funcnn.ArgumentError, match="any number of samples; export it for one"):
        result.export(tmp_path / "own.stablehlo")
    result.export(tmp_path / "own.stablehlo", samples=5)
    call = jax.export.deserialize(bytearray((tmp_path / "own.stablehlo").read_bytes())).call
    assert (np.asarray(call(x[:5])) == result.predict(x[:5])).all()


@pytest.mark.slow
def test_a_module_of_pytorch_is_exported_for_any_number_of_samples(tmp_path):
    torch = pytest.importorskip("torch")
    from torch import nn

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.norm = nn.Conv1d(3, 5, 3), nn.BatchNorm1d(5)
            self.inner, self.last = nn.Linear(5, 6), nn.Linear(60, 4)

        def forward(self, x):
            h = self.norm(self.conv(x).relu()).transpose(1, 2)
            return self.last(self.inner(h).flatten(1))

    torch.manual_seed(0)
    net, x = Net(), torch.randn(40, 3, 12)
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    result = funcnn.train(net, (x, torch.randn(40, 4)), optimizer=optimizer, steps=2)
    result.export(tmp_path / "model.stablehlo")
    counts = (1, 5, 40)  # Where it goes its own way, and where a product is turned or not.
    for count in counts:
        shutil.copy(tmp_path / "model.stablehlo", tmp_path / f"{count}.stablehlo")
        np.save(tmp_path / f"{count}-x.npy", x[:count])
    names = map(str, counts)
    subprocess.run([sys.executable, "-c", WITHOUT_FUNCNN, str(tmp_path), *names], check=True)
    for count in counts:
        found, expected = np.load(tmp_path / f"{count}-y.npy"), result.predict(x[:count])
        assert found.shape == expected.shape
        assert (found == expected).all()


@pytest.mark.parametrize("rule", [lambda x: x * (1 if len(x) < 20 else 2), lambda x: x.squeeze()])
def test_a_module_that_decides_by_the_number_of_samples_is_refused(rule, tmp_path):
    torch = pytest.importorskip("torch")
    from torch import nn

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.last = nn.Linear(3, 1)

        def forward(self, x):
            return rule(self.last(x))

    net, x = Net(), torch.ones(40, 3)
    y = rule(torch.ones(40, 1))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    result = funcnn.train(net, (x, y), optimizer=optimizer, steps=1)
    with pytest.raises(funcnn.ArgumentError, match="number of samples; export it for one"):
        result.export(tmp_path / "model.stablehlo")
    result.export(tmp_path / "model.stablehlo", samples=30)
    call = jax.export.deserialize(bytearray((tmp_path / "model.stablehlo").read_bytes())).call
    assert (np.asarray(call(x[:30].numpy())) == result.predict(x[:30])).all()


@pytest.mark.parametrize("activation", [None, *funcnn.models.ACTIVATIONS])
def test_onnx_predicts_in_its_runtime(activation, data, trained, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    result, x = trained["scaled"]
    if activation is None:
        result = funcnn.train("mlp", (data[0], data[1]), hidden=4, steps=1)
    elif activation != "relu":  # The same run, less what would have to be compiled.
        model = funcnn.models.make(
            "mlp_linear", in_features=3, hidden=4, out_features=1, activation=activation
        )
        recipe = {"model": "mlp_linear", "activation": activation}
        result = funcnn.Predictor(model, result.params, result.preparation, recipe)
    result.export(tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    (found,) = session.run(["prediction"], {"x": x})
    expected = result.predict(x)
    assert found.shape == expected.shape == (30,)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)


def test_what_onnx_cannot_hold_is_refused_by_name(trained, tmp_path):
    pytest.importorskip("onnx")
    with pytest.raises(funcnn.ArgumentError, match=r"polynomial cannot be written as \.onnx: mlp"):
        trained["wide"][0].export(tmp_path / "model.onnx")


@pytest.mark.parametrize(
    ("package", "ending", "extra"),
    [("flatbuffers", "stablehlo", "export"), ("onnx", "onnx", "onnx")],
)
def test_what_is_missing_is_named(package, ending, extra, trained, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(funcnn.MissingExtraError, match=rf"pip install 'funcnn\[{extra}\]'"):
        trained["plain"][0].export(tmp_path / f"model.{ending}")
