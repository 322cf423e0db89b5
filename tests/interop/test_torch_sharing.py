"""What an optimizer remembers of several parameters, where it is always the same."""

from __future__ import annotations

import jax
import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from torch import nn

import funcnn
from funcnn.interop.torch.program import Instruction, Kind, Program, Value
from funcnn.interop.torch.sharing import representatives
from funcnn.interop.torch.traced import Pair, Traced

ONE, OTHER = ("a", "step"), ("b", "step")
NUMBER = Kind((), "float32")


def step(first, second, order=(1, 0)):
    """A step that adds to two numbers that are remembered, and gives the loss and those."""
    instructions = tuple(
        Instruction("add", (Value(place), by), {}, NUMBER)
        for place, by in enumerate((first, second))
    )
    outputs = (Value(0), *(Value(3 - place) for place in order))
    return Pair(None, Traced(Program(2, (), instructions, outputs), (ONE, OTHER), ()))


def starts(*values):
    return dict(zip((ONE, OTHER), (np.float32(one) for one in values), strict=True))


def test_what_starts_equal_and_is_made_alike_is_shared():
    assert representatives(starts(0, 0), [step(1.0, 1.0)], 0) == {ONE: ONE, OTHER: ONE}


@pytest.mark.parametrize(
    ("values", "steps"),
    [
        ((0, 1), [step(1.0, 1.0)]),
        ((0, 0), [step(1.0, 2.0)]),
        ((0.0, -0.0), [step(1.0, 1.0)]),
        ((0, 0), [step(1.0, 1.0), step(1.0, 2.0)]),
    ],
    ids=["they start apart", "made apart", "-0 is not 0", "by one size of batch alone"],
)
def test_all_else_is_not_shared(values, steps):
    assert representatives(starts(*values), steps, 0) == {ONE: ONE, OTHER: OTHER}


def test_what_follows_from_numbers_that_part_parts_too():
    """Two groups of two: a member of the second becomes what one of the first was."""
    slots = [("a", "count"), ("b", "count"), ("a", "old"), ("b", "old")]
    instructions = (
        Instruction("add", (Value(0), 1.0), {}, NUMBER),
        Instruction("add", (Value(1), 2.0), {}, NUMBER),
    )
    program = Program(4, (), instructions, (Value(0), Value(4), Value(5), Value(0), Value(1)))
    memory = dict.fromkeys(slots, np.float32(0))
    found = representatives(memory, [Pair(None, Traced(program, tuple(slots), ()))], 0)
    assert found == {slot: slot for slot in slots}


def test_a_state_holds_the_step_of_every_parameter():
    """In the loop there is one; as users and checkpoints see it, PyTorch's own."""
    net = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))
    optimizer = torch.optim.Adam(net.parameters())
    data = torch.ones(4, 2), torch.ones(4, 1)
    result = funcnn.train(net, data, loss=nn.MSELoss(), optimizer=optimizer, steps=3)
    memory = result.state.optimizer_state.inner
    assert [float(one["step"]) for one in memory.values()] == [3.0] * 4
    again = funcnn.train(
        net, data, loss=nn.MSELoss(), optimizer=optimizer, steps=2, state=result.state
    )
    assert [float(one["step"]) for one in again.state.optimizer_state.inner.values()] == [5.0] * 4


def test_a_state_of_another_optimizer_is_refused():
    """Where two parameters have made other numbers of steps, one cannot stand for both."""
    net = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))
    optimizer = torch.optim.Adam(net.parameters())
    data = torch.ones(4, 2), torch.ones(4, 1)
    arguments = {"loss": nn.MSELoss(), "optimizer": optimizer, "steps": 2}
    state = funcnn.train(net, data, **arguments).state
    memory = jax.tree.map(lambda leaf: leaf, state.optimizer_state.inner)
    memory["2.bias"]["step"] = memory["2.bias"]["step"] + 1
    mixed = state._replace(optimizer_state=state.optimizer_state._replace(inner=memory))
    with pytest.raises(funcnn.ArgumentError, match=r"state: .* another optimizer"):
        funcnn.train(net, data, state=mixed, **arguments)
