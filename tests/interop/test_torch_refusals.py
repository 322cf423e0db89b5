"""What a trace would freeze is refused by its name, and nothing is left changed."""

from __future__ import annotations

import itertools
import random

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import funcnn
from funcnn import ArgumentError
from funcnn.interop import from_torch, params_of

torch = pytest.importorskip("torch")
from funcnn.interop.torch import tracing  # noqa: E402

nn, functional = torch.nn, torch.nn.functional

COUNTED = {"calls": 0}
KEPT = torch.zeros(2)


class Base(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(3, 2)
        self.register_buffer("mean", torch.zeros(2))
        self.counts = {"calls": 0}
        self.plain = torch.zeros(2)
        self.generator = np.random.default_rng(0)


class Branch(Base):
    words = "decides by a tensor's values", "if h.sum() > 0"

    def forward(self, x):
        h = self.a(x)
        if h.sum() > 0:
            return h
        return -h


class Selection(Base):
    words = "makes a shape of a tensor's values", "h[h > 0]"

    def forward(self, x):
        h = self.a(x)
        return h + h[h > 0].sum()


class Converted(Base):
    words = "np.asarray(self.a(x).detach())", "test_torch_refusals.py"

    def forward(self, x):
        return self.a(x) + float(np.asarray(self.a(x).detach()).max())


class PythonRandom(Base):
    words = ("Python's random",)

    def forward(self, x):
        return self.a(x) * random.random()


class NumpyRandom(Base):
    words = ("numpy.random",)

    def forward(self, x):
        return self.a(x) * np.random.rand()  # noqa: NPY002


class OwnGenerator(Base):
    words = ("'generator'",)

    def forward(self, x):
        return self.a(x) * self.generator.normal()


class Counter(Base):
    words = ("'counts'",)

    def forward(self, x):
        self.counts["calls"] += 1
        return self.a(x)


class OutsideCounter(Base):
    words = ("something else each time",)

    def forward(self, x):
        COUNTED["calls"] += 1
        return self.a(x) / COUNTED["calls"]


class Cache(Base):
    words = "'cached'", "call the module once before"

    def forward(self, x):
        if not hasattr(self, "cached"):
            self.cached = torch.ones(2)
        return self.a(x) * self.cached


class BufferWritten(Base):
    words = "buffer 'mean'", "self.mean.mul_(0.9)"

    def forward(self, x):
        h = self.a(x)
        self.mean.mul_(0.9).add_(h.detach().mean(0))
        return h - self.mean


class BufferReplaced(Base):
    words = ("replaces 'mean'",)

    def forward(self, x):
        h = self.a(x)
        self.mean = 0.9 * self.mean + h.detach().mean(0)
        return h - self.mean


class PlainWritten(Base):
    words = "no buffer", "self.plain.add_(1)"

    def forward(self, x):
        return self.a(x) + self.plain.add_(1)


class OutsideWritten(Base):
    words = "no buffer", "KEPT.add_(1)"

    def forward(self, x):
        return self.a(x) + KEPT.add_(1)


class ParameterWritten(Base):
    words = "parameter or buffer 'a.weight'", "self.a.weight.clamp_(-1, 1)"

    def forward(self, x):
        with torch.no_grad():
            self.a.weight.clamp_(-1, 1)
        return self.a(x)


class InputWritten(Base):
    words = "its input 0", "x.detach().add_(1)"

    def forward(self, x):
        x.detach().add_(1)
        return self.a(x)


class ListCounter(Base):
    words = ("'steps'",)

    def __init__(self):
        super().__init__()
        self.steps = [torch.zeros(1)]

    def forward(self, x):
        self.steps.append(torch.zeros(1))
        return self.a(x) * len(self.steps)


class ModeChanged(Base):
    words = ("the mode of 'a'",)

    def forward(self, x):
        self.a.eval()
        return self.a(x)


class TwoResults(Base):
    words = "returns tuple", "wrap it"

    def forward(self, x):
        return self.a(x), x


class Wider(Base):
    words = "computes in float64", "dtype='float64'"

    def forward(self, x):
        return self.a(x).double()


class Draws(Base):
    words = ("stochastic=True",)

    def forward(self, x):
        return functional.dropout(self.a(x), 0.5)


class Unknown(Base):
    words = ("svd",)

    def forward(self, x):
        return self.a(x) + torch.linalg.svdvals(self.a.weight)[:2]


class WrongShape(Base):
    words = "self.a(x[:, :2])", "part 'a'"

    def forward(self, x):
        return self.a(x[:, :2])


class RunningValues(nn.Sequential):
    words = "'1.num_batches_tracked'", "part '1'"

    def __init__(self):
        super().__init__(nn.Linear(3, 2), nn.BatchNorm1d(2))


KINDS = [
    *Base.__subclasses__(),
    RunningValues,
]


def settings():
    """What a trace could leave changed, of PyTorch and of JAX."""
    return (
        torch.is_grad_enabled(),
        torch.get_default_dtype(),
        torch.backends.mkldnn.enabled,
        torch.backends.mha.get_fastpath_enabled(),
        torch.backends.cuda.math_sdp_enabled(),
        torch.backends.cuda.flash_sdp_enabled(),
        torch.distributions.Distribution._validate_args,
        torch.get_rng_state().tolist(),
        random.getstate(),
        np.random.get_state()[1].tolist(),  # noqa: NPY002
        dict(jax.config.values),
    )


def everything(net):
    """What is on a module, tensors by their values."""

    def plain(value):
        if isinstance(value, torch.Tensor):
            return type(value), value.tolist(), value.requires_grad, value.grad
        if isinstance(value, np.random.Generator):
            return repr(value.bit_generator.state)
        if isinstance(value, dict):
            return {name: plain(one) for name, one in value.items()}
        return [plain(one) for one in value] if isinstance(value, list) else value

    return {
        name: {attribute: plain(value) for attribute, value in vars(part).items()}
        for name, part in net.named_modules()
    }


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_what_a_trace_would_freeze_is_refused(kind):
    torch.manual_seed(0)
    net = kind()
    before, around = everything(net), settings()
    model = from_torch(net)
    with pytest.raises(ArgumentError) as refusal:
        jax.eval_shape(model.apply, params_of(net), jnp.ones((4, 3)))
    for word in kind.words:
        assert word in str(refusal.value)
    assert everything(net) == before
    assert settings() == around
    assert not KEPT.any()


def test_train_refuses_before_anything_is_compiled(compiles):
    net = Branch()
    with compiles() as compiled, pytest.raises(ArgumentError, match="decides by a tensor"):
        funcnn.train(from_torch(net), (np.ones((4, 3)), np.ones((4, 2))), params=params_of(net))
    assert not compiled


def test_a_module_that_has_changed_since_is_refused():
    net = Base()
    net.forward = net.a.forward
    model = from_torch(net)
    jax.eval_shape(model.apply, params_of(net), jnp.ones((4, 3)))
    net.eval()  # The model keeps the mode that the module had.
    with torch.no_grad():
        net.a.weight.add_(1)
    jax.eval_shape(model.apply, params_of(net), jnp.ones((5, 3)))
    net.factor = 2.0
    with pytest.raises(ArgumentError, match="'factor' has changed since"):
        jax.eval_shape(model.apply, params_of(net), jnp.ones((6, 3)))


def hooked():
    net = nn.Linear(2, 2)
    net.weight.register_hook(lambda gradient: 3 * gradient)
    return net


@pytest.mark.parametrize(
    ("net", "words"),
    [
        (lambda: 3, "net must be a torch.nn.Module"),
        (nn.ReLU, "no parameters that require a gradient"),
        (lambda: nn.LazyLinear(2), "has no shape yet"),
        (lambda: nn.Linear(2, 2).half(), "of float16"),
        (
            lambda: nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2).double()),
            "must be of one dtype",
        ),
        (lambda: nn.Linear(2, 2, device="meta"), "is on meta"),
        (hooked, "'weight' has a hook"),
    ],
)
def test_what_is_no_module_to_train_is_refused(net, words):
    for function in (from_torch, params_of):
        with pytest.raises(ArgumentError, match=words):
            function(net())


