"""Modules that take several inputs: trained, reproduced and asked, with a tuple as x."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import funcnn

torch = pytest.importorskip("torch")
nn, functional = torch.nn, torch.nn.functional

CLOSE = 1e-8

RNG = np.random.default_rng(0)
X, KINDS = RNG.standard_normal((11, 3)), RNG.integers(0, 5, 11)
Y = RNG.standard_normal((11, 1))


class Both(nn.Module):
    """Numbers, and a kind that scales them."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.layer, self.kinds = nn.Linear(3, 4), nn.Embedding(5, 4)
        self.last = nn.Linear(4, 1)
        self.double()

    def forward(self, x, kinds):
        return self.last(torch.tanh(self.layer(x) * self.kinds(kinds)))


def arguments(net, rate=0.05):
    return {"loss": nn.MSELoss(), "optimizer": torch.optim.Adam(net.parameters(), lr=rate)}


def test_a_module_of_two_inputs_is_trained_validated_and_asked():
    net = Both()
    own, optimizer = copy.deepcopy(net), arguments(net)["optimizer"]
    aside = (X[:4], KINDS[:4]), Y[:4]
    result = funcnn.train(
        net, ((X, torch.from_numpy(KINDS)), Y), validation=aside, steps=6, **arguments(net)
    )
    optimizer = torch.optim.Adam(own.parameters(), lr=0.05)
    inputs, y = (torch.from_numpy(X), torch.from_numpy(KINDS)), torch.from_numpy(Y)
    for number in range(6):
        optimizer.zero_grad()
        loss = functional.mse_loss(own(*inputs), y)
        assert abs(loss.item() - result.losses[number]) < CLOSE
        loss.backward()
        optimizer.step()
    expected = own(*inputs).detach().numpy()
    assert np.abs(result.predict((X, KINDS)) - expected).max() < CLOSE
    validated = ((expected - Y)[:4] ** 2).mean()
    assert abs(result.history["validation_loss"][-1] - validated) < CLOSE


def test_what_was_prepared_is_known_in_another_process_too():
    result = funcnn.train(
        Both(), ((X, KINDS), Y), loss="mse", optimizer="adam", learning_rate=0.1, steps=2
    )
    kept = pickle.loads(pickle.dumps(result.preparation))
    assert kept == result.preparation


@pytest.mark.slow
def test_a_module_of_two_inputs_is_reproduced_in_batches_that_are_drawn_too():
    net = Both()
    found = funcnn.reproduce(net, ((X, KINDS), Y), batch_size=4, steps=9, **arguments(net))
    assert found.compared_steps == 9
    assert np.abs(found.losses - found.reference_losses).max() < CLOSE
    trained = funcnn.train(net, ((X, KINDS), Y), batch_size=4, steps=9, **arguments(net))
    assert np.array_equal(trained.losses, found.losses)


REFUSED = {
    "lengths": (lambda: ((X, KINDS[:5]), Y), r"x\[1\] holds 5 samples and x\[0\] 11"),
    "length of y": (lambda: ((X, KINDS), Y[:5]), r"x\[0\] holds 11 samples and y 5"),
    "not finite": (lambda: ((X * np.inf, KINDS), Y), r"x\[0\]"),
    "too many": (lambda: ((X, KINDS, X), Y), "positional arguments"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_tuple_of_inputs_is_refused(name):
    make, words = REFUSED[name]
    net = Both()
    with np.errstate(invalid="ignore"), pytest.raises(funcnn.ArgumentError, match=words):
        funcnn.train(net, make(), steps=2, **arguments(net))


def test_inputs_that_are_asked_for_are_those_of_the_training():
    net = Both()
    result = funcnn.train(net, ((X, KINDS), Y), steps=1, **arguments(net))
    for x, words in {
        (0,): "a tuple of arrays",
        (X.tobytes(),): "a tuple of arrays",
    }.items():
        with pytest.raises(funcnn.ArgumentError, match=words):
            result.predict(x)
    with pytest.raises(funcnn.ArgumentError, match="holds 1 arrays"):
        result.predict((X,))
    with pytest.raises(funcnn.ArgumentError, match=r"a sample of x\[0\] has shape"):
        result.predict((X[:, :2], KINDS))
    with pytest.raises(funcnn.ArgumentError, match="standardize: x is several"):
        funcnn.train(net, ((X, KINDS), Y), steps=1, standardize=True, **arguments(net))
