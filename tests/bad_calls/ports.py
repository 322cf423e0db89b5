"""Comparisons of ports with their originals."""

from __future__ import annotations

import numpy as np
import optax

import funcnn
from bad_calls.calls import TYPE, VALUE, X, Y, torch


def linear():
    return torch().nn.Linear(3, 2).double()


def product(params, x):
    return x @ params["weight"].T + params["bias"]


def error(prediction, target):
    return ((prediction - target) ** 2).mean()


def compared(net=None, port=None, data=(X, Y), **arguments):
    net = linear() if net is None else net
    params = {name: value.numpy() for name, value in net.state_dict().items()}
    return funcnn.compare(net, (params, product) if port is None else port, data, **arguments)


LOSSES = {"loss": error, "port_loss": error}


def optimized(make, **arguments):
    net = linear()
    given = {"optimizer": make(net), "port_optimizer": optax.sgd(0.1)} | LOSSES
    return compared(net, **given | arguments)


def sgd(net):
    return torch().optim.SGD(net.parameters(), 0.1)


def stepped(net):
    optimizer = torch().optim.Adam(net.parameters(), 0.1)
    net(torch().ones(1, 3, dtype=torch().float64)).sum().backward()
    optimizer.step()
    return optimizer


PORTS = {
    "compare-net": (lambda _: funcnn.compare(product if torch() else None, ({}, product), (X, Y)),
        TYPE, "net must be a torch.nn.Module"),
    "compare-port": (lambda _: compared(port=product), TYPE, "port must be a pair (params, apply)"),
    "compare-port-swapped": (lambda _: compared(port=(product, {})),
        TYPE, "port must be (params, apply); it is given as (apply, params)"),
    "compare-port-module": (lambda _: compared(port=({}, linear())),
        TYPE, "port's apply is PyTorch's Linear"),
    "compare-params-empty": (lambda _: compared(port=({}, lambda p, x: x @ np.ones((3, 2)))),
        VALUE, "the port's params hold no floats"),
    "compare-params-function": (lambda _: compared(port=({"f": product}, product)),
        TYPE, "at f, which is no array: part them from the rest"),
    "compare-apply-fails": (lambda _: compared(port=({"w": np.ones(3)}, product)),
        VALUE, "the port fails: KeyError"),
    "compare-apply-tuple": (lambda _: compared(port=({"w": np.ones(3)}, lambda p, x: (x,))),
        TYPE, "the port's apply must return an array, the prediction"),
    "compare-data": (lambda _: compared(data=X), TYPE, "data must be a pair (x, y)"),
    "compare-data-text": (lambda _: compared(data=("x", Y)), TYPE, "x must be an array"),
    "compare-x-shape": (lambda _: compared(data=(X[:, :2], Y)),
        VALUE, "net, called on x in float64, fails: RuntimeError"),
    "compare-steps": (lambda _: compared(steps=0), VALUE, "steps=0 must be at least 1"),
    "compare-one-loss": (lambda _: compared(loss=error),
        VALUE, "loss= is given without port_loss="),
    "compare-loss-of-torch": (lambda _: compared(loss=error, port_loss=torch().nn.MSELoss()),
        TYPE, "port_loss is PyTorch's MSELoss"),
    "compare-loss-name": (lambda _: compared(loss="mse", port_loss=error),
        TYPE, "loss must be a function of tensors, not 'mse'"),
    "compare-port-loss-shape": (lambda _: compared(loss=error, port_loss=lambda p, y: p - y),
        VALUE, "port_loss must return one number, not (8, 2)"),
    "compare-one-optimizer": (lambda _: optimized(sgd, port_optimizer=None),
        VALUE, "optimizer= is given without port_optimizer="),
    "compare-optimizer-without-loss": (lambda _: optimized(sgd, loss=None, port_loss=None),
        VALUE, "optimizer= needs loss= and port_loss="),
    "compare-optimizer-type": (lambda _: optimized(lambda net: optax.sgd(0.1)),
        TYPE, "optimizer must be one of torch.optim over net's parameters"),
    "compare-port-optimizer-type": (lambda _: optimized(sgd, port_optimizer="sgd"),
        TYPE, "port_optimizer must be an optax.GradientTransformation, not 'sgd'"),
    "compare-optimizer-of-another": (lambda _: optimized(lambda net: sgd(linear())),
        VALUE, "optimizer is over parameters that are not net's"),
    "compare-optimizer-stepped": (lambda _: optimized(stepped),
        VALUE, "optimizer has made steps already"),
    "compare-optimizer-lbfgs": (
        lambda _: optimized(lambda net: torch().optim.LBFGS(net.parameters())),
        VALUE, "optimizer is LBFGS, which wants more than a gradient"),
    "compare-dropout": (lambda _: compared(torch().nn.Sequential(linear(), torch().nn.Dropout())),
        VALUE, "net draws random numbers, so that two calls differ"),
    "compare-net-of-tuples": (lambda _: compared(torch().nn.LSTM(3, 2).double()),
        VALUE, "net returns tuple, not one tensor of floats"),
}  # fmt: skip