def test_a_gradient_that_cannot_be_traced_is_refused():
    class Masked(Base):
        def forward(self, x):
            h = self.a(x).clone()
            h[h[:, 0] > 0] = self.a.bias
            return h

    net = Masked()
    with pytest.raises(ArgumentError, match="its gradient makes a shape"):
        funcnn.train(from_torch(net), (np.ones((4, 3)), np.ones((4, 2))), params=params_of(net))


def test_float64_is_not_halved():
    net = nn.Linear(3, 1).double()
    with pytest.raises(ArgumentError, match="float64"):
        from_torch(net).apply(params_of(net), np.ones((4, 3), np.float32))


def test_an_optimizer_that_computes_in_bfloat16():
    muon = getattr(torch.optim, "Muon", None)
    if muon is None:
        pytest.skip("this PyTorch has no Muon")
    net = nn.Linear(3, 2, bias=False).double()
    data = torch.ones(4, 3, dtype=torch.float64), torch.ones(4, 2, dtype=torch.float64)
    with pytest.raises(funcnn.ArgumentError, match="optimizer is Muon, which computes in bfloat16"):
        funcnn.train(net, data, optimizer=muon(net.parameters(), lr=0.02), steps=2)


def test_a_refusal_begins_with_what_was_given():
    net, data = Branch(), (np.ones((4, 3), np.float32), np.ones((4, 2), np.float32))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)

    def function(x, y):
        optimizer.zero_grad()
        value = functional.mse_loss(net(x), y)
        value.backward()
        optimizer.step()
        return value

    step = funcnn.interop.torch_step(net, optimizer, function)
    with pytest.raises(ArgumentError, match=r"^the step cannot be traced: it decides by"):
        funcnn.train(step, data, steps=1)
    with pytest.raises(ArgumentError, match=r"^the module cannot be traced: it decides by"):
        funcnn.train(net, data, loss=nn.MSELoss(), optimizer=optimizer, steps=1)
    plain = nn.Linear(3, 2)
    with pytest.raises(ArgumentError, match=r"^the loss cannot be traced: it must be a tensor"):
        funcnn.train(plain, data, loss=lambda p, y: (p - y) ** 2, optimizer="sgd", steps=1)


@pytest.mark.parametrize("kind", ["Adam", "SGD"])
def test_what_differs_at_each_call_is_refused_without_needless_traces(kind, monkeypatch):
    """The first step and those that follow, and the form of each without writes: four traces."""
    counted, calls = [], itertools.count(1)
    graph = tracing._graph
    monkeypatch.setattr(tracing, "_graph", lambda *given: counted.append(1) or graph(*given))
    net, data = nn.Linear(3, 2), (np.ones((4, 3), np.float32), np.ones((4, 2), np.float32))
    optimizer = getattr(torch.optim, kind)(net.parameters(), lr=0.01)
    run = {"loss": nn.MSELoss(), "optimizer": optimizer, "steps": 2}
    funcnn.train(net, data, **run)
    assert len(counted) == 4
    run["loss"] = lambda *given: functional.mse_loss(*given) * next(calls)
    with pytest.raises(ArgumentError, match="it computes something else each time"):
        funcnn.train(net, data, **run)
