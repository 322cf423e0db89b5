"""The losses: held to PyTorch's, value and gradient, in float64."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import funcnn
from funcnn import losses

CLOSE = {"rtol": 1e-12, "atol": 1e-12}
RANDOM = np.random.default_rng(0)
SAMPLES, OUTPUTS = 9, 3

# Errors of 0 and of exactly 1/2 and 2, where huber and smooth_l1 go from one form to the other.
ERRORS = np.concatenate([[0.0, 0.5, -0.5, 2.0, -2.0], RANDOM.standard_normal(22)])
NUMBERS = RANDOM.integers(-8, 8, (SAMPLES, OUTPUTS)) / 4.0
NEAR = NUMBERS + ERRORS.reshape(SAMPLES, OUTPUTS)
LOGITS = RANDOM.permutation(
    np.concatenate([[0.0, 0.0, 800.0, -800.0, 30.0, -30.0], 3 * RANDOM.standard_normal(21)])
).reshape(SAMPLES, OUTPUTS)
SHARES = np.concatenate([[0.0, 0.0, 1.0, 1.0], RANDOM.random(23)]).reshape(SAMPLES, OUTPUTS)
BITS = RANDOM.integers(0, 2, (SAMPLES, OUTPUTS))
LABELS = np.arange(SAMPLES) % OUTPUTS
PROBABILITIES = SHARES / SHARES.sum(axis=1, keepdims=True)
WEIGHTS = [0.5, 2.0, 7.0]

CASES = {
    "sum": (losses.sum_squared_error, NEAR, NUMBERS, "mse_loss", {"reduction": "sum"}),
    "mean": (losses.mean_squared_error, NEAR, NUMBERS, "mse_loss", {}),
    "mean-of-one-axis": (losses.mean_squared_error, NEAR[:, 0], NUMBERS[:, 0], "mse_loss", {}),
    "absolute": (losses.mean_absolute_error, NEAR, NUMBERS, "l1_loss", {}),
    "huber": (losses.huber, NEAR, NUMBERS, "huber_loss", {}),
    "huber-2": (losses.huber, NEAR, NUMBERS, "huber_loss", {"delta": 2.0}),
    "huber-half": (losses.huber, NEAR, NUMBERS, "huber_loss", {"delta": 0.5}),
    "smooth": (losses.smooth_l1, NEAR, NUMBERS, "smooth_l1_loss", {}),
    "smooth-2": (losses.smooth_l1, NEAR, NUMBERS, "smooth_l1_loss", {"beta": 2.0}),
    "smooth-half": (losses.smooth_l1, NEAR, NUMBERS, "smooth_l1_loss", {"beta": 0.5}),
    "smooth-0": (losses.smooth_l1, NEAR, NUMBERS, "smooth_l1_loss", {"beta": 0.0}),
    "binary": (losses.binary_cross_entropy, LOGITS, SHARES, "binary", {}),
    "binary-bits": (losses.binary_cross_entropy, LOGITS, BITS, "binary", {}),
    "binary-truth": (losses.binary_cross_entropy, LOGITS[:, 0], BITS[:, 0] == 1, "binary", {}),
    "binary-one": (losses.binary_cross_entropy, LOGITS, SHARES, "binary", {"pos_weight": 1e-6}),
    "binary-each": (losses.binary_cross_entropy, LOGITS, SHARES, "binary", {"pos_weight": WEIGHTS}),
    "labels": (losses.cross_entropy, LOGITS, LABELS, "cross_entropy", {}),
    "labels-smoothed": (losses.cross_entropy, LOGITS, LABELS, "cross_entropy",
                        {"label_smoothing": 0.1}),
    "labels-gone": (losses.cross_entropy, LOGITS, LABELS, "cross_entropy", {"label_smoothing": 1}),
    "labels-weighed": (losses.cross_entropy, LOGITS, LABELS, "cross_entropy",
                       {"class_weight": WEIGHTS}),
    "labels-both": (losses.cross_entropy, LOGITS, LABELS, "cross_entropy",
                    {"class_weight": WEIGHTS, "label_smoothing": 0.3}),
    "shares": (losses.cross_entropy, LOGITS, PROBABILITIES, "cross_entropy", {}),
    "shares-both": (losses.cross_entropy, LOGITS, PROBABILITIES, "cross_entropy",
                    {"class_weight": WEIGHTS, "label_smoothing": 0.3}),
}  # fmt: skip


def by_torch(name, prediction, target, options):
    """Value and gradient."""
    torch = pytest.importorskip("torch")
    function = torch.nn.functional.binary_cross_entropy_with_logits
    if name != "binary":
        function = getattr(torch.nn.functional, name)
    options = dict(options)
    for ours, theirs in (("class_weight", "weight"), ("pos_weight", "pos_weight")):
        if ours in options:
            options[theirs] = torch.tensor(options.pop(ours), dtype=torch.float64)
    prediction = torch.tensor(prediction, requires_grad=True)
    target = torch.tensor(target)
    if name == "binary":
        target = target.to(torch.float64)
    value = function(prediction, target, **options)
    value.backward()
    return value.item(), prediction.grad.numpy()


def by_funcnn(loss, prediction, target, **options):
    """Value and gradient."""
    with jax.enable_x64(True):
        one = functools.partial(loss, target=jnp.asarray(target), **options)
        value, gradient = jax.value_and_grad(one)(jnp.asarray(prediction))
    assert value.shape == ()
    assert value.dtype == gradient.dtype == np.float64
    return float(value), np.asarray(gradient)


def ours_of(options):
    return {name: value for name, value in options.items() if name != "reduction"}


@pytest.mark.parametrize("case", CASES)
def test_value_and_gradient_are_pytorch_s(case):
    loss, prediction, target, name, options = CASES[case]
    value, gradient = by_funcnn(loss, prediction, target, **ours_of(options))
    expected, expected_gradient = by_torch(name, prediction, target, options)
    np.testing.assert_allclose(value, expected, **CLOSE)
    np.testing.assert_allclose(gradient, expected_gradient, **CLOSE)


@pytest.mark.parametrize("case", CASES)
def test_a_sample_of_weight_2_counts_as_two(case):
    loss, prediction, target, name, options = CASES[case]
    times = np.array([2, 1, 0, 3, 1, 1, 2, 1, 1])
    rows = np.repeat(np.arange(SAMPLES), times)
    value, gradient = by_funcnn(
        loss, prediction, target, **ours_of(options), sample_weight=jnp.asarray(times)
    )
    expected, repeated = by_torch(name, prediction[rows], target[rows], options)
    expected_gradient = np.zeros_like(prediction)
    np.add.at(expected_gradient, rows, repeated)
    np.testing.assert_allclose(value, expected, **CLOSE)
    np.testing.assert_allclose(gradient, expected_gradient, **CLOSE)


@pytest.mark.parametrize("case", CASES)
def test_samples_without_weight_have_no_loss(case):
    loss, prediction, target, _, options = CASES[case]
    value, gradient = by_funcnn(
        loss, prediction, target, **ours_of(options), sample_weight=np.zeros(SAMPLES)
    )
    assert value == 0
    np.testing.assert_array_equal(gradient, 0)


@pytest.mark.parametrize("beta", [1e-3, 1e-40, 0.0])
def test_a_small_beta_is_no_trap_in_float32(beta):
    prediction = jnp.array([0.0, 1.0, -2.0], jnp.float32)
    value, gradient = jax.value_and_grad(losses.smooth_l1)(prediction, jnp.zeros(3), beta=beta)
    np.testing.assert_allclose(value, 1.0, rtol=1e-3)
    np.testing.assert_allclose(gradient, np.array([0, 1, -1]) / 3, rtol=1e-6)


def test_sum_squared_error_has_a_second_derivative():
    error, direction = jnp.array([0.5, -3.0]), jnp.array([1.0, 2.0])
    gradient = jax.grad(lambda error: losses.sum_squared_error(error, jnp.zeros(2)))
    np.testing.assert_array_equal(jax.jacfwd(gradient)(error), 2 * np.eye(2))
    value, change = jax.jvp(gradient, (error,), (direction,))
    np.testing.assert_array_equal((value, change), (2 * error, 2 * direction))


def test_arrays_of_numpy_and_traced_options_are_taken():
    def total(number):
        return (
            losses.huber(NEAR, NUMBERS, delta=number, sample_weight=np.ones(SAMPLES))
            + losses.smooth_l1(NEAR, NUMBERS, beta=number)
            + losses.binary_cross_entropy(LOGITS, BITS, pos_weight=number)
            + losses.cross_entropy(LOGITS, LABELS, class_weight=WEIGHTS, label_smoothing=number)
        )

    value = jax.jit(total)(0.5)
    assert value.dtype == jnp.float32
    np.testing.assert_allclose(value, total(0.5), rtol=1e-6)


TWO = jnp.zeros((4, 2))
REFUSED = {
    "column": (losses.huber, TWO[:, :1], TWO[:, 0], {}, "nothing is broadcast"),
    "binary-column": (losses.binary_cross_entropy, TWO[:, :1], TWO[:, 0], {}, "nothing is bro"),
    "weights": (losses.huber, TWO, TWO, {"sample_weight": np.ones(2)}, "sample_weight has shape"),
    "weight-of-one": (losses.sum_squared_error, TWO[0, 0], TWO[0, 0],
                      {"sample_weight": np.float32(1)}, "one weight for each sample is needed"),
    "delta": (losses.huber, TWO, TWO, {"delta": 0}, "delta=0 must be a positive finite number"),
    "beta": (losses.smooth_l1, TWO, TWO, {"beta": -1}, "beta=-1 must be a non-negative"),
    "smoothing": (losses.cross_entropy, TWO, TWO, {"label_smoothing": 1.5}, "from 0 to 1"),
    "classes": (losses.cross_entropy, TWO, TWO, {"class_weight": [1, 2, 3]},
                "class_weight holds 3 numbers; the prediction has 2 classes"),
    "outputs": (losses.binary_cross_entropy, TWO, TWO, {"pos_weight": (1, 2, 3)},
                "pos_weight holds 3 numbers"),
    "no-outputs": (losses.binary_cross_entropy, TWO[:, 0], TWO[:, 0], {"pos_weight": (1,) * 4},
                   "or give one number for all"),
    "axes": (losses.cross_entropy, TWO[:, 0], jnp.zeros(4, int), {}, "(samples, classes)"),
    "float-labels": (losses.cross_entropy, TWO, TWO[:, 0], {}, "takes integer targets, not float"),
    "one-hot": (losses.cross_entropy, TWO, jnp.zeros((4, 2), int), {}, "takes float targets of"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_compared_is_refused(name):
    loss, prediction, target, options, message = REFUSED[name]
    with pytest.raises(funcnn.ArgumentError) as caught:
        loss(prediction, target, **options)
    assert message in str(caught.value)


# By name.

ALIASES = {
    "mse": "mean_squared_error", "mae": "mean_absolute_error", "l1": "mean_absolute_error",
    "bce": "binary_cross_entropy", "bce_with_logits": "binary_cross_entropy",
    "MSELoss": "mean_squared_error", "nn.L1Loss": "mean_absolute_error", "HuberLoss": "huber",
    "SmoothL1Loss": "smooth_l1", "torch.nn.BCEWithLogitsLoss": "binary_cross_entropy",
    "CrossEntropyLoss": "cross_entropy", "F.mse_loss": "mean_squared_error",
    "binary_cross_entropy_with_logits": "binary_cross_entropy",
    "MeanSquaredError": "mean_squared_error", "keras.losses.Huber": "huber",
    "absolute_error": "mean_absolute_error",
    "optax.softmax_cross_entropy_with_integer_labels": "cross_entropy",
}  # fmt: skip


def test_a_loss_is_found_by_its_names():
    for name, loss in losses.LOSSES.items():
        assert losses.named(name) is loss is getattr(losses, name)
    for other, name in ALIASES.items():
        assert losses.named(other) is losses.LOSSES[name]


def test_the_same_options_give_the_same_function():
    assert losses.named("huber", delta=1) is losses.huber
    assert losses.named("ce", label_smoothing=0, class_weight=None) is losses.cross_entropy
    found = losses.named("cross_entropy", class_weight=[1, 2], label_smoothing=0.1)
    again = losses.named("ce", label_smoothing=np.float64(0.1), class_weight=np.array([1.0, 2.0]))
    assert found is again
    assert found is not losses.named("cross_entropy", class_weight=[1, 3], label_smoothing=0.1)
    assert losses.without_options(found) is losses.cross_entropy
    assert losses.named("bce", pos_weight=2) is not losses.named("bce", pos_weight=[2])
    expected = losses.cross_entropy(TWO, LABELS[:4] % 2, class_weight=(1, 2), label_smoothing=0.1)
    np.testing.assert_allclose(found(TWO, LABELS[:4] % 2), expected, rtol=1e-6)


UNKNOWN = {
    "name": ("hinge", {}, "loss='hinge' is not known. It is not offered"),
    "no-name": (3, {}, "loss=3 is not a name"),
    "probabilities": ("nn.BCELoss", {}, "did you mean 'binary_cross_entropy'? It takes logits"),
    "keras": ("binary_crossentropy", {}, "did you mean 'binary_cross_entropy'? It takes logits"),
    "log-softmax": ("NLLLoss", {}, "did you mean 'cross_entropy'? The model predicts logits: lea"),
    "option": ("cross_entropy", {"delta": 1}, "takes no delta. Accepted: label_smoothing, class_w"),
    "torch-option": ("ce", {"weight": [1, 2]}, "takes no weight; did you mean class_weight?"),
    "reduction": ("mse", {"reduction": "sum"}, "'sum_squared_error' is a sum over the samples"),
    "sample-weight": ("mse", {"sample_weight": [1]}, "takes no sample_weight"),
    "value": ("huber", {"delta": "1"}, "delta='1' is not a number"),
    "none": ("huber", {"delta": None}, "delta=None is not a number"),
    "zero": ("ce", {"class_weight": [1, 0]}, "class_weight[1]=0 must be a positive finite number"),
    "dict": ("ce", {"class_weight": {0: 1.0}}, "must be a sequence of positive numbers"),
    "nested": ("ce", {"class_weight": [[1, 2]]}, "class_weight[0]=[1, 2] is not a number"),
    "text": ("bce", {"pos_weight": "balanced"}, "pos_weight='balanced' is not a number"),
    "true": ("bce", {"pos_weight": True}, "pos_weight=True is not a number"),
}


@pytest.mark.parametrize("case", UNKNOWN)
def test_what_is_no_loss_or_no_option_is_refused(case):
    name, options, message = UNKNOWN[case]
    with pytest.raises(funcnn.ArgumentError) as caught:
        losses.named(name, **options)
    assert message in str(caught.value)


def test_whether_a_loss_takes_weights():
    def own(prediction, target, sample_weight):
        return (sample_weight * (prediction - target)).sum()

    assert all(map(losses.weighted, losses.LOSSES.values()))
    assert losses.weighted(losses.named("huber", delta=3))
    assert losses.weighted(own)
    assert not losses.weighted(lambda prediction, target, **others: (prediction, target, others))
    assert not losses.weighted(lambda prediction, sample_weight, /: (prediction, sample_weight))
    assert not losses.weighted(max)


# In a run.

X = RANDOM.standard_normal((12, 3))
SHORT = {"steps": 3, "hidden": 4, "dtype": "float64"}


def test_binary_targets_are_taken_in_every_kind():
    y = X[:, 0] > 0
    expected = funcnn.train("mlp_linear", (X, y[:, None] * 1.0), loss=losses.binary_cross_entropy,
                            **SHORT)  # fmt: skip
    assert expected.params["w2"].shape == (4, 1)
    for same in (y, y.astype(int), y.astype(np.uint8)[:, None], y * 1.0):
        result = funcnn.train("mlp_linear", (X, same), loss="BCEWithLogitsLoss", **SHORT)
        np.testing.assert_array_equal(result.losses, expected.losses)
        assert result.predict(X).shape == same.shape


def test_classes_may_be_given_as_probabilities():
    y = np.arange(12) % 3
    labels = funcnn.train("mlp_linear", (X, y), loss="cross_entropy", **SHORT)
    shares = funcnn.train("mlp_linear", (X, np.eye(3)[y]), loss="cross_entropy", **SHORT)
    np.testing.assert_allclose(shares.losses, labels.losses, rtol=1e-12)


SMOOTHED = losses.named("cross_entropy", label_smoothing=0.1)
WRONG = {
    "binary-class": (np.arange(12), "bce", "y holds 12 labels, and loss='binary_cross_ent"),
    "binary-number": (X[:, 0], "bce", "takes probabilities, from 0 to 1"),
    "no-probabilities": (X, "ce", "takes probabilities, from 0 to 1"),
    "one-hot": (np.eye(3, dtype=int)[np.arange(12) % 3], "ce", "(samples,) is needed"),
    "smoothed-floats": (X[:, 0], SMOOTHED, "y must hold whole numbers"),
    "whole": (np.arange(12), losses.named("huber", delta=2), "huber takes floats: pass"),
    "one-output": (np.arange(12) % 2, losses.named("ce", class_weight=[1, 2, 3]),
                   "class_weight holds 3 numbers; the prediction has 2 classes"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_targets_that_a_loss_does_not_take_are_refused(name, compiles):
    y, loss, message = WRONG[name]
    with compiles() as compiled, pytest.raises(funcnn.ArgumentError) as caught:
        funcnn.train("mlp_linear", (X, y), loss=loss, steps=2)
    assert message in str(caught.value)
    assert compiled == []


def test_a_class_beyond_the_outputs_is_refused():
    y = np.arange(12) % 4
    with pytest.raises(funcnn.ArgumentError, match="y holds the class 3; the model knows 0 to 2"):
        funcnn.train("mlp_linear", (X, y), loss=SMOOTHED, out_features=3, **SHORT)
