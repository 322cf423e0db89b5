"""Modules of PyTorch, their losses, optimizers, schedulers and steps; what is written back."""

from __future__ import annotations

import functools
import warnings

import numpy as np

import funcnn
from bad_calls.calls import TYPE, VALUE, X32, Y32, C, torch

DATA = X32, Y32


def linear(**options):
    return torch().nn.Linear(3, 2, **options)


def sgd(net):
    return torch().optim.SGD(net.parameters(), lr=0.1)


def adam(net):
    return torch().optim.Adam(net.parameters(), lr=0.1)


def optimizers():
    return torch().optim


def schedulers():
    return torch().optim.lr_scheduler


def trained(net=None, optimizer=sgd, loss=None, data=DATA, **arguments):
    """Train a module by the optimizer that is made for it."""
    net = linear() if net is None else net
    given = {"loss": torch().nn.MSELoss() if loss is None else loss, "steps": 2}
    return funcnn.train(net, data, optimizer=optimizer(net), **given | arguments)


def scheduled(make):
    net = linear()
    optimizer = sgd(net)
    return trained(net, lambda _: optimizer, scheduler=make(optimizer))


def stepped(body, **arguments):
    """Train by a step of one's own: ``body(net, optimizer, x, y)``."""
    net = linear()
    optimizer = sgd(net)
    step = funcnn.interop.torch_step(net, optimizer, functools.partial(body, net, optimizer))
    return funcnn.train(step, DATA, steps=2, **arguments)


def body(net, optimizer, x, y):
    optimizer.zero_grad()
    loss = ((net(x) - y) ** 2).mean()
    loss.backward()
    optimizer.step()
    return loss


def keeping(net, optimizer, x, y):
    loss = ((net(x) - y) ** 2).mean()
    loss.backward()
    optimizer.step()
    return loss


def decided(net, optimizer, x, y):
    return body(net, optimizer, x, y) if x.sum() > 0 else body(net, optimizer, x, -y)


def drawn(net, optimizer, x, y):
    return body(net, optimizer, x * np.random.rand(), y)  # noqa: NPY002


def hooked():
    net = linear()
    net.weight.register_hook(lambda gradient: 2 * gradient)
    return net


def counting():
    nn = torch().nn

    class Counting(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer, self.seen = linear(), []

        def forward(self, x):
            self.seen.append(x)
            return self.layer(x)

    return Counting()


def mixed():
    return torch().nn.Sequential(torch().nn.Linear(3, 3), linear().double())


def compiled():
    with warnings.catch_warnings(action="ignore"):  # Of PyTorch's own making.
        return torch().compile(linear())


def written(made, *others):
    """Write what a run by Adam came to into others than its module and its optimizer."""
    torch()
    made.of_module.to_torch(*others)


def reproduced(net=None, **arguments):
    net = linear() if net is None else net
    return funcnn.reproduce(net, DATA, **{"optimizer": sgd(net), "steps": 3} | arguments)


def applied(params, x=X32):
    return funcnn.interop.from_torch(linear()).apply(params, x)


STATE = {"weight": np.ones((2, 3), np.float32), "bias": np.ones(2, np.float32)}

MODULES = {
    "module-meta": (lambda _: trained(linear(device="meta")),
        VALUE, "net's 'weight' is on meta: pass net.cpu()"),
    "module-lazy": (lambda _: trained(torch().nn.LazyLinear(2)),
        VALUE, "net's 'weight' has no shape yet: call the module once, on a batch"),
    "module-half": (lambda _: trained(linear().half()),
        VALUE, "net's 'bias' is of float16; all that it trains must be of one dtype, float32"),
    "module-complex": (lambda _: trained(linear(dtype=torch().complex64)),
        VALUE, "net's 'bias' is of complex64; all that it trains must be of one dtype"),
    "module-mixed": (lambda _: trained(mixed()),
        VALUE, "net's '0.bias' is of float32 and '1.bias' is of float64; all that it trains"),
    "module-sparse": (lambda _: trained(torch().nn.Embedding(3, 2, sparse=True), data=(C, Y32)),
        VALUE, "net has sparse gradients, which are not traced: make it with sparse=False"),
    "module-frozen": (lambda _: trained(linear().requires_grad_(False)),
        VALUE, "net has no parameters that require a gradient: nothing to train"),
    "module-compiled": (lambda _: trained(compiled()),
        VALUE, "net is of torch.compile: pass the module it was made of"),
    "module-gradient-hook": (lambda _: trained(hooked()),
        VALUE, "net's 'weight' has a hook on its gradient"),
    "module-that-remembers": (lambda _: trained(counting()),
        VALUE, "it changes 'seen', which a compiled function would not"),
    "module-dtype": (lambda _: trained(dtype="float64"),
        VALUE, "dtype='float64': the module is of float32; pass net.double()"),
    "module-hidden": (lambda _: trained(hidden=3), VALUE, "hidden: the sizes and options of a"),
    "module-params-shape": (lambda _: trained(params=STATE | {"weight": np.ones((2, 2))}),
        VALUE, "params: 'weight' has shape (2, 2), and in the module (2, 3)"),
    "module-params-names": (lambda _: trained(params={"w": np.ones((2, 3))}),
        VALUE, "params: they must be a state_dict of the module; missing weight, bias, unknown w"),
    "module-data-sparse": (lambda _: trained(data=(torch().ones(8, 3).to_sparse(), Y32)),
        TYPE, "x is no array but a Tensor: can't convert Sparse layout tensor to numpy"),
    "module-data-features": (lambda _: trained(data=(X32[:, :2], Y32)),
        VALUE, "the module cannot be traced: a and b must have same reduction dim"),
    "module-data-broadcast": (lambda _: trained(data=(X32, Y32[:, 0])),
        VALUE, "Using a target size (torch.Size([8])) that is different to the input size"),
    "module-optimizer-class": (lambda _: trained(optimizer=lambda _: optimizers().SGD),
        TYPE, "optimizer is the class SGD: pass one over the module's parameters, SGD(net"),
    "module-optimizer-of-another": (lambda _: trained(optimizer=lambda _: sgd(linear())),
        VALUE, "optimizer: its group 0 holds a parameter, of shape (2, 3), that is none of"),
    "module-optimizer-lbfgs": (
        lambda _: trained(optimizer=lambda net: optimizers().LBFGS(net.parameters())),
        VALUE, "optimizer is LBFGS, which calls the loss several times in a step"),
    "module-optimizer-sparse": (
        lambda _: trained(optimizer=lambda net: optimizers().SparseAdam(net.parameters())),
        VALUE, "optimizer is SparseAdam, which takes sparse gradients"),
    "module-optimizer-number": (lambda _: trained(beta1=0.5),
        VALUE, "beta1: SGD has no such number"),
    "module-scheduler-of-another": (
        lambda _: scheduled(lambda _: schedulers().StepLR(sgd(linear()), 2)),
        VALUE, "scheduler: it is another optimizer's"),
    "module-scheduler-class": (lambda _: scheduled(lambda _: schedulers().StepLR),
        TYPE, "scheduler is the class StepLR: pass StepLR(optimizer, ...)"),
    "module-scheduler-plateau": (
        lambda _: scheduled(lambda optimizer: schedulers().ReduceLROnPlateau(optimizer)),
        VALUE, "scheduler: ReduceLROnPlateau looks at the loss"),
    "module-scheduler-of-optax": (
        lambda _: trained(optimizer=lambda _: "sgd", scheduler=schedulers().StepLR(
        sgd(linear()), 2)), VALUE, "scheduler is for an optimizer of torch.optim"),
    "module-loss-class": (lambda _: trained(loss=torch().nn.MSELoss),
        TYPE, "loss is the class MSELoss: pass MSELoss()"),
    "module-loss-vector": (lambda _: trained(loss=torch().nn.MSELoss(reduction="none")),
        VALUE, "loss returns a tensor of shape (8, 2) and torch.float32; it must be one real"),
    "module-loss-number": (lambda _: trained(loss=lambda p, y: ((p - y) ** 2).mean().item()),
        VALUE, "loss returns a Python number, as .item() gives; it must return a tensor"),
    "module-loss-nothing": (lambda _: trained(loss=lambda p, y: None),
        VALUE, "loss returns NoneType; it must return a tensor of one number"),
    "module-loss-complex": (lambda _: trained(loss=lambda p, y: (1j * p).sum()),
        VALUE, "loss returns a tensor of shape () and torch.complex64; it must be one real"),
    "module-loss-detached": (lambda _: trained(loss=lambda p, y: ((p.detach() - y) ** 2).mean()),
        VALUE, "loss has no gradient by the module's parameters (detach, no_grad?)"),
    "module-loss-trained": (lambda _: trained(loss=linear()),
        VALUE, "loss: it has parameters of its own; make it a part of the module"),
    "step-that-changes-nothing": (lambda _: stepped(lambda net, o, x, y: (net(x) - y).sum()),
        VALUE, "the step changes nothing that the module holds: it must call loss.backward()"),
    "step-without-zero-grad": (lambda _: stepped(keeping),
        VALUE, "adds to the gradients that the step before has left, as to that of 'weight'"),
    "step-of-a-vector": (lambda _: stepped(lambda net, o, x, y: (body(net, o, x, y), x)[1]),
        VALUE, "it must return the loss, a tensor of one number"),
    "step-decided": (lambda _: stepped(decided),
        VALUE, "it decides by a tensor's values, or makes a shape of them in `return body("),
    "step-drawn": (lambda _: stepped(drawn), VALUE, "it draws from numpy.random"),
    "step-with-an-optimizer": (lambda _: stepped(body, optimizer="sgd"),
        VALUE, "optimizer: the step is given whole, with its optimizer"),
    "step-function": (lambda _: funcnn.interop.torch_step(net := linear(), sgd(net), None),
        TYPE, "function must be function(x, y) -> loss, not None"),
    "to-torch-number": (lambda made: written(made, 3),
        TYPE, "net must be a torch.nn.Module, not 3"),
    "to-torch-other-shape": (lambda made: written(made, torch().nn.Linear(3, 3)),
        VALUE, "net: its 'bias' has shape (3,), and in the run (2,)"),
    "to-torch-other-names": (lambda made: written(made, torch().nn.Sequential(linear())),
        VALUE, "net: the run's params are not those of this module"),
    "to-torch-meta": (lambda made: written(made, linear(device="meta")),
        VALUE, "net's 'bias' is on meta, and holds no numbers"),
    "to-torch-other-optimizer": (lambda made: written(made, net := linear(), sgd(net)),
        VALUE, "optimizer: SGD has no 'beta1', which the run's had"),
    "to-torch-optimizer-of-another": (lambda made: written(made, linear(), adam(linear())),
        VALUE, "optimizer: it does not hold the module's 'bias'"),
    "to-torch-scheduler-of-another": (
        lambda made: written(made, net := linear(), adam(net), schedulers().StepLR(sgd(net), 2)),
        VALUE, "scheduler: it is not that of the optimizer"),
    "from-torch-class": (lambda _: funcnn.interop.from_torch(torch().nn.Linear),
        TYPE, "net must be a torch.nn.Module, not <class"),
    "from-torch-names": (lambda _: applied({"w": 1.0}),
        VALUE, "params must be what params_of(net) gives; missing 'bias', 'weight', unknown 'w'"),
    "from-torch-shape": (lambda _: applied(STATE | {"weight": np.ones((3, 2), np.float32)}),
        VALUE, "params['weight'] has shape (3, 2), and in the module (2, 3)"),
    "from-torch-no-params": (lambda _: applied([1.0]),
        TYPE, "params must be what params_of(net) gives, not [1.0]"),
    "params-of-dict": (lambda _: funcnn.interop.params_of(STATE) if torch() else None,
        TYPE, "net must be a torch.nn.Module, not {'weight'"),
    "reproduce-no-optimizer": (lambda _: reproduced(optimizer=None),
        VALUE, "optimizer: one of torch.optim is needed, over the parameters"),
    "reproduce-optimizer-name": (lambda _: reproduced(optimizer="sgd"),
        TYPE, "optimizer must be one of torch.optim, over the module's parameters, not 'sgd'"),
    "reproduce-one-step": (lambda _: reproduced(steps=1), VALUE, "steps=1 must be at least 2"),
    "reproduce-seed": (lambda _: reproduced(seed=-1), VALUE, "seed=-1"),
    "reproduce-batches": (lambda _: reproduced(steps=None, batches=[[0, 8], [1, 2]]),
        VALUE, "batches must hold numbers of samples from 0 to 7"),
}  # fmt: skip
